/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Ingress of the slave whose frames nobody else takes to the master. With transparent it is the primary, which the stack does not know. With
 * net-failover it is the standby. The kernel drops each of its frames while a primary is registered, even a dead one.
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

/* One copy of the code for each model, of which the verifier removes one. A slave known at compile time needs no register. */
SEC("tc")
int vf_deliver(struct __sk_buff *skb)
{
	return vf_model == VF_NET_FAILOVER ? vf_deliver_from(skb, VF_STANDBY) : vf_deliver_from(skb, VF_PRIMARY);
}
