/* SPDX-License-Identifier: GPL-2.0-only
 *
 * libbpf has one print callback for the whole process; worker threads load objects at the same time. So the callback is one
 * function, set once, and the buffer belongs to the thread that listens.
 */
#include "libbpf_log.h"

#include <bpf/libbpf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A verifier log of libbpf's is at most 16 MB. What exceeds this is cut at its end. */
#define SAID_MAX (20u << 20)

static __thread char *said;
static __thread size_t said_len, said_cap;
static __thread bool listening;

static bool said_room(size_t more)
{
	size_t cap = said_cap ? said_cap : 4096;
	char *p;

	if (said_len + more + 1 > SAID_MAX)
		return false;
	while (cap < said_len + more + 1)
		cap *= 2;
	if (cap == said_cap)
		return true;
	p = realloc(said, cap);
	if (!p)
		return false;
	said = p;
	said_cap = cap;
	return true;
}

static int print_cb(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	if (!listening || level == LIBBPF_DEBUG)
		return 0;
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n <= 0 || !said_room((size_t)n))
		return 0;
	vsnprintf(said + said_len, said_cap - said_len, fmt, ap);
	said_len += (size_t)n;
	return n;
}

void listen_begin(void)
{
	listen_end();
	listening = true;
}

void listen_end(void)
{
	free(said);
	said = NULL;
	said_len = said_cap = 0;
	listening = false;
}

napi_value throw_said(napi_env env, int err, const char *what)
{
	return throw_errno_log(env, err, what, said);
}

static void init_once(void)
{
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(print_cb);
}

/* Also called for every worker thread: only the first may touch libbpf's globals, others could be loading. */
void libbpf_log_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init_once);
}
