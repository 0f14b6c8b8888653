/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Egress of the slave that steer redirects to (transparent: the primary; net-failover: the standby). It is the last line of defence. A
 * steered frame that finds its slave dead flips the instance, if the worker armed that, and goes back to the master. The flipped word then
 * sends it out on the other slave. No frame is lost, and no user space was asked.
 */
#pragma once
#include "common.h"
#include "steer.bpf.h" /* vf_primary_gone */

/* Takes back a frame that steer redirected to `path`, which cannot carry it. */
static __always_inline int vf_take_back(struct __sk_buff *skb, __u32 path, __u32 cause)
{
	struct vf_counters *count = vf_counters();
	struct vf_line *line = vf_line();
	__u32 word;

	if (!line || !count)
		return TC_NEXT;
	word = READ_ONCE(line->word);
	if ((word & VF_PATH_MASK) == path) {
		if (!(READ_ONCE(line->armed) & (path == VF_PRIMARY ? VF_ARM_PRIMARY : VF_ARM_STANDBY)) ||
		    !vf_flip(line, word, path ^ 1, cause)) {
			count->tx[path].drops++;
			return TC_NEXT;
		}
	}
	count->tx[path].rerouted++;
	skb->cb[0] = VF_MARK_RETURNED;
	return bpf_redirect(line->master_ifindex, 0);
}

/*
 * Handles, with net-failover on the standby, a frame that steer left to the primary. The kernel's driver sent it here, so the primary is absent,
 * closed or without carrier. Every kernel shows the fault in this way, and the frame already goes out on the standby.
 */
static __noinline int vf_fallen_back(struct __sk_buff *skb)
{
	struct vf_counters *count = vf_counters();
	struct vf_line *line = vf_line();
	__u32 word, primary;

	if (!line || !count)
		return TC_NEXT;
	count->tx[VF_PRIMARY].rerouted++;
	vf_count(skb, &count->tx[VF_STANDBY]);
	word = READ_ONCE(line->word);
	if ((word & VF_PATH_MASK) == VF_PRIMARY) {
		if (!(READ_ONCE(line->armed) & VF_ARM_PRIMARY))
			return TC_NEXT;
		primary = READ_ONCE(line->primary_ifindex);
		if (!vf_flip(line, word, VF_STANDBY,
			     !primary || vf_primary_gone(skb, primary) ? VF_CAUSE_UNPLUG : VF_CAUSE_CARRIER))
			return TC_NEXT;
		word = READ_ONCE(line->word);
	}
	vf_first(&line->seen_tx, &line->first_tx_ns, word);
	return TC_NEXT;
}

/* True for 802.1X that steer did not send here. The slave itself sent it, so it is not ours to move. */
static __always_inline bool vf_own_eapol(struct __sk_buff *skb)
{
	return vf_is_eapol(skb) && skb->cb[0] != VF_MARK_PRIMARY && skb->cb[0] != VF_MARK_STANDBY;
}

SEC("tc")
int vf_guard(struct __sk_buff *skb)
{
	__u32 cause;

	if (vf_own_eapol(skb)) {
		vf_eapol_slave(vf_model == VF_NET_FAILOVER ? VF_STANDBY : VF_PRIMARY);
		return TC_NEXT;
	}
	cause = vf_unusable(skb);
	if (vf_model == VF_NET_FAILOVER) {
		if (unlikely(skb->cb[0] == VF_MARK_PRIMARY))
			return cause ? TC_NEXT : vf_fallen_back(skb);
		if (likely(!cause) || skb->cb[0] != VF_MARK_STANDBY)
			return TC_NEXT;
		return vf_take_back(skb, VF_STANDBY, cause);
	}
	if (likely(!cause))
		return TC_NEXT;
	if (skb->cb[0] != VF_MARK_PRIMARY)
		return TC_NEXT; /* sent on the slave itself, so not ours to move */
	return vf_take_back(skb, VF_PRIMARY, cause);
}
