/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Shared by both ingress hooks: counting, and letting group frames through once.
 */
#pragma once
#include "answer.bpf.h"
#include "common.h"
#include "eapol.bpf.h"
#include "group.bpf.h"
#include "probe.bpf.h"
#include "watch.bpf.h"

/* True for 01:80:c2:00:00:0x. Bridges never forward it, so such a frame belongs to its own wire. */
static __always_inline bool vf_link_local(const __u8 *dst)
{
	return *(const __u32 *)dst == bpf_htonl(0x0180c200) && !(*(const __u16 *)(dst + 4) & bpf_htons(0xfff0));
}

/*
 * True for a RARP frame that an announcement sent to 06:76:66 and three random bytes (moveFrame in src/frames/announcements.ts). A network
 * that floods it brings it back by the other slave. A bridge above the master would then learn that its own stations are outside.
 */
static __always_inline bool vf_to_nobody(struct __sk_buff *skb, const __u8 *dst)
{
	return unlikely(skb->protocol == VF_HTONS(ETH_P_RARP)) && dst[0] == 0x06 && dst[1] == 0x76 && dst[2] == 0x66;
}

enum { VF_GO_ON = 1 }; /* no verdict yet; differs from every tc verdict that we return */

/* True for both protocols that need a look of their own, and few others. Data frames pay a single test. */
static __always_inline bool vf_is_rare(struct __sk_buff *skb)
{
	return unlikely((skb->protocol & VF_HTONS(0x8600)) == VF_HTONS(0x8000));
}

/* Handles 802.1X and frames of announcements. */
__noinline int vf_receive_rare(struct __sk_buff *skb, __u32 path)
{
	const __u8 *data = (void *)(long)skb->data;
	struct vf_counters *count = vf_counters();

	if (!count || (void *)(data + ETH_HLEN) > (void *)(long)skb->data_end)
		return TC_NEXT;
	if (vf_to_nobody(skb, data))
		return TC_DROP;
	if (!vf_is_eapol(skb))
		return VF_GO_ON;
	if (vf_eapol_own(path))
		return TC_NEXT;
	vf_count(skb, &count->rx[path & 1]);
	return 0;
}

/* Handles a group frame. Returns 0 if it is for the master and not yet counted. */
__noinline int vf_receive_group(struct __sk_buff *skb, __u32 path, __u32 word)
{
	const __u8 *data = (void *)(long)skb->data;
	struct vf_counters *count = vf_counters();

	if (!count || (void *)(data + ETH_HLEN) > (void *)(long)skb->data_end || vf_link_local(data))
		return TC_NEXT;
	if (vf_detect & VF_DETECT_WITNESS)
		vf_witness(skb, path);
	if ((vf_detect & VF_DETECT_PROBES) && vf_probe_receive(skb, path))
		return TC_DROP;
	if (!vf_group_dropped(skb, path, word))
		return 0;
	count->rx[path & 1].rerouted++;
	return TC_DROP;
}

/*
 * Handles a frame that the slave `path` received. Returns 0 if it is for the master, counted. Returns TC_NEXT if it stays with the slave's
 * own stack, and TC_DROP for a copy or a detector's packet. Any other verdict sends an answer back. As in vf_steer, rare cases stand last.
 */
static __always_inline int vf_receive(struct __sk_buff *skb, __u32 path, struct vf_line *line)
{
	struct vf_counters *count = vf_counters();
	const __u8 *data;
	int verdict;
	__u32 word;

	if (!count || unlikely(vf_moved(skb)))
		return TC_NEXT;
	if (vf_detect & (VF_DETECT_BFD | VF_DETECT_REFLECTOR)) {
		verdict = vf_answer(skb, path);
		if (verdict)
			return verdict;
	}
	if (vf_is_rare(skb))
		goto rare;
usual:
	data = (void *)(long)skb->data;
	if ((void *)(data + ETH_HLEN) > (void *)(long)skb->data_end)
		return TC_NEXT;
	if (unlikely(data[0] & 1))
		goto group;
	if ((vf_detect & VF_DETECT_PROBES) && unlikely(vf_probe_receive(skb, path)))
		return TC_DROP;
	if (vf_watching())
		vf_answered(line, READ_ONCE(line->word), path);
masters:
	vf_count(skb, &count->rx[path]);
	word = READ_ONCE(line->word);
	if ((word & VF_PATH_MASK) == path)
		vf_first(&line->seen_rx, &line->first_rx_ns, word);
	return 0;

group:
	verdict = vf_receive_group(skb, path, READ_ONCE(line->word));
	if (verdict)
		return verdict;
	goto masters;

rare:
	verdict = vf_receive_rare(skb, path);
	if (verdict == VF_GO_ON)
		goto usual;
	return verdict;
}
