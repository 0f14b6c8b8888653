/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The program reads its policy, which is a map of its own, and jumps to the stage that the policy names.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct policy {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct policy);
} policies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} stages SEC(".maps");

SEC("tc")
int entry(struct __sk_buff *skb)
{
	__u32 zero = 0, *stage = 0;
	void *policy = bpf_map_lookup_elem(&policies, &zero);

	if (policy)
		stage = bpf_map_lookup_elem(policy, &zero);
	if (stage)
		bpf_tail_call(skb, &stages, *stage);
	return 100; /* no policy, or no such stage */
}

SEC("tc")
int accept(struct __sk_buff *skb)
{
	return 0;
}

SEC("tc")
int reject(struct __sk_buff *skb)
{
	return 2;
}

char LICENSE[] SEC("license") = "GPL";
