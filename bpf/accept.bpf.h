/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Master ingress: what the standby receives (the primary's frames pass here too, marked by deliver). Unicast is
 * accepted on both slaves at any time: net_failover drops it while a dead primary is registered, and loses it.
 */
#pragma once
#include "common.h"
#include "receive.bpf.h"

SEC("tc")
int vf_accept(struct __sk_buff *skb)
{
	struct vf_line *line;

	if (skb->cb[0] == VF_MARK_DELIVERED) {
		skb->cb[0] = 0;
		return TC_NEXT;
	}
	line = vf_line();
	if (line && vf_receive(skb, VF_STANDBY, line) == TC_DROP)
		return TC_DROP;
	return TC_NEXT;
}
