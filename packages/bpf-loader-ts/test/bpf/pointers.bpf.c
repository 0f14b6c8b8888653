/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Values that mean nothing outside of the kernel: bpf2ts names them.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct node {
	__u32 id;
	struct {
		struct node *next;
	} link;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct node);
} nodes SEC(".maps");

const char *volatile label = "x";
__u32 fine;

SEC("tc")
int nothing(struct __sk_buff *skb)
{
	fine++;
	return -1;
}

char LICENSE[] SEC("license") = "GPL";
