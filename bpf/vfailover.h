/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The layout that the BPF programs and TypeScript share: bpf2ts writes vfailover.bpf.ts from the compiled object's BTF. What TypeScript
 * needs is therefore a type here, and not a macro. Raise VF_LAYOUT whenever a size, an offset or a meaning changes: a daemon adopts
 * pinned maps only of its own layout.
 */
#pragma once

enum vf_layout {
	VF_FREE = 0, /* a slot that nobody has */
	VF_LAYOUT = 8,
};

/* The slaves of an instance. */
#define VF_PRIMARY 0u
#define VF_STANDBY 1u

/*
 * Steering word: bit 0 is the active path, bits 4..30 count the flips (the epoch). Bit 31 stays
 * clear, so that the word is a small integer in JavaScript. A flip is one compare-and-swap: whoever
 * decided on an older epoch loses.
 */
enum vf_word {
	VF_PATH_MASK = 0xf,
	VF_EPOCH_ONE = 0x10,
	VF_WORD_MASK = 0x7fffffff,
};

/* What tier 0 may do by itself: bits. */
enum vf_arm {
	VF_ARM_PRIMARY = 1, /* primary unusable: go to the standby */
	VF_ARM_STANDBY = 2, /* standby unusable: go to the primary */
	/* Likewise for a path that a detector in the programs finds dead while its link is up: the watchdog or the probes, */
	VF_ARM_PRIMARY_SILENT = 4,
	VF_ARM_STANDBY_SILENT = 8,
	/* and BFD. Their own bits: where all detectors must agree, only the one whose verdict is lacking may act. */
	VF_ARM_PRIMARY_BFD = 16,
	VF_ARM_STANDBY_BFD = 32,
};

enum vf_cause {
	VF_CAUSE_NONE = 0,
	VF_CAUSE_CARRIER = 1,
	VF_CAUSE_ADMIN_DOWN = 2,
	VF_CAUSE_UNPLUG = 3,
	VF_CAUSE_MANUAL = 4,
	VF_CAUSE_FAILBACK = 5,
	VF_CAUSE_JOIN = 6,
	VF_CAUSE_NO_PATH = 7,
	/* Verdicts of detectors on a path whose link is up. */
	VF_CAUSE_UNANSWERED = 8, /* frames that expect an answer were sent, nothing was received for too long */
	VF_CAUSE_PROBE = 9, /* probes were not answered */
	VF_CAUSE_BFD = 10, /* the BFD session went down */
	VF_CAUSE_WITNESS = 11, /* multicast that the other slave received is missing */
	VF_CAUSE_LATENCY = 12, /* the other slave is faster */
	VF_CAUSE_MAINTENANCE = 13, /* taken out by hand */
};

/* Detectors that the programs of an instance contain (vf_detect): bits. What is not there costs no instruction. */
enum vf_detector {
	VF_DETECT_UNANSWERED = 1,
	VF_DETECT_WITNESS = 2,
	VF_DETECT_PROBES = 4,
	VF_DETECT_BFD = 8,
	VF_DETECT_REFLECTOR = 16, /* none, but what answers those of others */
};

/* One per instance, one cache line: written at switches only (and `checked` once per jiffy). */
struct vf_line {
	__u32 word; /* steering word: enum vf_word */
	enum vf_arm armed; /* written by the worker */
	__u32 primary_ifindex; /* 0: no primary */
	__u32 master_ifindex;
	__u32 checked; /* jiffy of the last look whether the primary still exists */
	__u32 seen_tx; /* the word under which the first frame out was stamped */
	__u32 seen_rx; /* likewise the first frame in */
	enum vf_word flip_word; /* the word that tier 0 last wrote, */
	__u64 flip_ns; /* when (CLOCK_MONOTONIC), */
	enum vf_cause flip_cause; /* and why */
	__u32 standby_ifindex; /* in the transparent model the master; 0: no standby */
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

/* What flaps have cost a path: bits. */
enum vf_penalty {
	VF_PENALISED = 1,
	VF_SUPPRESSED = 2,
};

/* 802.1X on a path's wire: bits. */
enum vf_eapol {
	VF_EAPOL_OWN = 1, /* the slave itself spoke last, not the master */
	VF_EAPOL_ASKED = 2, /* its authenticator has spoken to the master since the other's did */
};

/*
 * The unanswered-TX watchdog of one path: index slot * 2 + path. A wait begins with the first frame that expects an answer and ends
 * with any unicast frame that the path receives. Only frames out look at the clock. Two things are waited for: answers that are due at
 * once, and acknowledgements, which a receiver may delay (RFC 1122 4.2.3.2). The first line is that of each frame, the second one that of
 * the moment.
 */
struct vf_watch {
	__u64 since_ns; /* when the wait began, moved on by our own pauses; 0: nothing waits */
	__u64 soon_ns; /* likewise of the frames whose answers are due at once; counts if `soon` does */
	__u64 last_tx_ns; /* the latest frame that expects an answer */
	__u64 timeout_ns; /* T, written by the worker; 0: off. A path is silent once `soon_ns` is as long ago, */
	__u64 ack_timeout_ns; /* or `since_ns` as long as this; written by the worker */
	__u32 unanswered; /* frames in this wait, */
	__u32 soon; /* and those of them whose answers are due at once */
	__u32 min_frames; /* it does not fire for fewer; written by the worker */
	__u32 word; /* the steering word that the wait began under: with another one it begins anew */
	__u32 longest_ns; /* the longest wait for what is due at once that an answer ended, up to its last frame out */
	__u32 relapses; /* the worker's: how many times the suspicion has doubled */
	__u64 fired_ns; /* when it last fired (CLOCK_MONOTONIC); 0: never */
	__u32 fired; /* how many times */
	__u32 fired_frames; /* frames unanswered when it last fired, */
	__u32 fired_wait_us; /* and for how long */
	/* What a later worker goes on with, of damping. */
	__u32 reuse_ms; /* when the path's penalty has decayed to the reuse threshold: ms of CLOCK_MONOTONIC, wrapping */
	enum vf_penalty penalty;
	enum vf_eapol eapol;
	__u32 unused[8];
};

/*
 * The BFD session of an instance: index slot. It runs on the active path. Words of packets and ports are as on the wire. The programs take
 * in what repeats `expect`; what says anything else goes to the worker, whole (struct vf_bfd_packet).
 */
struct vf_bfd {
	/* Written by the worker. */
	__u32 discr; /* ours, as on the wire; 0: no session, nothing is looked at */
	__u32 quiet; /* 1: packets that repeat `expect` are taken in without the worker. The programs clear it when one does not */
	__u32 expect[13]; /* the packet that says nothing new, with its authentication, zeros behind it */
	__u32 expect_length; /* its bytes; 0: every packet says something new */
	__u8 local[16]; /* IPv4 in the first four bytes */
	__u8 peer[16];
	__u32 family; /* 4 or 6 */
	__u32 vlan; /* 802.1Q id; 0: untagged */
	__u64 detect_ns; /* detection time; 0: no deadline */
	__u32 path; /* the path that is watched */
	__u32 flips; /* 1: tier 0 may flip by this session alone */
	__u16 port; /* UDP port that its packets come to, */
	__u16 from; /* and the only one that they come from; 0: any of BFD's */
	__u32 ttl; /* what they must have left, at least */
	/*
	 * When the path is dead unless an answer comes before: written with the last of so many unanswered questions (echo packets, or those
	 * of S-BFD), so that our own silence never counts. 0: enough was answered. The programs clear it when an answer comes.
	 */
	__u64 due_ns;
	__u32 asks; /* 1: S-BFD. The peer speaks when asked, and its packets are the answers */
	/* Written by the programs. */
	__u64 heard_ns; /* the latest packet that repeated `expect` on the path (CLOCK_MONOTONIC); at first the worker's */
	__u32 fired; /* times that the deadline has passed */
	__u32 repeats; /* packets taken in, wrapping */
	__u32 handed; /* packets handed to the worker, wrapping */
	__u32 low_ttl; /* refused: came from afar */
	__u32 refused; /* refused: cut, a fragment, another discriminator, a source port that is none of BFD's */
	__u32 unused;
	/* The echo function (bpf/echo.bpf.h). Written by the worker. */
	__u32 echo_loop; /* 1: the peer's echo packets are sent back */
	__u64 echo_key; /* what ours carry, and nobody else knows; 0: we send none */
	__u32 echo_sent; /* number of the latest, */
	__u32 echo_back; /* and of the latest that came back on the path; the programs' from here on */
	__u64 echo_ns; /* when that was */
	__u32 echo_looped; /* the peer's that were sent back, wrapping */
	__u32 echo_refused; /* echo packets that were neither ours, fresh and whole, nor to be sent back */
	__u8 mac[8]; /* of the master; the worker's */
};

/* An echo packet of ours: the UDP payload. */
struct vf_echo {
	__u64 key;
	__u32 seq; /* in our own byte order: nobody else reads it */
	__u32 discr;
};

/* What a reflector (RFC 7880) refuses, counted by why. */
enum vf_reflect {
	VF_REFLECT_TTL = 0, /* came from afar */
	VF_REFLECT_GROUP = 1, /* not sent to us alone: broadcast, multicast, another's MAC */
	VF_REFLECT_SOURCE = 2, /* a source that cannot be answered: our own, none, many */
	VF_REFLECT_FORM = 3, /* cut, a fragment, none of BFD's version and length */
	VF_REFLECT_DISCR = 4, /* a discriminator that is not ours */
	VF_REFLECT_DEMAND = 5, /* without the demand bit, or from a reflector's port: an answer, not a question */
	VF_REFLECT_REASONS = 8,
};

/* The S-BFD reflector of an instance: index slot. Words and ports are as on the wire. */
struct vf_reflector {
	/* Written by the supervisor. */
	__u32 discr[4]; /* those that are answered for; 0: none. They come first, */
	__u32 family[4]; /* as do the addresses: 4, 6; 0: none */
	__u8 local[4][16]; /* IPv4 in the first four bytes */
	__u32 vlan; /* 802.1Q id; 0: untagged */
	__u32 ttl; /* what a packet must have left, at least */
	__u32 min_rx; /* how often we can be asked */
	__u32 state; /* what answers say: 0xc0 up, 0 administratively down */
	__u8 mac[8]; /* of the master */
	/* Written by the programs. */
	__u64 answered;
	__u32 refused[8]; /* VF_REFLECT_*, wrapping */
};

/*
 * Kinds of the records in the ring buffer. All begin alike: when, which slot, which kind. Rings are pinned. Where the kind stands, a program of
 * layout 7 wrote smaller numbers, so that what it left is nobody's.
 */
enum vf_record {
	VF_RECORD_FLIP = 0x100, /* struct vf_event: tier 0 has flipped */
	VF_RECORD_FIRED = 0x101, /* struct vf_event: a detector's time is over, and tier 0 did not flip */
	VF_RECORD_BFD = 0x102, /* struct vf_bfd_packet */
};

/* A BFD packet for the worker, through the ring buffer. */
struct vf_bfd_packet {
	__u64 ns; /* CLOCK_MONOTONIC */
	__u32 slot;
	enum vf_record kind;
	__u32 path;
	__u32 length; /* of the UDP payload */
	__u8 mac[8]; /* who sent the frame */
	__u8 bytes[52];
};

/* What detaching programs removes: bits. What a slave took over from its master is in the map `undo`. */
enum vf_undo {
	VF_UNDO_CLSACT_MASTER = 8, /* we made the clsact qdisc */
	VF_UNDO_CLSACT_PRIMARY = 16,
	VF_UNDO_CLSACT_STANDBY = 32,
};

/* What an entry of the map `undo` is about. */
enum vf_undo_kind {
	VF_UNDO_GROUP = 1, /* id: a group MAC that we added to the slave's filter; value: the ifindex of that slave, as with the next three */
	VF_UNDO_UNICAST = 2, /* id: a unicast MAC that we added to it */
	VF_UNDO_VLAN = 3, /* id: protocol and VLAN id that we let in, both in network order */
	VF_UNDO_FLAG = 4, /* id: an IFF_* bit that we set, little-endian, and the path */
	VF_UNDO_MAC = 5, /* value: the slave's MAC before it followed the master's */
	VF_UNDO_FEATURE = 6, /* id: name of an offload (ethtool), value: 1 if it was on */
	VF_UNDO_ADDRESS = 7, /* id: family, prefix length, address; value: what else the kernel said of it */
	VF_UNDO_ROUTE = 8, /* id: a number; value: the route */
	VF_UNDO_SYSCTL = 9, /* id: name of a setting of the slave, value: its text before */
	VF_UNDO_NETNS = 10, /* value: where the slave was before it followed the master */
	VF_UNDO_MTU = 11, /* value: the slave's MTU before, in host order */
	VF_UNDO_UP = 12, /* value: 1 if the slave was up before */
	VF_UNDO_QDISC = 13, /* the slave has a root qdisc of ours; value: its ifindex */
};

/* A change of a slave that its leave takes back: the map `undo`. Written by the supervisor, never by a program. */
struct vf_undo_key {
	__u32 slot;
	enum vf_undo_kind kind;
	__u8 id[24]; /* what was changed; zeros behind it, and in the last byte VF_PRIMARY or VF_STANDBY */
};

struct vf_undo_value {
	__u32 length; /* bytes of `before` in use */
	__u8 before[124]; /* what it was before */
};

/* How master and slaves relate. */
enum vf_model {
	VF_TRANSPARENT = 1, /* the master is the standby, the virtio netdev itself */
	VF_NET_FAILOVER = 2, /* the master is the kernel's net_failover device; both slaves belong to it */
};

enum vf_attach {
	VF_ATTACH_TCX = 1,
	VF_ATTACH_CLSACT = 2,
};

enum vf_override {
	VF_AUTO = 0,
	VF_TO_PRIMARY = 1,
	VF_TO_STANDBY = 2,
};

/* Who a slot belongs to and what leaving must put back; written by the supervisor, never by a program. */
struct vf_identity {
	enum vf_layout layout;
	__u32 master_ifindex;
	__u32 primary_ifindex; /* 0: none joined */
	enum vf_undo undo;
	__u32 unused[2];
	__u64 netns; /* inode of the namespace, as in /proc/PID/ns/net */
	char name[32];
	__u8 mac[8];
	enum vf_attach attach;
	enum vf_override override;
	__u64 switches; /* decisions so far, over restarts */
	__u32 seen_word; /* the last steering word that a decision was recorded for */
	enum vf_model model;
	__u32 standby_ifindex; /* 0: none joined */
	enum vf_override maintenance; /* the slave that is out of service by order; VF_AUTO: none is */
	__u64 override_until_ns; /* when the override ends (CLOCK_MONOTONIC); 0: it does not */
};

/* A flip by tier 0, or its lack, through the ring buffer. A hint: the line says the same. */
struct vf_event {
	__u64 ns; /* CLOCK_MONOTONIC */
	__u32 slot;
	enum vf_record kind;
	enum vf_cause cause;
	enum vf_word old_word;
	enum vf_word new_word;
	__u32 unused;
};

/* By which slave group frames (broadcast and multicast) come in. */
enum vf_groups {
	VF_GROUPS_EITHER = 0, /* by whichever brings them, once */
	VF_GROUPS_ACTIVE = 1, /* by the active one alone */
};

/* Group frames of the last moments: a cache line (bpf/group.bpf.h). */
#define VF_GROUP_WORDS 8u
struct vf_group_bucket {
	__u64 words[VF_GROUP_WORDS];
};
#define VF_GRACE_NS 100000000ull /* with VF_GROUPS_ACTIVE both slaves' group frames are accepted (once) for 100 ms after a flip */

/* What active probes ask. */
enum vf_probe_kind {
	VF_PROBE_NONE = 0,
	VF_PROBE_ARP = 1,
	VF_PROBE_ND = 2,
	VF_PROBE_ICMP = 3,
};

enum vf_probe_flag {
	VF_PROBE_ALL = 1, /* every target has to answer, not just one */
};

enum vf_probe_size {
	VF_TARGETS = 32, /* bonding has 16 by ARP and 16 by ND */
};

/* A target as one path asks it. Addresses are as on the wire. */
struct vf_probe {
	enum vf_probe_kind kind; /* written by the worker, as all up to `nexthop` */
	__u32 seq; /* of the probe that waits for its answer; 0: none does */
	__u8 address[16]; /* IPv4: the first four */
	__u32 source; /* IPv4: the address that the answer is sent to */
	__u32 nexthop; /* ICMP: the neighbour that the way to the target begins with */
	__u64 arrived_ns; /* when the latest answer came (CLOCK_MONOTONIC), */
	__u32 answered; /* to which probe, */
	__u32 arrived_path; /* and on which path */
	__u8 mac[6]; /* ICMP: of the next hop; zero: unknown */
	__u16 resolving; /* ICMP: its MAC is being asked for */
	__u32 missed; /* the worker's account: in a row; */
	__u32 rtt_us; /* smoothed, 0: never answered */
	__u32 vlan; /* 802.1Q id that it is asked with; 0: untagged. Written by the worker */
	__u32 unused;
};

/* A path's part: a cache line that its frames share with the worker. */
struct vf_probe_path {
	__u64 due_ns; /* when steer leaves the path, if `wait` is not zero by then. Written by the worker before it sends, */
	__u32 wait; /* and then this: whose answers are waited for, a bit per target */
	__u32 extended; /* `due_ns` has been put off */
	__u64 slack_ns; /* by so much */
	__u64 look_ns; /* when a frame out last looked */
	__u64 heard_ns; /* the other path's probe came in here, as the network floods it */
	__u64 group_ns; /* the latest broadcast that was not ours */
	__u32 heard; /* how many */
	__u32 groups;
	__u32 refused; /* frames that looked like an answer and were none */
	__u32 unused;
};

/* Probes and witness of an instance: one per slot. */
struct vf_probing {
	__u64 cookie; /* of echo requests: what only we and who was asked can know */
	__u8 local[16]; /* source of neighbour solicitations; its last byte is path * VF_TARGETS + target */
	__u8 mac[6]; /* of the master */
	__u16 icmp_id; /* as on the wire */
	enum vf_probe_flag flags;
	__u32 targets; /* so many are used */
	__u32 unused[6];
	struct vf_probe_path path[2];
	struct vf_probe probe[2 * VF_TARGETS]; /* [path][target] */
};
