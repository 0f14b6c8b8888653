/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Foreign programs for tests. They count the frames that they see, and end the chain or not as they are told.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* Verdict for every frame: -1 lets the next program run (TCX_NEXT, TC_ACT_UNSPEC), 0 ends the chain (TCX_PASS, TC_ACT_OK). */
volatile int by_verdict = -1;
volatile __u32 by_seen;

SEC("tc")
int bystander(struct __sk_buff *skb)
{
	__sync_fetch_and_add((__u32 *)&by_seen, 1);
	return by_verdict;
}

SEC("xdp")
int bystander_xdp(struct xdp_md *ctx)
{
	__sync_fetch_and_add((__u32 *)&by_seen, 1);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
