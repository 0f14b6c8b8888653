/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Programs that show the cost of counting and steering step by step, for BPF_PROG_TEST_RUN. The redirecting helper is left out, since it costs
 * every caller the same. Two tools for other benchmarks follow: a source of events, and a sink for frames.
 */
#include "common.h"
#include "group.bpf.h"
#include "reflect.bpf.h"

SEC("tc")
int vf_empty(struct __sk_buff *skb)
{
	return TC_NEXT;
}

SEC("tc")
int vf_count_only(struct __sk_buff *skb)
{
	struct vf_counters *count = vf_counters();

	if (!count)
		return TC_NEXT;
	vf_count(skb, &count->tx[VF_PRIMARY]);
	return TC_NEXT;
}

/* The whole fast path of steer without the redirect. */
SEC("tc")
int vf_count_steer(struct __sk_buff *skb)
{
	struct vf_line *line = vf_line();
	struct vf_counters *count = vf_counters();
	__u32 word;

	if (!line || !count)
		return TC_NEXT;
	word = READ_ONCE(line->word);
	if ((word & VF_PATH_MASK) == VF_STANDBY) {
		vf_count(skb, &count->tx[VF_STANDBY]);
		return TC_NEXT;
	}
	if (unlikely(READ_ONCE(line->checked) != (__u32)bpf_jiffies64()))
		WRITE_ONCE(line->checked, (__u32)bpf_jiffies64());
	vf_count(skb, &count->tx[VF_PRIMARY]);
	vf_first(&line->seen_tx, &line->first_tx_ns, word);
	skb->cb[0] = VF_MARK_PRIMARY;
	return line->primary_ifindex;
}

SEC("tc")
int vf_carrier_check(struct __sk_buff *skb)
{
	return vf_unusable(skb) ? TC_DROP : TC_NEXT;
}

/* A record as tier 0 writes it at a flip, stamped last. */
SEC("tc")
int vf_bench_event(struct __sk_buff *skb)
{
	struct vf_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return TC_DROP;
	e->slot = vf_slot;
	e->kind = VF_RECORD_FLIP;
	e->cause = VF_CAUSE_CARRIER;
	e->old_word = 0;
	e->new_word = 1;
	e->ns = bpf_ktime_get_ns();
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	return TC_NEXT;
}

/* Set before load: an S-BFD packet over IPv4. */
const volatile __u8 vf_question[66] = {};

/* Puts the question back first, because a question becomes its own answer and the next run would find none. */
SEC("tc")
int vf_question_only(struct __sk_buff *skb)
{
	return bpf_skb_store_bytes(skb, 0, (const void *)vf_question, sizeof(vf_question), 0) ? TC_DROP : TC_NEXT;
}

SEC("tc")
int vf_question_reflect(struct __sk_buff *skb)
{
	if (bpf_skb_store_bytes(skb, 0, (const void *)vf_question, sizeof(vf_question), 0))
		return TC_DROP;
	return vf_reflect_take(skb, VF_PRIMARY);
}

/* The slave that a frame comes by. It alternates, as with two copies of each frame. */
__u32 vf_by;

SEC("tc")
int vf_groups_once(struct __sk_buff *skb)
{
	vf_group_dropped(skb, vf_by++ & 1, 0);
	return TC_NEXT;
}

/*
 * The rule of version 0.1, with which `vf_groups_once` is compared. It lets in the active slave's frames. For 100 ms after a flip it lets in
 * those of both slaves, told apart by a hash of 64 bytes.
 */
#define VF_EARLIER 64u
struct vf_earlier {
	__u64 ns;
	__u32 hash;
	__u32 path;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, VF_EARLIER);
	__type(key, __u32);
	__type(value, struct vf_earlier);
} earlier SEC(".maps");

static __noinline int vf_earlier_copy(struct __sk_buff *skb, __u32 path, __u32 word)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 n = skb->len, hash = n, i, key = VF_EARLIER - 1;
	struct vf_earlier *r = bpf_map_lookup_elem(&earlier, &key);
	__u32 w[16] = {};
	bool grace;

	if (!r)
		return 0;
	if (unlikely(r->hash != word)) {
		r->hash = word;
		r->ns = now;
	}
	grace = now - r->ns < VF_GRACE_NS;
	if (path != (word & VF_PATH_MASK) && !grace)
		return 1;
	n = VF_BELOW((n > sizeof(w) ? sizeof(w) : n) - 1, sizeof(w)) + 1;
	if (bpf_skb_load_bytes(skb, 0, w, n))
		return 0;
#pragma unroll
	for (i = 0; i < 16; i++)
		hash = (hash ^ w[i]) * 0x01000193u;
	key = (hash >> 8) % (VF_EARLIER - 1);
	r = bpf_map_lookup_elem(&earlier, &key);
	if (!r)
		return 0;
	if (grace && r->hash == hash && r->path != path && now - r->ns < VF_GRACE_NS)
		return 1;
	r->hash = hash;
	r->path = path;
	r->ns = now;
	return 0;
}

SEC("tc")
int vf_groups_earlier(struct __sk_buff *skb)
{
	vf_earlier_copy(skb, vf_by++ & 1, 0);
	return TC_NEXT;
}

SEC("tc")
int vf_groups_sent(struct __sk_buff *skb)
{
	if (vf_is_group(skb))
		vf_group_remember(skb);
	return TC_NEXT;
}

#define VF_SINK_PORT 7413

/* The far end of a flood. It counts datagrams to VF_SINK_PORT per CPU and drops them. */
SEC("tc")
int vf_sink(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	struct vf_counters *count;

	if ((void *)(udp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != 17 ||
	    udp->dest != bpf_htons(VF_SINK_PORT))
		return TC_NEXT;
	count = vf_counters();
	if (count)
		count->rx[VF_PRIMARY].packets++;
	return TC_DROP;
}

char LICENSE[] SEC("license") = "GPL";
