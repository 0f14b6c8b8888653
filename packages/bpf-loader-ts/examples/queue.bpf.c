/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Takes a job from a queue and puts it on a stack, unless a Bloom filter knows it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 16);
	__type(value, __u32);
} jobs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 16);
	__type(value, __u32);
} done SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 1000);
	__type(value, __u32);
} known SEC(".maps");

SEC("tc")
int work(struct __sk_buff *skb)
{
	__u32 job;

	if (bpf_map_pop_elem(&jobs, &job))
		return 1;
	if (bpf_map_peek_elem(&known, &job))
		bpf_map_push_elem(&done, &job, BPF_ANY);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
