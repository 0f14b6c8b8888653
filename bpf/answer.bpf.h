/* SPDX-License-Identifier: GPL-2.0-only
 *
 * UDP that ends here or goes back as its own answer: BFD, its echo function, the S-BFD reflector.
 */
#pragma once
#include "bfd.bpf.h"
#include "echo.bpf.h"
#include "reflect.bpf.h"

/* Returns 0 if the frame is none of theirs, else its verdict. Most frames are not UDP and go on after two bytes. */
static __always_inline int vf_answer(struct __sk_buff *skb, __u32 path)
{
	const __u8 *data = (void *)(long)skb->data;
	int verdict;

	if (likely((void *)(data + 24) <= (void *)(long)skb->data_end) &&
	    !(data[12] == 0x08 && data[23] == VF_UDP) && !(data[12] == 0x86 && data[20] == VF_UDP))
		return 0;
	if (vf_detect & VF_DETECT_REFLECTOR) {
		verdict = vf_reflect_take(skb, path);
		if (verdict)
			return verdict;
	}
	if (!(vf_detect & VF_DETECT_BFD))
		return 0;
	if (vf_bfd_take(skb, path))
		return TC_DROP;
	return vf_echo_take(skb, path);
}
