/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The bpf(2) system call itself, for what libbpf 1.1 does not have.
 */
#pragma once

/* bpf(2), again where the kernel asks for it (EAGAIN). -1 with errno. */
int sys_bpf(int cmd, void *attr, unsigned int size);
/* The descriptor, or a duplicate above 2 in its place, should stdin, stdout or stderr be closed. */
int good_fd(int fd);
