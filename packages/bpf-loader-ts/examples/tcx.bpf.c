/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Programs that write down in which order they ran.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define TCX_NEXT -1

__u32 order;

static __always_inline int note(struct __sk_buff *skb, __u32 digit)
{
	if (skb->protocol == bpf_htons(0x88b5))
		order = 10 * order + digit;
	return TCX_NEXT;
}

SEC("tc")
int one(struct __sk_buff *skb)
{
	return note(skb, 1);
}

SEC("tc")
int two(struct __sk_buff *skb)
{
	return note(skb, 2);
}

SEC("tc")
int three(struct __sk_buff *skb)
{
	return note(skb, 3);
}

char LICENSE[] SEC("license") = "GPL";
