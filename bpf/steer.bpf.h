/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Master egress: every frame that the guest sends passes here and goes to the active slave.
 */
#pragma once
#include "common.h"
#include "probe.bpf.h"
#include "watch.bpf.h"

/* The primary's device is gone and nobody has said so yet: possible while the controller is dead. */
static __noinline int vf_primary_gone(struct __sk_buff *skb, __u32 primary)
{
	__u32 mtu = 0;

	return bpf_check_mtu(skb, primary, &mtu, 0, 0) == -ENODEV;
}

/*
 * net-failover: the kernel's driver below sends to the primary by itself, and to the standby when the primary is absent, closed or
 * without carrier; guard, which then meets the frame on the standby, learns it from that. So only the standby's turn takes a redirect.
 */
static __always_inline int vf_steer_kernels(struct __sk_buff *skb, struct vf_line *line, struct vf_counters *count)
{
	__u32 word = vf_probed(line, READ_ONCE(line->word)), standby = READ_ONCE(line->standby_ifindex);

	if (vf_watching() && likely(skb->cb[0] != VF_MARK_RETURNED))
		word = vf_ask(skb, line, word);
	vf_first(&line->seen_tx, &line->first_tx_ns, word);
	if ((word & VF_PATH_MASK) == VF_PRIMARY) {
		vf_count(skb, &count->tx[VF_PRIMARY]);
		skb->cb[0] = VF_MARK_PRIMARY;
		return TC_NEXT;
	}
	vf_count(skb, &count->tx[VF_STANDBY]);
	if (unlikely(!standby))
		return TC_NEXT;
	skb->cb[0] = VF_MARK_STANDBY;
	return bpf_redirect(standby, 0);
}

SEC("tc")
int vf_steer(struct __sk_buff *skb)
{
	struct vf_line *line = vf_line();
	struct vf_counters *count = vf_counters();
	__u32 word, jiffy, primary;

	if (!line || !count)
		return TC_NEXT;
	if (vf_model == VF_NET_FAILOVER)
		return vf_steer_kernels(skb, line, count);
	word = vf_probed(line, READ_ONCE(line->word));
	primary = READ_ONCE(line->primary_ifindex);
	if (vf_watching() && likely(primary && skb->cb[0] != VF_MARK_RETURNED))
		word = vf_ask(skb, line, word);

	/* A leave clears the ifindex before anything else: from then on nothing that the word says sends a frame there. */
	if ((word & VF_PATH_MASK) == VF_STANDBY || unlikely(!primary)) {
		__u32 cause = primary && (READ_ONCE(line->armed) & VF_ARM_STANDBY) ? vf_unusable(skb) : 0;

		if (likely(!cause) || skb->cb[0] == VF_MARK_RETURNED || !vf_flip(line, word, VF_PRIMARY, cause)) {
			vf_count(skb, &count->tx[VF_STANDBY]);
			vf_first(&line->seen_tx, &line->first_tx_ns, word);
			return TC_NEXT;
		}
		count->tx[VF_STANDBY].rerouted++;
		word = READ_ONCE(line->word);
	}

	/* A carrier fault is seen on the primary's own egress (guard); that the device is gone can be seen only here. */
	jiffy = (__u32)bpf_jiffies64();
	if (unlikely(READ_ONCE(line->checked) != jiffy)) {
		WRITE_ONCE(line->checked, jiffy);
		if (unlikely(vf_moved(skb))) {
			WRITE_ONCE(line->primary_ifindex, 0);
			return TC_NEXT;
		}
		if ((READ_ONCE(line->armed) & VF_ARM_PRIMARY) && vf_primary_gone(skb, primary) &&
		    vf_flip(line, word, VF_STANDBY, VF_CAUSE_UNPLUG)) {
			vf_count(skb, &count->tx[VF_STANDBY]);
			vf_first(&line->seen_tx, &line->first_tx_ns, READ_ONCE(line->word));
			return TC_NEXT;
		}
	}
	vf_count(skb, &count->tx[VF_PRIMARY]);
	vf_first(&line->seen_tx, &line->first_tx_ns, word);
	skb->cb[0] = VF_MARK_PRIMARY;
	return bpf_redirect(primary, 0);
}
