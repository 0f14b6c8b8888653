/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The unanswered-TX watchdog: frames that expect an answer leave on a path, and nothing comes back by it. It is clocked by the frames out
 * themselves, so it needs no timer and no user space. Whoever stops sending is watched by the decision worker, in the same memory.
 */
#pragma once
#include "asks.bpf.h"
#include "common.h"

/* A pause in what we send is not the path's silence: it counts as half a timeout at most, a longer one than this as a new beginning. */
#define VF_PAUSE_NS 64000000ull
/* How often a path that stays silent wakes the worker, when tier 0 may not flip. */
#define VF_RETELL_NS 100000000ull

static __always_inline bool vf_watching(void)
{
	return vf_detect & VF_DETECT_UNANSWERED;
}

/* Wakes the worker, which finds the rest in the watch: a record without a flip. */
static __always_inline void vf_tell(__u64 now, __u32 word)
{
	struct vf_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return;
	e->ns = now;
	e->slot = vf_slot;
	e->kind = VF_RECORD_FIRED;
	e->cause = VF_CAUSE_UNANSWERED;
	e->old_word = word;
	e->new_word = word;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
}

/* What is due at once has not come: for the timeout, and for as many frames as it takes. */
static __always_inline bool vf_overdue(const struct vf_watch *w, __u64 now)
{
	return (__s64)(now - w->soon_ns) >= (__s64)w->timeout_ns && w->soon >= w->min_frames;
}

/* The path has been silent for too long: notes it and, if the worker armed that, flips. Returns the word in force. */
static __noinline __u32 vf_silent(struct vf_line *line, struct vf_watch *w, __u32 word, __u64 now)
{
	__u32 path = word & VF_PATH_MASK;
	__u64 before;

	if (!line || !w)
		return word;
	before = w->fired_ns;
	if (vf_overdue(w, now)) {
		w->fired_frames = w->soon;
		w->fired_wait_us = (now - w->soon_ns) / 1000;
	} else {
		w->fired_frames = w->unanswered;
		w->fired_wait_us = (now - w->since_ns) / 1000;
	}
	WRITE_ONCE(w->fired_ns, now);
	__sync_fetch_and_add(&w->fired, 1); /* last: says that the above is of this time */
	if (READ_ONCE(line->armed) & (path == VF_PRIMARY ? VF_ARM_PRIMARY_SILENT : VF_ARM_STANDBY_SILENT)) {
		vf_disarm_back(line, path);
		vf_flip(line, word, path ^ 1, VF_CAUSE_UNANSWERED);
	} else if (now - before >= VF_RETELL_NS)
		vf_tell(now, word);
	return READ_ONCE(line->word);
}

/* A frame is about to leave on the path of `word`. Returns the word in force after the watchdog's look. */
static __noinline __u32 vf_ask(struct __sk_buff *skb, struct vf_line *line, __u32 word)
{
	__u64 now, since, timeout, gap;
	enum vf_answer answer;
	struct vf_watch *w;

	w = vf_watch(word & 1);
	if (!w || !line)
		return word;
	timeout = READ_ONCE(w->timeout_ns);
	if (!timeout)
		return word;
	answer = vf_asks(skb);
	if (!answer)
		return word;
	now = bpf_ktime_get_ns();
	since = READ_ONCE(w->since_ns);
	gap = now - READ_ONCE(w->last_tx_ns);
	if ((__s64)gap < 0)
		gap = 0; /* another CPU was later */
	else
		WRITE_ONCE(w->last_tx_ns, now);
	if (!since || w->word != word || (gap > VF_PAUSE_NS && gap > timeout)) {
		w->word = word;
		w->unanswered = 1;
		w->soon = answer == VF_ANSWER_SOON;
		w->soon_ns = now;
		WRITE_ONCE(w->since_ns, now);
		return word;
	}
	w->unanswered++;
	if (gap > timeout / 2) {
		gap -= timeout / 2;
		/* An answer may end the wait at this moment, on another CPU. */
		if (__sync_val_compare_and_swap(&w->since_ns, since, since + gap) != since)
			return word;
		since += gap;
		w->soon_ns += gap;
	}
	if (answer == VF_ANSWER_SOON && !w->soon++)
		w->soon_ns = now;
	if (likely(!vf_overdue(w, now) &&
		   ((__s64)(now - since) < (__s64)w->ack_timeout_ns || w->unanswered < w->min_frames)))
		return word;
	return now - w->fired_ns < timeout ? word : vf_silent(line, w, word, now);
}

/* Ends the wait of a path. */
static __always_inline void vf_end_wait(struct vf_watch *w)
{
	__u64 waited;

	if (!w || !READ_ONCE(w->since_ns))
		return;
	waited = READ_ONCE(w->last_tx_ns) - w->soon_ns;
	if (unlikely(w->soon && waited > w->longest_ns && waited < w->timeout_ns))
		w->longest_ns = waited < 0xffffffff ? waited : 0xffffffff;
	WRITE_ONCE(w->since_ns, 0);
}

/*
 * `path` has received a unicast frame: an answer. In the moment after a flip, what was asked on the new path, or shortly before on the
 * old, may still be answered on the old one.
 */
static __always_inline void vf_answered(struct vf_line *line, __u32 word, __u32 path)
{
	struct vf_watch *w;

	vf_end_wait(vf_watch(path));
	if (likely(path == (word & VF_PATH_MASK)) || READ_ONCE(line->seen_rx) == word || READ_ONCE(line->seen_tx) != word)
		return;
	w = vf_watch(path ^ 1);
	if (w && bpf_ktime_get_ns() - line->first_tx_ns < w->timeout_ns)
		vf_end_wait(w);
}
