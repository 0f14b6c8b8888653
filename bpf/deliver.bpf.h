/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Ingress of the slave whose frames nobody else takes to the master: what it receives is the master's. Transparent: the primary, a
 * device that the stack knows nothing of. net-failover: the standby, of which the kernel drops every frame while a primary is
 * registered, be it dead.
 */
#pragma once
#include "common.h"
#include "receive.bpf.h"

static __always_inline int vf_deliver_from(struct __sk_buff *skb, __u32 path)
{
	struct vf_line *line = vf_line();
	int verdict = line ? vf_receive(skb, path, line) : TC_NEXT;

	if (verdict)
		return verdict;
	skb->cb[0] = VF_MARK_DELIVERED;
	return bpf_redirect(line->master_ifindex, BPF_F_INGRESS);
}

/* A copy for each model, of which the verifier takes one away: a path that is known at compile time needs no register. */
SEC("tc")
int vf_deliver(struct __sk_buff *skb)
{
	return vf_model == VF_NET_FAILOVER ? vf_deliver_from(skb, VF_STANDBY) : vf_deliver_from(skb, VF_PRIMARY);
}
