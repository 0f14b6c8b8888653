/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

const volatile __u16 port;
__u32 refused;

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	if (ctx->user_port != bpf_htons(port))
		return 1; /* may connect */
	__sync_fetch_and_add(&refused, 1);
	return 0; /* EPERM */
}

char LICENSE[] SEC("license") = "GPL";
