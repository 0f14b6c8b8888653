/* SPDX-License-Identifier: GPL-2.0-only
 *
 * A hash of a frame that is the same for both copies of one frame, however the two slaves deliver them, and another one for any other
 * frame. Two devices differ in this:
 *
 *   - A VLAN tag is in the frame, or was taken off by the device. Its id counts wherever it stands; its priority does not, since a switch
 *     may change that on one way. Id 0 is no VLAN.
 *   - Short frames are padded by a NIC and may come unpadded from virtio. IP and ARP say how long they are. Of other frames the first 60
 *     bytes are taken as if padded by zeros.
 *   - The UDP checksum of a frame that a neighbouring guest sent by virtio may not be computed yet (CHECKSUM_PARTIAL). It is left out. All
 *     that it covers is in the hash.
 *
 * Everything else counts, up to VF_HASH_MAX bytes and the last 256: frames of a stream may differ in any byte.
 */
#pragma once
#include <bpf/bpf_endian.h>
#include "common.h"

#define VF_HASH_UDP 17
#define VF_HASH_PADDED 46u /* bytes that follow the header of the shortest Ethernet frame */

#define VF_HASH_SMALL 64u
#define VF_HASH_LARGE 256u
#define VF_HASH_CHUNKS 36u
#define VF_HASH_MAX (VF_HASH_SMALL + VF_HASH_CHUNKS * VF_HASH_LARGE) /* 9,280 */

/* Any change of `w` changes `h`, in the lower half too. */
#define VF_MIX(h, w) ({ (h) = ((h) ^ (w)) * 0x9e3779b97f4a7c15ull; (h) ^= (h) >> 32; })

/* Four chains, which a CPU computes side by side. */
struct vf_hash {
	__u64 a, b, c, d;
};

static __always_inline void vf_hash_words(struct vf_hash *h, const __u64 *w, __u32 words)
{
	__u32 i;

#pragma unroll
	for (i = 0; i < words; i += 4) {
		VF_MIX(h->a, w[i]);
		VF_MIX(h->b, w[i + 1]);
		VF_MIX(h->c, w[i + 2]);
		VF_MIX(h->d, w[i + 3]);
	}
}

/* Up to 64 bytes at `at`, zeros behind them. */
static __always_inline bool vf_hash_load(struct __sk_buff *skb, __u32 at, __u64 *w, __u64 n)
{
	__u32 i;

	if (n >= VF_HASH_SMALL)
		return !bpf_skb_load_bytes(skb, at, w, VF_HASH_SMALL);
	if (!n)
		return false;
#pragma unroll
	for (i = 0; i < VF_HASH_SMALL / 8; i++)
		w[i] = 0;
	/* At least one byte, in the register that is used: the verifier of 6.1 loses other bounds. */
	n = VF_BELOW(n - 1, VF_HASH_SMALL) + 1;
	return !bpf_skb_load_bytes(skb, at, w, n);
}

/* Bytes that count behind the Ethernet header, of `have`. `type` is as on the wire, `b` has the first 64 of them. */
static __always_inline __u32 vf_hash_length(__u32 type, const __u8 *b, __u32 have)
{
	__u32 n;

	if (type == bpf_htons(ETH_P_IP)) {
		n = b[2] << 8 | b[3];
		return n >= 20 && n <= have ? n : have;
	}
	if (type == bpf_htons(ETH_P_IPV6)) {
		n = b[4] << 8 | b[5];
		return n && n + 40 <= have ? n + 40 : have;
	}
	if (type == bpf_htons(ETH_P_ARP)) {
		n = 8 + 2 * b[4] + 2 * b[5];
		return n <= have ? n : have;
	}
	return have < VF_HASH_PADDED ? VF_HASH_PADDED : have;
}

/* Clears a UDP checksum: not where IPv4 options or IPv6 extension headers come before it. Fragments are made after it was computed. */
static __always_inline void vf_hash_clear_checksum(__u32 type, __u8 *b)
{
	if (type == bpf_htons(ETH_P_IP) && b[0] == 0x45 && b[9] == VF_HASH_UDP && !(b[6] & 0x1f) && !b[7])
		b[26] = b[27] = 0;
	else if (type == bpf_htons(ETH_P_IPV6) && b[6] == VF_HASH_UDP)
		b[46] = b[47] = 0;
}

/* What follows the first 64 of `n` bytes. The last chunk overlaps with the one before, so every chunk is whole. */
static __always_inline bool vf_hash_rest(struct __sk_buff *skb, __u32 from, __u32 n, struct vf_hash *h, __u64 *w)
{
	__u32 at = VF_HASH_SMALL, i;

	if (n < VF_HASH_SMALL + VF_HASH_LARGE) {
		for (i = 0; i < VF_HASH_LARGE / VF_HASH_SMALL; i++) {
			if (at >= n)
				return true;
			if (bpf_skb_load_bytes(skb, from + (at + VF_HASH_SMALL <= n ? at : n - VF_HASH_SMALL), w, VF_HASH_SMALL))
				return false;
			vf_hash_words(h, w, VF_HASH_SMALL / 8);
			at += VF_HASH_SMALL;
		}
		return true;
	}
	for (i = 0; i < VF_HASH_CHUNKS && at + VF_HASH_LARGE <= n; i++) {
		if (bpf_skb_load_bytes(skb, from + at, w, VF_HASH_LARGE))
			return false;
		vf_hash_words(h, w, VF_HASH_LARGE / 8);
		at += VF_HASH_LARGE;
	}
	if (at >= n)
		return true;
	if (bpf_skb_load_bytes(skb, from + n - VF_HASH_LARGE, w, VF_HASH_LARGE))
		return false;
	vf_hash_words(h, w, VF_HASH_LARGE / 8);
	return true;
}

/* The hash; 0 if the frame is shorter than it should be. A function of its own for the verifier, which so looks at it once. */
__noinline __u64 vf_group_hash(struct __sk_buff *skb)
{
	struct vf_hash h = { 1, 2, 3, 4 };
	__u64 w[VF_HASH_LARGE / 8], first, second, vlan = 0;
	__u32 len = skb->len, from = ETH_HLEN, type, n;

	if (skb->vlan_present && (skb->vlan_tci & 0xfff))
		vlan = (__u64)skb->vlan_proto << 12 | (skb->vlan_tci & 0xfff);
	if (bpf_skb_load_bytes(skb, 0, w, 16))
		return 0;
	first = w[0];
	second = w[1];
	type = second >> 32 & 0xffff;
	if (unlikely(!skb->vlan_present && (type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD)))) {
		n = __builtin_bswap16(second >> 48) & 0xfff;
		if (n)
			vlan = (__u64)type << 12 | n;
		if (bpf_skb_load_bytes(skb, 16, w, 2))
			return 0;
		type = w[0] & 0xffff;
		from += 4;
	}
	if (len <= from || !vf_hash_load(skb, from, w, len - from))
		return 0;
	n = vf_hash_length(type, (const __u8 *)w, len - from);
	/* Padding that is not zeros. */
	if (unlikely(n < VF_HASH_SMALL && n < len - from) && !vf_hash_load(skb, from, w, n))
		return 0;
	vf_hash_clear_checksum(type, (__u8 *)w);
	vf_hash_words(&h, w, VF_HASH_SMALL / 8);
	if (n > VF_HASH_SMALL && !vf_hash_rest(skb, from, n, &h, w))
		return 0;
	VF_MIX(h.a, h.b);
	VF_MIX(h.c, h.d);
	VF_MIX(h.a, h.c);
	VF_MIX(h.a, first);
	VF_MIX(h.a, (second & 0xffffffff) | (__u64)type << 32);
	VF_MIX(h.a, vlan << 32 | n);
	return h.a ? h.a : 1;
}
