/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The deadline of a BFD session: a timer that a packet does not touch. It looks at expiry whether one came meanwhile, and goes back to
 * sleep for the rest. An object of its own: kernels without bpf_timer (before 5.15) have all the rest, and the worker's own deadline.
 */
#include "session.bpf.h"

#define VF_CLOCK_MONOTONIC 1
/* Of the detection time: so late a timer is a pause of ours, and so long is what then waits. */
#define VF_BFD_MOMENT 8

struct vf_bfd_deadline {
	struct bpf_timer timer;
};

/* A timer cannot lie in memory that user space maps. The map is pinned, for a timer ends with the last user of its map. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vf_bfd_deadline);
} deadlines SEC(".maps");

/* Wakes the worker, which finds the rest in the session. */
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

/* The peer has been silent for the detection time, or the echo packets have stayed away. */
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

/* When the path is dead if nothing comes. A peer that speaks when asked is waited for as long as nobody asks. */
static __always_inline __u64 vf_bfd_when(struct vf_bfd *s, __u64 heard, __u64 asked)
{
	__u64 due = heard + s->detect_ns;

	return asked && (s->asks || (__s64)(asked - due) < 0) ? asked : due;
}

/*
 * The timer of a machine that stood still fires before what came in meanwhile is looked at: a pause of ours is not the peer's silence, and what
 * waits gets a moment. True if it has been given.
 */
static __always_inline bool vf_bfd_paused(struct vf_bfd *s, __u64 heard, __u64 due, __u64 now)
{
	__u64 moment = s->detect_ns / VF_BFD_MOMENT;

	if (now - due <= moment)
		return false;
	/* A packet may come at this moment. */
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

	/* Without `quiet` the worker has the session in hand, and starts the timer anew when it lets go of it. */
	if (!s || !READ_ONCE(s->quiet) || !s->detect_ns)
		return 0;
	/* Read once: an answer may come at this moment. */
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

/* Run by the worker: the session is up and quiet, or an echo packet is the last straw. Watch it from now on. */
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
	/* Again is -EBUSY, and does no harm. */
	bpf_timer_init(&d->timer, &deadlines, VF_CLOCK_MONOTONIC);
	bpf_timer_set_callback(&d->timer, vf_bfd_due);
	rest = vf_bfd_when(s, READ_ONCE(s->heard_ns), READ_ONCE(s->due_ns)) - bpf_ktime_get_ns();
	return bpf_timer_start(&d->timer, rest > 0 ? rest : 1, 0);
}

char LICENSE[] SEC("license") = "GPL";
