/* SPDX-License-Identifier: GPL-2.0-only
 *
 * 802.1X. The authenticator is the port that a slave's wire ends at, so each wire is authenticated by itself, and an answer belongs on the wire that
 * the question came by. One supplicant on the master serves both: it hears what either authenticator says, what it answers goes back to
 * the one that spoke last, and what it begins itself (EAPOL-Start) goes to the active slave. A supplicant that runs on a slave itself keeps
 * that wire's conversation.
 */
#pragma once
#include "common.h"

#define VF_ETH_EAPOL ((__u16)__builtin_bswap16(0x888e))
#define VF_EAPOL_TYPE (ETH_HLEN + 1)
#define VF_EAPOL_EAP 0
#define VF_EAPOL_KEY 3

static __always_inline bool vf_is_eapol(struct __sk_buff *skb)
{
	return unlikely(skb->protocol == VF_ETH_EAPOL);
}

/* A frame from the wire of `path`. True: the slave's own supplicant talks there; false: it is the master's. */
__noinline int vf_eapol_own(__u32 path)
{
	struct vf_watch *here = vf_watch(path & 1), *other = vf_watch((path & 1) ^ 1);

	if (!here || !other)
		return false;
	if (here->eapol & VF_EAPOL_OWN)
		return true;
	here->eapol = VF_EAPOL_ASKED;
	other->eapol &= ~VF_EAPOL_ASKED;
	return false;
}

/* The slave that a frame of the master's own supplicant leaves by, `active` by default. */
__noinline __u32 vf_eapol_path(struct __sk_buff *skb, __u32 active)
{
	__u32 path = active & 1;
	struct vf_watch *w = vf_watch(path ^ 1);
	__u8 type = 0xff;

	if (bpf_skb_load_bytes(skb, VF_EAPOL_TYPE, &type, 1))
		return path;
	if ((type == VF_EAPOL_EAP || type == VF_EAPOL_KEY) && w && (w->eapol & VF_EAPOL_ASKED))
		path ^= 1;
	w = vf_watch(path & 1);
	if (w)
		w->eapol &= ~VF_EAPOL_OWN;
	return path;
}

/* A frame that the slave of `path` itself sends: from now on that wire's conversation is its own. */
__noinline int vf_eapol_slave(__u32 path)
{
	struct vf_watch *w = vf_watch(path & 1);

	if (w)
		w->eapol = VF_EAPOL_OWN;
	return 0;
}
