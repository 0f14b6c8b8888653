/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The far end of a numbered stream. It stamps each frame's arrival and drops the frame, so that counting costs the receiver nothing and loses
 * nothing. A stream frame is a UDP datagram to VF_STREAM_PORT over IPv4 or IPv6. Its payload begins with {u32 magic, u32 stream,
 * u32 sequence}. In a stream of requests each frame is sent back as it is, as the answer.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "bounds.bpf.h"

#define VF_STREAM_PORT 7412
#define VF_STREAM_MAGIC 0x56464c52u
#define VF_TO_GUEST 0x40000000u /* bit in the stream's number, set in frames to the guest */
#define VF_STREAM_FRAMES (1 << 17) /* number of frames whose ports are noted */

struct vf_stream_frame {
	__u32 magic;
	__u32 stream;
	__u32 sequence;
} __attribute__((packed));

struct vf_stream_state {
	__u64 received;
	__u64 duplicated;
	__u64 reordered;
	__u64 foreign; /* frames of another stream, with another tag, or out of range */
	__u64 returned; /* frames of the other direction, which the receiver sent and which came back */
	__u32 stream; /* the recorded stream */
	__u32 highest; /* highest sequence so far + 1 */
	__u32 answer; /* 1: send back every frame that is recorded */
	__u32 vlan; /* VLAN id of the stream's frames; 0: untagged */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vf_stream_state);
} stream SEC(".maps");

/* CLOCK_MONOTONIC of the first arrival of each sequence number; 0: never. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} arrival SEC(".maps");

static __always_inline void swap(void *a, void *b, __u32 n)
{
	__u8 *x = a, *y = b, t;
	__u32 i;

#pragma unroll
	for (i = 0; i < n; i++) {
		t = x[i];
		x[i] = y[i];
		y[i] = t;
	}
}

/* Sends a frame back by the device that it came by. Checksums hold, since they do not depend on the order of the two ends. */
static __always_inline int answer(struct __sk_buff *skb, struct ethhdr *eth, struct udphdr *udp)
{
	swap(eth->h_dest, eth->h_source, ETH_ALEN);
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = (void *)(eth + 1);

		swap(&ip->saddr, &ip->daddr, 4);
	} else {
		struct ipv6hdr *ip6 = (void *)(eth + 1);

		swap(&ip6->saddr, &ip6->daddr, 16);
	}
	swap(&udp->source, &udp->dest, 2);
	return bpf_redirect(skb->ifindex, 0);
}

/* Returns the tag, which ingress has beside the frame. */
static __always_inline __u32 tag_of(struct __sk_buff *skb)
{
	return skb->vlan_present ? skb->vlan_tci & 0xfff : 0;
}

SEC("tc")
int vf_record(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct ipv6hdr *ip6 = (void *)(eth + 1);
	struct udphdr *udp;
	struct vf_stream_frame *f;
	struct vf_stream_state *s;
	__u32 zero = 0, sequence;
	__u64 *at;
	__u8 protocol;

	if ((void *)(ip + 1) > end)
		return -1;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		protocol = ip->protocol;
		udp = (void *)(ip + 1);
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6) && (void *)(ip6 + 1) <= end) {
		protocol = ip6->nexthdr;
		udp = (void *)(ip6 + 1);
	} else {
		return -1;
	}
	f = (void *)(udp + 1);
	if (protocol != IPPROTO_UDP || (void *)(f + 1) > end ||
	    (udp->dest != bpf_htons(VF_STREAM_PORT) && udp->source != bpf_htons(VF_STREAM_PORT)) || f->magic != VF_STREAM_MAGIC)
		return -1;
	s = bpf_map_lookup_elem(&stream, &zero);
	sequence = f->sequence;
	at = bpf_map_lookup_elem(&arrival, &sequence);
	if (!s)
		return 2;
	if (s->stream == (f->stream ^ VF_TO_GUEST)) {
		__sync_fetch_and_add(&s->returned, 1);
		return 2;
	}
	if (!at || s->stream != f->stream || s->vlan != tag_of(skb)) {
		__sync_fetch_and_add(&s->foreign, 1);
		return 2;
	}
	if (__sync_val_compare_and_swap(at, 0, bpf_ktime_get_ns())) {
		__sync_fetch_and_add(&s->duplicated, 1);
		return 2;
	}
	__sync_fetch_and_add(&s->received, 1);
	if (sequence < s->highest)
		__sync_fetch_and_add(&s->reordered, 1);
	else
		s->highest = sequence + 1;
	return s->answer ? answer(skb, eth, udp) : 2;
}

/* Frames that a cable loses silently while carrier stays, of 2^32. By default it loses all. */
const volatile __u32 vf_loss = 0xffffffff;
/* 1: the cable is whole. The program is attached beforehand, since that takes the kernel up to 30 ms. A store cuts or mends at once. */
volatile __u32 vf_mended;

SEC("tc")
int vf_blackhole(struct __sk_buff *skb)
{
	if (vf_mended)
		return -1;
	return vf_loss == 0xffffffff || bpf_get_prandom_u32() < vf_loss ? 2 : -1;
}

/*
 * A port of the VM lab's wire (lab/vm/wire-taps.ts): a tap in a bridge, whose far end is a device of the guest. Ingress is what the guest
 * sends. The bridge neither learns from swallowed frames nor delivers them.
 */
#define VF_MILLION 1000000

/* Directions that a hole swallows, a bit each. */
enum vf_hole {
	VF_HOLE_TO_GUEST = 1,
	VF_HOLE_FROM_GUEST = 2,
};

struct vf_port {
	__u32 bit; /* in vf_paths; 0: no port */
	__u32 hole; /* enum vf_hole */
	__u32 loss_to_guest; /* frames lost at random, of a million */
	__u32 loss_from_guest;
	__u32 to_guest; /* frames carried */
	__u32 from_guest;
	__u32 swallowed; /* by a hole, or lost on purpose */
	__u32 announced; /* ARP and RARP from the guest */
};

/* Indexed by ifindex, which counts from 1 in the wire's own namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vf_port);
} ports SEC(".maps");

/* Ports of the running stream's frames, indexed by number: bits of the ports that a frame was sent to, and of those that it came by. */
struct vf_paths {
	__u32 stream;
	__u8 sent_by[VF_STREAM_FRAMES];
	__u8 came_by[VF_STREAM_FRAMES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vf_paths);
} paths SEC(".maps");

static __always_inline struct vf_port *port_of(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	struct vf_port *p = bpf_map_lookup_elem(&ports, &ifindex);

	return p && p->bit ? p : NULL;
}

static __always_inline bool swallows(struct vf_port *p, __u32 hole, __u32 loss)
{
	if (!(p->hole & hole) && (!loss || bpf_get_prandom_u32() % VF_MILLION >= loss))
		return false;
	__sync_fetch_and_add(&p->swallowed, 1);
	return true;
}

/* Returns the paths if the frame belongs to the running stream, and sets `number`. A tag may be in the frame if its sender wrote it there. */
static __always_inline struct vf_paths *paths_of(struct __sk_buff *skb, __u32 *number)
{
	struct {
		struct udphdr udp;
		struct vf_stream_frame f;
	} __attribute__((packed)) h;
	__u32 at = ETH_HLEN, zero = 0;
	struct vf_paths *p;
	__be16 type;

	if (bpf_skb_load_bytes(skb, at - 2, &type, 2) < 0)
		return NULL;
	if (type == bpf_htons(ETH_P_8021Q)) {
		at += 4;
		if (bpf_skb_load_bytes(skb, at - 2, &type, 2) < 0)
			return NULL;
	}
	if (type == bpf_htons(ETH_P_IP))
		at += sizeof(struct iphdr);
	else if (type == bpf_htons(ETH_P_IPV6))
		at += sizeof(struct ipv6hdr);
	else
		return NULL;
	if (bpf_skb_load_bytes(skb, at, &h, sizeof(h)) < 0 || h.udp.dest != bpf_htons(VF_STREAM_PORT) || h.f.magic != VF_STREAM_MAGIC)
		return NULL;
	p = bpf_map_lookup_elem(&paths, &zero);
	*number = h.f.sequence;
	return p && p->stream == (h.f.stream & ~VF_TO_GUEST) && *number < VF_STREAM_FRAMES ? p : NULL;
}

SEC("tc")
int vf_to_guest(struct __sk_buff *skb)
{
	struct vf_port *p = port_of(skb);
	struct vf_paths *paths;
	__u32 number;

	if (!p)
		return -1;
	/* A path counts when a frame takes it, whatever becomes of the frame there. */
	paths = paths_of(skb, &number);
	if (paths)
		paths->sent_by[VF_BELOW(number, VF_STREAM_FRAMES)] |= p->bit;
	if (swallows(p, VF_HOLE_TO_GUEST, p->loss_to_guest))
		return 2;
	__sync_fetch_and_add(&p->to_guest, 1);
	return -1;
}

SEC("tc")
int vf_from_guest(struct __sk_buff *skb)
{
	struct vf_port *p = port_of(skb);
	struct vf_paths *paths;
	__u32 number;

	if (!p)
		return -1;
	if (swallows(p, VF_HOLE_FROM_GUEST, p->loss_from_guest))
		return 2;
	__sync_fetch_and_add(&p->from_guest, 1);
	if (skb->protocol == bpf_htons(ETH_P_ARP) || skb->protocol == bpf_htons(ETH_P_RARP))
		__sync_fetch_and_add(&p->announced, 1);
	paths = paths_of(skb, &number);
	if (paths)
		paths->came_by[VF_BELOW(number, VF_STREAM_FRAMES)] |= p->bit;
	return -1;
}

char LICENSE[] SEC("license") = "GPL";
