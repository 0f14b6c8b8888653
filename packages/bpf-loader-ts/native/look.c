/* SPDX-License-Identifier: GPL-2.0-only
 *
 * A tc program run once for each of many devices, in one call and without a JavaScript value: how a
 * hot loop asks devices for what their drivers' ioctls would take RTNL for.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>

#include "sys_netns.h"
#include "util.h"

/* The namespace this thread was moved to; -1: not known. Ifindexes count in the thread's namespace. */
static __thread int here = -1;

static int run_on(int prog, int ns, int ifindex)
{
	/* the least that the kernel takes for a frame: an Ethernet header */
	static const uint8_t frame[14];
	struct __sk_buff ctx = { .ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx));
	int rc;

	/* 0 and 1 mean "no device" to the kernel; 1 is the loopback, which is nobody's slave */
	if (ifindex <= 1)
		return -ENODEV;
	if (ns != here) {
		rc = ns_move(ns);
		if (rc < 0)
			return rc;
		here = ns;
	}
	do {
		rc = bpf_prog_test_run_opts(prog, &opts);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : (int)opts.retval;
}

/* runOnDevices(progFd, netnsFds, ifindexes, out, n) -> n | -EINVAL */
static napi_value run_on_devices(napi_env env, napi_callback_info info)
{
	size_t nns, nifs, nout;
	void *ns, *ifs, *out;
	struct args a;
	int32_t prog;
	uint32_t n;

	if (!args_get(env, info, &a, 5) || !arg_i32(&a, 0, "progFd", &prog) ||
	    !arg_bytes(&a, 1, "netnsFds", &ns, &nns) || !arg_bytes(&a, 2, "ifindexes", &ifs, &nifs) ||
	    !arg_bytes(&a, 3, "out", &out, &nout) || !arg_u32(&a, 4, "n", &n))
		return NULL;
	if (n > nns / 4 || n > nifs / 4 || n > nout / 4)
		return mk_i32(env, -EINVAL);
	for (uint32_t i = 0; i < n; i++)
		((int32_t *)out)[i] = run_on(prog, ((int32_t *)ns)[i], ((int32_t *)ifs)[i]);
	return mk_i32(env, (int32_t)n);
}

/* forgetNetns(): the next call moves the thread anew, since a descriptor may mean another namespace now */
static napi_value forget_netns(napi_env env, napi_callback_info info)
{
	here = -1;
	return mk_undefined(env);
}

void look_init(napi_env env, napi_value exports)
{
	export_fn(env, exports, "runOnDevices", run_on_devices);
	export_fn(env, exports, "forgetNetns", forget_netns);
}
