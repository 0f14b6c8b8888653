/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Programs that the verifier refuses, each for a reason of its own.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} words SEC(".maps");

SEC("tc")
int out_of_bounds(struct __sk_buff *skb)
{
	__u32 zero = 0, *w = bpf_map_lookup_elem(&words, &zero);

	if (w)
		w[100] = 1;
	return 0;
}

SEC("tc")
int unchecked(struct __sk_buff *skb)
{
	__u32 key = skb->mark, *w = bpf_map_lookup_elem(&words, &key);

	return *w;
}

/* Thousands of lines before the reason: the whole log must come through. */
SEC("tc")
int long_way(struct __sk_buff *skb)
{
	__u32 key = skb->mark, *w, i;
	volatile __u32 sum = 0;

	for (i = 0; i < 3000; i++)
		sum += skb->len;
	w = bpf_map_lookup_elem(&words, &key);
	return *w + sum;
}

char LICENSE[] SEC("license") = "GPL";
