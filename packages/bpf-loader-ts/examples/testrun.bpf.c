/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

/* Marks what is marked already one higher, and writes a byte of the packet. */
SEC("tc")
int mark(struct __sk_buff *skb)
{
	__u8 ttl = 63;

	if (skb->mark == 0)
		return TC_ACT_SHOT;
	skb->mark++;
	bpf_skb_store_bytes(skb, 22, &ttl, 1, 0);
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "GPL";
