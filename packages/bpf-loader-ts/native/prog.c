/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Programs by fd: information, test runs, and the smallest loads that answer "does this kernel know X?".
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fd_is.h"
#include "util.h"

#define LIVE_FRAMES (1u << 1) /* BPF_F_TEST_XDP_LIVE_FRAMES */
#define LOG_SIZE (1u << 20)

static napi_value prog_info(napi_env env, napi_callback_info info)
{
	struct bpf_prog_info pi = {};
	uint32_t len = sizeof(pi), i;
	char tag[17];
	struct args a;
	napi_value r;
	int32_t fd;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "fd", &fd))
		return NULL;
	if (!fd_is(fd, "bpf-prog"))
		return throw_errno(env, EINVAL, "not a program");
	if (bpf_obj_get_info_by_fd(fd, &pi, &len))
		return throw_errno(env, errno, "bpf(BPF_OBJ_GET_INFO_BY_FD)");
	for (i = 0; i < 8; i++) {
		tag[2 * i] = "0123456789abcdef"[pi.tag[i] >> 4];
		tag[2 * i + 1] = "0123456789abcdef"[pi.tag[i] & 15];
	}
	tag[16] = 0;
	napi_create_object(env, &r);
	set_prop(env, r, "id", mk_u32(env, pi.id));
	set_prop(env, r, "type", mk_u32(env, pi.type));
	set_prop(env, r, "name", mk_str(env, pi.name));
	set_prop(env, r, "tag", mk_str(env, tag));
	return r;
}

/*
 * progTestRun(fd, dataIn|null, dataOut|null, ctxIn|null, repeat, flags, batchSize)
 * -> {retval, durationNs (mean of one run), dataSize}
 */
static napi_value prog_test_run(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	uint32_t repeat, flags, batch;
	struct args a;
	napi_value r;
	void *p;
	size_t n;
	int32_t fd;
	int err;

	if (!args_get(env, info, &a, 7) || !arg_i32(&a, 0, "fd", &fd) || !arg_u32(&a, 4, "repeat", &repeat) ||
	    !arg_u32(&a, 5, "flags", &flags) || !arg_u32(&a, 6, "batchSize", &batch))
		return NULL;
	if (!arg_absent(&a, 1)) {
		if (!arg_bytes(&a, 1, "dataIn", &p, &n))
			return NULL;
		opts.data_in = p;
		opts.data_size_in = n;
	}
	if (!arg_absent(&a, 2)) {
		if (!arg_bytes(&a, 2, "dataOut", &p, &n))
			return NULL;
		/* with a pointer and size 0 the kernel writes the whole frame, whatever lies there */
		opts.data_out = n ? p : NULL;
		opts.data_size_out = n;
	}
	if (!arg_absent(&a, 3)) {
		if (!arg_bytes(&a, 3, "ctxIn", &p, &n))
			return NULL;
		opts.ctx_in = p;
		opts.ctx_size_in = n;
	}
	opts.repeat = repeat;
	opts.flags = flags;
	opts.batch_size = batch;
	/* a signal ends a long run; live frames that went out would go out again */
	do {
		err = bpf_prog_test_run_opts(fd, &opts);
	} while (err && errno == EINTR && !(flags & LIVE_FRAMES));
	if (err)
		return throw_errno(env, errno, "bpf(BPF_PROG_TEST_RUN)");
	napi_create_object(env, &r);
	set_prop(env, r, "retval", mk_u32(env, opts.retval));
	set_prop(env, r, "durationNs", mk_u32(env, opts.duration));
	set_prop(env, r, "dataSize", mk_u32(env, opts.data_size_out));
	return r;
}

/* progLoad(type, expectedAttachType, instructions, license, name) -> fd */
static napi_value prog_load(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	char license[32], name[16], *log;
	uint32_t type, attach;
	struct args a;
	void *insns;
	size_t len;
	int fd;

	if (!args_get(env, info, &a, 5) || !arg_u32(&a, 0, "type", &type) ||
	    !arg_u32(&a, 1, "expectedAttachType", &attach) || !arg_bytes(&a, 2, "instructions", &insns, &len) ||
	    !arg_str(&a, 3, "license", license, sizeof(license)) || !arg_str(&a, 4, "name", name, sizeof(name)))
		return NULL;
	if (!len || len % 8)
		return throw_errno(env, EINVAL, "bpf(BPF_PROG_LOAD): instructions are 8 bytes each");
	log = calloc(1, LOG_SIZE);
	if (!log)
		return throw_errno(env, ENOMEM, "bpf(BPF_PROG_LOAD)");
	opts.expected_attach_type = attach;
	opts.log_buf = log;
	opts.log_size = LOG_SIZE;
	fd = bpf_prog_load(type, name, license, insns, len / 8, &opts);
	if (fd < 0)
		throw_errno_log(env, -fd, "bpf(BPF_PROG_LOAD)", log);
	free(log);
	return fd < 0 ? NULL : mk_i32(env, fd);
}

static napi_value fd_by_id(napi_env env, napi_callback_info info, int (*get)(__u32), const char *what)
{
	struct args a;
	uint32_t id;
	int fd;

	if (!args_get(env, info, &a, 1) || !arg_u32(&a, 0, "id", &id))
		return NULL;
	fd = get(id);
	return fd < 0 ? throw_errno(env, errno, what) : mk_i32(env, fd);
}

static napi_value prog_fd_by_id(napi_env env, napi_callback_info info)
{
	return fd_by_id(env, info, bpf_prog_get_fd_by_id, "bpf(BPF_PROG_GET_FD_BY_ID)");
}

static napi_value link_fd_by_id(napi_env env, napi_callback_info info)
{
	return fd_by_id(env, info, bpf_link_get_fd_by_id, "bpf(BPF_LINK_GET_FD_BY_ID)");
}

void prog_init(napi_env env, napi_value exports)
{
	export_fn(env, exports, "progInfo", prog_info);
	export_fn(env, exports, "progTestRun", prog_test_run);
	export_fn(env, exports, "progLoad", prog_load);
	export_fn(env, exports, "progFdById", prog_fd_by_id);
	export_fn(env, exports, "linkFdById", link_fd_by_id);
}
