/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What the tests of the loader load: constants, maps of several types, ring buffer records, small programs to attach.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum colour { RED, GREEN = 7 };

const volatile __u8 c8 = 1;
const volatile __u16 c16 = 2;
const volatile __u32 c32 = 3;
const volatile __s32 s32 = -4;
const volatile __u64 c64 = 5;
const volatile enum colour colour = GREEN;
const volatile char text[4] = "abc";

__u64 runs;

struct cell {
	__u64 count;
	__u32 word;
	__u32 dropped;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct cell);
} cells SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} percpu SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} events SEC(".maps");

struct record {
	__u64 seq;
	__u64 twice;
	__u32 tail;
};
/* Names the type in BTF. */
const volatile struct record record_type __attribute__((used)) = {};

static __always_inline struct cell *cell(__u32 i)
{
	return bpf_map_lookup_elem(&cells, &i);
}

/* Adds c32 to cell 0, gives back the word that user space stored in cell 1. */
SEC("tc")
int count(struct __sk_buff *skb)
{
	struct cell *to = cell(0), *from = cell(1);
	__u32 zero = 0, *mine = bpf_map_lookup_elem(&percpu, &zero);

	if (!to || !from || !mine)
		return -1;
	to->count += c32;
	*mine += 1;
	runs++;
	return *(volatile __u32 *)&from->word;
}

/* Gives back what the constants add up to. */
SEC("tc")
int constants(struct __sk_buff *skb)
{
	return c8 + c16 + c32 + s32 + (__u32)c64 + (__u32)(c64 >> 32) + colour;
}

/* One record, numbered by cell 2; what finds no room is counted there. */
SEC("tc")
int emit(struct __sk_buff *skb)
{
	struct cell *c = cell(2);
	struct record *r;

	if (!c)
		return -1;
	r = bpf_ringbuf_reserve(&events, sizeof(*r), 0);
	if (!r) {
		c->dropped++;
		return 1;
	}
	r->seq = c->count++;
	r->twice = 2 * r->seq;
	r->tail = (__u32)r->seq;
	/* every fifth is thrown away: the consumer must step over it */
	if (c->word && r->seq % 5 == 0)
		bpf_ringbuf_discard(r, 0);
	else
		bpf_ringbuf_submit(r, 0);
	return 0;
}

/* A record of a mebibyte, to go through many gibibytes soon. */
SEC("tc")
int emit_large(struct __sk_buff *skb)
{
	struct cell *c = cell(2);
	__u64 *r;

	if (!c)
		return -1;
	r = bpf_ringbuf_reserve(&events, 1 << 20, 0);
	if (!r) {
		c->dropped++;
		return 1;
	}
	*r = c->count++;
	bpf_ringbuf_submit(r, 0);
	return 0;
}

SEC("tc")
int first(struct __sk_buff *skb)
{
	return -1;
}

SEC("tc")
int second(struct __sk_buff *skb)
{
	runs += 2;
	return -1;
}

SEC("tc")
int third(struct __sk_buff *skb)
{
	runs += 3;
	return -1;
}

SEC("tc")
int mark(struct __sk_buff *skb)
{
	return skb->mark;
}

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

/* Doubles the first byte and cuts the frame to 20 bytes. */
SEC("xdp")
int change(struct xdp_md *ctx)
{
	unsigned char *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if ((void *)(data + 20) > end)
		return XDP_DROP;
	data[0] *= 2;
	bpf_xdp_adjust_tail(ctx, 20 - (int)((long)end - (long)data));
	return XDP_TX;
}

char LICENSE[] SEC("license") = "GPL";
