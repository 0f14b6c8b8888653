/* SPDX-License-Identifier: GPL-2.0-only
 *
 * A map's memory as JavaScript's: an ArrayBuffer that can be unmapped at any time, or a SharedArrayBuffer that cannot.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fd_is.h"
#include "util.h"

struct mapping {
	void *addr;
	size_t len;
};

static void unmap(struct mapping *m)
{
	if (m->addr)
		munmap(m->addr, m->len);
	m->addr = NULL;
}

/* Maps only maps: a file that shrinks would be SIGBUS at the next load. NULL with an exception on failure. */
static struct mapping *mapping_new(napi_env env, int fd, int64_t len, int64_t off, int prot)
{
	struct mapping *m;
	int err;

	if (len <= 0 || off < 0 || !fd_is(fd, "bpf-map")) {
		throw_errno(env, EINVAL, "mmap");
		return NULL;
	}
	m = calloc(1, sizeof(*m));
	if (!m) {
		throw_errno(env, ENOMEM, "mmap");
		return NULL;
	}
	m->len = len;
	m->addr = mmap(NULL, len, prot, MAP_SHARED, fd, off);
	if (m->addr == MAP_FAILED) {
		err = errno;
		free(m);
		throw_errno(env, err, "mmap");
		return NULL;
	}
	return m;
}

static void mapping_finalize(napi_env env, void *data, void *hint)
{
	unmap(hint);
	free(hint);
}

/*
 * mmap(fd, length, offset, writable) -> ArrayBuffer over the map's own memory. `m` lives until the finalizer ran, which is after the
 * buffer was collected; munmap() is impossible then.
 */
static napi_value map_mmap(napi_env env, napi_callback_info info)
{
	struct mapping *m;
	int64_t len, off;
	struct args a;
	napi_value ab;
	bool writable;
	int32_t fd;

	if (!args_get(env, info, &a, 4) || !arg_i32(&a, 0, "fd", &fd) || !arg_i64(&a, 1, "length", &len) ||
	    !arg_i64(&a, 2, "offset", &off) || !arg_bool(&a, 3, "writable", &writable))
		return NULL;
	m = mapping_new(env, fd, len, off, PROT_READ | (writable ? PROT_WRITE : 0));
	if (!m)
		return NULL;
	if (napi_create_external_arraybuffer(env, m->addr, len, mapping_finalize, m, &ab) != napi_ok) {
		unmap(m);
		free(m);
		return throw_errno(env, ENOTSUP, "napi_create_external_arraybuffer");
	}
	/* from here on the finalizer owns m */
	if (napi_wrap(env, ab, m, NULL, NULL, NULL) != napi_ok)
		return throw_errno(env, ENOTSUP, "napi_wrap");
	return ab;
}

/*
 * munmap(buffer): at once. Views of it become empty: a later access reads undefined and crashes nothing. The wrap goes first, so that
 * a second call cannot find `m`, whose finalizer may run any time after the detaching.
 */
static napi_value map_munmap(napi_env env, napi_callback_info info)
{
	struct mapping *m = NULL;
	bool is = false, gone = true;
	struct args a;

	if (!args_get(env, info, &a, 1))
		return NULL;
	napi_is_arraybuffer(env, a.v[0], &is);
	if (is)
		napi_is_detached_arraybuffer(env, a.v[0], &gone);
	/* detached by somebody else (ArrayBuffer.transfer): the memory is another buffer's now, and goes with that */
	if (gone || napi_remove_wrap(env, a.v[0], (void **)&m) != napi_ok || !m)
		return throw_errno(env, EINVAL, "munmap");
	if (napi_detach_arraybuffer(env, a.v[0]) != napi_ok)
		return throw_errno(env, EBUSY, "munmap");
	unmap(m);
	return mk_undefined(env);
}

/* May come on any thread, after the environment is gone: the buffer belongs to every thread that was given it. */
static void shared_finalize(void *data, void *hint)
{
	unmap(hint);
	free(hint);
}

typedef napi_status (*create_shared)(napi_env env, void *data, size_t len, void (*finalize)(void *data, void *hint), void *hint,
				     napi_value *result);

/* mmapShared(fd, length, offset) -> SharedArrayBuffer over the map's own memory, or ENOSYS where Node cannot make one. */
static napi_value map_mmap_shared(napi_env env, napi_callback_info info)
{
	/* looked up, not linked: Node 20 has no such function and would not load the addon */
	create_shared create = (create_shared)dlsym(RTLD_DEFAULT, "node_api_create_external_sharedarraybuffer");
	struct mapping *m;
	int64_t len, off;
	struct args a;
	napi_value sab;
	int32_t fd;

	if (!args_get(env, info, &a, 3) || !arg_i32(&a, 0, "fd", &fd) || !arg_i64(&a, 1, "length", &len) ||
	    !arg_i64(&a, 2, "offset", &off))
		return NULL;
	if (!create)
		return throw_errno(env, ENOSYS, "node_api_create_external_sharedarraybuffer");
	m = mapping_new(env, fd, len, off, PROT_READ | PROT_WRITE);
	if (!m)
		return NULL;
	if (create(env, m->addr, len, shared_finalize, m, &sab) != napi_ok) {
		unmap(m);
		free(m);
		return throw_errno(env, ENOTSUP, "node_api_create_external_sharedarraybuffer");
	}
	return sab;
}

static napi_value page_size(napi_env env, napi_callback_info info)
{
	return mk_u32(env, (uint32_t)sysconf(_SC_PAGESIZE));
}

void map_mmap_init(napi_env env, napi_value exports)
{
	export_fn(env, exports, "pageSize", page_size);
	export_fn(env, exports, "mmap", map_mmap);
	export_fn(env, exports, "mmapShared", map_mmap_shared);
	export_fn(env, exports, "munmap", map_munmap);
}
