/* SPDX-License-Identifier: GPL-2.0-only
 *
 * A program for every place that tests attach to. Those of test runs count the ones of the process `pid` alone: others run at the same time.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 pid;
const volatile __u32 out_ifindex;
/* 0 where the kernel has no cookies of raw tracepoints */
const volatile __u32 raw_cookies = 1;

__u64 hits;
__u64 cookie;

static __always_inline int hit(void *ctx, bool has_cookie)
{
	if (pid && bpf_get_current_pid_tgid() >> 32 != pid)
		return 0;
	__sync_fetch_and_add(&hits, 1);
	if (has_cookie)
		cookie = bpf_get_attach_cookie(ctx);
	return 0;
}

/* bpf_test_finish is the tracepoint at the end of every test run */
SEC("tp_btf/bpf_test_finish")
int on_tp_btf(void *ctx)
{
	return hit(ctx, raw_cookies);
}

SEC("raw_tp")
int on_raw_tp(void *ctx)
{
	return hit(ctx, raw_cookies);
}

SEC("tp")
int on_tp(void *ctx)
{
	return hit(ctx, true);
}

SEC("kprobe")
int on_probe(void *ctx)
{
	return hit(ctx, true);
}

SEC("fentry/bpf_fentry_test1")
int on_fentry(void *ctx)
{
	return hit(ctx, true);
}

SEC("fexit/bpf_fentry_test1")
int on_fexit(void *ctx)
{
	return hit(ctx, true);
}

/* its own test run calls it, and returns what we do */
SEC("fmod_ret/bpf_modify_return_test")
int on_fmod_ret(void *ctx)
{
	hit(ctx, true);
	return 42;
}

SEC("lsm/bpf")
int on_lsm(void *ctx)
{
	return hit(ctx, false);
}

SEC("cgroup_skb/egress")
int egress_drop(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&hits, 1);
	return 0;
}

SEC("cgroup_skb/egress")
int egress_pass(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&hits, 1);
	return 1;
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	return 1;
}

struct sum {
	__u32 a, b, result;
};

SEC("syscall")
int add(struct sum *ctx)
{
	ctx->result = ctx->a + ctx->b;
	return 5;
}

SEC("raw_tp")
int cpu(void *ctx)
{
	return bpf_get_smp_processor_id();
}

SEC("tc")
int stamp(struct __sk_buff *skb)
{
	skb->mark = 4711;
	return 0;
}

SEC("xdp")
int reflect(struct xdp_md *ctx)
{
	return XDP_TX;
}

SEC("xdp")
int send_out(struct xdp_md *ctx)
{
	return bpf_redirect(out_ifindex, 0);
}

SEC("xdp")
int let_pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
