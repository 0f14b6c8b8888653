/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Frames that leave again and again, by a thread of their own that knows no JavaScript: neither a collection of garbage nor a busy loop of
 * the thread that prepared them holds it up, and it asks for real-time scheduling.
 *
 * One lock guards everything. The thread holds it while it sends, so after pace_drop() no socket of the row is used any more. It is of the
 * priority-inheriting kind: whoever prepares a frame must not be pushed aside with it in hand.
 */
#include "util.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#define PACE_MAGIC 0x70616365u
#define ROWS_MAX 65536
#define FRAMES_MAX (1u << 20)
#define NEVER INT64_MAX
/* Of the longest span: what is due so soon leaves with what is due now, if it may. A wake-up costs more than a frame. */
#define TOGETHER 16

struct row {
	int64_t next;	  /* NEVER: the row is not in use */
	int64_t sent;	  /* when it last was */
	int64_t least;	  /* span to the next frame: at random from least to most, ns */
	int64_t most;
	int fd;
	uint32_t length;  /* of a frame */
	uint32_t count;	  /* frames prepared */
	uint32_t at;	  /* the one that is due; at the end: the last one, again */
	uint32_t taken;	  /* by the socket, wrapping */
	uint8_t *frames;
};

struct pace {
	uint32_t magic;
	bool running, stop;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct row *rows;
	uint32_t n;
	int64_t wakes_at; /* when the sleeping thread looks again */
	uint64_t chance;
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* xorshift64*: jitter, no secret */
static uint32_t chance(struct pace *p)
{
	p->chance ^= p->chance >> 12;
	p->chance ^= p->chance << 25;
	p->chance ^= p->chance >> 27;
	return (uint32_t)((p->chance * 0x2545f4914f6cdd1dULL) >> 32);
}

static int64_t span(struct pace *p, const struct row *r)
{
	return r->least + (int64_t)((double)(r->most - r->least) * (chance(p) / 4294967296.0));
}

static void send_one(struct pace *p, struct row *r, int64_t now)
{
	uint32_t at = r->at < r->count ? r->at++ : r->count - 1;

	if (send(r->fd, r->frames + (size_t)at * r->length, r->length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		r->taken++;
	/* One that was not taken is a lost one. What was late is not made up for. */
	r->sent = now;
	r->next = now + span(p, r);
}

/* Sends what is due; returns when the next is. */
static int64_t send_due(struct pace *p, int64_t now)
{
	int64_t next = NEVER;
	bool any = false;

	for (uint32_t i = 0; i < p->n && !any; i++)
		any = p->rows[i].next <= now;
	for (uint32_t i = 0; i < p->n; i++) {
		struct row *r = &p->rows[i];

		if (any && r->next != NEVER && r->next - r->most / TOGETHER <= now && (r->next <= now || r->sent + r->least <= now))
			send_one(p, r, now);
		if (r->next < next)
			next = r->next;
	}
	return next;
}

static void *run(void *arg)
{
	struct pace *p = arg;

	prctl(PR_SET_NAME, "pace");
	/* 50 us by default, which is 5 % of a millisecond. */
	prctl(PR_SET_TIMERSLACK, 1);
	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		struct timespec ts;

		p->wakes_at = send_due(p, now_ns());
		if (p->wakes_at == NEVER) {
			pthread_cond_wait(&p->changed, &p->lock);
			continue;
		}
		ts.tv_sec = p->wakes_at / 1000000000LL;
		ts.tv_nsec = p->wakes_at % 1000000000LL;
		pthread_cond_timedwait(&p->changed, &p->lock, &ts);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Real-time if allowed; else as its maker is scheduled. Signals are for other threads. */
static int start(struct pace *p)
{
	struct sched_param param = { .sched_priority = 1 };
	sigset_t all, before;
	pthread_attr_t attr;
	int rc;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&p->thread, &attr, run, p);
	if (rc) {
		pthread_attr_setinheritsched(&attr, PTHREAD_INHERIT_SCHED);
		rc = pthread_create(&p->thread, &attr, run, p);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	p->running = rc == 0;
	return rc;
}

static void halt(struct pace *p)
{
	if (p->running) {
		pthread_mutex_lock(&p->lock);
		p->stop = true;
		pthread_cond_signal(&p->changed);
		pthread_mutex_unlock(&p->lock);
		pthread_join(p->thread, NULL);
		p->running = false;
	}
	for (uint32_t i = 0; i < p->n; i++)
		free(p->rows[i].frames);
	free(p->rows);
	p->rows = NULL;
	p->n = 0;
	p->stop = true;
}

static void collected(napi_env env, void *data, void *hint)
{
	struct pace *p = data;

	(void)hint;
	(void)env;
	halt(p);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	p->magic = 0;
	free(p);
}

/* paceCreate() -> handle; its thread begins with the first row */
static napi_value pace_create(napi_env env, napi_callback_info info)
{
	pthread_mutexattr_t inherits;
	pthread_condattr_t monotonic;
	napi_value handle;
	struct pace *p = calloc(1, sizeof(*p));

	(void)info;
	if (!p)
		return throw_errno(env, ENOMEM, "calloc");
	p->magic = PACE_MAGIC;
	if (getrandom(&p->chance, sizeof(p->chance), GRND_NONBLOCK) < 0 || p->chance == 0)
		p->chance = (uint64_t)now_ns() | 1;
	pthread_mutexattr_init(&inherits);
	pthread_mutexattr_setprotocol(&inherits, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&p->lock, &inherits);
	pthread_mutexattr_destroy(&inherits);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (napi_create_external(env, p, collected, NULL, &handle) != napi_ok) {
		free(p);
		return throw_errno(env, ENOMEM, "napi_create_external");
	}
	return handle;
}

/* The one behind argument 0, or NULL with an exception. */
static struct pace *pace_arg(struct args *a)
{
	void *p = NULL;

	if (napi_get_value_external(a->env, a->v[0], &p) == napi_ok && p && ((struct pace *)p)->magic == PACE_MAGIC)
		return p;
	napi_throw_type_error(a->env, "ERR_INVALID_ARG_TYPE", "handle must come from paceCreate");
	return NULL;
}

/* Room for row `key`; false when there is no memory. */
static bool grow(struct pace *p, uint32_t key)
{
	struct row *rows;

	if (key < p->n)
		return true;
	rows = realloc(p->rows, (key + 1) * sizeof(*rows));
	if (!rows)
		return false;
	for (uint32_t i = p->n; i <= key; i++)
		rows[i] = (struct row){ .next = NEVER };
	p->rows = rows;
	p->n = key + 1;
	return true;
}

static void wake_for(struct pace *p, int64_t next)
{
	if (next < p->wakes_at)
		pthread_cond_signal(&p->changed);
}

/* paceSet(handle, key, fd, frames, length, leastNs, mostNs, sentNs) */
static napi_value pace_set(napi_env env, napi_callback_info info)
{
	double least, most, sent;
	uint32_t key, length;
	struct args a;
	struct pace *p;
	struct row *r;
	uint8_t *copy;
	int32_t fd;
	void *frames;
	size_t bytes;
	int rc;

	if (!args_get(env, info, &a, 8) || !(p = pace_arg(&a)) || !arg_u32(&a, 1, "key", &key) || !arg_i32(&a, 2, "fd", &fd) ||
	    !arg_bytes(&a, 3, "frames", &frames, &bytes) || !arg_u32(&a, 4, "length", &length) ||
	    !arg_f64(&a, 5, "leastNs", &least) || !arg_f64(&a, 6, "mostNs", &most) || !arg_f64(&a, 7, "sentNs", &sent))
		return NULL;
	/* written so that NaN is refused */
	if (key >= ROWS_MAX || length == 0 || bytes == 0 || bytes > FRAMES_MAX || bytes % length || !(least >= 1000) ||
	    !(most >= least) || !(most <= 1e15) || !(sent >= 0 && sent < 9e18))
		return throw_errno(env, EINVAL, "paceSet");
	if (p->stop)
		return throw_errno(env, EBADF, "paceSet");
	copy = malloc(bytes);
	if (!copy)
		return throw_errno(env, ENOMEM, "malloc");
	memcpy(copy, frames, bytes);
	pthread_mutex_lock(&p->lock);
	if (!grow(p, key)) {
		pthread_mutex_unlock(&p->lock);
		free(copy);
		return throw_errno(env, ENOMEM, "realloc");
	}
	r = &p->rows[key];
	free(r->frames);
	r->frames = copy;
	r->fd = fd;
	r->length = length;
	r->count = (uint32_t)(bytes / length);
	r->at = 0;
	r->least = (int64_t)least;
	r->most = (int64_t)most;
	if ((int64_t)sent > r->sent)
		r->sent = (int64_t)sent;
	r->next = r->sent + span(p, r);
	wake_for(p, r->next);
	pthread_mutex_unlock(&p->lock);
	rc = p->running ? 0 : start(p);
	return rc ? throw_errno(env, rc, "pthread_create") : mk_undefined(env);
}

/* paceAppend(handle, key, frames) -> frames that now wait to be sent for the first time, or -errno */
static napi_value pace_append(napi_env env, napi_callback_info info)
{
	int32_t rc = -ENOENT;
	struct args a;
	struct pace *p;
	struct row *r;
	uint32_t key;
	void *frames;
	size_t bytes;

	if (!args_get(env, info, &a, 3) || !(p = pace_arg(&a)) || !arg_u32(&a, 1, "key", &key) ||
	    !arg_bytes(&a, 2, "frames", &frames, &bytes))
		return NULL;
	pthread_mutex_lock(&p->lock);
	r = key < p->n ? &p->rows[key] : NULL;
	if (r && r->next != NEVER && bytes) {
		size_t left = r->count - r->at, had = left * r->length;
		uint8_t *copy = bytes % r->length || had + bytes > FRAMES_MAX ? NULL : malloc(had + bytes);

		rc = copy ? 0 : -EINVAL;
		if (copy) {
			memcpy(copy, r->frames + (size_t)r->at * r->length, had);
			memcpy(copy + had, frames, bytes);
			free(r->frames);
			r->frames = copy;
			r->count = (uint32_t)((had + bytes) / r->length);
			r->at = 0;
			rc = (int32_t)r->count;
		}
	}
	pthread_mutex_unlock(&p->lock);
	return mk_i32(env, rc);
}

/* paceDrop(handle, key): from its return on nothing of the row is sent; that there is none is no error */
static napi_value pace_drop(napi_env env, napi_callback_info info)
{
	struct args a;
	struct pace *p;
	uint32_t key;

	if (!args_get(env, info, &a, 2) || !(p = pace_arg(&a)) || !arg_u32(&a, 1, "key", &key))
		return NULL;
	pthread_mutex_lock(&p->lock);
	if (key < p->n) {
		free(p->rows[key].frames);
		p->rows[key] = (struct row){ .next = NEVER };
	}
	pthread_mutex_unlock(&p->lock);
	return mk_undefined(env);
}

/* paceTaken(handle, key) -> frames that its socket took, wrapping at 2^31; 0 without such a row */
static napi_value pace_taken(napi_env env, napi_callback_info info)
{
	uint32_t key, taken = 0;
	struct args a;
	struct pace *p;

	if (!args_get(env, info, &a, 2) || !(p = pace_arg(&a)) || !arg_u32(&a, 1, "key", &key))
		return NULL;
	pthread_mutex_lock(&p->lock);
	if (key < p->n)
		taken = p->rows[key].taken;
	pthread_mutex_unlock(&p->lock);
	return mk_i32(env, (int32_t)(taken & 0x7fffffff));
}

/* paceClose(handle): the thread has ended; again is harmless */
static napi_value pace_close(napi_env env, napi_callback_info info)
{
	struct args a;
	struct pace *p;

	if (!args_get(env, info, &a, 1) || !(p = pace_arg(&a)))
		return NULL;
	halt(p);
	return mk_undefined(env);
}

void sys_pace_init(napi_env env, napi_value exports)
{
	EXPORT_FN(env, exports, "paceCreate", pace_create);
	EXPORT_FN(env, exports, "paceSet", pace_set);
	EXPORT_FN(env, exports, "paceAppend", pace_append);
	EXPORT_FN(env, exports, "paceDrop", pace_drop);
	EXPORT_FN(env, exports, "paceTaken", pace_taken);
	EXPORT_FN(env, exports, "paceClose", pace_close);
}
