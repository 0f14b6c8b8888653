/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The object that each instance loads, with one program per hook.
 */
#include "steer.bpf.h"
#include "guard.bpf.h"
#include "deliver.bpf.h"
#include "accept.bpf.h"

/* Used by user space alone. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct vf_undo_key);
	__type(value, struct vf_undo_value);
} undo SEC(".maps");

/* These name the types of the ring buffer's records in BTF, as nothing else does. */
const volatile struct vf_event vf_event_type __attribute__((used)) = {};
const volatile struct vf_bfd_packet vf_bfd_packet_type __attribute__((used)) = {};
/* A reader must find the kind before it knows which struct a record has. */
_Static_assert(__builtin_offsetof(struct vf_event, kind) == __builtin_offsetof(struct vf_bfd_packet, kind), "kinds stand in one place");
_Static_assert(__builtin_offsetof(struct vf_event, slot) == __builtin_offsetof(struct vf_bfd_packet, slot), "slots stand in one place");
/* These name in BTF the types of which the worker writes one and counts by the other. */
const volatile struct vf_echo vf_echo_type __attribute__((used)) = {};
const volatile enum vf_reflect vf_reflect_type __attribute__((used)) = 0;

char LICENSE[] SEC("license") = "GPL";
