/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The watchdog: frames that expect an answer leave on a slave, and nothing comes back by it. The frames out themselves look at the clock, so
 * it needs no timer and no user space. A guest that stops sending is watched by the decision worker, in the same memory.
 */
#pragma once
#include "asks.bpf.h"
#include "common.h"

/*
 * A pause in sending says nothing about the slave. It counts as half a timeout at most. A pause longer than this (64 ms) and than the timeout
 * begins the wait anew.
 */
#define VF_PAUSE_NS 64000000ull
/* Interval at which a silent slave wakes the worker (100 ms) where tier 0 may not flip. */
#define VF_RETELL_NS 100000000ull

static __always_inline bool vf_watching(void)
{
	return vf_detect & VF_DETECT_UNANSWERED;
}

/* Wakes the worker by a record without a flip. The worker reads everything else from the watch. */
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

/* True if an answer due at once is late, after the timeout and at least `min_frames` frames. */
static __always_inline bool vf_overdue(const struct vf_watch *w, __u64 now)
{
	return (__s64)(now - w->soon_ns) >= (__s64)w->timeout_ns && w->soon >= w->min_frames;
}

/* Notes that the slave is silent and flips if the worker armed that. Returns the word in force. */
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
	__sync_fetch_and_add(&w->fired, 1); /* counted last, it says that the above belongs to this verdict */
	if (READ_ONCE(line->armed) & (path == VF_PRIMARY ? VF_ARM_PRIMARY_SILENT : VF_ARM_STANDBY_SILENT)) {
		vf_disarm_back(line, path);
		vf_flip(line, word, path ^ 1, VF_CAUSE_UNANSWERED);
	} else if (now - before >= VF_RETELL_NS)
		vf_tell(now, word);
	return READ_ONCE(line->word);
}

/* Looks at a frame that is about to leave by the active slave of `word`. Returns the word in force afterwards. */
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
		gap = 0; /* a frame on another CPU was later */
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
		/* An answer may end the wait meanwhile on another CPU. */
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

/* Ends a slave's wait. */
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
 * Takes a unicast frame on `path` as an answer. Shortly after a flip the old slave may still receive answers. They are to questions sent
 * shortly before on the old slave, or on the new one since. Such an answer ends the new slave's wait too.
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
