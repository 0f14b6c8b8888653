/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Many elements of a map in one call: the kernel's batches (Linux 5.6), or one element after the other where a type or a kernel has none.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "map_arg.h"
#include "util.h"

/* the kernel's own, of include/linux/errno.h: what it answers when a type lacks an operation */
#define KERNEL_ENOTSUPP 524

/* Tries of a batch that the kernel breaks off without progress, since others hold a bucket. */
#define BUSY_MAX 64

/* Where a walk stands between two calls, in memory of the caller's: behind it lie two keys. */
struct walk {
	uint32_t count;	  /* entries stored so far */
	uint32_t started; /* the first key is a position */
	uint32_t single;  /* no batches here */
	uint32_t steps;	  /* keys seen, when single */
};

/* The kernel has no such batch: since the type has none, or (EINVAL) since it is older than the command. */
static bool no_batch(int err)
{
	return err == KERNEL_ENOTSUPP || err == EOPNOTSUPP || err == EINVAL;
}

struct reading {
	int32_t fd;
	uint32_t ksize, vsize, flags, max_steps;
	size_t cap;
	uint8_t *keys, *values, *position, *next;
	bool remove;
	struct walk w;
};

/* Every full batch until the end; 0, or -ENOSPC when there is more than room, or -errno. */
static int read_batches(struct reading *r)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = r->flags);
	int (*read)(int, void *, void *, void *, void *, __u32 *, const struct bpf_map_batch_opts *) =
		r->remove ? bpf_map_lookup_and_delete_batch : bpf_map_lookup_batch;
	int busy = 0;

	for (;;) {
		uint32_t room = r->cap - r->w.count, n = room;
		void *from = r->w.started ? r->position : NULL;
		int err;

		if (!room)
			return -ENOSPC;
		err = read(r->fd, from, r->position, r->keys + (size_t)r->w.count * r->ksize,
			   r->values + (size_t)r->w.count * r->vsize, &n, &opts)
			      ? errno
			      : 0;
		/* an early refusal leaves the count as it was given */
		if (n > room || (err && n == room && err != ENOENT))
			n = 0;
		if (err == EFAULT)
			return -err;
		r->w.count += n;
		r->w.started |= n > 0;
		if (err == ENOENT)
			return 0;
		if (err && !(err == EBUSY && (n || busy++ < BUSY_MAX)))
			return -err;
	}
}

static int take_one(struct reading *r, void *key, void *value)
{
	if (!r->remove)
		return bpf_map_lookup_elem_flags(r->fd, key, value, r->flags) ? -errno : 0;
	if (!bpf_map_lookup_and_delete_elem_flags(r->fd, key, value, r->flags))
		return 0;
	if (!no_batch(errno))
		return -errno;
	/* not at once: a change between the two is lost */
	if (bpf_map_lookup_elem_flags(r->fd, key, value, r->flags) || bpf_map_delete_elem(r->fd, key))
		return -errno;
	return 0;
}

static int read_singly(struct reading *r)
{
	for (;;) {
		uint8_t *key = r->keys + (size_t)r->w.count * r->ksize;
		int err;

		if (bpf_map_get_next_key(r->fd, r->w.started ? r->position : NULL, r->next))
			return errno == ENOENT ? 0 : -errno;
		if (r->w.count == r->cap)
			return -ENOSPC;
		if (r->w.steps++ == r->max_steps)
			return -ELOOP;
		err = take_one(r, r->next, r->values + (size_t)r->w.count * r->vsize);
		memcpy(r->position, r->next, r->ksize);
		r->w.started = 1;
		if (err && err != -ENOENT)
			return err;
		if (!err) {
			memcpy(key, r->next, r->ksize);
			r->w.count++;
		}
	}
}

/*
 * mapRead(fd, keySize, valueBytes, keys, values, state, remove, flags, maxSteps) -> 0 at the end of the map | -ENOSPC: no room, to be called
 * again with more | -errno. `state`: struct walk, which starts as zeros, and two keys of at least 4 bytes each.
 */
static napi_value map_read(napi_env env, napi_callback_info info)
{
	size_t klen, vlen, step;
	struct reading r = {};
	void *keys, *values, *state;
	struct args a;
	int rc = 0;

	if (!args_get(env, info, &a, 9) || !arg_i32(&a, 0, "fd", &r.fd) || !arg_u32(&a, 1, "keySize", &r.ksize) ||
	    !arg_u32(&a, 2, "valueBytes", &r.vsize) || !arg_bytes(&a, 3, "keys", &keys, &klen) ||
	    !arg_bytes(&a, 4, "values", &values, &vlen) || !arg_bool(&a, 6, "remove", &r.remove) ||
	    !arg_u32(&a, 7, "flags", &r.flags) || !arg_u32(&a, 8, "maxSteps", &r.max_steps))
		return NULL;
	step = r.ksize < 4 ? 4 : r.ksize;
	if (!map_arg_bytes(&a, 5, "state", sizeof(r.w) + 2 * step, SIZE_MAX, &state))
		return NULL;
	if (!r.ksize || !r.vsize)
		return mk_i32(env, -EINVAL);
	memcpy(&r.w, state, sizeof(r.w));
	r.cap = klen / r.ksize < vlen / r.vsize ? klen / r.ksize : vlen / r.vsize;
	if (r.cap > UINT32_MAX)
		r.cap = UINT32_MAX;
	if (r.w.count > r.cap)
		return mk_i32(env, -EINVAL);
	r.keys = keys;
	r.values = values;
	r.position = (uint8_t *)state + sizeof(r.w);
	r.next = r.position + step;
	if (!r.w.single) {
		rc = read_batches(&r);
		/* EINTR: a slot without a value, before Linux 6.14; only types whose position is a key give it */
		r.w.single = rc == -EINTR || (no_batch(-rc) && !r.w.started);
	}
	if (r.w.single)
		rc = read_singly(&r);
	memcpy(state, &r.w, sizeof(r.w));
	return mk_i32(env, rc);
}

/* What updates and deletions share: (fd, keySize, valueBytes, keys, values | null, flags, done: Uint32Array(1)) */
struct writing {
	int32_t fd;
	uint32_t ksize, vsize, flags, n;
	uint8_t *keys, *values;
	uint32_t *done;
};

static bool writing_args(napi_env env, napi_callback_info info, bool values, struct writing *w)
{
	void *keys, *vals = NULL, *done;
	struct args a;
	size_t len;

	if (!args_get(env, info, &a, 7) || !arg_i32(&a, 0, "fd", &w->fd) || !arg_u32(&a, 1, "keySize", &w->ksize) ||
	    !arg_u32(&a, 2, "valueBytes", &w->vsize) || !arg_bytes(&a, 3, "keys", &keys, &len) ||
	    !arg_u32(&a, 5, "flags", &w->flags) || !map_arg_bytes(&a, 6, "done", 4, 4, &done))
		return false;
	if (!w->ksize || len % w->ksize || len / w->ksize > UINT32_MAX) {
		napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "keys are no whole number of keys");
		return false;
	}
	w->n = len / w->ksize;
	if (values && !map_arg_bytes(&a, 4, "values", (size_t)w->n * w->vsize, (size_t)w->n * w->vsize, &vals))
		return false;
	w->keys = keys;
	w->values = vals;
	w->done = done;
	*w->done = 0;
	return true;
}

/* An error tells how many went well before it; a refusal from the start leaves the count as it was given. */
static uint32_t progress(int rc, uint32_t count, uint32_t given)
{
	return rc && count >= given ? 0 : count;
}

/* mapUpdateBatch(writing) -> 0 | -errno; done[0] elements were stored */
static napi_value map_update_batch(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	struct writing w;
	uint32_t n;
	int rc;

	if (!writing_args(env, info, true, &w))
		return NULL;
	if (!w.n)
		return mk_i32(env, 0);
	opts.elem_flags = w.flags;
	n = w.n;
	rc = bpf_map_update_batch(w.fd, w.keys, w.values, &n, &opts) ? -errno : 0;
	*w.done = progress(rc, n, w.n);
	if (!rc || *w.done || !no_batch(-rc))
		return mk_i32(env, rc);
	for (uint32_t i = 0; i < w.n; i++, *w.done = i)
		if (bpf_map_update_elem(w.fd, w.keys + (size_t)i * w.ksize, w.values + (size_t)i * w.vsize, w.flags))
			return mk_i32(env, -errno);
	return mk_i32(env, 0);
}

/* mapDeleteBatch(writing) -> 0 | -errno; done[0] elements were there and are gone. Keys that are not there are stepped over. */
static napi_value map_delete_batch(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	bool single = false;
	struct writing w;

	if (!writing_args(env, info, false, &w))
		return NULL;
	for (uint32_t i = 0; i < w.n;) {
		uint8_t *key = w.keys + (size_t)i * w.ksize;
		uint32_t n = w.n - i;
		int rc;

		if (single) {
			rc = bpf_map_delete_elem(w.fd, key) ? -errno : 0;
			n = !rc;
		} else {
			rc = bpf_map_delete_batch(w.fd, key, &n, &opts) ? -errno : 0;
			n = progress(rc, n, w.n - i);
			if (!n && no_batch(-rc)) {
				single = true;
				continue;
			}
		}
		*w.done += n;
		if (rc && rc != -ENOENT)
			return mk_i32(env, rc);
		i += n + (rc == -ENOENT);
	}
	return mk_i32(env, 0);
}

void map_batch_init(napi_env env, napi_value exports)
{
	export_fn(env, exports, "mapRead", map_read);
	export_fn(env, exports, "mapUpdateBatch", map_update_batch);
	export_fn(env, exports, "mapDeleteBatch", map_delete_batch);
}
