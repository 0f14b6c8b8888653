/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The S-BFD reflector (RFC 7880, 7881). A packet that asks for one of our discriminators becomes its own answer here, without stack or worker.
 * The reflector keeps no state, so every question is answered.
 */
#pragma once
#include "back.bpf.h"

#define VF_SBFD_PORT 7784
#define VF_SBFD_LENGTH 24u
#define VF_SBFD_TTL 255

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vf_reflector);
} reflectors SEC(".maps");

/* The mandatory section of a control packet (RFC 5880 4.1). */
struct vf_control {
	__u8 diag; /* the version in its upper 3 bits */
	__u8 flags; /* the state in its upper 2 bits */
	__u8 mult;
	__u8 length;
	__u32 mine;
	__u32 yours;
	__u32 tx;
	__u32 rx;
	__u32 echo;
};

#define VF_CONTROL_VERSION 0x20
#define VF_CONTROL_POLL 0x20
#define VF_CONTROL_FINAL 0x10
#define VF_CONTROL_AUTH 0x04
#define VF_CONTROL_DEMAND 0x02
#define VF_CONTROL_MULTIPOINT 0x01

static __always_inline int vf_reflect_refuse(struct vf_reflector *r, __u32 why)
{
	__sync_fetch_and_add(&r->refused[why], 1);
	return TC_DROP;
}

static __always_inline bool vf_reflect_address(struct vf_reflector *r, const __u8 *address, __u32 family)
{
	__u32 i;

#pragma unroll
	for (i = 0; i < 4; i++)
		if (r->family[i] == family && vf_same_ip(address, r->local[i], family))
			return true;
	return false;
}

/* True if a source can be answered: it is one host and not ourselves. */
static __always_inline bool vf_reflect_source(struct vf_reflector *r, const __u8 *a, __u32 family)
{
	const __u32 *w = (const void *)a;

	if (vf_reflect_address(r, a, family))
		return false;
	if (family == 4)
		return a[0] != 0 && a[0] != 127 && a[0] < 224;
	return a[0] != 0xff && (w[0] || w[1] || w[2] || (w[3] & bpf_htonl(0xfffffffe)));
}

static __always_inline bool vf_reflect_discr(struct vf_reflector *r, __u32 discr)
{
	return discr && (discr == r->discr[0] || discr == r->discr[1] || discr == r->discr[2] || discr == r->discr[3]);
}

/* Handles a UDP frame of one IP version. Returns 0 if it is no question to us, else its verdict. */
static __always_inline int vf_reflect_family(struct __sk_buff *skb, __u32 path, struct vf_reflector *r, __u32 family)
{
	struct {
		struct udphdr udp;
		struct vf_control control;
	} p, was;
	struct vf_datagram f = {};
	__s64 sum;

	if (!vf_datagram(skb, family, &f) || bpf_skb_load_bytes(skb, f.udp, &p.udp, sizeof(p.udp)) ||
	    p.udp.dest != bpf_htons(VF_SBFD_PORT))
		return 0;
	if (!vf_reflect_address(r, f.target, family)) {
		/* A question to a group is not answered, and may be meant for somebody else. */
		if (!vf_for_us(skb, r->mac))
			__sync_fetch_and_add(&r->refused[VF_REFLECT_GROUP], 1);
		return 0;
	}
	if (!vf_for_us(skb, r->mac))
		return vf_reflect_refuse(r, VF_REFLECT_GROUP);
	if (f.ttl < r->ttl)
		return vf_reflect_refuse(r, VF_REFLECT_TTL);
	if (!vf_reflect_source(r, f.source, family) || !p.udp.source)
		return vf_reflect_refuse(r, VF_REFLECT_SOURCE);
	if (!f.whole || p.udp.len != bpf_htons(sizeof(p)) || bpf_skb_load_bytes(skb, f.udp, &p, sizeof(p)) ||
	    (p.control.diag & 0xe0) != VF_CONTROL_VERSION || p.control.length != VF_SBFD_LENGTH || !p.control.mult || !p.control.mine ||
	    (p.control.flags & (VF_CONTROL_AUTH | VF_CONTROL_MULTIPOINT)))
		return vf_reflect_refuse(r, VF_REFLECT_FORM);
	/* An answer has no demand bit and comes from this port. So no reflector takes another one's answer for a question. */
	if (!(p.control.flags & VF_CONTROL_DEMAND) || p.udp.source == bpf_htons(VF_SBFD_PORT))
		return vf_reflect_refuse(r, VF_REFLECT_DEMAND);
	if (!vf_reflect_discr(r, p.control.yours))
		return vf_reflect_refuse(r, VF_REFLECT_DISCR);
	was = p;
	p.udp.dest = was.udp.source;
	p.udp.source = was.udp.dest;
	p.control.mine = was.control.yours;
	p.control.yours = was.control.mine;
	p.control.diag = VF_CONTROL_VERSION;
	p.control.flags = r->state | (was.control.flags & VF_CONTROL_POLL ? VF_CONTROL_FINAL : 0);
	p.control.rx = r->min_rx;
	p.control.echo = 0;
	if (bpf_skb_store_bytes(skb, f.udp, &p, sizeof(p), BPF_F_RECOMPUTE_CSUM))
		return TC_DROP;
	/* Only the difference is added. A frame that was on no wire has no checksum yet, and one that came without keeps none. */
	sum = bpf_csum_diff((__be32 *)&was.control, sizeof(was.control), (__be32 *)&p.control, sizeof(p.control), 0);
	if (sum < 0 || bpf_l4_csum_replace(skb, f.udp + 6, 0, sum, BPF_F_MARK_MANGLED_0) ||
	    !vf_turn(skb, family, &f, true, VF_SBFD_TTL))
		return TC_DROP;
	__sync_fetch_and_add(&r->answered, 1);
	return vf_back(skb, path);
}

static __noinline int vf_reflect_take(struct __sk_buff *skb, __u32 path)
{
	__u32 slot = vf_slot;
	struct vf_reflector *r = bpf_map_lookup_elem(&reflectors, &slot);

	if (!r || !r->discr[0] || vf_vlan(skb) != r->vlan)
		return 0;
	return skb->protocol == bpf_htons(ETH_P_IP) ? vf_reflect_family(skb, path, r, 4) : vf_reflect_family(skb, path, r, 6);
}
