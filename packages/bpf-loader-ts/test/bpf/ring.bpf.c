/* SPDX-License-Identifier: GPL-2.0-only
 *
 * A producer that counts what it tries to send and what finds no room, as RingBuffer.dropped wants it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 sent;
__u64 dropped;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} dropped_percpu SEC(".maps");

struct event {
	__u64 ns;
	__u64 seq;
};

static __always_inline int send(__u64 flags)
{
	__u64 seq = __sync_fetch_and_add(&sent, 1), *mine;
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	__u32 zero = 0;

	if (!e) {
		__sync_fetch_and_add(&dropped, 1);
		mine = bpf_map_lookup_elem(&dropped_percpu, &zero);
		if (mine)
			*mine += 1;
		return 1;
	}
	e->ns = bpf_ktime_get_ns();
	e->seq = seq;
	bpf_ringbuf_submit(e, flags);
	return 0;
}

SEC("tc")
int emit(struct __sk_buff *skb)
{
	return send(0);
}

SEC("tc")
int emit_quietly(struct __sk_buff *skb)
{
	return send(BPF_RB_NO_WAKEUP);
}

char LICENSE[] SEC("license") = "GPL";
