/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Reads the state of a device. BPF_PROG_TEST_RUN gets the device's ifindex in the context, and the kernel makes a frame of that device for the
 * program to look at. It takes no lock. ETHTOOL_GLINK would wait for RTNL, which is usually held by the very process that breaks a link.
 * Needs Linux 6.2 (bpf_cast_to_kern_ctx) and CAP_PERFMON. Returns VF_LOOK_* bits.
 */
#include "device.bpf.h"

#define VF_LOOK_CARRIER 1
#define VF_LOOK_UP 2

#define IF_OPER_UNKNOWN 0
#define IF_OPER_UP 6

/* operstate was an unsigned char until Linux 6.8 and is an unsigned int since. */
struct net_device___char {
	unsigned char operstate;
} __attribute__((preserve_access_index));
struct net_device___int {
	unsigned int operstate;
} __attribute__((preserve_access_index));

static __always_inline unsigned int operstate(struct net_device *dev)
{
	struct net_device___char *c = (void *)dev;
	struct net_device___int *i = (void *)dev;

	if (bpf_core_field_size(i->operstate) == 4)
		return i->operstate;
	return c->operstate;
}

SEC("tc")
int vf_look(struct __sk_buff *skb)
{
	struct sk_buff *kern = bpf_cast_to_kern_ctx(skb);
	struct net_device *dev = kern->dev;
	unsigned int oper = operstate(dev);
	int bits = 0;

	if (vf_running(dev->state))
		bits |= VF_LOOK_UP;
	/* The device's queue drops frames until linkwatch has noticed a carrier that came back (operstate). */
	if (bits && vf_carrier(dev->state) && (oper == IF_OPER_UP || oper == IF_OPER_UNKNOWN))
		bits |= VF_LOOK_CARRIER;
	return bits;
}

char LICENSE[] SEC("license") = "GPL";
