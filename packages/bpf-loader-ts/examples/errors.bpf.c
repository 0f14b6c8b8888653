/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u32 table[16];

/* The verifier does not let it: the index has no bound. */
SEC("tc")
int careless(struct __sk_buff *skb)
{
	return table[skb->len];
}

SEC("tc")
int careful(struct __sk_buff *skb)
{
	return skb->len < 16 ? table[skb->len] : 0;
}

char LICENSE[] SEC("license") = "GPL";
