/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What both ingress hooks do: count, and let group frames through once.
 */
#pragma once
#include "answer.bpf.h"
#include "common.h"
#include "eapol.bpf.h"
#include "group.bpf.h"
#include "probe.bpf.h"
#include "watch.bpf.h"

/* 01:80:c2:00:00:0x never crosses a bridge: such a frame belongs to the wire it is on. */
static __always_inline bool vf_link_local(const __u8 *dst)
{
	return dst[0] == 0x01 && dst[1] == 0x80 && dst[2] == 0xc2 && dst[3] == 0 && dst[4] == 0 && dst[5] < 0x10;
}

/*
 * A frame that an announcement sent to nobody (moveFrame in src/announce/frames.ts): 06:76:66 and three random bytes, RARP. A network that
 * floods it brings it back by the other slave; a bridge above the master would learn from it that its own stations are outside.
 */
static __always_inline bool vf_to_nobody(struct __sk_buff *skb, const __u8 *dst)
{
	return unlikely(skb->protocol == VF_HTONS(ETH_P_RARP)) && dst[0] == 0x06 && dst[1] == 0x76 && dst[2] == 0x66;
}

/*
 * A frame that the slave `path` received. 0: it is the master's, and counted; TC_NEXT: it stays with the slave's own stack;
 * TC_DROP: a copy, or a packet for a detector; else an answer that goes back where it came from.
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
	if (vf_is_eapol(skb)) {
		if (vf_eapol_own(path))
			return TC_NEXT;
		vf_count(skb, &count->rx[path]);
		return 0;
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
		if (vf_group_dropped(skb, path, word)) {
			count->rx[path].rerouted++;
			return TC_DROP;
		}
	} else {
		if (vf_to_nobody(skb, data))
			return TC_DROP;
		if (vf_watching())
			vf_answered(line, word, path);
	}
	vf_count(skb, &count->rx[path]);
	if ((word & VF_PATH_MASK) == path)
		vf_first(&line->seen_rx, &line->first_rx_ns, word);
	return 0;
}
