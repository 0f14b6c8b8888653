/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Active probes and the witness. The worker sends requests on both slaves, past every program. The programs here recognise, check, stamp and
 * absorb the answers, so no stack ever sees one. Any other frame goes on untouched. A wrong answer changes only a counter.
 */
#pragma once

#include <linux/if_ether.h>
#include "common.h"

#define VF_ARP_FRAME 42u /* Ethernet and ARP (RFC 826) */
#define VF_ICMP_FRAME 58u /* Ethernet, IPv4 without options, 8 bytes of ICMP, struct vf_echo_payload */
#define VF_ND_FRAME 78u /* Ethernet, IPv6, a neighbour message without options; one with a link-layer address has 8 more */
#define VF_HTONS(x) ((__u16)__builtin_bswap16(x))

#define VF_ICMP 1
#define VF_ICMPV6 58
#define VF_ICMP_ECHO_REPLY 0
#define VF_ND_SOLICIT 135
#define VF_ND_ADVERT 136
#define VF_ND_SOLICITED 0x40 /* an advertisement that answers a solicitation (RFC 4861 4.4) */

struct vf_arp {
	__u8 dst[6], src[6];
	__u16 proto;
	__u16 hrd, pro;
	__u8 hln, pln;
	__u16 op;
	__u8 sha[6], sip[4], tha[6], tip[4];
} __attribute__((packed));

struct vf_echo_payload {
	__u64 cookie;
	__u32 seq;
	__u8 path, target, unused[2];
} __attribute__((packed));

struct vf_icmp_frame {
	__u8 dst[6], src[6];
	__u16 proto;
	__u8 version, tos;
	__u16 len, id, frag;
	__u8 ttl, protocol;
	__u16 check;
	__u32 saddr, daddr;
	__u8 type, code;
	__u16 icmp_check, icmp_id, icmp_seq;
	struct vf_echo_payload payload;
} __attribute__((packed));

struct vf_nd_frame {
	__u8 dst[6], src[6];
	__u16 proto;
	__u32 version;
	__u16 len;
	__u8 next, hops;
	__u8 saddr[16], daddr[16];
	__u8 type, code;
	__u16 check;
	__u32 flags;
	__u8 target[16];
	__u8 option[8];
} __attribute__((packed));

/* One per slot; the size is set before load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vf_probing);
} probes SEC(".maps");

static __always_inline struct vf_probing *vf_probing(void)
{
	__u32 slot = vf_slot;

	return bpf_map_lookup_elem(&probes, &slot);
}

/* memcmp() of a constant length; the builtin may become a call. */
static __always_inline bool vf_same(const void *a, const void *b, __u32 n)
{
	__u8 different = 0;
	__u32 i;

#pragma unroll
	for (i = 0; i < n; i++)
		different |= ((const __u8 *)a)[i] ^ ((const __u8 *)b)[i];
	return !different;
}

/* Folds a sum into 16 bits (RFC 1071). The result is 0xffff over bytes with a right checksum. */
static __always_inline __u32 vf_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Returns the frame's VLAN. A tag with priority only counts as none. */
static __always_inline __u32 vf_tag(struct __sk_buff *skb)
{
	return skb->vlan_present ? skb->vlan_tci & 0xfff : 0;
}

/* Takes an answer that came on `path` to the open question at `probe`. False if none is open. */
static __always_inline bool vf_probe_answered(struct vf_probing *p, struct vf_probe *probe, __u32 sent, __u32 index, __u32 path)
{
	__u32 seq = READ_ONCE(probe->seq), was = READ_ONCE(probe->answered);
	struct vf_probe_path *l = &p->path[VF_BELOW(sent, 2)];

	if (!seq || was == seq)
		return false;
	probe->arrived_ns = bpf_ktime_get_ns();
	probe->arrived_path = path;
	if (__sync_val_compare_and_swap(&probe->answered, was, seq) != was)
		return false;
	/* Clears the deadline at which steer would leave the slave: with any one answer, or with VF_PROBE_ALL when every target answered. */
	if (p->flags & VF_PROBE_ALL)
		__sync_fetch_and_and(&l->wait, ~(1u << (index & 31)));
	else
		WRITE_ONCE(l->wait, 0);
	return true;
}

/* Absorbs a request of ours that the network brought to the other slave. It proves that this slave receives. */
static __always_inline bool vf_heard(struct vf_probe_path *l)
{
	l->heard_ns = bpf_ktime_get_ns();
	__sync_fetch_and_add(&l->heard, 1);
	return true;
}

/* Counts a frame that looks like an answer and is none. In another VLAN than we asked in it may be meant for somebody there. */
static __always_inline bool vf_refused(struct vf_probe_path *l, bool asked_there)
{
	__sync_fetch_and_add(&l->refused, 1);
	return asked_there;
}

/*
 * An ARP reply says neither which slave's request it answers nor when that was sent. It counts for the slave that it came by if that one
 * waits, else for the other. The worker therefore lets the inactive slave's request be answered before it sends the active one's.
 */
__noinline int vf_probe_arp(struct __sk_buff *skb, struct vf_probing *p, __u32 path)
{
	struct vf_probe_path *l;
	bool known = false, taken = false, absorb = false;
	__u32 i, sip, tip, targets, tag = vf_tag(skb);
	struct vf_arp f;

	if (!p || bpf_skb_load_bytes(skb, 0, &f, sizeof(f)))
		return false;
	l = &p->path[VF_BELOW(path, 2)];
	if (f.hrd != VF_HTONS(1) || f.pro != VF_HTONS(ETH_P_IP) || f.hln != 6 || f.pln != 4)
		return false;
	__builtin_memcpy(&sip, f.sip, 4);
	__builtin_memcpy(&tip, f.tip, 4);
	targets = p->targets;
	if (f.op == VF_HTONS(1) && vf_same(f.sha, p->mac, 6)) {
		for (i = 0; i < VF_TARGETS && i < targets; i++) {
			struct vf_probe *t = &p->probe[i];

			if (t->vlan != tag)
				continue;
			if ((t->kind == VF_PROBE_ARP && *(__u32 *)t->address == tip && t->source == sip) ||
			    (t->kind == VF_PROBE_ICMP && t->nexthop == tip && !sip))
				return vf_heard(l);
		}
		return false;
	}
	if (f.op != VF_HTONS(2) || !vf_same(f.dst, p->mac, 6) || !vf_same(f.tha, p->mac, 6))
		return false;
	for (i = 0; i < VF_TARGETS && i < targets; i++) {
		struct vf_probe *mine = &p->probe[VF_BELOW((path & 1) * VF_TARGETS + i, 2 * VF_TARGETS)];
		struct vf_probe *others = &p->probe[VF_BELOW(((path & 1) ^ 1) * VF_TARGETS + i, 2 * VF_TARGETS)];

		/* In another VLAN the stack may have asked. */
		if (mine->vlan != tag)
			continue;
		if (mine->kind == VF_PROBE_ICMP && mine->nexthop == sip && !tip) {
			/* Learned only while it is asked for, so that nobody else can redirect our echoes. */
			known = absorb = true;
			if (READ_ONCE(mine->resolving) || READ_ONCE(others->resolving)) {
				__builtin_memcpy(mine->mac, f.sha, 6);
				__builtin_memcpy(others->mac, f.sha, 6);
				WRITE_ONCE(mine->resolving, 0);
				WRITE_ONCE(others->resolving, 0);
				taken = true;
			}
			continue;
		}
		if (mine->kind != VF_PROBE_ARP || *(__u32 *)mine->address != sip || mine->source != tip)
			continue;
		known = true;
		/* With a real address of the master as target, the stack may have asked the same. It gets the reply too. */
		if (!tip)
			absorb = true;
		if (vf_probe_answered(p, mine, path, i, path) || vf_probe_answered(p, others, path ^ 1, i, path))
			taken = true;
	}
	if (known && !taken && absorb)
		return vf_refused(l, true);
	return absorb;
}

__noinline int vf_probe_icmp(struct __sk_buff *skb, struct vf_probing *p, __u32 path)
{
	struct vf_icmp_frame f;
	struct vf_probe *t;
	__u32 sent, index;
	__s64 sum;

	if (!p || bpf_skb_load_bytes(skb, 0, &f, sizeof(f)))
		return false;
	if (f.version != 0x45 || f.protocol != VF_ICMP || (f.frag & VF_HTONS(0x3fff)) || f.type != VF_ICMP_ECHO_REPLY ||
	    f.icmp_id != p->icmp_id || f.payload.cookie != p->cookie)
		return false;
	/* Only we and the target know the cookie. From here on the frame is ours, right or wrong. */
	sent = f.payload.path & 1;
	index = f.payload.target & (VF_TARGETS - 1);
	t = &p->probe[VF_BELOW(sent * VF_TARGETS + index, 2 * VF_TARGETS)];
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&f.type, VF_ICMP_FRAME - 34, 0);
	if (sum < 0 || vf_fold(sum) != 0xffff || vf_tag(skb) != t->vlan || f.len != VF_HTONS(VF_ICMP_FRAME - 14) || f.code ||
	    !vf_same(f.dst, p->mac, 6) || f.payload.path > 1 || f.payload.target >= VF_TARGETS ||
	    t->kind != VF_PROBE_ICMP || *(__u32 *)t->address != f.saddr || t->source != f.daddr ||
	    f.payload.seq != READ_ONCE(t->seq) || !vf_probe_answered(p, t, sent, index, path))
		return vf_refused(&p->path[VF_BELOW(path, 2)], vf_tag(skb) == t->vlan);
	return true;
}

/* Checks the checksum of a neighbour message of `len` bytes, pseudo-header included (RFC 8200 8.1). */
static __always_inline bool vf_nd_sum(struct vf_nd_frame *f, __u32 len)
{
	__u32 pseudo[2] = { __builtin_bswap32(len), __builtin_bswap32(VF_ICMPV6) };
	__s64 sum = bpf_csum_diff(NULL, 0, (__be32 *)pseudo, sizeof(pseudo), 0);

	sum = bpf_csum_diff(NULL, 0, (__be32 *)f->saddr, 32, sum);
	if (len == 32)
		sum = bpf_csum_diff(NULL, 0, (__be32 *)&f->type, 32, sum);
	else
		sum = bpf_csum_diff(NULL, 0, (__be32 *)&f->type, 24, sum);
	return sum >= 0 && vf_fold(sum) == 0xffff;
}

/*
 * Neighbour messages. The solicitations to each target on each slave have a source address of their own, made up for this instance. Its
 * last byte says which. So an advertisement to such an address is an answer, and tells to which question. The target may also ask whether
 * the address is still there. Such a question is absorbed unanswered, since the stack does not know the address.
 */
__noinline int vf_probe_nd(struct __sk_buff *skb, struct vf_probing *p, __u32 path)
{
	struct vf_nd_frame f = {};
	struct vf_probe_path *l;
	struct vf_probe *t;
	__u32 len, which;

	if (!p)
		return false;
	l = &p->path[VF_BELOW(path, 2)];
	if (bpf_skb_load_bytes(skb, 0, &f, VF_ND_FRAME))
		return false;
	if (f.next != VF_ICMPV6)
		return false;
	if (f.type == VF_ND_SOLICIT) {
		t = &p->probe[VF_BELOW(f.saddr[15], 2 * VF_TARGETS)];
		if (vf_same(f.saddr, p->local, 15) && vf_same(f.src, p->mac, 6) && vf_tag(skb) == t->vlan)
			return vf_heard(l);
		t = &p->probe[VF_BELOW(f.target[15], 2 * VF_TARGETS)];
		return vf_same(f.target, p->local, 15) && vf_tag(skb) == t->vlan;
	}
	if (f.type != VF_ND_ADVERT || !vf_same(f.daddr, p->local, 15))
		return false;
	which = f.daddr[15];
	t = &p->probe[VF_BELOW(which, 2 * VF_TARGETS)];
	len = VF_HTONS(f.len);
	if (len == 32 && bpf_skb_load_bytes(skb, VF_ND_FRAME, f.option, sizeof(f.option)))
		len = 0;
	/* The only option expected here is the link-layer address. Hop limit 255 proves that no router has passed the message on. */
	if ((len != 24 && len != 32) || !vf_nd_sum(&f, len) || vf_tag(skb) != t->vlan || f.hops != 255 || f.code ||
	    !(*(__u8 *)&f.flags & VF_ND_SOLICITED) || !vf_same(f.dst, p->mac, 6) || which >= 2 * VF_TARGETS ||
	    t->kind != VF_PROBE_ND || !vf_same(t->address, f.target, 16) ||
	    !vf_probe_answered(p, t, which >= VF_TARGETS, which & (VF_TARGETS - 1), path))
		return vf_refused(l, vf_tag(skb) == t->vlan);
	return true;
}

/* Returns the header byte at `at`, or -1 if the frame is shorter. Where headers lie in one piece it saves a call. */
static __always_inline int vf_header_byte(struct __sk_buff *skb, __u32 at)
{
	const __u8 *data = (void *)(long)skb->data;
	__u8 byte;

	if (likely((void *)(data + at + 1) <= (void *)(long)skb->data_end))
		return data[at];
	return bpf_skb_load_bytes(skb, at, &byte, 1) ? -1 : byte;
}

/* True if the frame belonged to a probe and is absorbed. Data frames pay one look at the protocol. */
static __always_inline bool vf_probe_receive(struct __sk_buff *skb, __u32 path)
{
	__u16 proto = skb->protocol;

	if (proto == VF_HTONS(ETH_P_IP))
		return unlikely(vf_header_byte(skb, 23) == VF_ICMP) && vf_probe_icmp(skb, vf_probing(), path);
	if (proto == VF_HTONS(ETH_P_IPV6))
		return unlikely(vf_header_byte(skb, 20) == VF_ICMPV6) && vf_probe_nd(skb, vf_probing(), path);
	return proto == VF_HTONS(ETH_P_ARP) && vf_probe_arp(skb, vf_probing(), path);
}

/*
 * Counts frames for the witness, those that every device receives whatever it filters: broadcast, and multicast to all hosts and all nodes.
 * A frame that the master itself sent comes back on the other slave alone and says nothing.
 */
static __noinline int vf_witness(struct __sk_buff *skb, __u32 path)
{
	struct vf_probing *p = vf_probing();
	struct vf_probe_path *l;
	__u8 f[12];
	bool all;

	if (!p || bpf_skb_load_bytes(skb, 0, f, sizeof(f)))
		return 0;
	all = (f[0] & f[1] & f[2] & f[3] & f[4] & f[5]) == 0xff ||
	      (f[0] == 0x33 && f[1] == 0x33 && !f[2] && !f[3] && !f[4] && f[5] == 1) ||
	      (f[0] == 0x01 && !f[1] && f[2] == 0x5e && !f[3] && !f[4] && f[5] == 1);
	if (!all || vf_same(f + 6, p->mac, 6))
		return 0;
	l = &p->path[VF_BELOW(path, 2)];
	l->group_ns = bpf_ktime_get_ns();
	__sync_fetch_and_add(&l->groups, 1);
	return 0;
}

/*
 * True if the last probe sent on this slave is unanswered past its deadline (tier 0). A deadline that nobody looked at for a while is extended
 * once, by `slack_ns`. There were no frames then, or this machine was stalled, and the answer may still wait to be received.
 */
static __noinline bool vf_probe_late(struct vf_probe_path *l)
{
	__u64 now = bpf_ktime_get_ns(), due;

	if (!l)
		return false;
	due = READ_ONCE(l->due_ns);
	if (now < due) {
		l->look_ns = now;
		return false;
	}
	if (now - l->look_ns > l->slack_ns && !l->extended) {
		l->extended = 1;
		l->look_ns = now;
		WRITE_ONCE(l->due_ns, now + l->slack_ns);
		return false;
	}
	return true;
}

/* Returns the steering word to use: `word`, or the one after a flip if the active slave's probes are overdue. */
static __always_inline __u32 vf_probed(struct vf_line *line, __u32 word)
{
	__u32 path = word & 1;
	struct vf_probing *p;

	if (!(vf_detect & VF_DETECT_PROBES))
		return word;
	p = vf_probing();
	if (!p || likely(!READ_ONCE(p->path[path].wait)) ||
	    !(READ_ONCE(line->armed) & (path == VF_PRIMARY ? VF_ARM_PRIMARY_SILENT : VF_ARM_STANDBY_SILENT)) ||
	    !vf_probe_late(&p->path[path]))
		return word;
	WRITE_ONCE(p->path[path].wait, 0);
	vf_disarm_back(line, path);
	vf_flip(line, word, path ^ 1, VF_CAUSE_PROBE);
	return READ_ONCE(line->word);
}
