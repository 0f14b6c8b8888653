/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What the tests of maps load: programs that write to maps while user space reads them, that jump, and that redirect.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>

struct locked {
	struct bpf_spin_lock lock;
	__u32 a;
	__u32 b;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct locked);
} locked SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 20000);
	__type(key, __u32);
	__type(value, __u64);
} churned SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} jumps SEC(".maps");
struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} devices SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} devices_hash SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct bpf_cpumap_val);
} cpus SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static __always_inline void add(__u32 i)
{
	__u64 *n = bpf_map_lookup_elem(&counts, &i);

	if (n)
		__sync_fetch_and_add(n, 1);
}

/* Deletes one of the keys from 10,000 on and inserts another; keys below are never touched. Counts its runs. */
SEC("tc")
int churn(struct __sk_buff *skb)
{
	__u32 key = 10000 + bpf_get_prandom_u32() % 5000;
	__u64 value = key * 3ull;

	bpf_map_delete_elem(&churned, &key);
	key = 10000 + bpf_get_prandom_u32() % 5000;
	value = key * 3ull;
	bpf_map_update_elem(&churned, &key, &value, BPF_ANY);
	add(0);
	return 0;
}

/* Both members of the locked value become the same number. */
SEC("tc")
int store_locked(struct __sk_buff *skb)
{
	__u32 key = 1, n = bpf_get_prandom_u32();
	struct locked *v = bpf_map_lookup_elem(&locked, &key);

	if (!v)
		return 1;
	bpf_spin_lock(&v->lock);
	v->a = n;
	v->b = n;
	bpf_spin_unlock(&v->lock);
	return 0;
}

SEC("tc")
int jump(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &jumps, 2);
	return 1;
}

SEC("tc")
int landed(struct __sk_buff *skb)
{
	return 4711;
}

/* The number in the inner map under key 3; -1 without one. */
SEC("tc")
int read_inner(struct __sk_buff *skb)
{
	__u32 key = 3, zero = 0, *n;
	void *map = bpf_map_lookup_elem(&outer, &key);

	if (!map)
		return -1;
	n = bpf_map_lookup_elem(map, &zero);
	return n ? (int)*n : -1;
}

SEC("xdp")
int to_device(struct xdp_md *ctx)
{
	return bpf_redirect_map(&devices, 1, XDP_DROP);
}

SEC("xdp")
int to_device_hash(struct xdp_md *ctx)
{
	return bpf_redirect_map(&devices_hash, 70000, XDP_DROP);
}

SEC("xdp")
int to_cpu(struct xdp_md *ctx)
{
	return bpf_redirect_map(&cpus, 1, XDP_DROP);
}

SEC("xdp")
int to_socket(struct xdp_md *ctx)
{
	return bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS);
}

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	add(3);
	return XDP_PASS;
}

/* Marks the frame that leaves by a device of the map. */
SEC("xdp/devmap")
int leaving(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) + 1 > (void *)(long)ctx->data_end)
		return XDP_DROP;
	if (eth->h_proto == __builtin_bswap16(0x88b5)) {
		*(unsigned char *)(eth + 1) = 0xd5;
		add(1);
	}
	return XDP_PASS;
}

/* Counts frames of Ethernet type 0x88b5 by the CPU that goes on with them. */
SEC("xdp/cpumap")
int arrived(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	if (eth->h_proto == __builtin_bswap16(0x88b5))
		add(bpf_get_smp_processor_id() & 3);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
