/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The deadline of a BFD session: a timer that a packet does not touch. It looks at expiry whether one came meanwhile, and goes back to
 * sleep for the rest. An object of its own: kernels without bpf_timer (before 5.15) have all the rest, and the worker's own deadline.
 */
#include "session.bpf.h"

#define VF_CLOCK_MONOTONIC 1

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
	__u32 word, path, mine, back;

	if (!s || !line)
		return 0;
	WRITE_ONCE(s->quiet, 0);
	WRITE_ONCE(s->fired_ns, now);
	__sync_fetch_and_add(&s->fired, 1); /* last: says that the time is of this one */
	word = READ_ONCE(line->word);
	path = word & VF_PATH_MASK;
	mine = path == VF_PRIMARY ? VF_ARM_PRIMARY_SILENT : VF_ARM_STANDBY_SILENT;
	back = path == VF_PRIMARY ? VF_ARM_STANDBY_SILENT : VF_ARM_PRIMARY_SILENT;
	if (path == s->path && s->flips && (READ_ONCE(line->armed) & mine)) {
		/* Not back here by the same reason before a worker has judged both. */
		__sync_fetch_and_and(&line->armed, ~back);
		if (vf_flip(line, word, path ^ 1, VF_CAUSE_BFD))
			return 0;
	}
	return vf_bfd_tell(now, word);
}

/* When the path is dead if nothing comes. A peer that speaks when asked is waited for as long as nobody asks. */
static __always_inline __u64 vf_bfd_when(struct vf_bfd *s)
{
	__u64 due = READ_ONCE(s->heard_ns) + s->detect_ns, asked = READ_ONCE(s->due_ns);

	return asked && (s->asks || (__s64)(asked - due) < 0) ? asked : due;
}

static int vf_bfd_due(void *map, __u32 *key, struct vf_bfd_deadline *d)
{
	__u64 now = bpf_ktime_get_ns(), due;
	struct vf_bfd *s = vf_bfd();

	/* Without `quiet` the worker has the session in hand, and starts the timer anew when it lets go of it. */
	if (!s || !READ_ONCE(s->quiet) || !s->detect_ns || (s->asks && !READ_ONCE(s->due_ns)))
		return 0;
	due = vf_bfd_when(s);
	if ((__s64)(due - now) > 0)
		bpf_timer_start(&d->timer, due - now, 0);
	else
		vf_bfd_silent(now);
	return 0;
}

/* Run by the worker: the session is up and quiet, or an echo packet is the last straw. Watch it from now on. */
SEC("tc")
int vf_bfd_watch(struct __sk_buff *skb)
{
	__u64 now = bpf_ktime_get_ns(), due;
	struct vf_bfd_deadline *d;
	struct vf_bfd *s = vf_bfd();
	__u32 key = 0;

	d = bpf_map_lookup_elem(&deadlines, &key);
	if (!s || !d)
		return -1;
	/* Again is -EBUSY, and does no harm. */
	bpf_timer_init(&d->timer, &deadlines, VF_CLOCK_MONOTONIC);
	bpf_timer_set_callback(&d->timer, vf_bfd_due);
	due = vf_bfd_when(s);
	return bpf_timer_start(&d->timer, (__s64)(due - now) > 0 ? due - now : 1, 0);
}

char LICENSE[] SEC("license") = "GPL";
