/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 packets;

SEC("tc")
int count(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&packets, 1);
	return -1; /* TCX_NEXT: go on with what comes next */
}

char LICENSE[] SEC("license") = "GPL";
