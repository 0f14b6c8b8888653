/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Visits to another network namespace: what a socket or tap belongs to is decided by where its
 * thread stands when it is made.
 */
#pragma once

#include <node_api.h>

/*
 * Moves the calling thread into the namespace behind `ns` (-1: stays where it is). Returns the
 * ticket for ns_leave() (>= -1), or a value below -1: -errno - 1, see NS_ERR().
 */
int ns_enter(int ns);
#define NS_FAILED(ticket) ((ticket) < -1)
#define NS_ERR(ticket) (-(ticket) - 1)

/* Moves the calling thread for good, unless it is there already. 0 or -errno. */
int ns_move(int ns);

/* Moves back. Never returns on failure: a thread in the wrong namespace must not go on. */
void ns_leave(int ticket);

/* socket(2) in that namespace; the thread is back on return. Returns the fd or -errno. */
int ns_socket(int ns, int domain, int type, int protocol);
