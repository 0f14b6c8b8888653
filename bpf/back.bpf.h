/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Helpers for answers that bypass the stack: parsing UDP, and sending a frame back as its own answer.
 */
#pragma once
#include <bpf/bpf_endian.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include "common.h"

#define VF_UDP 17
#define VF_IP_FRAGMENT 0x3fff /* more fragments, or not the first */
#define VF_VLAN_ID 0xfff

/* Fields of a datagram that the checks need, for IPv4 and IPv6 alike. */
struct vf_datagram {
	__u32 udp; /* where the UDP header begins */
	__u32 ttl;
	__u32 whole; /* not a fragment */
	__u8 source[16];
	__u8 target[16];
};

/* True if the frame's IP header says UDP. Fills `f`. Headers with options or extensions are refused. */
static __always_inline bool vf_datagram(struct __sk_buff *skb, __u32 family, struct vf_datagram *f)
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

static __always_inline bool vf_same_ip(const void *a, const void *b, __u32 family)
{
	const __u32 *x = a, *y = b;

	return x[0] == y[0] && (family == 4 || (x[1] == y[1] && x[2] == y[2] && x[3] == y[3]));
}

/* Returns the 802.1Q id, or 0 if untagged or with a priority only. */
static __always_inline __u32 vf_vlan(struct __sk_buff *skb)
{
	return skb->vlan_present ? skb->vlan_tci & VF_VLAN_ID : 0;
}

/* True if the frame is for `mac` alone and its source is one station. */
static __always_inline bool vf_for_us(struct __sk_buff *skb, const __u8 *mac)
{
	__u16 w[6];
	const __u16 *m = (const void *)mac;

	return !bpf_skb_load_bytes(skb, 0, w, sizeof(w)) && w[0] == m[0] && w[1] == m[1] && w[2] == m[2] &&
	       !(w[3] & bpf_htons(0x0100));
}

/* Exchanges the MAC addresses, and the IP addresses as well if `ends`, and gives the frame `ttl`. */
static __always_inline bool vf_turn(struct __sk_buff *skb, __u32 family, struct vf_datagram *f, bool ends, __u8 ttl)
{
	__u32 addresses = family == 4 ? ETH_HLEN + 12 : ETH_HLEN + 8, hops = family == 4 ? ETH_HLEN + 8 : ETH_HLEN + 7;
	__u8 w[2 * ETH_ALEN], both[32];

	if (bpf_skb_load_bytes(skb, 0, w, ETH_ALEN) || bpf_skb_load_bytes(skb, ETH_ALEN, both, ETH_ALEN))
		return false;
	__builtin_memcpy(w + ETH_ALEN, w, ETH_ALEN);
	__builtin_memcpy(w, both, ETH_ALEN);
	if (bpf_skb_store_bytes(skb, 0, w, sizeof(w), 0))
		return false;
	if (ends) {
		/* The checksums stay valid, since a sum does not depend on the order. */
		__builtin_memcpy(both, f->target, 16);
		__builtin_memcpy(both + 16, f->source, 16);
		if (family == 4) {
			__builtin_memcpy(both + 4, f->source, 4);
			if (bpf_skb_store_bytes(skb, addresses, both, 8, BPF_F_RECOMPUTE_CSUM))
				return false;
		} else if (bpf_skb_store_bytes(skb, addresses, both, 32, BPF_F_RECOMPUTE_CSUM))
			return false;
	}
	if (f->ttl == ttl)
		return true;
	if (family == 4) {
		/* In the checksum the TTL is the upper byte of its word. */
		if (bpf_l3_csum_replace(skb, ETH_HLEN + 10, bpf_htons((__u16)(f->ttl << 8)), bpf_htons((__u16)(ttl << 8)), 2))
			return false;
	}
	return !bpf_skb_store_bytes(skb, hops, &ttl, 1, BPF_F_RECOMPUTE_CSUM);
}

/*
 * Sends an answer. If the frame came by the active slave, the answer returns there. Else it goes the way of the stack's own frames, so that
 * no switch learns our MAC at the inactive slave. The mark keeps steer from starting a wait of the watchdog for it.
 */
static __always_inline int vf_back(struct __sk_buff *skb, __u32 path)
{
	struct vf_line *line = vf_line();
	/* Read unconditionally. In a condition the compiler makes a pointer to the field, which the verifier refuses. */
	__u32 here = READ_ONCE(skb->ifindex);

	if (!line)
		return TC_DROP;
	skb->cb[0] = VF_MARK_RETURNED;
	return bpf_redirect((READ_ONCE(line->word) & VF_PATH_MASK) == path ? here : line->master_ifindex, 0);
}
