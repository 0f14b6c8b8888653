/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Reception of BFD (RFC 5880, 5881): packets of our sessions end here and never reach the stack. In the steady state each is like the one
 * before, and costs a comparison and a time stamp; whatever says something new goes to the worker. The deadline is bfd.bpf.c's.
 */
#pragma once
#include <bpf/bpf_endian.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include "common.h"

#define VF_UDP 17
#define VF_BFD_PORT 3784
#define VF_BFD_SOURCE_MIN 49152
#define VF_BFD_TTL 255
#define VF_BFD_HEADER 24u
#define VF_BFD_MAX 52u
#define VF_IP_FRAGMENT 0x3fff /* more fragments, or not the first */
#define VF_VLAN_ID 0xfff

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

/* What the checks need of a frame, whatever its IP. */
struct vf_bfd_frame {
	__u32 udp; /* where the UDP header begins */
	__u32 ttl;
	__u32 whole; /* not a fragment */
	__u8 source[16];
	__u8 target[16];
};

/* Whether the frame may be BFD by its IP header; fills `f`. Headers with options or extensions are none of ours. */
static __always_inline bool vf_bfd_ip(struct __sk_buff *skb, __u32 family, struct vf_bfd_frame *f)
{
	struct ipv6hdr six;
	struct iphdr four;

	if (family == 4) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN, &four, sizeof(four)) || four.version != 4 || four.ihl != 5 ||
		    four.protocol != VF_UDP)
			return false;
		f->udp = ETH_HLEN + sizeof(four);
		f->ttl = four.ttl;
		f->whole = !(four.frag_off & bpf_htons(VF_IP_FRAGMENT));
		__builtin_memcpy(f->source, &four.saddr, 4);
		__builtin_memcpy(f->target, &four.daddr, 4);
		return true;
	}
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &six, sizeof(six)) || six.version != 6 || six.nexthdr != VF_UDP)
		return false;
	f->udp = ETH_HLEN + sizeof(six);
	f->ttl = six.hop_limit;
	f->whole = 1;
	__builtin_memcpy(f->source, &six.saddr, 16);
	__builtin_memcpy(f->target, &six.daddr, 16);
	return true;
}

static __always_inline bool vf_bfd_same(const void *a, const void *b, __u32 family)
{
	const __u32 *x = a, *y = b;

	return x[0] == y[0] && (family == 4 || (x[1] == y[1] && x[2] == y[2] && x[3] == y[3]));
}

/* The packet says something new: to the worker, who checks the rest. A full ring buffer is as a lost packet. */
static __noinline int vf_bfd_hand(struct __sk_buff *skb, __u32 path, __u32 at, __u32 length)
{
	struct vf_bfd_packet *p = bpf_ringbuf_reserve(&events, sizeof(*p), 0);
	__u32 n = length;

	if (!p)
		return 0;
	p->ns = bpf_ktime_get_ns();
	p->slot = vf_slot;
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

static __always_inline bool vf_bfd_repeats(const __u32 *packet, const __u32 *expect)
{
	return packet[0] == expect[0] && packet[1] == expect[1] && packet[2] == expect[2] && packet[3] == expect[3] &&
	       packet[4] == expect[4] && packet[5] == expect[5];
}

/* A UDP frame for the port of BFD. 1: it was for our session and is not to go on; 0: it is not ours. */
static __noinline int vf_bfd_take(struct __sk_buff *skb, __u32 path)
{
	struct vf_bfd *s = vf_bfd();
	struct vf_bfd_frame f = {};
	__u32 packet[6], length;
	struct udphdr udp;

	if (!s || !s->discr || (skb->vlan_present ? skb->vlan_tci & VF_VLAN_ID : 0) != s->vlan)
		return 0;
	if (!vf_bfd_ip(skb, s->family, &f) || bpf_skb_load_bytes(skb, f.udp, &udp, sizeof(udp)) ||
	    udp.dest != bpf_htons(VF_BFD_PORT) || !vf_bfd_same(f.source, s->peer, s->family) ||
	    !vf_bfd_same(f.target, s->local, s->family))
		return 0;
	if (f.ttl != VF_BFD_TTL) {
		__sync_fetch_and_add(&s->low_ttl, 1);
		return 1;
	}
	length = bpf_ntohs(udp.len) - sizeof(udp);
	if (!f.whole || bpf_ntohs(udp.len) < sizeof(udp) + VF_BFD_HEADER || f.udp + bpf_ntohs(udp.len) > skb->len ||
	    bpf_ntohs(udp.source) < VF_BFD_SOURCE_MIN ||
	    bpf_skb_load_bytes(skb, f.udp + sizeof(udp), packet, sizeof(packet)) || (packet[2] && packet[2] != s->discr)) {
		__sync_fetch_and_add(&s->refused, 1);
		return 1;
	}
	if (READ_ONCE(s->quiet) && length == VF_BFD_HEADER && vf_bfd_repeats(packet, s->expect)) {
		/* On the other path it is no sign of life of this one. */
		if (likely(path == s->path))
			WRITE_ONCE(s->heard_ns, bpf_ktime_get_ns());
		s->repeats++;
		return 1;
	}
	/* From here on the deadline is the worker's: a peer that says something else does not repeat itself as often as it did. */
	WRITE_ONCE(s->quiet, 0);
	if (vf_bfd_hand(skb, path, f.udp + sizeof(udp), length))
		__sync_fetch_and_add(&s->handed, 1);
	return 1;
}

/* Whether a received frame was for the BFD session, and has ended here. Most frames are not UDP, and go on after two bytes. */
static __always_inline bool vf_bfd_took(struct __sk_buff *skb, __u32 path)
{
	const __u8 *data = (void *)(long)skb->data;

	if (!(vf_detect & VF_DETECT_BFD))
		return false;
	if (likely((void *)(data + 24) <= (void *)(long)skb->data_end) &&
	    !(data[12] == 0x08 && data[23] == VF_UDP) && !(data[12] == 0x86 && data[20] == VF_UDP))
		return false;
	return vf_bfd_take(skb, path);
}
