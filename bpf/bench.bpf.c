/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What counting and steering cost, one step at a time, for BPF_PROG_TEST_RUN: the helper that redirects is left out, it costs the
 * same whoever calls it.
 */
#include "common.h"

SEC("tc")
int vf_empty(struct __sk_buff *skb)
{
	return TC_NEXT;
}

SEC("tc")
int vf_count_only(struct __sk_buff *skb)
{
	struct vf_counters *count = vf_counters();

	if (!count)
		return TC_NEXT;
	vf_count(skb, &count->tx[VF_PRIMARY]);
	return TC_NEXT;
}

/* The whole of steer's fast path but for the redirect. */
SEC("tc")
int vf_count_steer(struct __sk_buff *skb)
{
	struct vf_line *line = vf_line();
	struct vf_counters *count = vf_counters();
	__u32 word;

	if (!line || !count)
		return TC_NEXT;
	word = READ_ONCE(line->word);
	if ((word & VF_PATH_MASK) == VF_STANDBY) {
		vf_count(skb, &count->tx[VF_STANDBY]);
		return TC_NEXT;
	}
	if (unlikely(READ_ONCE(line->checked) != (__u32)bpf_jiffies64()))
		WRITE_ONCE(line->checked, (__u32)bpf_jiffies64());
	vf_count(skb, &count->tx[VF_PRIMARY]);
	vf_first(&line->seen_tx, &line->first_tx_ns, word);
	skb->cb[0] = VF_MARK_STEERED;
	return line->primary_ifindex;
}

SEC("tc")
int vf_carrier_check(struct __sk_buff *skb)
{
	return vf_unusable(skb) ? TC_DROP : TC_NEXT;
}

char LICENSE[] SEC("license") = "GPL";
