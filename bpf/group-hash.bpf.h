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
 * Everything else counts, up to VF_HASH_MAX bytes and the last VF_HASH_LARGE: frames of a stream may differ in any byte.
 */
#pragma once
#include <bpf/bpf_endian.h>
#include "common.h"

#define VF_HASH_UDP 17
#define VF_HASH_PADDED 46u /* bytes that follow the header of the shortest Ethernet frame */

#define VF_HASH_SOURCE 0xffffffffffffull /* of the word that the Ethertype ends: words are little-endian */

/* The body's first bytes, which are read into a buffer: a UDP checksum is cleared there, and padding. */
#define VF_HASH_HEAD 64u
#define VF_HASH_FIRST (ETH_HLEN + VF_HASH_HEAD)

/* Any change of `w` changes `h`, in the lower half too. */
#define VF_MIX(h, w) ({ (h) = ((h) ^ (w)) * 0x9e3779b97f4a7c15ull; (h) ^= (h) >> 32; })

/* Five chains, which a CPU computes side by side. */
struct vf_hash {
	__u64 a, b, c, d, e;
};
struct vf_hash_first {
	__u64 w[(VF_HASH_FIRST + 2) / 8]; /* the Ethernet header at byte 2, so that the body begins with a word */
};

/*
 * 12 bytes by one multiplication, as two words of 8 that overlap by two. Both factors are made odd, since a product with an odd factor keeps
 * every difference of the other one: whichever single byte differs, `h` does. The bit that this costs a word is in the upper bytes of
 * the word before. A difference in upper bytes, of which a product keeps little, is one in the lower bytes of the next word as well.
 */
#define VF_HASH_STEP 12u
#define VF_HASH_WORD(p, at) (*(const volatile __u64 *)((p) + (at)))
#define VF_HASH_PAIR(h, p, at) ({ \
	(h) = (((h) ^ VF_HASH_WORD(p, at)) | 1) * (VF_HASH_WORD(p, (at) + VF_HASH_STEP / 2) | 1); \
	asm volatile("" : "+r"(h)); /* in this order: there are no registers for more words at once */ })

/* A round takes a pair for each chain. One, three or twelve rounds are one call, which costs as much as a round: the hash is the same. */
#define VF_HASH_ROUND (5 * VF_HASH_STEP)
#define VF_HASH_BYTES(rounds) ((rounds) * VF_HASH_ROUND + 2)
#define VF_HASH_SMALL VF_HASH_BYTES(1) /* 62 */
#define VF_HASH_MIDDLE VF_HASH_BYTES(3) /* 182 */
#define VF_HASH_LARGE VF_HASH_BYTES(12) /* 722 */
#define VF_HASH_FROM (VF_HASH_HEAD - 2) /* where rounds begin: the first word's lowest bits are in the head */
#define VF_HASH_CHUNKS 13u
#define VF_HASH_REACH 16384u /* bytes of a packet that the verifier lets a program index */
#define VF_HASH_MAX (VF_HASH_HEAD + VF_HASH_CHUNKS * 12 * VF_HASH_ROUND) /* 9,424 */

static __always_inline void vf_hash_words(struct vf_hash *h, const __u64 *w)
{
	__u32 i;

#pragma unroll
	for (i = 0; i < VF_HASH_HEAD / 8; i += 4) {
		VF_MIX(h->a, w[i]);
		VF_MIX(h->b, w[i + 1]);
		VF_MIX(h->c, w[i + 2]);
		VF_MIX(h->d, w[i + 3]);
	}
}

/*
 * Copies the `n` bytes that the frame has from `at`, VF_HASH_FIRST at most, and zeros behind them. Global, as some below: the verifier looks
 * at such a function once, not once for each way that leads there.
 */
__noinline int vf_hash_copy(struct __sk_buff *skb, __u32 at, struct vf_hash_first *to, __u32 n)
{
	__u64 length = n;
	__u32 i;

	if (!to)
		return false;
	if (length >= VF_HASH_FIRST) {
		to->w[0] = 0;
		return !bpf_skb_load_bytes(skb, at, (__u8 *)to + 2, VF_HASH_FIRST);
	}
#pragma unroll
	for (i = 0; i < sizeof(*to) / 8; i++)
		to->w[i] = 0;
	/* At least one byte, in the register that is used: the verifier of 6.1 loses other bounds. */
	length = VF_BELOW(length - 1, 128) + 1;
	return length <= VF_HASH_FIRST && !bpf_skb_load_bytes(skb, at, (__u8 *)to + 2, length);
}

/* The first bytes of a frame of `len`: where they lie in one piece without a call, which costs 15 ns. */
static __always_inline bool vf_hash_load(struct __sk_buff *skb, struct vf_hash_first *to, __u32 len)
{
	const __u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 i;

	if (data + VF_HASH_FIRST <= end) {
		to->w[0] = *(const __u64 *)data << 16;
#pragma unroll
		for (i = 1; i < sizeof(*to) / 8; i++)
			to->w[i] = *(const __u64 *)(data + 8 * i - 2);
		return true;
	}
	if (len == ETH_ZLEN && data + ETH_ZLEN <= end) {
		to->w[0] = *(const __u64 *)data << 16;
#pragma unroll
		for (i = 1; i < ETH_ZLEN / 8; i++)
			to->w[i] = *(const __u64 *)(data + 8 * i - 2);
		to->w[7] = *(const __u64 *)(data + ETH_ZLEN - 8) >> 16;
		to->w[8] = to->w[9] = VF_UNKNOWN(0, to->w[1]);
		return true;
	}
	return vf_hash_copy(skb, 0, to, len);
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

/* Clears what follows the first `n` bytes of a body: padding that is not zeros. */
static __always_inline void vf_hash_trim(struct vf_hash_first *first, __u32 n)
{
	__u32 i;

#pragma unroll
	for (i = 0; i < VF_HASH_HEAD / 8; i++) {
		if (n <= 8 * i)
			first->w[i + 2] = 0;
		else if (n < 8 * (i + 1))
			first->w[i + 2] &= (1ull << (8 * n & 63)) - 1;
	}
}

/* Takes out of the first bytes what does not count, and returns how many bytes do behind the Ethernet header, of `have`. */
__noinline __u32 vf_hash_clean(struct vf_hash_first *first, __u32 type, __u32 have)
{
	__u8 *body = (__u8 *)&first->w[2];
	__u32 n;

	if (!first)
		return 0;
	n = vf_hash_length(type, body, have);
	if (n < VF_HASH_HEAD && n < have)
		vf_hash_trim(first, n);
	vf_hash_clear_checksum(type, body);
	return n;
}

/* The `n` bytes at `at`, fewer than VF_HASH_HEAD. */
__noinline int vf_hash_short(struct __sk_buff *skb, __u32 at, struct vf_hash *h, __u32 n)
{
	__u64 w[VF_HASH_HEAD / 8] = {}, length = n;

	if (!h)
		return false;
	length = VF_BELOW(length - 1, VF_HASH_HEAD) + 1;
	if (bpf_skb_load_bytes(skb, at, w, length))
		return false;
	vf_hash_words(h, w);
	return true;
}

/* The `size` bytes at `at` where they lie; NULL if they are not in one piece. */
static __always_inline const __u8 *vf_hash_in_place(struct __sk_buff *skb, __u32 at, __u32 size)
{
	const __u8 *p = (void *)(long)skb->data + VF_BELOW(at, VF_HASH_REACH);

	return at < VF_HASH_REACH && p + size <= (const __u8 *)(long)skb->data_end ? p : NULL;
}

static __always_inline void vf_hash_rounds(struct vf_hash *to, const __u8 *p, __u32 rounds)
{
	struct vf_hash h = *to;
	__u32 i;

#pragma unroll
	for (i = 0; i < rounds * VF_HASH_ROUND; i += VF_HASH_ROUND) {
		VF_HASH_PAIR(h.a, p, i);
		VF_HASH_PAIR(h.b, p, i + VF_HASH_STEP);
		VF_HASH_PAIR(h.c, p, i + 2 * VF_HASH_STEP);
		VF_HASH_PAIR(h.d, p, i + 3 * VF_HASH_STEP);
		VF_HASH_PAIR(h.e, p, i + 4 * VF_HASH_STEP);
	}
	*to = h;
}

/* Rounds over a copy. The verifier refuses words that are not aligned on a stack, but not behind a pointer that a function is given. */
struct vf_hash_small {
	__u8 bytes[VF_HASH_SMALL];
};
struct vf_hash_middle {
	__u8 bytes[VF_HASH_MIDDLE];
};

__noinline int vf_hash_small_copy(struct vf_hash *h, const struct vf_hash_small *copy)
{
	if (h && copy)
		vf_hash_rounds(h, copy->bytes, 1);
	return true;
}

__noinline int vf_hash_middle_copy(struct vf_hash *h, const struct vf_hash_middle *copy)
{
	if (h && copy)
		vf_hash_rounds(h, copy->bytes, 3);
	return true;
}

/* One round, three, twelve of what is at `at`: in place, or through a copy where a frame is in pieces. False if it does not have these bytes. */
__noinline int vf_hash_small(struct __sk_buff *skb, __u32 at, struct vf_hash *h)
{
	const __u8 *p = vf_hash_in_place(skb, at, VF_HASH_SMALL);
	struct vf_hash_small copy;

	if (!h)
		return false;
	if (p) {
		vf_hash_rounds(h, p, 1);
		return true;
	}
	return !bpf_skb_load_bytes(skb, at, &copy, sizeof(copy)) && vf_hash_small_copy(h, &copy);
}

__noinline int vf_hash_middle(struct __sk_buff *skb, __u32 at, struct vf_hash *h)
{
	const __u8 *p = vf_hash_in_place(skb, at, VF_HASH_MIDDLE);
	struct vf_hash_middle copy;

	if (!h)
		return false;
	if (p) {
		vf_hash_rounds(h, p, 3);
		return true;
	}
	return !bpf_skb_load_bytes(skb, at, &copy, sizeof(copy)) && vf_hash_middle_copy(h, &copy);
}

__noinline int vf_hash_large(struct __sk_buff *skb, __u32 at, struct vf_hash *h)
{
	const __u8 *p = vf_hash_in_place(skb, at, VF_HASH_LARGE);

	if (!h || !p)
		return false;
	vf_hash_rounds(h, p, 12);
	return true;
}

static __always_inline bool vf_hash_twelve(struct __sk_buff *skb, __u32 at, struct vf_hash *h)
{
	return vf_hash_large(skb, at, h) ||
	       (vf_hash_middle(skb, at, h) && vf_hash_middle(skb, at + 3 * VF_HASH_ROUND, h) &&
		vf_hash_middle(skb, at + 6 * VF_HASH_ROUND, h) && vf_hash_middle(skb, at + 9 * VF_HASH_ROUND, h));
}

/* What follows the first 64 of a body's `n` bytes. The last chunk overlaps with the one before, so each is whole. */
static __always_inline bool vf_hash_rest(struct __sk_buff *skb, __u32 from, struct vf_hash *h, __u32 n)
{
	__u32 at = VF_HASH_FROM, i;

	/* A chunk that began before would bring the UDP checksum back. */
	if (n < 2 * VF_HASH_HEAD)
		return vf_hash_short(skb, from + VF_HASH_HEAD, h, n - VF_HASH_HEAD);
	if (n < VF_HASH_HEAD + VF_HASH_MIDDLE) {
		for (i = 0; i < 3 && at + VF_HASH_SMALL < n; i++, at += VF_HASH_ROUND)
			if (!vf_hash_small(skb, from + at, h))
				return false;
		return vf_hash_small(skb, from + n - VF_HASH_SMALL, h);
	}
	if (n < VF_HASH_HEAD + VF_HASH_LARGE) {
		for (i = 0; i < 4 && at + VF_HASH_MIDDLE < n; i++, at += 3 * VF_HASH_ROUND)
			if (!vf_hash_middle(skb, from + at, h))
				return false;
		return vf_hash_middle(skb, from + n - VF_HASH_MIDDLE, h);
	}
	for (i = 0; i < VF_HASH_CHUNKS && at + VF_HASH_LARGE < n; i++, at += 12 * VF_HASH_ROUND)
		if (!vf_hash_twelve(skb, from + at, h))
			return false;
	return vf_hash_twelve(skb, from + n - VF_HASH_LARGE, h);
}

/* The hash; 0 if the frame is shorter than it should be. */
static __always_inline __u64 vf_group_hash(struct __sk_buff *skb)
{
	struct vf_hash h = { 1, 2, 3, 4 }, all;
	__u32 len = skb->len, tag = 0, type, n;
	struct vf_hash_first first;
	__u64 *body = first.w + 2, macs[2], vlan = 0;

	if (skb->vlan_present && (skb->vlan_tci & 0xfff))
		vlan = (__u64)skb->vlan_proto << 12 | (skb->vlan_tci & 0xfff);
	if (len <= ETH_HLEN || !vf_hash_load(skb, &first, len))
		return 0;
	macs[0] = first.w[0];
	macs[1] = first.w[1] & VF_HASH_SOURCE;
	type = first.w[1] >> 48;
	if (unlikely(!skb->vlan_present && (type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD)))) {
		n = bpf_ntohs(body[0] & 0xffff) & 0xfff;
		if (n)
			vlan = (__u64)type << 12 | n;
		tag = 4;
		if (len <= ETH_HLEN + tag || !vf_hash_copy(skb, tag, &first, len - tag))
			return 0;
		type = first.w[1] >> 48;
	}
	len -= ETH_HLEN + tag;
	n = vf_hash_clean(&first, type, len);
	vf_hash_words(&h, body);
	if (n > VF_HASH_HEAD) {
		all = h;
		all.e = 5;
		if (!vf_hash_rest(skb, ETH_HLEN + tag, &all, n))
			return 0;
		h = all;
		VF_MIX(h.c, h.e);
	}
	VF_MIX(h.a, macs[0]);
	VF_MIX(h.b, macs[1] | (__u64)type << 48);
	VF_MIX(h.c, vlan << 32 | n);
	VF_MIX(h.a, h.b);
	VF_MIX(h.c, h.d);
	VF_MIX(h.a, h.c);
	return h.a ? h.a : 1;
}
