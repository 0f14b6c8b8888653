/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Master egress: every frame that the guest sends passes here and goes to the active slave.
 */
#pragma once
#include "common.h"
#include "eapol.bpf.h"
#include "group.bpf.h"
#include "probe.bpf.h"
#include "watch.bpf.h"

/* True if the primary's device is gone although the word names it. It happens while no daemon runs. */
__noinline int vf_primary_gone(struct __sk_buff *skb, __u32 primary)
{
	__u32 mtu = 0;

	return bpf_check_mtu(skb, primary, &mtu, 0, 0) == -ENODEV;
}

/*
 * Written by the supervisor while the programs run (.bss). Some VFs let in no unicast MAC but their own. Frames from another MAC (a macvlan,
 * a container or VM behind a bridge) then leave by the standby, so that the network sends the answers there.
 */
volatile __u64 vf_own_mac = 0; /* the master's MAC in its first six bytes; 0: off */

__noinline int vf_foreign(struct __sk_buff *skb)
{
	__u64 from = 0;

	return !bpf_skb_load_bytes(skb, ETH_ALEN, &from, ETH_ALEN) && from != READ_ONCE(vf_own_mac);
}

/* True if `vf_own_mac` sends a frame by the standby though the primary is active. Not if the standby cannot send or guard took it back. */
static __always_inline bool vf_by_standby(struct __sk_buff *skb, struct vf_line *line)
{
	if ((READ_ONCE(line->word) & VF_PATH_MASK) == VF_STANDBY || skb->cb[0] == VF_MARK_RETURNED || !vf_foreign(skb))
		return false;
	return vf_model == VF_NET_FAILOVER ? READ_ONCE(line->standby_ifindex) != 0 : !vf_unusable(skb);
}

static __always_inline int vf_steer_foreign(struct __sk_buff *skb, struct vf_line *line, struct vf_counters *count)
{
	vf_count(skb, &count->tx[VF_STANDBY]);
	if (vf_model == VF_TRANSPARENT)
		return TC_NEXT;
	skb->cb[0] = VF_MARK_STANDBY;
	return bpf_redirect(READ_ONCE(line->standby_ifindex), 0);
}

/*
 * Steers with net-failover. The kernel's driver sends to the primary by itself, and to the standby if the primary is absent, closed or
 * without carrier. Guard then meets the frame on the standby and learns of the fault. So only frames for the standby need a redirect.
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

/* Sends 802.1X by the wire that it is meant for, whatever slave is active. */
__noinline int vf_steer_eapol(struct __sk_buff *skb)
{
	struct vf_counters *count = vf_counters();
	struct vf_line *line = vf_line();
	__u32 path, to;
	bool kernel;

	if (!line || !count)
		return TC_NEXT;
	path = vf_eapol_path(skb, READ_ONCE(line->word));
	to = path == VF_PRIMARY ? READ_ONCE(line->primary_ifindex) : READ_ONCE(line->standby_ifindex);
	if (!to && vf_model == VF_TRANSPARENT)
		path = VF_STANDBY;
	vf_count(skb, &count->tx[path & 1]);
	/* True for the slave that the master reaches without us. */
	kernel = path == (vf_model == VF_NET_FAILOVER ? VF_PRIMARY : VF_STANDBY);
	skb->cb[0] = path == VF_PRIMARY ? VF_MARK_PRIMARY : VF_MARK_STANDBY;
	return kernel || !to ? TC_NEXT : bpf_redirect(to, 0);
}

/*
 * The common way is straight, and rare cases stand behind it. For BPF clang lays out code as written and ignores likely(). Each jump over a
 * rare case costs 0.3 ns.
 */
SEC("tc")
int vf_steer(struct __sk_buff *skb)
{
	struct vf_line *line = vf_line();
	struct vf_counters *count = vf_counters();
	__u32 word, jiffy, primary, cause;

	if (!line || !count)
		return TC_NEXT;
	if (vf_is_eapol(skb))
		goto eapol;
steered:
	if (vf_is_group(skb))
		goto group;
remembered:
	if (unlikely(READ_ONCE(vf_own_mac)))
		goto foreign;
own:
	if (vf_model == VF_NET_FAILOVER)
		return vf_steer_kernels(skb, line, count);
	word = vf_probed(line, READ_ONCE(line->word));
	primary = READ_ONCE(line->primary_ifindex);
	if (vf_watching() && likely(primary && skb->cb[0] != VF_MARK_RETURNED))
		word = vf_ask(skb, line, word);
	/* A leave clears the ifindex before anything else, so that no word sends a frame to a slave that has left. */
	if ((word & VF_PATH_MASK) == VF_STANDBY || unlikely(!primary))
		goto standby;
to_primary:
	/* Guard sees a carrier fault on the primary's own egress. Only this check sees that the device is gone. */
	jiffy = (__u32)bpf_jiffies64();
	if (unlikely(READ_ONCE(line->checked) != jiffy))
		goto check;
checked:
	vf_count(skb, &count->tx[VF_PRIMARY]);
	vf_first(&line->seen_tx, &line->first_tx_ns, word);
	skb->cb[0] = VF_MARK_PRIMARY;
	return bpf_redirect(primary, 0);

standby:
	cause = primary && (READ_ONCE(line->armed) & VF_ARM_STANDBY) ? vf_unusable(skb) : 0;
	if (likely(!cause) || skb->cb[0] == VF_MARK_RETURNED || !vf_flip(line, word, VF_PRIMARY, cause)) {
		vf_count(skb, &count->tx[VF_STANDBY]);
		vf_first(&line->seen_tx, &line->first_tx_ns, word);
		return TC_NEXT;
	}
	count->tx[VF_STANDBY].rerouted++;
	word = READ_ONCE(line->word);
	goto to_primary;

check:
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
	goto checked;

eapol:
	if (skb->cb[0] == VF_MARK_RETURNED)
		goto steered;
	return vf_steer_eapol(skb);

group:
	vf_group_remember(skb);
	goto remembered;

foreign:
	if (vf_by_standby(skb, line))
		return vf_steer_foreign(skb, line, count);
	goto own;
}
