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

#define VF_HASH_SOURCE 0xffffffffffffull /* of the word that the Ethertype ends: words are little-endian */

#define VF_HASH_SMALL 64u
#define VF_HASH_LARGE 256u
#define VF_HASH_CHUNKS 36u
#define VF_HASH_REACH 16384u /* bytes of a packet that the verifier lets a program index */
#define VF_HASH_MAX (VF_HASH_SMALL + VF_HASH_CHUNKS * VF_HASH_LARGE) /* 9,280; the loop takes the last chunk first */

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

/* What is read first: the Ethernet header at byte 2 of the buffer, so that the 64 bytes behind the header begin with a word. */
#define VF_HASH_FIRST (ETH_HLEN + VF_HASH_SMALL)

/* Reads `n` bytes of the frame from `at`, VF_HASH_FIRST at most, and zeros behind them. */
static __always_inline bool vf_hash_load(struct __sk_buff *skb, __u32 at, __u64 *w, __u64 n)
{
	__u8 *to = (__u8 *)w + 2;
	__u32 i;

	if (n >= VF_HASH_FIRST) {
		w[0] = 0;
		return !bpf_skb_load_bytes(skb, at, to, VF_HASH_FIRST);
	}
#pragma unroll
	for (i = 0; i < (VF_HASH_FIRST + 2) / 8; i++)
		w[i] = 0;
	/* At least one byte, in the register that is used: the verifier of 6.1 loses other bounds. */
	n = VF_BELOW(n - 1, 128) + 1;
	return n <= VF_HASH_FIRST && !bpf_skb_load_bytes(skb, at, to, n);
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

/* Less than a small chunk. */
static __always_inline bool vf_hash_short(struct vf_hash *h, struct __sk_buff *skb, __u32 at, __u64 *w, __u64 n)
{
	__u32 i;

#pragma unroll
	for (i = 0; i < VF_HASH_SMALL / 8; i++)
		w[i] = 0;
	n = VF_BELOW(n - 1, VF_HASH_SMALL) + 1;
	if (bpf_skb_load_bytes(skb, at, w, n))
		return false;
	vf_hash_words(h, w, VF_HASH_SMALL / 8);
	return true;
}

static __always_inline __u64 vf_hash_end(struct vf_hash *h)
{
	VF_MIX(h->a, h->b);
	VF_MIX(h->c, h->d);
	VF_MIX(h->a, h->c);
	return h->a ? h->a : 1;
}

/*
 * Hash of the `size` bytes at `at`; 0 if the frame does not have them. They are read in place, which costs half, or through a buffer where
 * they are not in one piece: the hash is the same however a frame lies in memory.
 */
static __always_inline __u64 vf_hash_chunk(struct __sk_buff *skb, __u32 at, __u32 size)
{
	void *chunk = (void *)(long)skb->data + VF_BELOW(at, VF_HASH_REACH), *end = (void *)(long)skb->data_end;
	struct vf_hash h = { 1, 2, 3, 4 };
	__u64 w[VF_HASH_LARGE / 8];

	if (at < VF_HASH_REACH && chunk + size <= end)
		vf_hash_words(&h, chunk, size / 8);
	else if (!bpf_skb_load_bytes(skb, at, w, size))
		vf_hash_words(&h, w, size / 8);
	else
		return 0;
	return vf_hash_end(&h);
}

/* Functions of their own for the verifier, which looks at them once and not in every turn of a loop. */
__noinline __u64 vf_hash_small(struct __sk_buff *skb, __u32 at)
{
	return vf_hash_chunk(skb, at, VF_HASH_SMALL);
}

__noinline __u64 vf_hash_large(struct __sk_buff *skb, __u32 at)
{
	return vf_hash_chunk(skb, at, VF_HASH_LARGE);
}

/* What follows the first 64 of a body's `n` bytes, 128 or more. The last chunk may overlap with the one before, so each is whole. */
static __always_inline bool vf_hash_rest(struct vf_hash *h, struct __sk_buff *skb, __u32 from, __u32 n)
{
	bool small = n < VF_HASH_SMALL + VF_HASH_LARGE;
	__u64 chunk = small ? vf_hash_small(skb, from + n - VF_HASH_SMALL) : vf_hash_large(skb, from + n - VF_HASH_LARGE);
	__u32 at = VF_HASH_SMALL, size = small ? VF_HASH_SMALL : VF_HASH_LARGE, i;

	for (i = 0; i < VF_HASH_CHUNKS; i++) {
		if (!chunk)
			return false;
		VF_MIX(h->a, chunk);
		if (at + size >= n)
			break;
		chunk = small ? vf_hash_small(skb, from + at) : vf_hash_large(skb, from + at);
		at += size;
	}
	return true;
}

/* The hash; 0 if the frame is shorter than it should be. */
__noinline __u64 vf_group_hash(struct __sk_buff *skb)
{
	struct vf_hash h = { 1, 2, 3, 4 };
	__u64 w[(VF_HASH_FIRST + 2) / 8], *body = w + 2, macs[2], vlan = 0;
	__u32 len = skb->len, tag = 0, type, n, from;

	if (skb->vlan_present && (skb->vlan_tci & 0xfff))
		vlan = (__u64)skb->vlan_proto << 12 | (skb->vlan_tci & 0xfff);
	if (len <= ETH_HLEN || !vf_hash_load(skb, 0, w, len))
		return 0;
	macs[0] = w[0];
	macs[1] = w[1] & VF_HASH_SOURCE;
	type = w[1] >> 48;
	if (unlikely(!skb->vlan_present && (type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD)))) {
		n = bpf_ntohs(body[0] & 0xffff) & 0xfff;
		if (n)
			vlan = (__u64)type << 12 | n;
		tag = 4;
		if (len <= ETH_HLEN + tag || !vf_hash_load(skb, tag, w, len - tag))
			return 0;
		type = w[1] >> 48;
	}
	len -= ETH_HLEN + tag;
	n = vf_hash_length(type, (const __u8 *)body, len);
	/* Padding that is not zeros. */
	if (n < VF_HASH_SMALL && n < len && !vf_hash_load(skb, tag, w, ETH_HLEN + n))
		return 0;
	vf_hash_clear_checksum(type, (__u8 *)body);
	vf_hash_words(&h, body, VF_HASH_SMALL / 8);
	from = ETH_HLEN + tag;
	/* A chunk that overlapped with the first one would bring the UDP checksum back. */
	if (n > VF_HASH_SMALL &&
	    !(n < 2 * VF_HASH_SMALL ? vf_hash_short(&h, skb, from + VF_HASH_SMALL, body, n - VF_HASH_SMALL) : vf_hash_rest(&h, skb, from, n)))
		return 0;
	VF_MIX(h.a, macs[0]);
	VF_MIX(h.b, macs[1] | (__u64)type << 48);
	VF_MIX(h.c, vlan << 32 | n);
	return vf_hash_end(&h);
}
