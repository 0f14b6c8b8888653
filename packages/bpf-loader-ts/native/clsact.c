/* SPDX-License-Identifier: GPL-2.0-only
 *
 * clsact + cls_bpf, for kernels without TCX (before 6.6). All in the calling thread's network namespace.
 */
#include <bpf/libbpf.h>
#include <errno.h>

#include "libbpf_log.h"
#include "util.h"

static bool hook_args(struct args *a, struct bpf_tc_hook *hook, size_t want, napi_callback_info info)
{
	int32_t ifindex;
	bool egress;

	if (!args_get(a->env, info, a, want) || !arg_i32(a, 0, "ifindex", &ifindex) || !arg_bool(a, 1, "egress", &egress))
		return false;
	hook->ifindex = ifindex;
	hook->attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS;
	return true;
}

/* clsactCreate(ifindex, egress) -> true if made, false if it was there */
static napi_value clsact_create(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_tc_hook, hook);
	struct args a = { .env = env };
	int err;

	if (!hook_args(&a, &hook, 2, info))
		return NULL;
	listen_begin();
	err = bpf_tc_hook_create(&hook);
	if (err && err != -EEXIST)
		throw_said(env, -err, "bpf_tc_hook_create");
	listen_end();
	return err && err != -EEXIST ? NULL : mk_bool(env, !err);
}

/* clsactDestroy(ifindex, egress): removes the qdisc with every filter on it, both directions */
static napi_value clsact_destroy(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_tc_hook, hook);
	struct args a = { .env = env };
	int err;

	if (!hook_args(&a, &hook, 2, info))
		return NULL;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	err = bpf_tc_hook_destroy(&hook);
	return err ? throw_errno(env, -err, "bpf_tc_hook_destroy") : mk_undefined(env);
}

/* clsactAttach(ifindex, egress, progFd, handle, priority, replace) -> program id */
static napi_value clsact_attach(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_tc_hook, hook);
	LIBBPF_OPTS(bpf_tc_opts, opts);
	struct args a = { .env = env };
	bool replace = false;
	int32_t fd;
	int err;

	if (!hook_args(&a, &hook, 6, info) || !arg_i32(&a, 2, "progFd", &fd) || !arg_u32(&a, 3, "handle", &opts.handle) ||
	    !arg_u32(&a, 4, "priority", &opts.priority) || !arg_bool(&a, 5, "replace", &replace))
		return NULL;
	opts.prog_fd = fd;
	opts.flags = replace ? BPF_TC_F_REPLACE : 0;
	listen_begin();
	err = bpf_tc_attach(&hook, &opts);
	if (err)
		throw_said(env, -err, "bpf_tc_attach");
	listen_end();
	return err ? NULL : mk_u32(env, opts.prog_id);
}

static napi_value clsact_detach(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_tc_hook, hook);
	LIBBPF_OPTS(bpf_tc_opts, opts);
	struct args a = { .env = env };
	int err;

	if (!hook_args(&a, &hook, 4, info) || !arg_u32(&a, 2, "handle", &opts.handle) ||
	    !arg_u32(&a, 3, "priority", &opts.priority))
		return NULL;
	err = bpf_tc_detach(&hook, &opts);
	return err ? throw_errno(env, -err, "bpf_tc_detach") : mk_undefined(env);
}

/* clsactQuery(ifindex, egress, handle, priority) -> program id, 0 if there is none */
static napi_value clsact_query(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_tc_hook, hook);
	LIBBPF_OPTS(bpf_tc_opts, opts);
	struct args a = { .env = env };
	int err;

	if (!hook_args(&a, &hook, 4, info) || !arg_u32(&a, 2, "handle", &opts.handle) ||
	    !arg_u32(&a, 3, "priority", &opts.priority))
		return NULL;
	err = bpf_tc_query(&hook, &opts);
	if (err == -ENOENT || err == -EINVAL || err == -ENODEV)
		return mk_u32(env, 0);
	return err ? throw_errno(env, -err, "bpf_tc_query") : mk_u32(env, opts.prog_id);
}

void clsact_init(napi_env env, napi_value exports)
{
	export_fn(env, exports, "clsactCreate", clsact_create);
	export_fn(env, exports, "clsactDestroy", clsact_destroy);
	export_fn(env, exports, "clsactAttach", clsact_attach);
	export_fn(env, exports, "clsactDetach", clsact_detach);
	export_fn(env, exports, "clsactQuery", clsact_query);
}
