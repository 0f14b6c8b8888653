/* SPDX-License-Identifier: GPL-2.0-only
 *
 * 802.1X. The authenticator is the switch port at the end of a slave's wire, so each wire is authenticated by itself. An answer belongs on the
 * wire that the question came by. One supplicant on the master serves both wires. It hears both authenticators, and its answers go to the one
 * that spoke last. A frame by which it begins (EAPOL-Start) goes to the active slave. A supplicant that runs on a slave itself keeps that
 * wire's conversation.
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

/* Handles a frame from the wire of `path`. True if the slave's own supplicant talks there, false if the frame is the master's. */
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

/* Returns the slave by which a frame of the master's own supplicant leaves, `active` by default. */
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

/* Handles a frame that the slave of `path` itself sends. From now on that wire's conversation is the slave's own. */
__noinline int vf_eapol_slave(__u32 path)
{
	struct vf_watch *w = vf_watch(path & 1);

	if (w)
		w->eapol = VF_EAPOL_OWN;
	return 0;
}
