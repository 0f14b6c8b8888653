/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Primary egress: the last line. A steered frame that finds its path dead flips the instance (if the worker armed that) and goes
 * back to the master, where the flipped word sends it out on the standby: it is not lost, and no user space was asked.
 */
#pragma once
#include "common.h"

SEC("tc")
int vf_guard(struct __sk_buff *skb)
{
	__u32 cause = vf_unusable(skb), word;
	struct vf_counters *count;
	struct vf_line *line;

	if (likely(!cause))
		return TC_NEXT;
	if (skb->cb[0] != VF_MARK_STEERED)
		return TC_NEXT; /* somebody sends on the slave itself: not ours to move */
	line = vf_line();
	count = vf_counters();
	if (!line || !count)
		return TC_NEXT;
	word = READ_ONCE(line->word);
	if ((word & VF_PATH_MASK) == VF_PRIMARY) {
		if (!(READ_ONCE(line->armed) & VF_ARM_PRIMARY) || !vf_flip(line, word, VF_STANDBY, cause)) {
			count->tx[VF_PRIMARY].drops++;
			return TC_NEXT;
		}
	}
	count->tx[VF_PRIMARY].rerouted++;
	skb->cb[0] = 0;
	return bpf_redirect(line->master_ifindex, 0);
}
