/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include <stdbool.h>

/* True if the descriptor is of this kind: "bpf-map", "bpf-prog", "bpf_link". */
bool fd_is(int fd, const char *kind);
