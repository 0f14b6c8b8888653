/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The layout that the BPF programs and TypeScript share. src/datapath/layout.ts says the same for
 * JavaScript; test/netns/layout.test.ts reads this header's types from the compiled object's BTF
 * and fails when the two disagree. Raise VF_LAYOUT whenever a size, an offset or a meaning changes:
 * a daemon adopts pinned maps only of its own layout.
 */
#pragma once

#define VF_LAYOUT 1

/* The slaves of an instance. */
#define VF_PRIMARY 0u
#define VF_STANDBY 1u

/*
 * Steering word: bit 0 is the active path, bits 4..30 count the flips (the epoch). Bit 31 stays
 * clear, so that the word is a small integer in JavaScript. A flip is one compare-and-swap: whoever
 * decided on an older epoch loses.
 */
#define VF_PATH_MASK 0xfu
#define VF_EPOCH_ONE 0x10u
#define VF_WORD_MASK 0x7fffffffu

/* vf_line.armed: what tier 0 may do by itself. */
#define VF_ARM_PRIMARY 1u /* primary unusable: go to the standby */
#define VF_ARM_STANDBY 2u /* standby unusable: go to the primary */

enum vf_cause {
	VF_CAUSE_NONE = 0,
	VF_CAUSE_CARRIER = 1,
	VF_CAUSE_ADMIN_DOWN = 2,
	VF_CAUSE_UNPLUG = 3,
	VF_CAUSE_MANUAL = 4,
	VF_CAUSE_FAILBACK = 5,
	VF_CAUSE_JOIN = 6,
	VF_CAUSE_NO_PATH = 7,
};

/* One per instance, one cache line: written at switches only (and `checked` once per jiffy). */
struct vf_line {
	__u32 word; /* steering word */
	__u32 armed; /* VF_ARM_*, written by the worker */
	__u32 primary_ifindex; /* 0: no primary */
	__u32 master_ifindex; /* the virtio netdev: master and standby in one */
	__u32 checked; /* jiffy of the last look whether the primary still exists */
	__u32 seen_tx; /* the word under which the first frame out was stamped */
	__u32 seen_rx; /* likewise the first frame in */
	__u32 flip_word; /* the word that tier 0 last wrote, */
	__u64 flip_ns; /* when (CLOCK_MONOTONIC), */
	__u32 flip_cause; /* and why (enum vf_cause) */
	__u32 unused;
	__u64 first_tx_ns; /* first frame out on the active path after the last flip */
	__u64 first_rx_ns; /* first frame in on it */
};

/* One direction of one path on one CPU: a cache line of its own. Frames and bytes as on the wire. */
struct vf_count {
	__u64 packets;
	__u64 bytes;
	__u64 drops; /* frames we dropped: nowhere to go */
	__u64 rerouted; /* tx: taken back from a dead path; rx: multicast suppressed as a second copy */
	__u64 unused[4];
};

/* All counts of an instance on one CPU: index slot * cpus + cpu. */
struct vf_counters {
	struct vf_count tx[2];
	struct vf_count rx[2];
};

/* Who a slot belongs to and what leaving must put back; written by the supervisor, never by a program. */
struct vf_identity {
	__u32 layout; /* VF_LAYOUT; 0: the slot is free */
	__u32 master_ifindex;
	__u32 primary_ifindex; /* 0: none joined */
	__u32 undo; /* VF_UNDO_*: which of the following to restore on the primary */
	__u32 undo_mtu;
	__u32 undo_addr_gen_mode;
	__u64 netns; /* inode of the namespace, as in /proc/PID/ns/net */
	char name[32];
	__u8 mac[8];
	__u32 attach; /* 1 TCX, 2 clsact */
	__u32 override; /* 0 auto, 1 primary, 2 standby */
	__u64 switches; /* decisions so far, over restarts */
	__u32 seen_word; /* the last steering word that a decision was recorded for */
	__u32 unused;
};
#define VF_UNDO_MTU 1u
#define VF_UNDO_ADMIN_DOWN 2u
#define VF_UNDO_ADDR_GEN_MODE 4u
#define VF_UNDO_CLSACT_MASTER 8u /* we made the clsact qdisc */
#define VF_UNDO_CLSACT_PRIMARY 16u

/* A flip by tier 0, through the ring buffer. A hint: the line says the same. */
struct vf_event {
	__u64 ns; /* CLOCK_MONOTONIC */
	__u32 slot;
	__u32 cause;
	__u32 old_word;
	__u32 new_word;
};

/* Multicast frames of the last moments, to tell a second copy from a new frame. */
struct vf_recent {
	__u64 ns;
	__u32 hash;
	__u32 path;
};
#define VF_RECENT 64u /* entries per instance, the last one for the window below */
#define VF_GRACE_NS 100000000ull /* both slaves' multicast is accepted (once) for 100 ms after a flip */
