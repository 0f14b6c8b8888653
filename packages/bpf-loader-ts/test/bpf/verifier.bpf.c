/* SPDX-License-Identifier: GPL-2.0-only
 *
 * One program for each of the refusals that people meet most.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

const volatile __u32 many = 2000000;

/* reads beyond the frame, without having looked for its end */
SEC("xdp")
int no_bounds(struct xdp_md *ctx)
{
	unsigned char *data = (void *)(long)ctx->data;

	return data[20];
}

SEC("tc")
int endless(struct __sk_buff *skb)
{
	volatile int i = 0;

	while (skb->len != 1)
		i++;
	return i;
}

SEC("tc")
int unreleased(struct __sk_buff *skb)
{
	void *r = bpf_ringbuf_reserve(&events, 8, 0);

	return r ? 1 : 0;
}

/* XDP has no sk_buff */
SEC("xdp")
int wrong_helper(struct xdp_md *ctx)
{
	return bpf_skb_pull_data((void *)ctx, 0);
}

SEC("tc")
int too_long(struct __sk_buff *skb)
{
	__u32 sum = 0;

	for (__u32 i = 0; i < many; i++)
		sum += skb->len;
	return sum;
}

char LICENSE[] SEC("license") = "GPL";
