/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

__u64 frames;

SEC("tc")
int count(struct __sk_buff *skb)
{
	if (skb->protocol == bpf_htons(0x88b5))
		__sync_fetch_and_add(&frames, 1);
	return TC_ACT_UNSPEC; /* for TCX and clsact alike: go on with what comes next */
}

char LICENSE[] SEC("license") = "GPL";
