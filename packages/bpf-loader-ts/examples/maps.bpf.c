/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Looks the destination of each packet up in a routing table, and counts by zone.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>

struct prefix {
	__u32 bits;
	__u8 address[4];
};

struct zone {
	char name[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct prefix);
	__type(value, struct zone);
} routes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct zone);
	__type(value, __u64);
} packets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1000);
	__type(key, __u32);
	__type(value, __u64);
} last_seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} bytes SEC(".maps");

SEC("tc")
int account(struct __sk_buff *skb)
{
	struct prefix to = { .bits = 32 };
	struct zone *zone;
	__u64 now = bpf_ktime_get_ns(), *n;
	__u32 address, zero = 0;

	if (bpf_skb_load_bytes(skb, ETH_HLEN + __builtin_offsetof(struct iphdr, daddr), to.address, 4))
		return 0;
	__builtin_memcpy(&address, to.address, 4);
	bpf_map_update_elem(&last_seen, &address, &now, BPF_ANY);
	n = bpf_map_lookup_elem(&bytes, &zero);
	if (n)
		*n += skb->len; /* this CPU's own: no atomic needed */
	zone = bpf_map_lookup_elem(&routes, &to);
	n = zone ? bpf_map_lookup_elem(&packets, zone) : 0;
	if (n)
		__sync_fetch_and_add(n, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
