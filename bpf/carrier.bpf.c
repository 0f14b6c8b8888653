/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Flips as soon as a driver reports a lost carrier, if the worker armed that. It needs a kernel that may be traced (Linux 5.5 with trampolines,
 * CAP_PERFMON). No frame has to meet the dead slave first, so a guest that only receives fails over as fast. Kernels without
 * bpf_cast_to_kern_ctx get a tier 0 that knows of carrier. It is an object of its own, so that a kernel which refuses it still has the rest.
 */
#include "common.h"
#include <bpf/bpf_tracing.h>

/* Inode of the instance's namespace, where the ifindexes count. */
const volatile __u32 vf_netns = 0;

/* Runs at the exit, so that the device already reports its lost carrier to the worker that the flip wakes. */
SEC("fexit/netif_carrier_off")
int BPF_PROG(vf_carrier_off, struct net_device *dev)
{
	struct vf_line *line = vf_line();
	__u32 word, path;

	if (!line || dev->nd_net.net->ns.inum != vf_netns)
		return 0;
	word = READ_ONCE(line->word);
	path = word & VF_PATH_MASK;
	if ((__u32)dev->ifindex != (path == VF_PRIMARY ? line->primary_ifindex : line->standby_ifindex))
		return 0;
	if (READ_ONCE(line->armed) & (path == VF_PRIMARY ? VF_ARM_PRIMARY : VF_ARM_STANDBY))
		vf_flip(line, word, path == VF_PRIMARY ? VF_STANDBY : VF_PRIMARY, VF_CAUSE_CARRIER);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
