/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The deadline of a BFD session is a timer that packets do not touch. When it expires, it looks whether a packet came meanwhile, and sleeps
 * for the rest. It is an object of its own because kernels before 5.15 lack bpf_timer. There the worker keeps the deadline alone.
 */
#include "session.bpf.h"

#define VF_CLOCK_MONOTONIC 1
/*
 * Fraction of the detection time (1/8). A timer that fires later than that means that this machine was stalled. Waiting packets then get
 * the same time again before the session goes down.
 */
#define VF_BFD_MOMENT 8

struct vf_bfd_deadline {
	struct bpf_timer timer;
};

/* A timer cannot lie in memory that user space maps. The map is pinned because a timer ends with the last user of its map. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vf_bfd_deadline);
} deadlines SEC(".maps");

/* Wakes the worker, which reads everything else from the session. */
static __noinline int vf_bfd_tell(__u64 now, __u32 word)
{
	struct vf_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return 0;
	e->ns = now;
	e->slot = vf_slot;
	e->kind = VF_RECORD_FIRED;
	e->cause = VF_CAUSE_BFD;
	e->old_word = word;
	e->new_word = word;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* Leaves the slave. No packet came from its peer within the detection time, or no echo packet came back. */
static __noinline int vf_bfd_silent(__u64 now)
{
	struct vf_line *line = vf_line();
	struct vf_bfd *s = vf_bfd();
	__u32 word, path, mine;

	if (!s || !line)
		return 0;
	WRITE_ONCE(s->quiet, 0);
	__sync_fetch_and_add(&s->fired, 1);
	word = READ_ONCE(line->word);
	path = word & VF_PATH_MASK;
	mine = path == VF_PRIMARY ? VF_ARM_PRIMARY_BFD : VF_ARM_STANDBY_BFD;
	if (path == s->path && s->flips && (READ_ONCE(line->armed) & mine)) {
		vf_disarm_back(line, path);
		if (vf_flip(line, word, path ^ 1, VF_CAUSE_BFD))
			return 0;
	}
	return vf_bfd_tell(now, word);
}

/*
 * Time at which the slave is dead if nothing arrives. A peer that speaks only when asked (`asks`) has a deadline only while a question is
 * open.
 */
static __always_inline __u64 vf_bfd_when(struct vf_bfd *s, __u64 heard, __u64 asked)
{
	__u64 due = heard + s->detect_ns;

	return asked && (s->asks || (__s64)(asked - due) < 0) ? asked : due;
}

/*
 * True if the deadline was put off. After a stall of this machine the timer fires before the packets that came meanwhile are received. The
 * stall says nothing about the peer, so these packets get a moment.
 */
static __always_inline bool vf_bfd_paused(struct vf_bfd *s, __u64 heard, __u64 due, __u64 now)
{
	__u64 moment = s->detect_ns / VF_BFD_MOMENT;

	if (now - due <= moment)
		return false;
	/* A packet may arrive between the read and the write. It must win. */
	if (due == heard + s->detect_ns)
		__sync_val_compare_and_swap(&s->heard_ns, heard, now + moment - s->detect_ns);
	else
		__sync_val_compare_and_swap(&s->due_ns, due, now + moment);
	return true;
}

static int vf_bfd_due(void *map, __u32 *key, struct vf_bfd_deadline *d)
{
	__u64 now = bpf_ktime_get_ns(), heard, asked, due;
	struct vf_bfd *s = vf_bfd();

	/* While `quiet` is 0, the worker keeps the deadline. It starts the timer anew when it sets `quiet`. */
	if (!s || !READ_ONCE(s->quiet) || !s->detect_ns)
		return 0;
	/* Read once, since an answer may clear it at any time. */
	asked = READ_ONCE(s->due_ns);
	if (s->asks && !asked)
		return 0;
	heard = READ_ONCE(s->heard_ns);
	due = vf_bfd_when(s, heard, asked);
	if ((__s64)(due - now) > 0)
		bpf_timer_start(&d->timer, due - now, 0);
	else if (vf_bfd_paused(s, heard, due, now))
		bpf_timer_start(&d->timer, s->detect_ns / VF_BFD_MOMENT, 0);
	else
		vf_bfd_silent(now);
	return 0;
}

/* Starts the timer. The worker runs it when a session is up and quiet, or when it has sent the last echo packet that may decide. */
SEC("tc")
int vf_bfd_watch(struct __sk_buff *skb)
{
	struct vf_bfd_deadline *d;
	struct vf_bfd *s = vf_bfd();
	__u32 key = 0;
	__s64 rest;

	d = bpf_map_lookup_elem(&deadlines, &key);
	if (!s || !d)
		return -1;
	/* The second call returns -EBUSY and changes nothing. */
	bpf_timer_init(&d->timer, &deadlines, VF_CLOCK_MONOTONIC);
	bpf_timer_set_callback(&d->timer, vf_bfd_due);
	rest = vf_bfd_when(s, READ_ONCE(s->heard_ns), READ_ONCE(s->due_ns)) - bpf_ktime_get_ns();
	return bpf_timer_start(&d->timer, rest > 0 ? rest : 1, 0);
}

char LICENSE[] SEC("license") = "GPL";
