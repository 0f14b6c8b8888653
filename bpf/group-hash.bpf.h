/* SPDX-License-Identifier: GPL-2.0-only
 *
 * A hash of a frame. Both copies of a frame have the same hash, however the two slaves deliver them. Any other frame has another one. Two
 * devices differ in these points:
 *
 *   - A VLAN tag is in the frame, or the device took it off. The VLAN's id counts wherever it stands. Its priority does not count, since a
 *     switch may change it on one way. Id 0 is no VLAN.
 *   - A NIC pads short frames, and virtio may leave them unpadded. IP and ARP say how long they are. Other frames are taken as if zeros
 *     padded them to 60 bytes.
 *   - A frame that a neighbouring guest sent by virtio may lack its UDP checksum as yet (CHECKSUM_PARTIAL). The checksum is left out. The
 *     hash has all that it covers.
 *
 * Everything else counts, up to VF_HASH_MAX bytes and the last VF_HASH_LARGE, because frames of a stream may differ in any byte.
 */
#pragma once
#include <bpf/bpf_endian.h>
#include "common.h"

#define VF_HASH_UDP 17
#define VF_HASH_PADDED 46u /* bytes that follow the header of the shortest Ethernet frame */

#define VF_HASH_SOURCE 0xffffffffffffull /* the source's bytes in the word that ends with the Ethertype (little-endian) */

/* The body's first bytes are read into a buffer, where a UDP checksum and padding are cleared. */
#define VF_HASH_HEAD 64u
#define VF_HASH_FIRST (ETH_HLEN + VF_HASH_HEAD)

/* Any change of `w` changes `h`, in the lower half too. */
#define VF_MIX(h, w) ({ (h) = ((h) ^ (w)) * 0x9e3779b97f4a7c15ull; (h) ^= (h) >> 32; })

/* Five chains, because a CPU computes them side by side. */
struct vf_hash {
	__u64 a, b, c, d, e;
};
struct vf_hash_first {
	__u64 w[(VF_HASH_FIRST + 2) / 8]; /* the Ethernet header at byte 2, so that the body begins with a word */
};

/*
 * Hashes 12 bytes by one multiplication, as two words of 8 bytes that overlap. Both factors are made odd, since a product with an odd factor
 * keeps every difference of the other factor. So `h` differs whichever single byte differs. Making a word odd loses its lowest bit, which
 * is also in the upper bytes of the word before. A product keeps little of a difference in upper bytes. Such a difference is also in the
 * lower bytes of the next word.
 */
#define VF_HASH_STEP 12u
#define VF_HASH_WORD(p, at) (*(const volatile __u64 *)((p) + (at)))
#define VF_HASH_PAIR(h, p, at) ({ \
	(h) = (((h) ^ VF_HASH_WORD(p, at)) | 1) * (VF_HASH_WORD(p, (at) + VF_HASH_STEP / 2) | 1); \
	asm volatile("" : "+r"(h)); /* keeps the order, since there are no registers for more words at once */ })

/* A round takes a pair for each chain. A call costs as much as a round, so one call does 1, 3 or 12 rounds. The hash is the same. */
#define VF_HASH_ROUND (5 * VF_HASH_STEP)
#define VF_HASH_BYTES(rounds) ((rounds) * VF_HASH_ROUND + 2)
#define VF_HASH_SMALL VF_HASH_BYTES(1) /* 62 */
#define VF_HASH_MIDDLE VF_HASH_BYTES(3) /* 182 */
#define VF_HASH_LARGE VF_HASH_BYTES(12) /* 722 */
#define VF_HASH_FROM (VF_HASH_HEAD - 2) /* rounds begin here, since the lowest bits of the first word are in the head */
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
 * Copies the frame's `n` bytes from `at`, at most VF_HASH_FIRST, and puts zeros behind them. The function is global, as some below are, so
 * that the verifier looks at it once and not once for each way that leads to it.
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
	/* The length is at least 1 and bounded in the register that is used. The verifier of 6.1 loses other bounds. */
	length = VF_BELOW(length - 1, 128) + 1;
	return length <= VF_HASH_FIRST && !bpf_skb_load_bytes(skb, at, (__u8 *)to + 2, length);
}

/* Loads the first bytes of a frame of `len`. Where they lie in one piece it saves a call, which costs 15 ns. */
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

/* Number of bytes that count behind the Ethernet header, of `have`. `type` is as on the wire, and `b` has the first 64 of them. */
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

/*
 * Clears a UDP checksum, except behind IPv4 options or IPv6 extension headers. A fragment keeps its checksum, which was computed before the
 * packet was divided.
 */
static __always_inline void vf_hash_clear_checksum(__u32 type, __u8 *b)
{
	if (type == bpf_htons(ETH_P_IP) && b[0] == 0x45 && b[9] == VF_HASH_UDP && !(b[6] & 0x1f) && !b[7])
		b[26] = b[27] = 0;
	else if (type == bpf_htons(ETH_P_IPV6) && b[6] == VF_HASH_UDP)
		b[46] = b[47] = 0;
}

/* Clears the bytes behind the first `n` of a body, since padding need not be zeros. */
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

/* Clears the first bytes that do not count. Returns how many of `have` count behind the Ethernet header. */
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

/* Hashes the `n` bytes at `at`, fewer than VF_HASH_HEAD. */
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

/* Returns the `size` bytes at `at` where they lie, or NULL if they are not in one piece. */
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

/* Copies for rounds. The verifier refuses unaligned words on a stack, but allows them behind a pointer that a function is given. */
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

/* Takes 1, 3 or 12 rounds from `at`, in place or through a copy if the frame is in pieces. False if the frame lacks these bytes. */
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

/* Hashes what follows the first 64 of a body's `n` bytes. The last chunk overlaps with the one before, so that each is whole. */
static __always_inline bool vf_hash_rest(struct __sk_buff *skb, __u32 from, struct vf_hash *h, __u32 n)
{
	__u32 at = VF_HASH_FROM, i;

	/* A chunk that began earlier would include the UDP checksum again. */
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

/* Returns the hash, or 0 if the frame is shorter than its headers. */
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
