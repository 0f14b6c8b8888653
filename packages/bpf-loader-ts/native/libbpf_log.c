/* SPDX-License-Identifier: GPL-2.0-only
 *
 * libbpf has one print callback for the whole process; worker threads load objects at the same time. So the callback is one
 * function, set once, and the buffers belong to the thread that listens. There are two: what one call said, for its error, and what
 * JavaScript asked to hear, until it comes for it. libbpf never runs JavaScript.
 */
#include "libbpf_log.h"

#include <bpf/libbpf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A verifier log can be of any length (70 MB for a million instructions). Its end says why, its beginning of what: of a longer message
 * the middle is left out. What a call says beyond WORDS_MAX is lost.
 */
#define MESSAGE_MAX (8u << 20)
#define MESSAGE_HEAD (64u << 10)
#define WORDS_MAX (20u << 20)

struct words {
	char *text;
	size_t len, cap;
};

static __thread struct words said;
static __thread bool listening;
/* messages for JavaScript, each as its level's digit, its text and a NUL */
static __thread struct words heard;
/* the highest level that JavaScript wants to hear; -1: none */
static __thread int wanted = -1;

static void words_free(struct words *w)
{
	free(w->text);
	*w = (struct words){};
}

/* True when `more` bytes and a NUL fit; what exceeds WORDS_MAX is lost. */
static bool words_room(struct words *w, size_t more)
{
	size_t cap = w->cap ? w->cap : 4096;
	char *p;

	if (w->len + more + 1 > WORDS_MAX)
		return false;
	while (cap < w->len + more + 1)
		cap *= 2;
	if (cap == w->cap)
		return true;
	p = realloc(w->text, cap);
	if (!p)
		return false;
	w->text = p;
	w->cap = cap;
	return true;
}

static void words_add(struct words *w, const char *text, size_t len)
{
	if (!words_room(w, len))
		return;
	memcpy(w->text + w->len, text, len);
	w->len += len;
	w->text[w->len] = 0;
}

static void hear(int level, const char *text, size_t len)
{
	char digit = (char)('0' + level);

	/* all of it or nothing: a message without its end would run into the next */
	if (!words_room(&heard, len + 2))
		return;
	words_add(&heard, &digit, 1);
	words_add(&heard, text, len + 1);
}

/* Cuts the middle out of a long message, at ends of lines; returns what is left. */
static size_t shorten(char *text, size_t len)
{
	static const char note[] = "[… the middle of this log is left out …]\n";
	char *head, *tail;

	if (len <= MESSAGE_MAX)
		return len;
	head = memchr(text + MESSAGE_HEAD, '\n', MESSAGE_HEAD);
	head = head ? head + 1 : text + MESSAGE_HEAD;
	tail = text + len - (MESSAGE_MAX - 2 * MESSAGE_HEAD - sizeof(note));
	tail = memchr(tail, '\n', (size_t)(text + len - tail)) ?: tail;
	memcpy(head, note, sizeof(note) - 1);
	head += sizeof(note) - 1;
	memmove(head, tail, (size_t)(text + len - tail));
	return (size_t)(head - text) + (size_t)(text + len - tail);
}

static int print_cb(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	bool keep = listening && level != LIBBPF_DEBUG, tell = (int)level <= wanted;
	char *text;
	size_t len;
	int n;

	if (!keep && !tell)
		return 0;
	n = vasprintf(&text, fmt, ap);
	if (n < 0)
		return 0;
	len = shorten(text, (size_t)n);
	text[len] = 0;
	if (keep)
		words_add(&said, text, len);
	if (tell)
		hear((int)level, text, len);
	free(text);
	return n;
}

void listen_begin(void)
{
	listen_end();
	listening = true;
}

void listen_end(void)
{
	words_free(&said);
	listening = false;
}

napi_value throw_said(napi_env env, int err, const char *what)
{
	return throw_errno_log(env, err, what, said.text);
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

/* libbpfHear(level): 0 warnings, 1 also information, 2 also debug output of this thread is kept for libbpfHeard(); -1: nothing */
static napi_value libbpf_hear(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t level;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "level", &level))
		return NULL;
	wanted = level;
	if (level < 0)
		words_free(&heard);
	return mk_undefined(env);
}

/* libbpfHeard() -> [level, text, level, text …] since the last time */
static napi_value libbpf_heard(napi_env env, napi_callback_info info)
{
	struct words w = heard;
	uint32_t n = 0;
	napi_value r;
	size_t at;

	/* taken first: nothing is given twice, whatever happens below */
	heard = (struct words){};
	napi_create_array(env, &r);
	for (at = 0; at < w.len; at += 1 + strlen(w.text + at + 1) + 1) {
		napi_set_element(env, r, n++, mk_u32(env, (uint32_t)(w.text[at] - '0')));
		napi_set_element(env, r, n++, mk_str(env, w.text + at + 1));
	}
	words_free(&w);
	return r;
}

/* The thread ends, or another environment takes it over. */
static void forget(void *unused)
{
	wanted = -1;
	words_free(&heard);
	words_free(&said);
}

void libbpf_messages_init(napi_env env, napi_value exports)
{
	napi_add_env_cleanup_hook(env, forget, NULL);
	export_fn(env, exports, "libbpfHear", libbpf_hear);
	export_fn(env, exports, "libbpfHeard", libbpf_heard);
}
