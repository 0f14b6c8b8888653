/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The layout that the BPF programs and TypeScript share. bpf2ts writes vfailover.bpf.ts from the compiled object's BTF, which has no macros.
 * A constant that TypeScript needs is therefore a type here. Raise VF_LAYOUT whenever a size, an offset or a meaning changes, because a
 * daemon adopts pinned maps of its own layout only.
 */
#pragma once

enum vf_layout {
	VF_FREE = 0, /* a free slot */
	VF_LAYOUT = 8,
};

/* The slaves of an instance. */
#define VF_PRIMARY 0u
#define VF_STANDBY 1u

/*
 * Steering word: bit 0 is the active slave, and bits 4..30 count the flips (the epoch). Bit 31 stays clear, so that the word is a small
 * integer in JavaScript. A flip is one compare-and-swap, so a decision on an older epoch loses.
 */
enum vf_word {
	VF_PATH_MASK = 0xf,
	VF_EPOCH_ONE = 0x10,
	VF_WORD_MASK = 0x7fffffff,
};

/* Bits: the fallbacks that tier 0 may execute by itself. */
enum vf_arm {
	VF_ARM_PRIMARY = 1, /* primary unusable: go to the standby */
	VF_ARM_STANDBY = 2, /* standby unusable: go to the primary */
	/* For a slave whose link is up and that the watchdog or the probes find dead. */
	VF_ARM_PRIMARY_SILENT = 4,
	VF_ARM_STANDBY_SILENT = 8,
	/* For BFD's verdict. It has its own bits because where all detectors must agree, only the one whose verdict is lacking may act. */
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
	/* Verdicts of detectors on a slave whose link is up. */
	VF_CAUSE_UNANSWERED = 8, /* frames that expect an answer were sent, and nothing was received for too long */
	VF_CAUSE_PROBE = 9, /* probes were not answered */
	VF_CAUSE_BFD = 10, /* the BFD session went down */
	VF_CAUSE_WITNESS = 11, /* multicast that the other slave received is missing */
	VF_CAUSE_LATENCY = 12, /* the other slave is faster */
	VF_CAUSE_MAINTENANCE = 13, /* taken out by hand */
};

/* Bits: the detectors that the programs of an instance contain (vf_detect). A detector that is left out costs no instruction. */
enum vf_detector {
	VF_DETECT_UNANSWERED = 1,
	VF_DETECT_WITNESS = 2,
	VF_DETECT_PROBES = 4,
	VF_DETECT_BFD = 8,
	VF_DETECT_REFLECTOR = 16, /* no detector, but the reflector that answers the detectors of others */
};

/* One per instance, one cache line. It is written at switches only, except `checked`, which is written once per jiffy. */
struct vf_line {
	__u32 word; /* steering word: enum vf_word */
	enum vf_arm armed; /* written by the worker */
	__u32 primary_ifindex; /* 0: no primary */
	__u32 master_ifindex;
	__u32 checked; /* jiffy of the last check that the primary still exists */
	__u32 seen_tx; /* steering word under which the first frame out was stamped */
	__u32 seen_rx; /* likewise for the first frame in */
	enum vf_word flip_word; /* steering word that tier 0 last wrote, */
	__u64 flip_ns; /* when (CLOCK_MONOTONIC), */
	enum vf_cause flip_cause; /* and why */
	__u32 standby_ifindex; /* in the transparent model the master; 0: no standby */
	__u64 first_tx_ns; /* first frame out on the active slave after the last flip */
	__u64 first_rx_ns; /* first frame in on the active slave after the last flip */
};

/* One direction of one slave on one CPU, in a cache line of its own. Frames and bytes are counted as on the wire. */
struct vf_count {
	__u64 packets;
	__u64 bytes;
	__u64 drops; /* frames that we dropped for want of a device to send them to */
	__u64 rerouted; /* tx: taken back from a dead slave; rx: group frames dropped as a second copy */
	__u64 unused[4];
};

/* All counts of an instance on one CPU: index slot * cpus + cpu. */
struct vf_counters {
	struct vf_count tx[2];
	struct vf_count rx[2];
};

/* Bits: the state of a slave's flap damping. */
enum vf_penalty {
	VF_PENALISED = 1,
	VF_SUPPRESSED = 2,
};

/* Bits: 802.1X on a slave's wire. */
enum vf_eapol {
	VF_EAPOL_OWN = 1, /* the slave itself spoke last, not the master */
	VF_EAPOL_ASKED = 2, /* its authenticator spoke to the master later than the other slave's did */
};

/*
 * The watchdog of one slave, at index slot * 2 + path. A wait begins with the first frame that expects an answer. It ends with any unicast
 * frame that the slave receives. Only frames out look at the clock. Some answers are due at once. Acknowledgements may be delayed by the
 * receiver (RFC 1122 4.2.3.2), and have a timeout of their own. Each frame touches the first cache line, rare events the second.
 */
struct vf_watch {
	__u64 since_ns; /* start of the wait, moved on when this machine paused; 0: no wait */
	__u64 soon_ns; /* likewise for frames whose answers are due at once; valid if `soon` is not 0 */
	__u64 last_tx_ns; /* the latest frame that expects an answer */
	__u64 timeout_ns; /* the slave is silent once `soon_ns` is this long ago; 0: off; written by the worker */
	__u64 ack_timeout_ns; /* the slave is also silent once `since_ns` is this long ago; written by the worker */
	__u32 unanswered; /* frames in this wait */
	__u32 soon; /* those of them whose answers are due at once */
	__u32 min_frames; /* least number of frames for a verdict; written by the worker */
	__u32 word; /* steering word at the start of the wait; under another one the wait begins anew */
	__u32 longest_ns; /* longest wait for an answer due at once that an answer ended, up to its last frame out */
	__u32 relapses; /* how often the time doubled for which a silent slave is avoided; the worker's */
	__u64 fired_ns; /* when it last fired (CLOCK_MONOTONIC); 0: never */
	__u32 fired; /* how many times */
	__u32 fired_frames; /* frames unanswered when it last fired, */
	__u32 fired_wait_us; /* and for how long */
	/* State of damping, kept here for a later worker. */
	__u32 reuse_ms; /* when the slave's penalty has decayed to the reuse threshold: ms of CLOCK_MONOTONIC, wrapping */
	enum vf_penalty penalty;
	enum vf_eapol eapol;
	__u32 unused[8];
};

/*
 * The BFD session of an instance, at index slot. It runs on the active slave. Words of packets and ports are as on the wire. The programs
 * absorb packets that repeat `expect`. Any other packet goes to the worker as a whole (struct vf_bfd_packet).
 */
struct vf_bfd {
	/* Written by the worker. */
	__u32 discr; /* our discriminator, as on the wire; 0: no session, so no packet is looked at */
	__u32 quiet; /* 1: packets that repeat `expect` are absorbed without the worker; the programs clear it at any other packet */
	__u32 expect[13]; /* the packet that says nothing new, with its authentication, then zeros */
	__u32 expect_length; /* its bytes; 0: every packet goes to the worker */
	__u8 local[16]; /* IPv4 in the first four bytes */
	__u8 peer[16];
	__u32 family; /* 4 or 6 */
	__u32 vlan; /* 802.1Q id; 0: untagged */
	__u64 detect_ns; /* detection time; 0: no deadline */
	__u32 path; /* the slave that is watched */
	__u32 flips; /* 1: tier 0 may flip on this session's verdict */
	__u16 port; /* UDP port that the peer's packets go to */
	__u16 from; /* their only source port; 0: any that BFD allows */
	__u32 ttl; /* least TTL or hop limit of a packet */
	/*
	 * Time at which the slave is dead unless an answer comes before. The worker sets it with the last question that may stay unanswered (an
	 * echo packet or a question of S-BFD). So a pause of this machine never counts against the peer. The programs clear it when an answer
	 * comes. 0: no deadline.
	 */
	__u64 due_ns;
	__u32 asks; /* 1: S-BFD, where the peer sends only when asked and its packets are the answers */
	/* Written by the programs. */
	__u64 heard_ns; /* the latest packet that repeated `expect` on the slave (CLOCK_MONOTONIC); the worker writes the first value */
	__u32 fired; /* times that the deadline has passed */
	__u32 repeats; /* packets absorbed, wrapping */
	__u32 handed; /* packets handed to the worker, wrapping */
	__u32 low_ttl; /* packets refused because they came from afar */
	__u32 refused; /* packets refused otherwise: cut, a fragment, a wrong discriminator, a source port that is none of BFD's */
	__u32 unused;
	/* The echo function (bpf/echo.bpf.h). Written by the worker. */
	__u32 echo_loop; /* 1: the peer's echo packets are sent back */
	__u64 echo_key; /* secret that our echo packets carry; 0: we send none */
	__u32 echo_sent; /* number of the latest that we sent */
	__u32 echo_back; /* number of the latest that came back on the slave; written by the programs, as all below but `mac` */
	__u64 echo_ns; /* when it came back */
	__u32 echo_looped; /* echo packets of the peer that were sent back, wrapping */
	__u32 echo_refused; /* echo packets that were neither ours, fresh and whole, nor to be sent back */
	__u8 mac[8]; /* the master's; written by the worker */
};

/* UDP payload of our echo packets. */
struct vf_echo {
	__u64 key;
	__u32 seq; /* in our own byte order, since nobody else reads it */
	__u32 discr;
};

/* Reasons for which the reflector (RFC 7880) refuses a packet, each with a counter. */
enum vf_reflect {
	VF_REFLECT_TTL = 0, /* came from afar */
	VF_REFLECT_GROUP = 1, /* not sent to us alone: broadcast, multicast, another's MAC */
	VF_REFLECT_SOURCE = 2, /* a source that cannot be answered: our own address, no address, a group */
	VF_REFLECT_FORM = 3, /* cut, a fragment, not of BFD's version and length */
	VF_REFLECT_DISCR = 4, /* a discriminator that is not ours */
	VF_REFLECT_DEMAND = 5, /* an answer and no question: without the demand bit, or from a reflector's port */
	VF_REFLECT_REASONS = 8,
};

/* The S-BFD reflector of an instance, at index slot. Words and ports are as on the wire. */
struct vf_reflector {
	/* Written by the supervisor. */
	__u32 discr[4]; /* our discriminators, used entries first; 0: unused */
	__u32 family[4]; /* of our addresses, used entries first: 4 or 6; 0: unused */
	__u8 local[4][16]; /* IPv4 in the first four bytes */
	__u32 vlan; /* 802.1Q id; 0: untagged */
	__u32 ttl; /* least TTL or hop limit of a packet */
	__u32 min_rx; /* least interval at which we may be asked */
	__u32 state; /* state in the answers: 0xc0 up, 0 administratively down */
	__u8 mac[8]; /* of the master */
	/* Written by the programs. */
	__u64 answered;
	__u32 refused[8]; /* VF_REFLECT_*, wrapping */
};

/*
 * Kinds of the records in the ring buffer. All records begin with time, slot and kind. Rings are pinned, so one may still hold records of
 * layout 7. Such a record has a smaller number in place of the kind, and is ignored.
 */
enum vf_record {
	VF_RECORD_FLIP = 0x100, /* struct vf_event: tier 0 has flipped */
	VF_RECORD_FIRED = 0x101, /* struct vf_event: a detector's deadline has passed, and tier 0 did not flip */
	VF_RECORD_BFD = 0x102, /* struct vf_bfd_packet */
};

/* A BFD packet for the worker, through the ring buffer. */
struct vf_bfd_packet {
	__u64 ns; /* CLOCK_MONOTONIC */
	__u32 slot;
	enum vf_record kind;
	__u32 path;
	__u32 length; /* of the UDP payload */
	__u8 mac[8]; /* source of the frame */
	__u8 bytes[52];
};

/* Bits: the qdiscs that detaching the programs removes. The map `undo` has the changes that a slave took over from its master. */
enum vf_undo {
	VF_UNDO_CLSACT_MASTER = 8, /* we made the clsact qdisc */
	VF_UNDO_CLSACT_PRIMARY = 16,
	VF_UNDO_CLSACT_STANDBY = 32,
};

/* Kinds of entries in the map `undo`. */
enum vf_undo_kind {
	VF_UNDO_GROUP = 1, /* id: a group MAC that we added to the slave's filter; value: the ifindex of that slave, as with the next three */
	VF_UNDO_UNICAST = 2, /* id: a unicast MAC that we added to it */
	VF_UNDO_VLAN = 3, /* id: protocol and VLAN id that we let in, both in network order */
	VF_UNDO_FLAG = 4, /* id: an IFF_* bit that we set, little-endian, and the path */
	VF_UNDO_MAC = 5, /* value: the slave's MAC before it followed the master's */
	VF_UNDO_FEATURE = 6, /* id: name of an offload (ethtool), value: 1 if it was on */
	VF_UNDO_ADDRESS = 7, /* id: family, prefix length, address; value: what else the kernel said of it */
	VF_UNDO_ROUTE = 8, /* id: a number; value: the route */
	VF_UNDO_SYSCTL = 9, /* id: name of a setting of the slave; value: its text before */
	VF_UNDO_NETNS = 10, /* value: the slave's namespace before it followed the master */
	VF_UNDO_MTU = 11, /* value: the slave's MTU before, in host order */
	VF_UNDO_UP = 12, /* value: 1 if the slave was up before */
	VF_UNDO_QDISC = 13, /* the slave has a root qdisc of ours; value: its ifindex */
};

/* A change of a slave that its leave takes back, in the map `undo`. The supervisor writes it, never a program. */
struct vf_undo_key {
	__u32 slot;
	enum vf_undo_kind kind;
	__u8 id[24]; /* the thing that was changed, then zeros; the last byte is VF_PRIMARY or VF_STANDBY */
};

struct vf_undo_value {
	__u32 length; /* bytes of `before` in use */
	__u8 before[124]; /* what it was before */
};

/* Models: how master and slaves relate. */
enum vf_model {
	VF_TRANSPARENT = 1, /* the master is the standby, the virtio netdev itself */
	VF_NET_FAILOVER = 2, /* the master is the kernel's net_failover device, and both slaves belong to it */
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

/* Owner of a slot, and state that a leave must put back. The supervisor writes it, never a program. */
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
	__u64 switches; /* decisions so far, across restarts */
	__u32 seen_word; /* the last steering word for which a decision was recorded */
	enum vf_model model;
	__u32 standby_ifindex; /* 0: none joined */
	enum vf_override maintenance; /* the slave that is out of service by order; VF_AUTO: none is */
	__u64 override_until_ns; /* end of the override (CLOCK_MONOTONIC); 0: no end */
};

/* Tells the worker that tier 0 flipped, or that a detector fired without a flip. It is a hint, since line and watch say the same. */
struct vf_event {
	__u64 ns; /* CLOCK_MONOTONIC */
	__u32 slot;
	enum vf_record kind;
	enum vf_cause cause;
	enum vf_word old_word;
	enum vf_word new_word;
	__u32 unused;
};

/* Slaves by which group frames (broadcast and multicast) come in. */
enum vf_groups {
	VF_GROUPS_EITHER = 0, /* by whichever slave brings a frame first */
	VF_GROUPS_ACTIVE = 1, /* by the active one alone */
};

/* Words of recent group frames, in one cache line (bpf/group.bpf.h). */
#define VF_GROUP_WORDS 8u
struct vf_group_bucket {
	__u64 words[VF_GROUP_WORDS];
};
#define VF_GRACE_NS 100000000ull /* with VF_GROUPS_ACTIVE both slaves' group frames are accepted (once) for 100 ms after a flip */

/* Questions of active probes. */
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

/* One target as one slave asks it. Addresses are as on the wire. */
struct vf_probe {
	enum vf_probe_kind kind; /* written by the worker, as all up to `nexthop` */
	__u32 seq; /* of the open question; 0: none is open */
	__u8 address[16]; /* IPv4 in the first four bytes */
	__u32 source; /* IPv4 address that the answer is sent to */
	__u32 nexthop; /* ICMP: first neighbour on the way to the target */
	__u64 arrived_ns; /* when the latest answer came (CLOCK_MONOTONIC) */
	__u32 answered; /* `seq` of the question that it answers */
	__u32 arrived_path; /* slave that it came on */
	__u8 mac[6]; /* ICMP: of the next hop; zero: unknown */
	__u16 resolving; /* ICMP: 1 while the next hop's MAC is being asked for */
	__u32 missed; /* probes missed in a row; the worker's, as `rtt_us` */
	__u32 rtt_us; /* smoothed round trip; 0: never answered */
	__u32 vlan; /* 802.1Q id of the question; 0: untagged; written by the worker */
	__u32 unused;
};

/* State of one slave's probes, in a cache line that frames share with the worker. */
struct vf_probe_path {
	__u64 due_ns; /* when steer leaves the slave if `wait` is not 0; the worker writes it before it sends, then `wait` */
	__u32 wait; /* targets whose answers are waited for, a bit each */
	__u32 extended; /* 1: `due_ns` has been put off by `slack_ns` */
	__u64 slack_ns;
	__u64 look_ns; /* when a frame out last looked */
	__u64 heard_ns; /* when a probe of the other slave last came in here, as the network floods it */
	__u64 group_ns; /* the latest broadcast that was not ours */
	__u32 heard; /* number of such probes */
	__u32 groups; /* number of such broadcasts */
	__u32 refused; /* frames that looked like an answer and were none */
	__u32 unused;
};

/* Probes and witness of an instance: one per slot. */
struct vf_probing {
	__u64 cookie; /* secret of echo requests, known to us and the target */
	__u8 local[16]; /* source of neighbour solicitations; its last byte is path * VF_TARGETS + target */
	__u8 mac[6]; /* of the master */
	__u16 icmp_id; /* as on the wire */
	enum vf_probe_flag flags;
	__u32 targets; /* number of targets in use */
	__u32 unused[6];
	struct vf_probe_path path[2];
	struct vf_probe probe[2 * VF_TARGETS]; /* [path][target] */
};
