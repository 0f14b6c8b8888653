/* SPDX-License-Identifier: GPL-2.0-only
 *
 * A BPF object file: opened, adjusted (constants, map sizes, maps to reuse), loaded. libbpf does the
 * CO-RE relocation; what it says meanwhile is collected per thread and becomes the error's log.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define SAID_MAX (64 * 1024)

/* libbpf has one print callback for the whole process; the buffer is the calling thread's. */
static __thread char *said;
static __thread size_t said_len;

static int print_cb(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	int n;

	if (!said || level == LIBBPF_DEBUG || said_len + 1 >= SAID_MAX)
		return 0;
	n = vsnprintf(said + said_len, SAID_MAX - said_len, fmt, ap);
	if (n > 0)
		said_len += (size_t)n < SAID_MAX - said_len ? (size_t)n : SAID_MAX - said_len - 1;
	return n;
}

static void listen_begin(void)
{
	said = calloc(1, SAID_MAX);
	said_len = 0;
}

/* Throws with what libbpf said, and the kernel's own log behind it. */
static napi_value fail(napi_env env, int err, const char *what, const char *kernel_log)
{
	size_t n = (said ? strlen(said) : 0) + (kernel_log ? strlen(kernel_log) : 0) + 2;
	char *all = malloc(n);

	if (all) {
		snprintf(all, n, "%s%s", said ? said : "", kernel_log ? kernel_log : "");
		throw_errno_log(env, err, what, all);
	} else {
		throw_errno(env, err, what);
	}
	free(all);
	return NULL;
}

static void listen_end(void)
{
	free(said);
	said = NULL;
}

struct object {
	struct bpf_object *obj;
	char *log;
	size_t log_size;
};

static void object_free(struct object *o)
{
	if (o->obj)
		bpf_object__close(o->obj);
	o->obj = NULL;
	free(o->log);
	o->log = NULL;
}

static void object_finalize(napi_env env, void *data, void *hint)
{
	object_free(data);
	free(data);
}

static struct object *object_arg(struct args *a)
{
	struct object *o = NULL;

	if (napi_get_value_external(a->env, a->v[0], (void **)&o) != napi_ok || !o) {
		napi_throw_type_error(a->env, "ERR_INVALID_ARG_TYPE", "object must be a handle from objectOpen");
		return NULL;
	}
	if (!o->obj) {
		napi_throw_error(a->env, "ERR_CLOSED", "the object is closed");
		return NULL;
	}
	return o;
}

/* objectOpen(bytes, name, logLevel) -> handle */
static napi_value object_open(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct args a;
	struct object *o;
	char name[64];
	uint32_t level;
	void *bytes;
	size_t len;
	napi_value h;

	if (!args_get(env, info, &a, 3) || !arg_bytes(&a, 0, "bytes", &bytes, &len) ||
	    !arg_str(&a, 1, "name", name, sizeof(name)) || !arg_u32(&a, 2, "logLevel", &level))
		return NULL;
	o = calloc(1, sizeof(*o));
	if (!o)
		return throw_errno(env, ENOMEM, "objectOpen");
	o->log_size = 1 << 20;
	o->log = calloc(1, o->log_size);
	opts.object_name = name;
	if (level) {
		opts.kernel_log_buf = o->log;
		opts.kernel_log_size = o->log_size;
		opts.kernel_log_level = level;
	}
	listen_begin();
	o->obj = len ? bpf_object__open_mem(bytes, len, &opts) : (errno = EINVAL, NULL);
	if (!o->obj || libbpf_get_error(o->obj)) {
		int err = errno ? errno : EINVAL;
		o->obj = NULL;
		fail(env, err < 4000 ? err : EINVAL, "bpf_object__open", NULL);
		listen_end();
		object_free(o);
		free(o);
		return NULL;
	}
	listen_end();
	if (napi_create_external(env, o, object_finalize, NULL, &h) != napi_ok) {
		object_free(o);
		free(o);
		return NULL;
	}
	return h;
}

/* objectInfo(handle) -> {maps, programs} */
static napi_value object_info(napi_env env, napi_callback_info info)
{
	struct bpf_program *p;
	struct bpf_map *m;
	struct object *o;
	struct args a;
	napi_value r, maps, progs;
	uint32_t n = 0;

	if (!args_get(env, info, &a, 1) || !(o = object_arg(&a)))
		return NULL;
	napi_create_object(env, &r);
	napi_create_array(env, &maps);
	napi_create_array(env, &progs);
	bpf_object__for_each_map(m, o->obj) {
		napi_value e;
		napi_create_object(env, &e);
		set_prop(env, e, "name", mk_str(env, bpf_map__name(m)));
		set_prop(env, e, "type", mk_u32(env, bpf_map__type(m)));
		set_prop(env, e, "keySize", mk_u32(env, bpf_map__key_size(m)));
		set_prop(env, e, "valueSize", mk_u32(env, bpf_map__value_size(m)));
		set_prop(env, e, "maxEntries", mk_u32(env, bpf_map__max_entries(m)));
		set_prop(env, e, "flags", mk_u32(env, bpf_map__map_flags(m)));
		set_prop(env, e, "internal", mk_bool(env, bpf_map__is_internal(m)));
		napi_set_element(env, maps, n++, e);
	}
	n = 0;
	bpf_object__for_each_program(p, o->obj) {
		napi_value e;
		napi_create_object(env, &e);
		set_prop(env, e, "name", mk_str(env, bpf_program__name(p)));
		set_prop(env, e, "section", mk_str(env, bpf_program__section_name(p)));
		set_prop(env, e, "type", mk_u32(env, bpf_program__type(p)));
		set_prop(env, e, "expectedAttachType", mk_u32(env, bpf_program__expected_attach_type(p)));
		set_prop(env, e, "instructions", mk_u32(env, bpf_program__insn_cnt(p)));
		napi_set_element(env, progs, n++, e);
	}
	set_prop(env, r, "maps", maps);
	set_prop(env, r, "programs", progs);
	return r;
}

static struct bpf_map *map_arg(struct args *a, struct object *o)
{
	struct bpf_map *m;
	char name[128];

	if (!arg_str(a, 1, "map", name, sizeof(name)))
		return NULL;
	m = bpf_object__find_map_by_name(o->obj, name);
	if (!m)
		throw_errno(a->env, ENOENT, "find map");
	return m;
}

static struct bpf_program *prog_arg(struct args *a, struct object *o)
{
	struct bpf_program *p;
	char name[128];

	if (!arg_str(a, 1, "program", name, sizeof(name)))
		return NULL;
	p = bpf_object__find_program_by_name(o->obj, name);
	if (!p)
		throw_errno(a->env, ENOENT, "find program");
	return p;
}

/* objectMapMaxEntries(handle, map, n) */
static napi_value object_map_max(napi_env env, napi_callback_info info)
{
	struct object *o;
	struct bpf_map *m;
	struct args a;
	uint32_t n;
	int err;

	if (!args_get(env, info, &a, 3) || !(o = object_arg(&a)) || !(m = map_arg(&a, o)) ||
	    !arg_u32(&a, 2, "maxEntries", &n))
		return NULL;
	err = bpf_map__set_max_entries(m, n);
	return err ? throw_errno(env, -err, "bpf_map__set_max_entries") : mk_undefined(env);
}

/* objectMapReuse(handle, map, fd): use an existing map instead of making one; libbpf duplicates the fd */
static napi_value object_map_reuse(napi_env env, napi_callback_info info)
{
	struct object *o;
	struct bpf_map *m;
	struct args a;
	int32_t fd;
	int err;

	if (!args_get(env, info, &a, 3) || !(o = object_arg(&a)) || !(m = map_arg(&a, o)) ||
	    !arg_i32(&a, 2, "fd", &fd))
		return NULL;
	err = bpf_map__reuse_fd(m, fd);
	return err ? throw_errno(env, -err, "bpf_map__reuse_fd") : mk_undefined(env);
}

/* objectInitialValue(handle, map) -> ArrayBuffer copy; objectSetInitialValue(handle, map, bytes) */
static napi_value object_initial_get(napi_env env, napi_callback_info info)
{
	const void *v;
	struct object *o;
	struct bpf_map *m;
	struct args a;
	napi_value ab;
	size_t size;
	void *to;

	if (!args_get(env, info, &a, 2) || !(o = object_arg(&a)) || !(m = map_arg(&a, o)))
		return NULL;
	v = bpf_map__initial_value(m, &size);
	if (!v)
		return throw_errno(env, EINVAL, "bpf_map__initial_value");
	if (napi_create_arraybuffer(env, size, &to, &ab) != napi_ok)
		return NULL;
	memcpy(to, v, size);
	return ab;
}

static napi_value object_initial_set(napi_env env, napi_callback_info info)
{
	struct object *o;
	struct bpf_map *m;
	struct args a;
	size_t size;
	void *bytes;
	int err;

	if (!args_get(env, info, &a, 3) || !(o = object_arg(&a)) || !(m = map_arg(&a, o)) ||
	    !arg_bytes(&a, 2, "bytes", &bytes, &size))
		return NULL;
	err = bpf_map__set_initial_value(m, bytes, size);
	return err ? throw_errno(env, -err, "bpf_map__set_initial_value") : mk_undefined(env);
}

/* objectProgram(handle, program, autoload, expectedAttachType|-1) */
static napi_value object_program(napi_env env, napi_callback_info info)
{
	struct bpf_program *p;
	struct object *o;
	struct args a;
	bool autoload;
	int32_t type;

	if (!args_get(env, info, &a, 4) || !(o = object_arg(&a)) || !(p = prog_arg(&a, o)) ||
	    napi_get_value_bool(env, a.v[2], &autoload) != napi_ok || !arg_i32(&a, 3, "expectedAttachType", &type))
		return NULL;
	bpf_program__set_autoload(p, autoload);
	if (type >= 0)
		bpf_program__set_expected_attach_type(p, type);
	return mk_undefined(env);
}

/* objectLoad(handle) */
static napi_value object_load(napi_env env, napi_callback_info info)
{
	struct object *o;
	struct args a;
	int err;

	if (!args_get(env, info, &a, 1) || !(o = object_arg(&a)))
		return NULL;
	listen_begin();
	err = bpf_object__load(o->obj);
	if (err)
		fail(env, -err, "bpf_object__load", o->log);
	listen_end();
	return err ? NULL : mk_undefined(env);
}

static napi_value object_map_fd(napi_env env, napi_callback_info info)
{
	struct object *o;
	struct bpf_map *m;
	struct args a;

	if (!args_get(env, info, &a, 2) || !(o = object_arg(&a)) || !(m = map_arg(&a, o)))
		return NULL;
	return mk_i32(env, bpf_map__fd(m));
}

static napi_value object_prog_fd(napi_env env, napi_callback_info info)
{
	struct bpf_program *p;
	struct object *o;
	struct args a;

	if (!args_get(env, info, &a, 2) || !(o = object_arg(&a)) || !(p = prog_arg(&a, o)))
		return NULL;
	return mk_i32(env, bpf_program__fd(p));
}

/* objectBtf(handle) -> ArrayBuffer copy of the object's BTF */
static napi_value object_btf(napi_env env, napi_callback_info info)
{
	const struct btf *btf;
	struct object *o;
	const void *raw;
	struct args a;
	napi_value ab;
	uint32_t size;
	void *to;

	if (!args_get(env, info, &a, 1) || !(o = object_arg(&a)))
		return NULL;
	btf = bpf_object__btf(o->obj);
	raw = btf ? btf__raw_data(btf, &size) : NULL;
	if (!raw)
		return throw_errno(env, ENOENT, "object BTF");
	if (napi_create_arraybuffer(env, size, &to, &ab) != napi_ok)
		return NULL;
	memcpy(to, raw, size);
	return ab;
}

static napi_value object_close(napi_env env, napi_callback_info info)
{
	struct object *o = NULL;
	struct args a;

	if (!args_get(env, info, &a, 1))
		return NULL;
	if (napi_get_value_external(env, a.v[0], (void **)&o) == napi_ok && o)
		object_free(o);
	return mk_undefined(env);
}

/* kernelHasFunction(name): the running kernel's BTF names such a function (a kfunc, say) */
static napi_value kernel_has_function(napi_env env, napi_callback_info info)
{
	struct args a;
	struct btf *btf;
	char name[128];
	bool has;

	if (!args_get(env, info, &a, 1) || !arg_str(&a, 0, "name", name, sizeof(name)))
		return NULL;
	listen_begin();
	btf = btf__load_vmlinux_btf();
	listen_end();
	if (!btf || libbpf_get_error(btf))
		return throw_errno(env, errno ? errno : ENOENT, "btf__load_vmlinux_btf");
	has = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
	btf__free(btf);
	return mk_bool(env, has);
}

void object_init(napi_env env, napi_value exports)
{
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(print_cb);
	export_fn(env, exports, "objectOpen", object_open);
	export_fn(env, exports, "objectInfo", object_info);
	export_fn(env, exports, "objectMapMaxEntries", object_map_max);
	export_fn(env, exports, "objectMapReuse", object_map_reuse);
	export_fn(env, exports, "objectInitialValue", object_initial_get);
	export_fn(env, exports, "objectSetInitialValue", object_initial_set);
	export_fn(env, exports, "objectProgram", object_program);
	export_fn(env, exports, "objectLoad", object_load);
	export_fn(env, exports, "objectMapFd", object_map_fd);
	export_fn(env, exports, "objectProgFd", object_prog_fd);
	export_fn(env, exports, "objectBtf", object_btf);
	export_fn(env, exports, "objectClose", object_close);
	export_fn(env, exports, "kernelHasFunction", kernel_has_function);
}
