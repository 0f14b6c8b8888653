/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Master ingress: what the standby receives (the primary's frames pass here too, marked by deliver). Unicast is
 * accepted on both slaves at any time: net_failover drops it while a dead primary is registered, and loses it.
 */
#pragma once
#include "common.h"
#include "multicast.bpf.h"

SEC("tc")
int vf_accept(struct __sk_buff *skb)
{
	const __u8 *data = (void *)(long)skb->data;
	struct vf_counters *count;
	struct vf_line *line;
	__u32 word;

	if (skb->cb[0] == VF_MARK_DELIVERED) {
		skb->cb[0] = 0;
		return TC_NEXT;
	}
	line = vf_line();
	count = vf_counters();
	if (!line || !count || (void *)(data + ETH_HLEN) > (void *)(long)skb->data_end)
		return TC_NEXT;
	word = READ_ONCE(line->word);
	if (unlikely(data[0] & 1)) {
		if (vf_link_local(data))
			return TC_NEXT;
		if (vf_second_copy(skb, VF_STANDBY, word)) {
			count->rx[VF_STANDBY].rerouted++;
			return TC_DROP;
		}
	}
	vf_count(skb, &count->rx[VF_STANDBY]);
	if ((word & VF_PATH_MASK) == VF_STANDBY)
		vf_first(&line->seen_rx, &line->first_rx_ns, word);
	return TC_NEXT;
}
