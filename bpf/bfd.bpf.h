/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Reception of BFD (RFC 5880, 5881). Packets of our sessions end here and never reach the stack. In the steady state a packet is like the
 * one before. It costs a comparison and a time stamp. Any other packet goes to the worker. bfd.bpf.c keeps the deadline.
 */
#pragma once
#include "back.bpf.h"
#include "common.h"
#include "session.bpf.h"

#define VF_BFD_HEADER 24u
#define VF_BFD_MAX 52u

/* Hands a packet that differs to the worker, which checks the rest. With a full ring buffer the packet counts as lost on the wire. */
static __noinline int vf_bfd_hand(struct __sk_buff *skb, __u32 path, __u32 at, __u32 length)
{
	struct vf_bfd_packet *p = bpf_ringbuf_reserve(&events, sizeof(*p), 0);
	__u32 n = length;

	if (!p)
		return 0;
	p->ns = bpf_ktime_get_ns();
	p->slot = vf_slot;
	p->kind = VF_RECORD_BFD;
	p->path = path;
	p->length = length;
	__builtin_memset(p->mac, 0, sizeof(p->mac));
	__builtin_memset(p->bytes, 0, sizeof(p->bytes));
	if (n > VF_BFD_MAX)
		n = VF_BFD_MAX;
	/* Emits nothing. It keeps the compiler from moving the bounds to another register, where the verifier would lose them. */
	asm volatile("" : "+r"(n));
	n = ((n - 1) & 63) + 1;
	if (n > VF_BFD_MAX || bpf_skb_load_bytes(skb, ETH_ALEN, p->mac, ETH_ALEN) || bpf_skb_load_bytes(skb, at, p->bytes, n)) {
		bpf_ringbuf_discard(p, 0);
		return 0;
	}
	bpf_ringbuf_submit(p, BPF_RB_FORCE_WAKEUP);
	return 1;
}

/* True if the packet repeats the expected one. `packet` has its first 24 bytes. */
static __always_inline bool vf_bfd_repeats(struct __sk_buff *skb, __u32 at, const __u32 *packet, __u32 length, struct vf_bfd *s)
{
	const __u32 *e = s->expect;
	__u32 n, rest[7] = {};

	if (length != s->expect_length || packet[0] != e[0] || packet[1] != e[1] || packet[2] != e[2] || packet[3] != e[3] ||
	    packet[4] != e[4] || packet[5] != e[5])
		return false;
	if (length == VF_BFD_HEADER)
		return true;
	/* Only an authentication section that stays the same is compared here. One with a changing sequence number goes to the worker. */
	n = length - VF_BFD_HEADER;
	if (n > sizeof(rest))
		return false;
	/* As above, this keeps the bounds in one register. */
	asm volatile("" : "+r"(n));
	n = ((n - 1) & 31) + 1;
	if (n > sizeof(rest) || bpf_skb_load_bytes(skb, at + VF_BFD_HEADER, rest, n))
		return false;
	return rest[0] == e[6] && rest[1] == e[7] && rest[2] == e[8] && rest[3] == e[9] && rest[4] == e[10] && rest[5] == e[11] &&
	       rest[6] == e[12];
}

/* Handles a UDP frame. Returns 1 if it was for our session and must not go on, else 0. */
static __noinline int vf_bfd_take(struct __sk_buff *skb, __u32 path)
{
	struct vf_bfd *s = vf_bfd();
	struct vf_datagram f = {};
	__u32 packet[6], length;
	struct udphdr udp;
	bool same;

	if (!s || !s->discr || vf_vlan(skb) != s->vlan)
		return 0;
	if (!vf_datagram(skb, s->family, &f) || bpf_skb_load_bytes(skb, f.udp, &udp, sizeof(udp)) || udp.dest != s->port ||
	    !vf_same_ip(f.source, s->peer, s->family) || !vf_same_ip(f.target, s->local, s->family))
		return 0;
	if (f.ttl < s->ttl) {
		__sync_fetch_and_add(&s->low_ttl, 1);
		return 1;
	}
	length = bpf_ntohs(udp.len) - sizeof(udp);
	if (!f.whole || bpf_ntohs(udp.len) < sizeof(udp) + VF_BFD_HEADER || f.udp + bpf_ntohs(udp.len) > skb->len ||
	    (s->from && udp.source != s->from) ||
	    bpf_skb_load_bytes(skb, f.udp + sizeof(udp), packet, sizeof(packet)) || (packet[2] && packet[2] != s->discr)) {
		__sync_fetch_and_add(&s->refused, 1);
		return 1;
	}
	same = vf_bfd_repeats(skb, f.udp + sizeof(udp), packet, length, s);
	/*
	 * A repeated packet is a sign of life even while the worker keeps the deadline. Forged packets may fill the ring buffer then, and must
	 * not hide the genuine ones. On the other slave the packet is no sign of life of this one.
	 */
	if (same && likely(path == s->path)) {
		WRITE_ONCE(s->heard_ns, bpf_ktime_get_ns());
		if (s->asks)
			WRITE_ONCE(s->due_ns, 0);
	}
	if (same && READ_ONCE(s->quiet)) {
		s->repeats++;
		return 1;
	}
	/* From here on the worker keeps the deadline, because a peer that says something new may send at another interval. */
	WRITE_ONCE(s->quiet, 0);
	if (vf_bfd_hand(skb, path, f.udp + sizeof(udp), length))
		__sync_fetch_and_add(&s->handed, 1);
	return 1;
}
