/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct slot {
	__u32 from_bpf;
	__u32 from_threads;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct slot);
} shared SEC(".maps");

SEC("tc")
int add(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct slot *slot = bpf_map_lookup_elem(&shared, &zero);

	if (slot)
		__sync_fetch_and_add(&slot->from_bpf, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
