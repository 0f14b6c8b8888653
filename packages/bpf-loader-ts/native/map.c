/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Maps by fd: making, finding, describing and freezing them, their elements one at a time; pins.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fd_is.h"
#include "map_arg.h"
#include "util.h"

/* mapCreate(type, name, keySize, valueSize, maxEntries, flags[, innerFd, numaNode, mapExtra]) -> fd */
static napi_value map_create(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	uint32_t type, key, value, max, flags, inner = 0, numa = 0;
	int64_t extra = 0;
	struct args a;
	char name[64];
	int fd;

	if (!args_get(env, info, &a, 6) || !arg_u32(&a, 0, "type", &type) ||
	    !arg_str(&a, 1, "name", name, sizeof(name)) || !arg_u32(&a, 2, "keySize", &key) ||
	    !arg_u32(&a, 3, "valueSize", &value) || !arg_u32(&a, 4, "maxEntries", &max) ||
	    !arg_u32(&a, 5, "flags", &flags))
		return NULL;
	if ((!arg_absent(&a, 6) && !arg_u32(&a, 6, "innerMap", &inner)) ||
	    (!arg_absent(&a, 7) && !arg_u32(&a, 7, "numaNode", &numa)) ||
	    (!arg_absent(&a, 8) && !arg_i64(&a, 8, "mapExtra", &extra)))
		return NULL;
	opts.map_flags = flags;
	opts.inner_map_fd = inner;
	opts.numa_node = numa;
	opts.map_extra = extra;
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

bool map_arg_bytes(struct args *a, size_t i, const char *name, size_t least, size_t most, void **p)
{
	char msg[128];
	size_t len;

	if (!arg_bytes(a, i, name, p, &len))
		return false;
	if (len >= least && len <= most)
		return true;
	snprintf(msg, sizeof(msg), "%s is %zu bytes long, not %zu%s", name, len, least, least == most ? "" : " or more");
	napi_throw_range_error(a->env, "ERR_OUT_OF_RANGE", msg);
	return false;
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
	set_prop(env, r, "mapExtra", mk_f64(env, (double)mi.map_extra));
	set_prop(env, r, "ifindex", mk_u32(env, mi.ifindex));
	set_prop(env, r, "btfId", mk_u32(env, mi.btf_id));
	set_prop(env, r, "btfKeyTypeId", mk_u32(env, mi.btf_key_type_id));
	set_prop(env, r, "btfValueTypeId", mk_u32(env, mi.btf_value_type_id));
	return r;
}

static napi_value map_fd_by_id(napi_env env, napi_callback_info info)
{
	struct args a;
	uint32_t id;
	int fd;

	if (!args_get(env, info, &a, 1) || !arg_u32(&a, 0, "id", &id))
		return NULL;
	fd = bpf_map_get_fd_by_id(id);
	return fd < 0 ? throw_errno(env, errno, "bpf(BPF_MAP_GET_FD_BY_ID)") : mk_i32(env, fd);
}

/* mapNextId(id) -> the next greater id of a map, 0 at the end */
static napi_value map_next_id(napi_env env, napi_callback_info info)
{
	struct args a;
	uint32_t id;

	if (!args_get(env, info, &a, 1) || !arg_u32(&a, 0, "id", &id))
		return NULL;
	if (!bpf_map_get_next_id(id, &id))
		return mk_u32(env, id);
	return errno == ENOENT ? mk_u32(env, 0) : throw_errno(env, errno, "bpf(BPF_MAP_GET_NEXT_ID)");
}

/* mapFreeze(fd) -> 0 | -errno */
static napi_value map_freeze(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t fd;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "fd", &fd))
		return NULL;
	return mk_i32(env, bpf_map_freeze(fd) ? -errno : 0);
}

/* The memory of a key or a value: exactly `want` bytes. */
static bool sized(struct args *a, size_t i, const char *name, uint32_t want, void **p)
{
	return map_arg_bytes(a, i, name, want, want, p);
}

/* A key; null for a map whose keys have no bytes, such as a queue's. */
static bool keyed(struct args *a, size_t i, uint32_t want, void **p)
{
	*p = NULL;
	return (!want && arg_absent(a, i)) || sized(a, i, "key", want, p);
}

/* What lookups and updates share: (fd, keySize, valueBytes, key | null, value, flags) */
struct element {
	int32_t fd;
	uint32_t flags;
	void *key, *value;
};

static bool element_args(napi_env env, napi_callback_info info, struct element *e)
{
	uint32_t ksize, vsize;
	struct args a;

	return args_get(env, info, &a, 6) && arg_i32(&a, 0, "fd", &e->fd) && arg_u32(&a, 1, "keySize", &ksize) &&
	       arg_u32(&a, 2, "valueBytes", &vsize) && keyed(&a, 3, ksize, &e->key) &&
	       sized(&a, 4, "value", vsize, &e->value) && arg_u32(&a, 5, "flags", &e->flags);
}

/* mapLookup(element) -> 0 | -errno; of a Bloom filter, whether it holds `value` */
static napi_value map_lookup(napi_env env, napi_callback_info info)
{
	struct element e;

	if (!element_args(env, info, &e))
		return NULL;
	return mk_i32(env, bpf_map_lookup_elem_flags(e.fd, e.key, e.value, e.flags) ? -errno : 0);
}

/* mapLookupAndDelete(element) -> 0 | -errno */
static napi_value map_lookup_and_delete(napi_env env, napi_callback_info info)
{
	struct element e;

	if (!element_args(env, info, &e))
		return NULL;
	return mk_i32(env, bpf_map_lookup_and_delete_elem_flags(e.fd, e.key, e.value, e.flags) ? -errno : 0);
}

/* mapUpdate(element) -> 0 | -errno */
static napi_value map_update(napi_env env, napi_callback_info info)
{
	struct element e;

	if (!element_args(env, info, &e))
		return NULL;
	return mk_i32(env, bpf_map_update_elem(e.fd, e.key, e.value, e.flags) ? -errno : 0);
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

static napi_value obj_pin(napi_env env, napi_callback_info info)
{
	char path[4096];
	struct args a;
	int32_t fd;

	if (!args_get(env, info, &a, 2) || !arg_i32(&a, 0, "fd", &fd) || !arg_str(&a, 1, "path", path, sizeof(path)))
		return NULL;
	return bpf_obj_pin(fd, path) ? throw_errno(env, errno, "bpf(BPF_OBJ_PIN)") : mk_undefined(env);
}

/* objGet(path, flags) -> fd */
static napi_value obj_get(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts);
	char path[4096];
	struct args a;
	int fd;

	if (!args_get(env, info, &a, 2) || !arg_str(&a, 0, "path", path, sizeof(path)) ||
	    !arg_u32(&a, 1, "flags", &opts.file_flags))
		return NULL;
	fd = bpf_obj_get_opts(path, &opts);
	return fd < 0 ? throw_errno(env, errno, "bpf(BPF_OBJ_GET)") : mk_i32(env, fd);
}

void map_init(napi_env env, napi_value exports)
{
	export_fn(env, exports, "mapCreate", map_create);
	export_fn(env, exports, "mapInfo", map_info);
	export_fn(env, exports, "mapFdById", map_fd_by_id);
	export_fn(env, exports, "mapNextId", map_next_id);
	export_fn(env, exports, "mapFreeze", map_freeze);
	export_fn(env, exports, "mapLookup", map_lookup);
	export_fn(env, exports, "mapLookupAndDelete", map_lookup_and_delete);
	export_fn(env, exports, "mapUpdate", map_update);
	export_fn(env, exports, "mapDelete", map_delete);
	export_fn(env, exports, "mapNextKey", map_next_key);
	export_fn(env, exports, "objPin", obj_pin);
	export_fn(env, exports, "objGet", obj_get);
}
