/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The state of a device, asked by BPF_PROG_TEST_RUN with the device's ifindex in the context: the kernel makes a frame "of" that device
 * and the program looks at it. No lock is taken, where ETHTOOL_GLINK waits for RTNL, which whoever breaks a link usually holds.
 * Linux 6.2 (bpf_cast_to_kern_ctx), CAP_PERFMON. Returns VF_LOOK_* bits.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define VF_LOOK_CARRIER 1
#define VF_LOOK_UP 2

#define IF_OPER_UNKNOWN 0
#define IF_OPER_UP 6

struct net_device {
	unsigned long state;
} __attribute__((preserve_access_index));
struct sk_buff {
	struct net_device *dev;
} __attribute__((preserve_access_index));
enum netdev_state_t {
	__LINK_STATE_START,
	__LINK_STATE_PRESENT,
	__LINK_STATE_NOCARRIER,
};
/* operstate was an unsigned char until Linux 6.8 and is an unsigned int since. */
struct net_device___char {
	unsigned char operstate;
} __attribute__((preserve_access_index));
struct net_device___int {
	unsigned int operstate;
} __attribute__((preserve_access_index));

extern void *bpf_cast_to_kern_ctx(void *) __ksym;

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

	if (dev->state & (1ul << bpf_core_enum_value(enum netdev_state_t, __LINK_STATE_START)))
		bits |= VF_LOOK_UP;
	/* Until linkwatch has noticed a carrier that came back (operstate), the device's queue drops what is sent. */
	if (!(dev->state & (1ul << bpf_core_enum_value(enum netdev_state_t, __LINK_STATE_NOCARRIER))) &&
	    (bits & VF_LOOK_UP) && (oper == IF_OPER_UP || oper == IF_OPER_UNKNOWN))
		bits |= VF_LOOK_CARRIER;
	return bits;
}

char LICENSE[] SEC("license") = "GPL";
