/* SPDX-License-Identifier: GPL-2.0-only
 *
 * A record for each run; what finds no room is counted by the program, since the kernel does not.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct event {
	__u64 ns;
	__u32 seq;
	__u32 len;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

/* Makes the record known to bpf2ts: the types of local variables are not in the object. */
const volatile struct event event_type = {};

__u32 seq;
__u64 dropped;

SEC("tc")
int emit(struct __sk_buff *skb)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		__sync_fetch_and_add(&dropped, 1);
		return 0;
	}
	e->ns = bpf_ktime_get_ns();
	e->seq = __sync_fetch_and_add(&seq, 1);
	e->len = skb->len;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
