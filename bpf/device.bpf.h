/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The few kernel fields that our programs read. CO-RE finds their offsets on the running kernel.
 */
#pragma once

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct ns_common {
	unsigned int inum;
} __attribute__((preserve_access_index));
struct net {
	struct ns_common ns;
	__u64 net_cookie;
} __attribute__((preserve_access_index));
typedef struct {
	struct net *net;
} __attribute__((preserve_access_index)) possible_net_t;
struct net_device {
	unsigned long state;
	int ifindex;
	possible_net_t nd_net;
} __attribute__((preserve_access_index));
struct sk_buff {
	struct net_device *dev;
} __attribute__((preserve_access_index));
enum netdev_state_t {
	__LINK_STATE_START,
	__LINK_STATE_PRESENT,
	__LINK_STATE_NOCARRIER,
};

/* Exists since Linux 6.2. Reading through its result takes CAP_PERFMON. */
extern void *bpf_cast_to_kern_ctx(void *) __ksym __weak;

/* netif_carrier_ok() */
static __always_inline bool vf_carrier(unsigned long state)
{
	return !(state & (1ul << bpf_core_enum_value(enum netdev_state_t, __LINK_STATE_NOCARRIER)));
}

/* netif_running() */
static __always_inline bool vf_running(unsigned long state)
{
	return state & (1ul << bpf_core_enum_value(enum netdev_state_t, __LINK_STATE_START));
}
