/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Shared by the four hooks: maps, constants, the flip, the counting. Each hook is a file of its own (steer, guard, deliver, accept), and
 * vfailover.bpf.c makes one object of them. Every instance loads that object for itself with its slot as a constant. So no program looks up
 * the instance that it works for.
 */
#pragma once

#include <linux/if_ether.h>
#include "bounds.bpf.h"
#include "device.bpf.h"
#include "vfailover.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define READ_ONCE(x) (*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))

#define TC_NEXT (-1) /* TCX_NEXT and TC_ACT_UNSPEC: the next program, or the stack */
#define TC_DROP 2

#define ENODEV 19

/* skb->cb[0] says how a frame came to a hook. It survives bpf_redirect in both directions, and net_failover. */
#define VF_MARK_PRIMARY 0x76666f31u /* steer sent it to the primary */
#define VF_MARK_STANDBY 0x76666f32u /* steer redirected it to the standby */
#define VF_MARK_DELIVERED 0x76666f33u
#define VF_MARK_RETURNED 0x76666f34u /* guard took it back from a dead slave, which it does once a frame */

/* Sizes are set before load: a line, an identity and two watches per slot, and slot * cpus counters. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vf_line);
} lines SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vf_counters);
} counters SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vf_identity);
} identities SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct vf_watch);
} watches SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} events SEC(".maps");

/* Set by user space before load (.rodata), so that the verifier drops branches that cannot be taken. */
const volatile __u32 vf_slot = 0;
const volatile enum vf_model vf_model = VF_TRANSPARENT;
const volatile __u32 vf_cpus = 1; /* possible CPUs: stride of `counters` */
const volatile enum vf_detector vf_detect = 0;
const volatile __u32 vf_has_kern_ctx = 0; /* bpf_cast_to_kern_ctx exists (Linux 6.2) and may be used (CAP_PERFMON) */

const volatile __u64 vf_netns_cookie = 0; /* the instance's namespace; 0: not known */

static __always_inline struct vf_line *vf_line(void)
{
	__u32 slot = vf_slot;

	return bpf_map_lookup_elem(&lines, &slot);
}

static __always_inline struct vf_counters *vf_counters(void)
{
	__u32 i = vf_slot * vf_cpus + bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&counters, &i);
}

static __always_inline struct vf_watch *vf_watch(__u32 path)
{
	__u32 i = vf_slot * 2 + path;

	return bpf_map_lookup_elem(&watches, &i);
}

/* Returns the number of header bytes that segmentation repeats in front of every segment. */
__noinline __u32 vf_gso_header(struct __sk_buff *skb)
{
	__u8 b[20];
	__u32 at = ETH_HLEN;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, b, sizeof(b)))
		return ETH_HLEN;
	if (b[0] >> 4 == 4)
		at += (b[0] & 0xf) * 4;
	else if (b[0] >> 4 == 6)
		at += 40;
	else
		return at;
	/* TCP's header length is in the upper half of its 13th byte. UDP's header has 8 bytes. */
	if ((b[0] >> 4 == 4 ? b[9] : b[6]) == 17)
		return at + 8;
	if (bpf_skb_load_bytes(skb, at + 12, b, 1))
		return at;
	return at + (b[0] >> 4) * 4;
}

/* Counts frames as the wire will see them. A GSO frame is gso_segs frames, each with its headers. */
static __always_inline void vf_count(struct __sk_buff *skb, struct vf_count *c)
{
	__u32 segs = skb->gso_segs;

	c->bytes += skb->len;
	if (likely(segs <= 1)) {
		c->packets++;
		return;
	}
	c->packets += segs;
	c->bytes += (__u64)(segs - 1) * vf_gso_header(skb);
}

/* Returns why the program's device cannot carry a frame, or 0 if it can (netif_running, netif_carrier_ok). */
static __always_inline __u32 vf_unusable(struct __sk_buff *skb)
{
	struct sk_buff *kern;
	unsigned long state;

	if (!vf_has_kern_ctx)
		return 0;
	kern = bpf_cast_to_kern_ctx(skb);
	state = kern->dev->state;
	if (unlikely(!vf_carrier(state)))
		return VF_CAUSE_CARRIER;
	if (unlikely(!vf_running(state)))
		return VF_CAUSE_ADMIN_DOWN;
	return 0;
}

/*
 * True if the device was taken into another namespace while no daemon lived. TCX links go along, and the ifindexes that we know mean other
 * devices there. The kernel removes a clsact qdisc at the move.
 */
static __always_inline bool vf_moved(struct __sk_buff *skb)
{
	struct sk_buff *kern;

	if (!vf_has_kern_ctx || !vf_netns_cookie)
		return false;
	kern = bpf_cast_to_kern_ctx(skb);
	return kern->dev->nd_net.net->net_cookie != vf_netns_cookie;
}

/* Disarms the way back to a slave that went silent. A worker must judge both slaves before the programs may return for such a reason. */
static __always_inline void vf_disarm_back(struct vf_line *line, __u32 path)
{
	__u32 back = path == VF_PRIMARY ? VF_ARM_STANDBY_SILENT | VF_ARM_STANDBY_BFD : VF_ARM_PRIMARY_SILENT | VF_ARM_PRIMARY_BFD;

	__sync_fetch_and_and(&line->armed, ~back);
}

/* Makes `path` active (tier 0) if nobody decided since `old` was read. True if `path` is active now, by this flip or by another one. */
static __always_inline bool vf_flip(struct vf_line *line, __u32 old, __u32 path, __u32 cause)
{
	__u32 new = (((old & ~VF_PATH_MASK) + VF_EPOCH_ONE) & VF_WORD_MASK) | path;
	__u32 was = __sync_val_compare_and_swap(&line->word, old, new);
	struct vf_event *e;

	if (was != old)
		return (was & VF_PATH_MASK) == path;
	line->flip_ns = bpf_ktime_get_ns();
	line->flip_cause = cause;
	WRITE_ONCE(line->flip_word, new); /* written last, it says that the two above belong to this word */
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (e) {
		e->ns = line->flip_ns;
		e->slot = vf_slot;
		e->kind = VF_RECORD_FLIP;
		e->cause = cause;
		e->old_word = old;
		e->new_word = new;
		bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	}
	return true;
}

/* Stamps the first frame that the active path carries after a flip. */
static __always_inline void vf_first(__u32 *seen, __u64 *ns, __u32 word)
{
	if (likely(*seen == word))
		return;
	*ns = bpf_ktime_get_ns();
	WRITE_ONCE(*seen, word);
}
