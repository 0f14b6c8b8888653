/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The BFD session of the instance.
 */
#pragma once
#include "common.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vf_bfd);
} bfd SEC(".maps");

static __always_inline struct vf_bfd *vf_bfd(void)
{
	__u32 slot = vf_slot;

	return bpf_map_lookup_elem(&bfd, &slot);
}
