/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Primary ingress: what the primary receives is the master's.
 */
#pragma once
#include "common.h"
#include "multicast.bpf.h"

SEC("tc")
int vf_deliver(struct __sk_buff *skb)
{
	struct vf_line *line = vf_line();
	struct vf_counters *count = vf_counters();
	const __u8 *data = (void *)(long)skb->data;
	__u32 word;

	if (!line || !count || (void *)(data + ETH_HLEN) > (void *)(long)skb->data_end)
		return TC_NEXT;
	word = READ_ONCE(line->word);
	if (unlikely(data[0] & 1)) {
		if (vf_link_local(data))
			return TC_NEXT;
		if (vf_second_copy(skb, VF_PRIMARY, word)) {
			count->rx[VF_PRIMARY].rerouted++;
			return TC_DROP;
		}
	}
	vf_count(skb, &count->rx[VF_PRIMARY]);
	if ((word & VF_PATH_MASK) == VF_PRIMARY)
		vf_first(&line->seen_rx, &line->first_rx_ns, word);
	skb->cb[0] = VF_MARK_DELIVERED;
	return bpf_redirect(line->master_ifindex, BPF_F_INGRESS);
}
