/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int at_xdp(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("tc")
int at_tc(struct __sk_buff *skb)
{
	return -1; /* TCX_NEXT */
}

char LICENSE[] SEC("license") = "GPL";
