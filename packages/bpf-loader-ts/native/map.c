/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Maps by fd: system calls for those that have no other way, mmap for those that do; pins.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fd_is.h"
#include "util.h"

/* mapCreate(type, name, keySize, valueSize, maxEntries, flags) -> fd */
static napi_value map_create(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	uint32_t type, key, value, max, flags;
	struct args a;
	char name[64];
	int fd;

	if (!args_get(env, info, &a, 6) || !arg_u32(&a, 0, "type", &type) ||
	    !arg_str(&a, 1, "name", name, sizeof(name)) || !arg_u32(&a, 2, "keySize", &key) ||
	    !arg_u32(&a, 3, "valueSize", &value) || !arg_u32(&a, 4, "maxEntries", &max) ||
	    !arg_u32(&a, 5, "flags", &flags))
		return NULL;
	opts.map_flags = flags;
	fd = bpf_map_create(type, name, key, value, max, &opts);
	return fd < 0 ? throw_errno(env, -fd, "bpf(BPF_MAP_CREATE)") : mk_i32(env, fd);
}

/*
 * bpf_obj_get_info_by_fd answers for maps, programs and links alike, each with a structure of its own: ask what the descriptor is
 * before believing one. Without /proc there is nobody to ask, and the answer is yes.
 */
bool fd_is(int fd, const char *kind)
{
	char link[64], to[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/thread-self/fd/%d", fd);
	n = readlink(link, to, sizeof(to) - 1);
	if (n < 0)
		return true;
	to[n] = 0;
	return !strncmp(to, "anon_inode:", 11) && !strcmp(to + 11 + (to[11] == '['), kind);
}

static napi_value map_info(napi_env env, napi_callback_info info)
{
	struct bpf_map_info mi = {};
	uint32_t len = sizeof(mi);
	struct args a;
	napi_value r;
	int32_t fd;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "fd", &fd))
		return NULL;
	if (!fd_is(fd, "bpf-map"))
		return throw_errno(env, EINVAL, "not a map");
	if (bpf_obj_get_info_by_fd(fd, &mi, &len))
		return throw_errno(env, errno, "bpf(BPF_OBJ_GET_INFO_BY_FD)");
	napi_create_object(env, &r);
	set_prop(env, r, "id", mk_u32(env, mi.id));
	set_prop(env, r, "type", mk_u32(env, mi.type));
	set_prop(env, r, "name", mk_str(env, mi.name));
	set_prop(env, r, "keySize", mk_u32(env, mi.key_size));
	set_prop(env, r, "valueSize", mk_u32(env, mi.value_size));
	set_prop(env, r, "maxEntries", mk_u32(env, mi.max_entries));
	set_prop(env, r, "flags", mk_u32(env, mi.map_flags));
	return r;
}

/*
 * The kernel takes sizes on trust. map.ts checks them and says what they must be; the comparison here is with the true length of the
 * memory, which no getter of a subclass can lie about.
 */
static bool sized(struct args *a, size_t i, const char *name, uint32_t want, void **p)
{
	char msg[96];
	size_t len;

	if (!arg_bytes(a, i, name, p, &len))
		return false;
	if (len == want)
		return true;
	snprintf(msg, sizeof(msg), "%s is %zu bytes long, not %u", name, len, want);
	napi_throw_range_error(a->env, "ERR_OUT_OF_RANGE", msg);
	return false;
}

/* mapLookup(fd, keySize, valueBytes, key, value) -> 0 | -errno */
static napi_value map_lookup(napi_env env, napi_callback_info info)
{
	uint32_t ksize, vsize;
	void *key, *value;
	struct args a;
	int32_t fd;

	if (!args_get(env, info, &a, 5) || !arg_i32(&a, 0, "fd", &fd) || !arg_u32(&a, 1, "keySize", &ksize) ||
	    !arg_u32(&a, 2, "valueBytes", &vsize) || !sized(&a, 3, "key", ksize, &key) || !sized(&a, 4, "value", vsize, &value))
		return NULL;
	return mk_i32(env, bpf_map_lookup_elem(fd, key, value) ? -errno : 0);
}

/* mapUpdate(fd, keySize, valueBytes, key, value, flags) -> 0 | -errno */
static napi_value map_update(napi_env env, napi_callback_info info)
{
	uint32_t ksize, vsize, flags;
	void *key, *value;
	struct args a;
	int32_t fd;

	if (!args_get(env, info, &a, 6) || !arg_i32(&a, 0, "fd", &fd) || !arg_u32(&a, 1, "keySize", &ksize) ||
	    !arg_u32(&a, 2, "valueBytes", &vsize) || !sized(&a, 3, "key", ksize, &key) ||
	    !sized(&a, 4, "value", vsize, &value) || !arg_u32(&a, 5, "flags", &flags))
		return NULL;
	return mk_i32(env, bpf_map_update_elem(fd, key, value, flags) ? -errno : 0);
}

/* mapDelete(fd, keySize, key) -> 0 | -errno */
static napi_value map_delete(napi_env env, napi_callback_info info)
{
	struct args a;
	uint32_t ksize;
	int32_t fd;
	void *key;

	if (!args_get(env, info, &a, 3) || !arg_i32(&a, 0, "fd", &fd) || !arg_u32(&a, 1, "keySize", &ksize) ||
	    !sized(&a, 2, "key", ksize, &key))
		return NULL;
	return mk_i32(env, bpf_map_delete_elem(fd, key) ? -errno : 0);
}

/* mapNextKey(fd, keySize, key | null, next) -> 0 | -errno (-ENOENT at the end) */
static napi_value map_next_key(napi_env env, napi_callback_info info)
{
	void *key = NULL, *next;
	struct args a;
	uint32_t ksize;
	int32_t fd;

	if (!args_get(env, info, &a, 4) || !arg_i32(&a, 0, "fd", &fd) || !arg_u32(&a, 1, "keySize", &ksize))
		return NULL;
	if (!arg_absent(&a, 2) && !sized(&a, 2, "key", ksize, &key))
		return NULL;
	if (!sized(&a, 3, "next", ksize, &next))
		return NULL;
	return mk_i32(env, bpf_map_get_next_key(fd, key, next) ? -errno : 0);
}

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

static void mapping_finalize(napi_env env, void *data, void *hint)
{
	unmap(hint);
	free(hint);
}

/*
 * mmap(fd, length, offset, writable) -> ArrayBuffer over the map's own memory. Only of maps: a file that shrinks would be SIGBUS at the
 * next load. `m` lives until the finalizer ran, which is after the buffer was collected; munmap() is impossible then.
 */
static napi_value map_mmap(napi_env env, napi_callback_info info)
{
	struct mapping *m;
	int64_t len, off;
	struct args a;
	napi_value ab;
	bool writable;
	int32_t fd;
	int err;

	if (!args_get(env, info, &a, 4) || !arg_i32(&a, 0, "fd", &fd) || !arg_i64(&a, 1, "length", &len) ||
	    !arg_i64(&a, 2, "offset", &off) || !arg_bool(&a, 3, "writable", &writable))
		return NULL;
	if (len <= 0 || off < 0 || !fd_is(fd, "bpf-map"))
		return throw_errno(env, EINVAL, "mmap");
	m = calloc(1, sizeof(*m));
	if (!m)
		return throw_errno(env, ENOMEM, "mmap");
	m->len = len;
	m->addr = mmap(NULL, len, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, off);
	if (m->addr == MAP_FAILED) {
		err = errno;
		free(m);
		return throw_errno(env, err, "mmap");
	}
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

static napi_value page_size(napi_env env, napi_callback_info info)
{
	return mk_u32(env, (uint32_t)sysconf(_SC_PAGESIZE));
}

static napi_value obj_pin(napi_env env, napi_callback_info info)
{
	char path[4096];
	struct args a;
	int32_t fd;

	if (!args_get(env, info, &a, 2) || !arg_i32(&a, 0, "fd", &fd) || !arg_str(&a, 1, "path", path, sizeof(path)))
		return NULL;
	return bpf_obj_pin(fd, path) ? throw_errno(env, errno, "bpf(BPF_OBJ_PIN)") : mk_undefined(env);
}

static napi_value obj_get(napi_env env, napi_callback_info info)
{
	char path[4096];
	struct args a;
	int fd;

	if (!args_get(env, info, &a, 1) || !arg_str(&a, 0, "path", path, sizeof(path)))
		return NULL;
	fd = bpf_obj_get(path);
	return fd < 0 ? throw_errno(env, errno, "bpf(BPF_OBJ_GET)") : mk_i32(env, fd);
}

void map_init(napi_env env, napi_value exports)
{
	export_fn(env, exports, "mapCreate", map_create);
	export_fn(env, exports, "mapInfo", map_info);
	export_fn(env, exports, "mapLookup", map_lookup);
	export_fn(env, exports, "mapUpdate", map_update);
	export_fn(env, exports, "mapDelete", map_delete);
	export_fn(env, exports, "mapNextKey", map_next_key);
	export_fn(env, exports, "pageSize", page_size);
	export_fn(env, exports, "mmap", map_mmap);
	export_fn(env, exports, "munmap", map_munmap);
	export_fn(env, exports, "objPin", obj_pin);
	export_fn(env, exports, "objGet", obj_get);
}
