/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Maps by fd: system calls for those that have no other way, mmap for those that do; pins.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

static napi_value map_info(napi_env env, napi_callback_info info)
{
	struct bpf_map_info mi = {};
	uint32_t len = sizeof(mi);
	struct args a;
	napi_value r;
	int32_t fd;
	int err;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "fd", &fd))
		return NULL;
	err = bpf_obj_get_info_by_fd(fd, &mi, &len);
	if (err)
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

/* The caller (map.ts) checks key and value sizes against the map's: here a wrong one would be memory corruption. */
static napi_value map_lookup(napi_env env, napi_callback_info info)
{
	void *key, *value;
	size_t klen, vlen;
	struct args a;
	int32_t fd;

	if (!args_get(env, info, &a, 3) || !arg_i32(&a, 0, "fd", &fd) || !arg_bytes(&a, 1, "key", &key, &klen) ||
	    !arg_bytes(&a, 2, "value", &value, &vlen))
		return NULL;
	return mk_i32(env, bpf_map_lookup_elem(fd, key, value) ? -errno : 0);
}

static napi_value map_update(napi_env env, napi_callback_info info)
{
	void *key, *value;
	size_t klen, vlen;
	uint32_t flags;
	struct args a;
	int32_t fd;

	if (!args_get(env, info, &a, 4) || !arg_i32(&a, 0, "fd", &fd) || !arg_bytes(&a, 1, "key", &key, &klen) ||
	    !arg_bytes(&a, 2, "value", &value, &vlen) || !arg_u32(&a, 3, "flags", &flags))
		return NULL;
	return mk_i32(env, bpf_map_update_elem(fd, key, value, flags) ? -errno : 0);
}

static napi_value map_delete(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t fd;
	size_t klen;
	void *key;

	if (!args_get(env, info, &a, 2) || !arg_i32(&a, 0, "fd", &fd) || !arg_bytes(&a, 1, "key", &key, &klen))
		return NULL;
	return mk_i32(env, bpf_map_delete_elem(fd, key) ? -errno : 0);
}

/* mapNextKey(fd, key|null, next) -> 0 | -errno (-ENOENT at the end) */
static napi_value map_next_key(napi_env env, napi_callback_info info)
{
	void *key = NULL, *next;
	size_t klen, nlen;
	struct args a;
	int32_t fd;

	if (!args_get(env, info, &a, 3) || !arg_i32(&a, 0, "fd", &fd))
		return NULL;
	if (!arg_absent(&a, 1) && !arg_bytes(&a, 1, "key", &key, &klen))
		return NULL;
	if (!arg_bytes(&a, 2, "next", &next, &nlen))
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

/* mmap(fd, length, offset, writable) -> ArrayBuffer over the map's own memory */
static napi_value map_mmap(napi_env env, napi_callback_info info)
{
	struct mapping *m;
	int64_t len, off;
	struct args a;
	napi_value ab;
	bool writable;
	int32_t fd;

	if (!args_get(env, info, &a, 4) || !arg_i32(&a, 0, "fd", &fd) || !arg_i64(&a, 1, "length", &len) ||
	    !arg_i64(&a, 2, "offset", &off) || napi_get_value_bool(env, a.v[3], &writable) != napi_ok)
		return NULL;
	if (len <= 0)
		return throw_errno(env, EINVAL, "mmap");
	m = calloc(1, sizeof(*m));
	if (!m)
		return throw_errno(env, ENOMEM, "mmap");
	m->len = len;
	m->addr = mmap(NULL, len, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, off);
	if (m->addr == MAP_FAILED) {
		free(m);
		return throw_errno(env, errno, "mmap");
	}
	if (napi_create_external_arraybuffer(env, m->addr, len, mapping_finalize, m, &ab) != napi_ok) {
		unmap(m);
		free(m);
		return throw_errno(env, ENOTSUP, "napi_create_external_arraybuffer");
	}
	napi_wrap(env, ab, m, NULL, NULL, NULL);
	return ab;
}

/* munmap(buffer): at once. Views of it become empty: a later access reads undefined and crashes nothing. */
static napi_value map_munmap(napi_env env, napi_callback_info info)
{
	struct mapping *m = NULL;
	struct args a;

	if (!args_get(env, info, &a, 1))
		return NULL;
	if (napi_unwrap(env, a.v[0], (void **)&m) != napi_ok || !m)
		return throw_errno(env, EINVAL, "munmap");
	if (napi_detach_arraybuffer(env, a.v[0]) != napi_ok)
		return throw_errno(env, EBUSY, "munmap");
	unmap(m);
	return mk_undefined(env);
}

static napi_value obj_pin(napi_env env, napi_callback_info info)
{
	char path[512];
	struct args a;
	int32_t fd;

	if (!args_get(env, info, &a, 2) || !arg_i32(&a, 0, "fd", &fd) || !arg_str(&a, 1, "path", path, sizeof(path)))
		return NULL;
	return bpf_obj_pin(fd, path) ? throw_errno(env, errno, "bpf(BPF_OBJ_PIN)") : mk_undefined(env);
}

static napi_value obj_get(napi_env env, napi_callback_info info)
{
	char path[512];
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
	export_fn(env, exports, "mmap", map_mmap);
	export_fn(env, exports, "munmap", map_munmap);
	export_fn(env, exports, "objPin", obj_pin);
	export_fn(env, exports, "objGet", obj_get);
}
