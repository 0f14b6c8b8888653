/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Ingress of the slave whose frames reach the master without us. With transparent it is the standby, which is the master. The primary's frames
 * pass here too, marked by deliver. With net-failover it is the primary, whose frames the kernel's rx handler takes to the master. Unicast is
 * accepted on both slaves at any time.
 */
#pragma once
#include "common.h"
#include "receive.bpf.h"

SEC("tc")
int vf_accept(struct __sk_buff *skb)
{
	struct vf_line *line;
	int verdict;

	if (skb->cb[0] == VF_MARK_DELIVERED) {
		skb->cb[0] = 0;
		return TC_NEXT;
	}
	line = vf_line();
	if (!line)
		return TC_NEXT;
	/* A copy for each model, as in vf_deliver. */
	verdict = vf_model == VF_NET_FAILOVER ? vf_receive(skb, VF_PRIMARY, line) : vf_receive(skb, VF_STANDBY, line);
	return verdict ? verdict : TC_NEXT;
}
