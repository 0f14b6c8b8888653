/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The echo function of BFD (RFC 5880 6.8.9, RFC 5881 4). Our echo packet goes to our own address but to the peer's MAC. The peer forwards it
 * back, and it ends here. The peer's echo packets are sent back. They are of two kinds. Some go to the peer's own address, as ours do, and a
 * router would forward them. FRR sends others to our address over IPv6, and wants them back with one hop less.
 */
#pragma once
#include "back.bpf.h"
#include "bfd.bpf.h"

#define VF_ECHO_PORT 3785
#define VF_ECHO_TTL 255

/* True if an echo packet of ours is fresh: sent, whole, and neither it nor a later one has come back before. */
static __always_inline bool vf_echo_back(struct __sk_buff *skb, struct vf_bfd *s, struct vf_datagram *f, __u16 length, __u32 path)
{
	struct vf_echo echo;

	if (f->ttl < VF_ECHO_TTL - 1 || !f->whole || length != bpf_htons(sizeof(struct udphdr) + sizeof(echo)) ||
	    bpf_skb_load_bytes(skb, f->udp + sizeof(struct udphdr), &echo, sizeof(echo)) ||
	    echo.key != s->echo_key || echo.discr != s->discr || echo.seq - s->echo_back - 1 >= READ_ONCE(s->echo_sent) - s->echo_back)
		return false;
	/* By the other slave it does not prove that this slave receives. */
	if (path != s->path)
		return true;
	WRITE_ONCE(s->echo_ns, bpf_ktime_get_ns());
	WRITE_ONCE(s->echo_back, echo.seq);
	WRITE_ONCE(s->due_ns, 0);
	return true;
}

/* Handles a UDP frame. Returns 0 if it is no echo packet for us, else its verdict. */
static __noinline int vf_echo_take(struct __sk_buff *skb, __u32 path)
{
	struct vf_bfd *s = vf_bfd();
	struct vf_datagram f = {};
	bool forward, ends;
	struct udphdr udp;
	__u16 port;

	if (!s || !s->discr || vf_vlan(skb) != s->vlan)
		return 0;
	if (!vf_datagram(skb, s->family, &f) || bpf_skb_load_bytes(skb, f.udp, &udp, sizeof(udp)) ||
	    udp.dest != bpf_htons(VF_ECHO_PORT))
		return 0;
	if (s->echo_key && vf_same_ip(f.target, s->local, s->family) && vf_same_ip(f.source, s->local, s->family)) {
		if (!vf_echo_back(skb, s, &f, udp.len, path))
			__sync_fetch_and_add(&s->echo_refused, 1);
		return TC_DROP;
	}
	if (!s->echo_loop)
		return 0;
	forward = vf_same_ip(f.target, s->peer, s->family);
	ends = vf_same_ip(f.target, s->local, s->family) && vf_same_ip(f.source, s->peer, s->family);
	if (!forward && !ends)
		return 0;
	/* A packet with fewer hops left has been looped before. Two systems that loop must not send it to and fro. */
	if (f.ttl != VF_ECHO_TTL || !f.whole || f.udp + bpf_ntohs(udp.len) > skb->len || bpf_ntohs(udp.len) < sizeof(udp) ||
	    vf_same_ip(f.source, s->local, s->family) || !vf_for_us(skb, s->mac)) {
		__sync_fetch_and_add(&s->echo_refused, 1);
		return TC_DROP;
	}
	if (ends) {
		port = udp.source;
		udp.source = udp.dest;
		udp.dest = port;
		if (bpf_skb_store_bytes(skb, f.udp, &udp, 4, BPF_F_RECOMPUTE_CSUM))
			return TC_DROP;
	}
	if (!vf_turn(skb, s->family, &f, ends, VF_ECHO_TTL - 1))
		return TC_DROP;
	__sync_fetch_and_add(&s->echo_looped, 1);
	return vf_back(skb, path);
}
