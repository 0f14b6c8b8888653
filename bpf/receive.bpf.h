/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What both ingress hooks do: count, and let broadcast and multicast through once.
 */
#pragma once
#include "answer.bpf.h"
#include "common.h"
#include "probe.bpf.h"
#include "watch.bpf.h"

/* 01:80:c2:00:00:0x never crosses a bridge: such a frame belongs to the wire it is on. */
static __always_inline bool vf_link_local(const __u8 *dst)
{
	return dst[0] == 0x01 && dst[1] == 0x80 && dst[2] == 0xc2 && dst[3] == 0 && dst[4] == 0 && dst[5] < 0x10;
}

/* VF_RECENT entries per slot; the size is set before load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, VF_RECENT);
	__type(key, __u32);
	__type(value, struct vf_recent);
} recent SEC(".maps");

/*
 * Broadcast and multicast reach the guest on both slaves when the network floods. The active one's copy is delivered; around a
 * flip both are accepted and a frame that the other slave brought already is dropped.
 */
static __noinline int vf_second_copy(struct __sk_buff *skb, __u32 path, __u32 word)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 n = skb->len, hash = n, i, key;
	struct vf_recent *r;
	__u32 w[16] = {};
	bool grace;

	/* The last entry holds the word that the latest multicast frame met, and since when: a new word opens the window. */
	key = vf_slot * VF_RECENT + VF_RECENT - 1;
	r = bpf_map_lookup_elem(&recent, &key);
	if (!r)
		return 0;
	if (unlikely(r->hash != word)) {
		r->hash = word;
		r->ns = now;
	}
	grace = now - r->ns < VF_GRACE_NS;
	if (path != (word & VF_PATH_MASK) && !grace)
		return 1;
	if (n > sizeof(w))
		n = sizeof(w);
	if (n < ETH_HLEN)
		return 0;
	/* No change: the verifier of 6.1 loses the bounds above where the compiler compares one register and uses another. */
	asm volatile("" : "+r"(n));
	n = ((n - 1) & (sizeof(w) - 1)) + 1;
	if (bpf_skb_load_bytes(skb, 0, w, n))
		return 0;
#pragma unroll
	for (i = 0; i < 16; i++)
		hash = (hash ^ w[i]) * 0x01000193u;
	key = vf_slot * VF_RECENT + (hash >> 8) % (VF_RECENT - 1);
	r = bpf_map_lookup_elem(&recent, &key);
	if (!r)
		return 0;
	if (grace && r->hash == hash && r->path != path && now - r->ns < VF_GRACE_NS)
		return 1;
	r->hash = hash;
	r->path = path;
	r->ns = now;
	return 0;
}

/*
 * A frame that the slave `path` received. 0: it is the master's, and counted; TC_NEXT: it stays with the slave's own stack;
 * TC_DROP: a second copy, or a packet for a detector; else an answer that goes back where it came from.
 */
static __always_inline int vf_receive(struct __sk_buff *skb, __u32 path, struct vf_line *line)
{
	const __u8 *data = (void *)(long)skb->data;
	struct vf_counters *count = vf_counters();
	int verdict;
	__u32 word;

	if (!count || (void *)(data + ETH_HLEN) > (void *)(long)skb->data_end)
		return TC_NEXT;
	if (unlikely(vf_moved(skb)))
		return TC_NEXT;
	word = READ_ONCE(line->word);
	if (vf_detect & (VF_DETECT_BFD | VF_DETECT_REFLECTOR)) {
		verdict = vf_answer(skb, path);
		if (verdict)
			return verdict;
		/* What may write to the frame has made the old pointer void. */
		data = (void *)(long)skb->data;
		if ((void *)(data + ETH_HLEN) > (void *)(long)skb->data_end)
			return TC_NEXT;
	}
	if (unlikely(data[0] & 1)) {
		if (vf_link_local(data))
			return TC_NEXT;
		if (vf_detect & VF_DETECT_WITNESS)
			vf_witness(skb, path);
	}
	if ((vf_detect & VF_DETECT_PROBES) && unlikely(vf_probe_receive(skb, path)))
		return TC_DROP;
	if (unlikely(data[0] & 1)) {
		if (vf_second_copy(skb, path, word)) {
			count->rx[path].rerouted++;
			return TC_DROP;
		}
	} else if (vf_watching()) {
		vf_answered(line, word, path);
	}
	vf_count(skb, &count->rx[path]);
	if ((word & VF_PATH_MASK) == path)
		vf_first(&line->seen_rx, &line->first_rx_ns, word);
	return 0;
}
