/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Constants are fixed at the load, and the verifier removes what they switch off; variables are memory that both sides share.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct limits {
	__u32 max_len;
	char label[16];
};

struct counters {
	__u64 packets;
	__u64 too_long;
	__u32 longest;
};

const volatile struct limits limits = { 1500, "default" };
const volatile bool keep_longest;

bool enabled = true;
struct counters counters;

SEC("tc")
int measure(struct __sk_buff *skb)
{
	if (!enabled)
		return 0;
	counters.packets++;
	if (skb->len > limits.max_len)
		counters.too_long++;
	if (keep_longest && skb->len > counters.longest)
		counters.longest = skb->len;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
