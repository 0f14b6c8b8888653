/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What libbpf prints between listen_begin() and listen_end(), of the calling thread only.
 */
#pragma once
#include "util.h"

void libbpf_log_init(void);
void listen_begin(void);
void listen_end(void);
/* Throws the errno with all that was said since listen_begin() in `.log`; returns NULL. */
napi_value throw_said(napi_env env, int err, const char *what);
