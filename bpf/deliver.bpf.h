/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Primary ingress: what the primary receives is the master's.
 */
#pragma once
#include "common.h"
#include "receive.bpf.h"

SEC("tc")
int vf_deliver(struct __sk_buff *skb)
{
	struct vf_line *line = vf_line();
	int verdict = line ? vf_receive(skb, VF_PRIMARY, line) : TC_NEXT;

	if (verdict)
		return verdict;
	skb->cb[0] = VF_MARK_DELIVERED;
	return bpf_redirect(line->master_ifindex, BPF_F_INGRESS);
}
