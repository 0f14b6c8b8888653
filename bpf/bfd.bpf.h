/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Reception of BFD (RFC 5880, 5881): packets of our sessions end here and never reach the stack. In the steady state each is like the one
 * before, and costs a comparison and a time stamp; whatever says something new goes to the worker. The deadline is bfd.bpf.c's.
 */
#pragma once
#include "back.bpf.h"
#include "common.h"
#include "session.bpf.h"

#define VF_BFD_HEADER 24u
#define VF_BFD_MAX 52u

/* The packet says something new: to the worker, who checks the rest. A full ring buffer is as a lost packet. */
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
	/* No change: keeps the bounds above with the register that is used. */
	asm volatile("" : "+r"(n));
	n = ((n - 1) & 63) + 1;
	if (n > VF_BFD_MAX || bpf_skb_load_bytes(skb, ETH_ALEN, p->mac, ETH_ALEN) || bpf_skb_load_bytes(skb, at, p->bytes, n)) {
		bpf_ringbuf_discard(p, 0);
		return 0;
	}
	bpf_ringbuf_submit(p, BPF_RB_FORCE_WAKEUP);
	return 1;
}

/* Whether the packet is the one that says nothing new; `packet` has its first 24 bytes. */
static __always_inline bool vf_bfd_repeats(struct __sk_buff *skb, __u32 at, const __u32 *packet, __u32 length, struct vf_bfd *s)
{
	const __u32 *e = s->expect;
	__u32 n, rest[7] = {};

	if (length != s->expect_length || packet[0] != e[0] || packet[1] != e[1] || packet[2] != e[2] || packet[3] != e[3] ||
	    packet[4] != e[4] || packet[5] != e[5])
		return false;
	if (length == VF_BFD_HEADER)
		return true;
	/* What authenticates it: a number that does not change is compared, one that does goes to the worker. */
	n = length - VF_BFD_HEADER;
	if (n > sizeof(rest))
		return false;
	/* No change: keeps the bounds above with the register that is used. */
	asm volatile("" : "+r"(n));
	n = ((n - 1) & 31) + 1;
	if (n > sizeof(rest) || bpf_skb_load_bytes(skb, at + VF_BFD_HEADER, rest, n))
		return false;
	return rest[0] == e[6] && rest[1] == e[7] && rest[2] == e[8] && rest[3] == e[9] && rest[4] == e[10] && rest[5] == e[11] &&
	       rest[6] == e[12];
}

/* A UDP frame. 1: it was for our session and is not to go on; 0: it is not ours. */
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
	 * It counts as a sign of life while the worker has the session in hand as well: whatever else fills the ring buffer then, such as
	 * packets that somebody forges, keeps none of these from being heard. On the other path it is no sign of life of this one.
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
	/* From here on the deadline is the worker's: a peer that says something else does not repeat itself as often as it did. */
	WRITE_ONCE(s->quiet, 0);
	if (vf_bfd_hand(skb, path, f.udp + sizeof(udp), length))
		__sync_fetch_and_add(&s->handed, 1);
	return 1;
}
