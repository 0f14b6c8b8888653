/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Questions to the kernel that are no more than that: whether it knows a map type or a command, what its BTF calls something.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "bpf_sys.h"
#include "util.h"

/*
 * haveMapType(type) -> 1 | 0 | -errno. libbpf's own answer to a refusal of any kind is 0; the errno that it leaves behind tells what kind it was.
 */
static napi_value have_map_type(napi_env env, napi_callback_info info)
{
	struct args a;
	uint32_t type;
	int r;

	if (!args_get(env, info, &a, 1) || !arg_u32(&a, 0, "type", &type))
		return NULL;
	errno = 0;
	r = libbpf_probe_bpf_map_type(type, NULL);
	if (!r && (errno == EPERM || errno == EACCES))
		r = -errno;
	return mk_i32(env, r);
}

/* bpfCommand(cmd, fdOffset, size) -> errno of bpf(cmd) with descriptor -1 at that place of an empty attribute: EBADF from a kernel that knows it */
static napi_value bpf_command(napi_env env, napi_callback_info info)
{
	uint32_t cmd, at, size, attr[32] = {};
	struct args a;

	if (!args_get(env, info, &a, 3) || !arg_u32(&a, 0, "cmd", &cmd) || !arg_u32(&a, 1, "fdOffset", &at) ||
	    !arg_u32(&a, 2, "size", &size))
		return NULL;
	if (at % 4 || at / 4 >= 32 || size > sizeof(attr))
		return throw_errno(env, EINVAL, "bpfCommand");
	attr[at / 4] = (uint32_t)-1;
	return mk_i32(env, sys_bpf((int)cmd, attr, size) < 0 ? errno : 0);
}

/* kernelFunctionId(name) -> type id of a function in the kernel's BTF, 0 if it has none of that name */
static napi_value kernel_function_id(napi_env env, napi_callback_info info)
{
	struct btf *btf;
	struct args a;
	char name[128];
	int id;

	if (!args_get(env, info, &a, 1) || !arg_str(&a, 0, "name", name, sizeof(name)))
		return NULL;
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return throw_errno(env, errno ? errno : ENOENT, "btf__load_vmlinux_btf");
	id = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
	btf__free(btf);
	return mk_u32(env, id > 0 ? (uint32_t)id : 0);
}

#define HELPER_NAME(x, ...) #x

/* helperNames() -> the helpers' names by their numbers, of the header that this was built with */
static napi_value helper_names(napi_env env, napi_callback_info info)
{
	static const char *const names[] = { __BPF_FUNC_MAPPER(HELPER_NAME) };
	napi_value r;
	uint32_t i;

	napi_create_array(env, &r);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		napi_set_element(env, r, i, mk_str(env, names[i]));
	return r;
}

void probe_init(napi_env env, napi_value exports)
{
	export_fn(env, exports, "haveMapType", have_map_type);
	export_fn(env, exports, "bpfCommand", bpf_command);
	export_fn(env, exports, "kernelFunctionId", kernel_function_id);
	export_fn(env, exports, "helperNames", helper_names);
}
