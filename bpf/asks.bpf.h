/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Classifies frames by whether the other end owes an answer, and how soon. A receiver may take in some frames without a reply: UDP to ports
 * that are not configured, pure acknowledgements, resets, duplicate address detection, and group frames.
 */
#pragma once
#include <bpf/bpf_endian.h>
#include "common.h"

#define VF_UDP_PORTS 8

enum vf_answer {
	VF_NO_ANSWER = 0,
	VF_ANSWER_SOON = 1, /* the other end's stack or service owes it at once */
	VF_ANSWER_DELAYED = 2, /* an acknowledgement, which may wait for data to send or for a reader */
};

/* UDP datagrams that expect an answer by configuration. */
enum vf_udp_asks {
	VF_UDP_NONE = 0,
	VF_UDP_ALL = 1,
	VF_UDP_LISTED = 2, /* datagrams to vf_udp_ports */
};

const volatile enum vf_udp_asks vf_udp = 0;
const volatile __u32 vf_udp_ports[VF_UDP_PORTS] = {}; /* 0: none */

#define VF_ETH_IP bpf_htons(0x0800)
#define VF_ETH_ARP bpf_htons(0x0806)
#define VF_ETH_8021Q bpf_htons(0x8100)
#define VF_ETH_8021AD bpf_htons(0x88a8)
#define VF_ETH_IPV6 bpf_htons(0x86dd)

#define VF_ICMP 1
#define VF_TCP 6
#define VF_UDP 17
#define VF_ICMPV6 58
#define VF_SCTP 132

/* Returns two bytes in the frame's order, big endian. */
static __always_inline __u16 vf_be16(const __u8 *p)
{
	return *(const __u16 *)p;
}

static __always_inline enum vf_answer vf_asks_udp(const __u8 *l4, void *end)
{
	__u32 port, i;

	if (vf_udp != VF_UDP_LISTED)
		return vf_udp == VF_UDP_ALL ? VF_ANSWER_SOON : VF_NO_ANSWER;
	if ((void *)(l4 + 4) > end)
		return VF_NO_ANSWER;
	port = bpf_ntohs(vf_be16(l4 + 2));
#pragma unroll
	for (i = 0; i < VF_UDP_PORTS; i++)
		if (vf_udp_ports[i] && vf_udp_ports[i] == port)
			return VF_ANSWER_SOON;
	return VF_NO_ANSWER;
}

/*
 * A SYN is answered at once. FIN and payload are acknowledged after 40 ms (Linux) to half a second, the latter if the receiving program does
 * not read at the moment. A reset is not answered.
 */
static __always_inline enum vf_answer vf_asks_tcp(const __u8 *l4, void *end, __u32 len)
{
	if ((void *)(l4 + 14) > end || l4[13] & 4)
		return VF_NO_ANSWER;
	if (l4[13] & 2)
		return VF_ANSWER_SOON;
	return l4[13] & 1 || len > (__u32)(l4[12] >> 4) * 4 ? VF_ANSWER_DELAYED : VF_NO_ANSWER;
}

/* Judges by the first chunk. INIT, HEARTBEAT, SHUTDOWN and COOKIE ECHO are answered at once, DATA within 200 ms (RFC 9260 6.2). */
static __always_inline enum vf_answer vf_asks_sctp(const __u8 *l4, void *end)
{
	if ((void *)(l4 + 13) > end)
		return VF_NO_ANSWER;
	if (!l4[12])
		return VF_ANSWER_DELAYED;
	return l4[12] < 32 && (1u << l4[12]) & (1u << 1 | 1u << 4 | 1u << 7 | 1u << 10) ? VF_ANSWER_SOON : VF_NO_ANSWER;
}

/* `len` is the number of bytes from `l4` on. */
static __always_inline enum vf_answer vf_asks_l4(__u32 protocol, const __u8 *l4, void *end, __u32 len)
{
	if (protocol == VF_TCP)
		return vf_asks_tcp(l4, end, len);
	if (protocol == VF_UDP)
		return vf_asks_udp(l4, end);
	if (protocol == VF_SCTP)
		return vf_asks_sctp(l4, end);
	if ((void *)(l4 + 1) > end)
		return VF_NO_ANSWER;
	return (protocol == VF_ICMP && l4[0] == 8) || (protocol == VF_ICMPV6 && l4[0] == 128) ? VF_ANSWER_SOON : VF_NO_ANSWER;
}

/* True for a request that is neither gratuitous nor a probe for duplicates. */
static __always_inline bool vf_asks_arp(const __u8 *arp, void *end)
{
	const __u32 *sender = (void *)(arp + 14), *target = (void *)(arp + 24);

	return (void *)(arp + 28) <= end && vf_be16(arp + 6) == bpf_htons(1) && *sender && *sender != *target;
}

/* True for a neighbour solicitation with a source. Duplicate address detection leaves the source unspecified. */
static __always_inline bool vf_asks_nd(const __u8 *ip, void *end)
{
	const __u32 *source = (void *)(ip + 8);

	if ((void *)(ip + 41) > end || ip[6] != VF_ICMPV6 || ip[40] != 135)
		return false;
	return source[0] | source[1] | source[2] | source[3];
}

static __always_inline enum vf_answer vf_asks(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 header, len;
	__u16 type;
	const __u8 *l3 = data + ETH_HLEN;
	bool many;

	if ((void *)l3 > end)
		return VF_NO_ANSWER;
	many = ((const __u8 *)data)[0] & 1;
	type = vf_be16(l3 - 2);
	if (type == VF_ETH_8021Q || type == VF_ETH_8021AD) {
		l3 += 4;
		if ((void *)l3 > end)
			return VF_NO_ANSWER;
		type = vf_be16(l3 - 2);
	}
	if (type == VF_ETH_ARP)
		return vf_asks_arp(l3, end) ? VF_ANSWER_SOON : VF_NO_ANSWER;
	if ((void *)(l3 + 20) > end)
		return VF_NO_ANSWER;
	if (type == VF_ETH_IP) {
		header = (l3[0] & 0xf) * 4;
		/* Only the first fragment has the headers. A length of 0 means more than 64 KiB, to be segmented. */
		if (many || header < 20 || vf_be16(l3 + 6) & bpf_htons(0x1fff))
			return VF_NO_ANSWER;
		len = bpf_ntohs(vf_be16(l3 + 2)) ?: skb->len - ETH_HLEN;
		return vf_asks_l4(l3[9], l3 + header, end, len - header);
	}
	if (type != VF_ETH_IPV6 || (void *)(l3 + 40) > end)
		return VF_NO_ANSWER;
	if (many)
		return vf_asks_nd(l3, end) ? VF_ANSWER_SOON : VF_NO_ANSWER;
	len = bpf_ntohs(vf_be16(l3 + 4)) ?: skb->len - ETH_HLEN - 40;
	if (vf_asks_nd(l3, end))
		return VF_ANSWER_SOON;
	return vf_asks_l4(l3[6], l3 + 40, end, len);
}
