/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Where the kernel may be traced (Linux 5.5 with trampolines, CAP_PERFMON): a driver that reports a lost carrier makes the flip itself, if
 * the worker armed it. No frame has to meet the dead path first, so a guest that only receives fails over as fast; and kernels
 * without bpf_cast_to_kern_ctx get a tier 0 that knows of carrier. An object of its own: a kernel that refuses it has all the rest.
 */
#include "common.h"
#include <bpf/bpf_tracing.h>

/* Inode of the instance's namespace: ifindexes count there. */
const volatile __u32 vf_netns = 0;

/* At the exit: the device says by now that its carrier is gone, to whoever is woken by the flip and looks. */
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
