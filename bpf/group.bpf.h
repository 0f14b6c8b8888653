/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Group frames (broadcast and multicast) reach the guest once, whichever slave brings them.
 *
 * Networks differ. Most flood to both slaves. Some bring groups by one slave alone, and some return to one slave what the other sent.
 * So the slave does not decide about a frame. The first copy is delivered and the second one is dropped. A frame that the master sent
 * itself is never let in again.
 *
 * Identical frames may follow each other (a repeated ARP request, a heartbeat), and the guest wants each of them. Frames are therefore
 * counted by their hash. The k-th occurrence on one slave is the copy of the k-th occurrence on the other, so only the difference of the
 * two counts is kept. A slave that is ahead has entries here, one for each tick in which it brought such frames. A frame of the other
 * slave takes one entry away and is dropped. Where there is no entry, the frame is new, makes an entry and is delivered. The oldest entry
 * goes first. A burst of any length is then exact, as long as the other slave lags by less than the window.
 *
 * An entry is void after VF_GROUP_TICKS ticks (117 to 134 ms). The window must exceed the lag between two paths of one network. A vhost
 * thread or a softirq that waits for its CPU adds 4 to 50 ms. A switch that asks its controller about the first frame adds 1 to 20 ms.
 * The window must also be short, because a lost copy leaves an entry behind. The next identical frame within the window would then be
 * dropped as a copy if only the other slave brings it. Protocols that repeat a frame (ARP, VRRP, IGMP, router advertisements) mostly do
 * so once a second. A copy that comes after the window counts as a new frame.
 *
 * Both slaves receive on several CPUs at once. A bucket is a cache line of words, and every change is one compare-and-swap of one word.
 * There is no lock, so no virtual CPU spins while the holder of a lock is not running. vf_group_try says why that is exact.
 */
#pragma once
#include "common.h"
#include "group-hash.bpf.h"

/*
 * Number of frames that are remembered at once: 16,384, in 128 KiB for each instance. With more frames in the window the oldest go. Frames
 * from both slaves take room only until the second copy arrives. Frames from the master take room for the whole window. At 200,000
 * frames/s out and as many in, 40 ms or more remain for a copy.
 */
#define VF_GROUP_BUCKETS 2048u
#define VF_GROUP_TICK_SHIFT 24 /* a tick is 2^24 ns, 16.8 ms */
#define VF_GROUP_TICKS 8u

/*
 * A word of a bucket, 0 if it is free. It keeps 36 bits of the hash, and 11 more choose the bucket. Two frames with the same 47 bits count
 * as identical. This does no harm while both slaves bring both frames.
 */
#define VF_GROUP_SENT 2u /* in place of the slave: the master sent it */
#define VF_GROUP_WHO 0x3ull /* bits 0..1: the slave that is ahead */
#define VF_GROUP_ONE 0x4ull /* bits 2..13: by how many frames */
#define VF_GROUP_COUNT_MAX 0xfffull
#define VF_GROUP_TICK_AT 14 /* bits 14..27: the tick in which they came; it wraps after 275 s */
#define VF_GROUP_TICK_MASK 0x3fffull
#define VF_GROUP_TAG_AT 28

/*
 * One map for each instance, which user space pins beside the instance's links. It is mapped so that buckets begin where cache lines do. A
 * map for thousands of instances would also be too large. One more line stands behind the buckets.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, VF_GROUP_BUCKETS + 1);
	__type(key, __u32);
	__type(value, struct vf_group_bucket);
} groups SEC(".maps");

const volatile enum vf_groups vf_groups = VF_GROUPS_EITHER;

/* Key by which a frame looks for its word. */
struct vf_group_key {
	__u64 tag;
	__u64 tick;
	__u32 who;
};

static __always_inline __u64 vf_group_count(__u64 word)
{
	return (word / VF_GROUP_ONE) & VF_GROUP_COUNT_MAX;
}

/* Age of a word in ticks, plus one because another CPU may be a tick ahead of this one. */
static __always_inline __u64 vf_group_age(__u64 word, __u64 tick)
{
	return (tick + 1 - (word >> VF_GROUP_TICK_AT)) & VF_GROUP_TICK_MASK;
}

static __always_inline bool vf_group_void(__u64 word, __u64 tick)
{
	return !word || vf_group_age(word, tick) > VF_GROUP_TICKS;
}

/* Returns a bit for each word of the bucket that has `tag`. It has no branches, since the verifier would follow each both ways. */
static __always_inline __u32 vf_group_tagged(const struct vf_group_bucket *b, __u64 tag)
{
	__u32 i, bits = 0;

#pragma unroll
	for (i = 0; i < VF_GROUP_WORDS; i++)
		bits |= (((READ_ONCE(b->words[i]) >> VF_GROUP_TAG_AT) ^ tag) - 1) >> 63 << i;
	return bits;
}

/* Words of the line behind the buckets: the steering word last met, since when, and the current tick. */
enum { VF_GROUP_MET = 0, VF_GROUP_SINCE = 1, VF_GROUP_NOW = 2 };

static __always_inline struct vf_group_bucket *vf_group_moment(void)
{
	__u32 at = VF_GROUP_BUCKETS;

	return bpf_map_lookup_elem(&groups, &at);
}

/* Returns the tick. Reading the clock costs 14 ns, so it is read once a jiffy and kept beside the jiffy in one word. */
static __always_inline __u64 vf_group_tick(void)
{
	struct vf_group_bucket *b = vf_group_moment();
	__u64 jiffies = bpf_jiffies64(), noted, tick;

	if (!b)
		return 0;
	noted = READ_ONCE(b->words[VF_GROUP_NOW]);
	if (likely(noted >> VF_GROUP_TICK_AT == jiffies << VF_GROUP_TICK_AT >> VF_GROUP_TICK_AT))
		return noted & VF_GROUP_TICK_MASK;
	tick = (bpf_ktime_get_ns() >> VF_GROUP_TICK_SHIFT) & VF_GROUP_TICK_MASK;
	WRITE_ONCE(b->words[VF_GROUP_NOW], jiffies << VF_GROUP_TICK_AT | tick);
	return tick;
}

/* Fills in the key of a frame with this hash, and returns its bucket. */
static __always_inline struct vf_group_bucket *vf_group_find(__u64 hash, __u32 who, struct vf_group_key *k)
{
	__u32 at = hash & (VF_GROUP_BUCKETS - 1);

	k->tag = hash >> VF_GROUP_TAG_AT;
	k->tick = vf_group_tick();
	k->who = who;
	return bpf_map_lookup_elem(&groups, &at);
}

static __always_inline __u64 vf_group_word(const struct vf_group_key *k)
{
	return k->tag << VF_GROUP_TAG_AT | k->tick << VF_GROUP_TICK_AT | VF_GROUP_ONE | k->who;
}

/* Rank of a word for being written over: free words first, then by age. It has no branch, as above. */
static __always_inline __u64 vf_group_worth(__u64 word, __u64 tick)
{
	__u64 used = (word | -word) >> 63;

	return vf_group_age(word, tick) | (used ^ 1) << (VF_GROUP_TAG_AT - VF_GROUP_TICK_AT);
}

/*
 * Writes a word of count 1 over a free or void word, or else over the oldest. False if another CPU changed that word first. The function
 * is global, as are some below, so that the verifier looks at it once.
 */
__noinline int vf_group_insert(struct vf_group_bucket *b, __u64 new, __u64 tick)
{
	__u64 word, best = 0;
	__s64 less;
	__u32 i;

	if (!b)
		return false;
#pragma unroll
	for (i = 0; i < VF_GROUP_WORDS; i++) {
		less = best - (vf_group_worth(READ_ONCE(b->words[i]), tick) * VF_GROUP_WORDS + i);
		asm volatile("" : "+r"(less)); /* without this the compiler makes a branch of the maximum */
		best -= less & less >> 63;
	}
	i = VF_BELOW(best, VF_GROUP_WORDS);
	word = READ_ONCE(b->words[i]);
	/* The word may have changed since it was chosen. */
	return vf_group_worth(word, tick) == best / VF_GROUP_WORDS &&
	       __sync_val_compare_and_swap(&b->words[i], word, new) == word;
}

/* Takes one frame off a word. False if another CPU changed the word first. */
static __always_inline bool vf_group_take(__u64 *at, __u64 word)
{
	return __sync_val_compare_and_swap(at, word, vf_group_count(word) > 1 ? word - VF_GROUP_ONE : 0) == word;
}

/* A word of a bucket, as it was read. */
struct vf_group_seen {
	__u64 word; /* 0: none */
	__u32 at;
};

#define VF_GROUP_OURS 0x100u /* beside the tagged words: consider only those of `who` */

/*
 * Picks the word that decides about a frame among those whose `bits` are set. A word of the master comes first, then the oldest of the other
 * slave, then one of this slave and tick that has room. It is unrolled because a verifier rarely prunes the states of a short loop.
 */
__noinline int vf_group_pick(const struct vf_group_bucket *b, struct vf_group_seen *s, __u32 bits, __u64 tick, __u32 who)
{
	__u64 word, age, rank, best = VF_UNKNOWN(0, tick);
	__u32 i;

	if (!b || !s)
		return 0;
	s->word = 0;
	s->at = 0;
#pragma unroll
	for (i = 0; i < VF_GROUP_WORDS; i++) {
		if (!(bits & 1u << i))
			continue;
		word = READ_ONCE(b->words[i]);
		age = vf_group_age(word, tick);
		if (age > VF_GROUP_TICKS)
			continue;
		if ((word & VF_GROUP_WHO) != who)
			rank = bits & VF_GROUP_OURS ? 0 : (word & VF_GROUP_WHO) == VF_GROUP_SENT ? VF_GROUP_TICK_MASK : age + 2;
		else
			rank = who == VF_GROUP_SENT || (age == 1 && vf_group_count(word) < VF_GROUP_COUNT_MAX);
		rank = VF_UNKNOWN(rank, word);
		if (rank <= best)
			continue;
		best = rank;
		s->word = word;
		s->at = i;
	}
	return 0;
}

static __always_inline __u64 *vf_group_at(struct vf_group_bucket *b, const struct vf_group_seen *s)
{
	return &b->words[VF_BELOW(s->at, VF_GROUP_WORDS)];
}

enum vf_group_verdict {
	VF_GROUP_COPY,
	VF_GROUP_FIRST,
	VF_GROUP_RACE, /* another CPU changed the word, so look again */
};

/*
 * Two slaves may bring the two copies at the same moment. Both CPUs may then find nothing and make an entry. So each CPU looks again after
 * it made its entry, and at least the CPU with the later entry sees the other one. A CPU that sees the other's entry takes back its own and
 * begins anew. If its own entry is gone by then, the other CPU has dropped its frame as the copy, so this frame is delivered. A frame is
 * dropped only by taking away one entry of the other slave. So one of the two is always delivered, and never both.
 */
__noinline int vf_group_try(__u64 hash, __u32 who)
{
	struct vf_group_key k;
	struct vf_group_bucket *b = vf_group_find(hash, who, &k);
	struct vf_group_seen s = {};
	__u32 bits;

	if (!b)
		return VF_GROUP_FIRST;
	bits = vf_group_tagged(b, k.tag);
	if (bits)
		vf_group_pick(b, &s, bits, k.tick, who);
	if (!s.word) {
		if (!vf_group_insert(b, vf_group_word(&k), k.tick))
			return VF_GROUP_RACE;
	} else if ((s.word & VF_GROUP_WHO) == VF_GROUP_SENT) {
		return VF_GROUP_COPY;
	} else if ((s.word & VF_GROUP_WHO) != who) {
		return vf_group_take(vf_group_at(b, &s), s.word) ? VF_GROUP_COPY : VF_GROUP_RACE;
	} else if (__sync_val_compare_and_swap(vf_group_at(b, &s), s.word, s.word + VF_GROUP_ONE) != s.word) {
		return VF_GROUP_RACE;
	}
	/* A single word is our own, or ours has been taken. */
	bits = vf_group_tagged(b, k.tag);
	if (likely(!(bits & (bits - 1))))
		return VF_GROUP_FIRST;
	vf_group_pick(b, &s, bits, k.tick, who);
	if (!s.word || (s.word & VF_GROUP_WHO) == who)
		return VF_GROUP_FIRST;
	/* Frames of one slave and tick are alike, so any of them may be taken back. */
	vf_group_pick(b, &s, bits | VF_GROUP_OURS, k.tick, who);
	return s.word && vf_group_take(vf_group_at(b, &s), s.word) ? VF_GROUP_RACE : VF_GROUP_FIRST;
}

/*
 * Tries again after a race. A CPU that loses seven times in a row delivers the frame. The loop is unrolled because the verifier of 6.1
 * refuses one whose head is reached by falling into it.
 */
__noinline int vf_group_again(__u64 hash, __u32 who)
{
	int verdict = VF_GROUP_RACE;
	__u32 i;

#pragma unroll
	for (i = 0; i < 7; i++)
		if (verdict == VF_GROUP_RACE)
			verdict = vf_group_try(hash, who);
	return verdict;
}

/* True if, with `groups: active`, the frame came by the slave that is not active. For VF_GRACE_NS after a flip both are accepted. */
static __always_inline bool vf_group_inactive(__u32 path, __u32 word)
{
	struct vf_group_bucket *b = vf_group_moment();
	__u64 now = bpf_ktime_get_ns();

	if (!b)
		return false;
	/* The first group frame after a flip opens the window. */
	if (unlikely(b->words[VF_GROUP_MET] != word)) {
		b->words[VF_GROUP_MET] = word;
		b->words[VF_GROUP_SINCE] = now;
	}
	return path != (word & VF_PATH_MASK) && now - b->words[VF_GROUP_SINCE] >= VF_GRACE_NS;
}

static __always_inline bool vf_is_group(struct __sk_buff *skb)
{
	const __u8 *data = (void *)(long)skb->data;

	return (void *)(data + 1) <= (void *)(long)skb->data_end && unlikely(data[0] & 1);
}

/* True if the group frame that the slave `path` received is to be dropped. */
__noinline int vf_group_dropped(struct __sk_buff *skb, __u32 path, __u32 word)
{
	__u64 hash;
	int verdict;

	if (vf_groups == VF_GROUPS_ACTIVE && vf_group_inactive(path, word))
		return true;
	hash = vf_group_hash(skb);
	if (!hash)
		return false;
	verdict = vf_group_try(hash, path);
	if (unlikely(verdict == VF_GROUP_RACE))
		verdict = vf_group_again(hash, path);
	return verdict == VF_GROUP_COPY;
}

/* Makes an entry for a frame that the master sends, or renews it. */
__noinline int vf_group_note(__u64 hash)
{
	struct vf_group_key k;
	struct vf_group_bucket *b = vf_group_find(hash, VF_GROUP_SENT, &k);
	__u64 new = vf_group_word(&k);
	struct vf_group_seen s = {};
	__u32 i, bits;

	if (!b)
		return 0;
	bits = vf_group_tagged(b, k.tag);
	if (unlikely(bits)) {
		vf_group_pick(b, &s, bits | VF_GROUP_OURS, k.tick, VF_GROUP_SENT);
		if (s.word == new || (s.word && __sync_val_compare_and_swap(vf_group_at(b, &s), s.word, new) == s.word))
			return 0;
	}
#pragma unroll
	for (i = 0; i < 4; i++)
		if (vf_group_insert(b, new, k.tick))
			break;
	return 0;
}

/*
 * Remembers a group frame that the master sends. Within the window neither slave brings it in again, however often it returns. Its source
 * is the master or a machine behind it, so nobody else sends that frame.
 */
__noinline int vf_group_remember(struct __sk_buff *skb)
{
	__u64 hash = vf_group_hash(skb);

	return hash ? vf_group_note(hash) : 0;
}
