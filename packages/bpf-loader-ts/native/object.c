/* SPDX-License-Identifier: GPL-2.0-only
 *
 * A BPF object file: opened, adjusted (constants, map sizes, maps to reuse), loaded. libbpf does the
 * CO-RE relocation; what it says meanwhile becomes the error's log.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "libbpf_log.h"
#include "util.h"

#define OBJECT_MAGIC 0x6f626a65u
/* elf.ts and libbpf take longer names from a file; nothing can be done with such a one */
#define NAME_CAP 1024

struct object {
	uint32_t magic;
	struct bpf_object *obj;
};

static void object_free(struct object *o)
{
	if (o->obj)
		bpf_object__close(o->obj);
	o->obj = NULL;
}

static void object_finalize(napi_env env, void *data, void *hint)
{
	struct object *o = data;

	object_free(o);
	o->magic = 0;
	free(o);
}

/* The object behind argument 0, open or closed; NULL with an exception for anything else. */
static struct object *any_object_arg(struct args *a)
{
	struct object *o = NULL;

	if (napi_get_value_external(a->env, a->v[0], (void **)&o) == napi_ok && o && o->magic == OBJECT_MAGIC)
		return o;
	napi_throw_type_error(a->env, "ERR_INVALID_ARG_TYPE", "object must be a handle from objectOpen");
	return NULL;
}

static struct object *object_arg(struct args *a)
{
	struct object *o = any_object_arg(a);

	if (o && !o->obj) {
		napi_throw_error(a->env, "ERR_CLOSED", "the object is closed");
		return NULL;
	}
	return o;
}

/*
 * objectOpen(bytes, name, logLevel) -> handle. libbpf trusts what it reads: the caller (elf.ts) has checked every offset and index.
 */
static napi_value object_open(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct bpf_object *obj;
	struct args a;
	struct object *o;
	char name[64];
	uint32_t level;
	void *bytes;
	size_t len;
	napi_value h;

	if (!args_get(env, info, &a, 3) || !arg_bytes(&a, 0, "bytes", &bytes, &len) ||
	    !arg_str(&a, 1, "name", name, sizeof(name)) || !arg_u32(&a, 2, "logLevel", &level))
		return NULL;
	if (!len)
		return throw_errno(env, EINVAL, "bpf_object__open");
	o = calloc(1, sizeof(*o));
	if (!o)
		return throw_errno(env, ENOMEM, "objectOpen");
	o->magic = OBJECT_MAGIC;
	opts.object_name = name;
	/* no buffer: libbpf's own grows to 16 MB, and it prints the log when a load fails */
	opts.kernel_log_level = level;
	listen_begin();
	obj = bpf_object__open_mem(bytes, len, &opts);
	if (!obj) {
		int err = errno;
		free(o);
		throw_said(env, err > 0 && err < 4096 ? err : EINVAL, "bpf_object__open");
		listen_end();
		return NULL;
	}
	listen_end();
	o->obj = obj;
	if (napi_create_external(env, o, object_finalize, NULL, &h) != napi_ok) {
		object_free(o);
		free(o);
		return throw_errno(env, ENOMEM, "objectOpen");
	}
	return h;
}

static napi_value map_spec(napi_env env, struct bpf_map *m)
{
	struct bpf_map *inner = bpf_map__inner_map(m);
	const char *pin = bpf_map__pin_path(m);
	napi_value e;

	napi_create_object(env, &e);
	set_prop(env, e, "name", mk_str(env, bpf_map__name(m)));
	set_prop(env, e, "type", mk_u32(env, bpf_map__type(m)));
	set_prop(env, e, "keySize", mk_u32(env, bpf_map__key_size(m)));
	set_prop(env, e, "valueSize", mk_u32(env, bpf_map__value_size(m)));
	set_prop(env, e, "maxEntries", mk_u32(env, bpf_map__max_entries(m)));
	set_prop(env, e, "flags", mk_u32(env, bpf_map__map_flags(m)));
	set_prop(env, e, "mapExtra", mk_f64(env, (double)bpf_map__map_extra(m)));
	set_prop(env, e, "internal", mk_bool(env, bpf_map__is_internal(m)));
	set_prop(env, e, "keyType", mk_u32(env, bpf_map__btf_key_type_id(m)));
	set_prop(env, e, "valueType", mk_u32(env, bpf_map__btf_value_type_id(m)));
	if (pin)
		set_prop(env, e, "pinPath", mk_str(env, pin));
	if (inner)
		set_prop(env, e, "inner", map_spec(env, inner));
	return e;
}

/* objectInfo(handle) -> {maps, programs} */
static napi_value object_info(napi_env env, napi_callback_info info)
{
	struct bpf_program *p;
	struct bpf_map *m;
	struct object *o;
	struct args a;
	napi_value r, maps, progs;
	uint32_t n = 0;

	if (!args_get(env, info, &a, 1) || !(o = object_arg(&a)))
		return NULL;
	napi_create_object(env, &r);
	napi_create_array(env, &maps);
	napi_create_array(env, &progs);
	bpf_object__for_each_map(m, o->obj)
		napi_set_element(env, maps, n++, map_spec(env, m));
	n = 0;
	bpf_object__for_each_program(p, o->obj) {
		napi_value e;
		napi_create_object(env, &e);
		set_prop(env, e, "name", mk_str(env, bpf_program__name(p)));
		set_prop(env, e, "section", mk_str(env, bpf_program__section_name(p)));
		set_prop(env, e, "type", mk_u32(env, bpf_program__type(p)));
		set_prop(env, e, "expectedAttachType", mk_u32(env, bpf_program__expected_attach_type(p)));
		set_prop(env, e, "instructions", mk_u32(env, bpf_program__insn_cnt(p)));
		napi_set_element(env, progs, n++, e);
	}
	set_prop(env, r, "maps", maps);
	set_prop(env, r, "programs", progs);
	return r;
}

static struct bpf_map *map_arg(struct args *a, struct object *o)
{
	struct bpf_map *m;
	char name[NAME_CAP];

	if (!arg_str(a, 1, "map", name, sizeof(name)))
		return NULL;
	m = bpf_object__find_map_by_name(o->obj, name);
	if (!m)
		throw_errno(a->env, ENOENT, "find map");
	return m;
}

static struct bpf_program *prog_arg(struct args *a, struct object *o)
{
	struct bpf_program *p;
	char name[NAME_CAP];

	if (!arg_str(a, 1, "program", name, sizeof(name)))
		return NULL;
	p = bpf_object__find_program_by_name(o->obj, name);
	if (!p)
		throw_errno(a->env, ENOENT, "find program");
	return p;
}

/* objectMapMaxEntries(handle, map, n) */
static napi_value object_map_max(napi_env env, napi_callback_info info)
{
	struct object *o;
	struct bpf_map *m;
	struct args a;
	uint32_t n;
	int err;

	if (!args_get(env, info, &a, 3) || !(o = object_arg(&a)) || !(m = map_arg(&a, o)) ||
	    !arg_u32(&a, 2, "maxEntries", &n))
		return NULL;
	err = bpf_map__set_max_entries(m, n);
	return err ? throw_errno(env, -err, "bpf_map__set_max_entries") : mk_undefined(env);
}

/* objectMapReuse(handle, map, fd): use an existing map instead of making one; libbpf duplicates the fd */
static napi_value object_map_reuse(napi_env env, napi_callback_info info)
{
	struct object *o;
	struct bpf_map *m;
	struct args a;
	int32_t fd;
	int err;

	if (!args_get(env, info, &a, 3) || !(o = object_arg(&a)) || !(m = map_arg(&a, o)) ||
	    !arg_i32(&a, 2, "fd", &fd))
		return NULL;
	err = bpf_map__reuse_fd(m, fd);
	return err ? throw_errno(env, -err, "bpf_map__reuse_fd") : mk_undefined(env);
}

/* objectInitialValue(handle, map) -> ArrayBuffer copy; objectSetInitialValue(handle, map, bytes) */
static napi_value object_initial_get(napi_env env, napi_callback_info info)
{
	const void *v;
	struct object *o;
	struct bpf_map *m;
	struct args a;
	napi_value ab;
	size_t size;
	void *to;

	if (!args_get(env, info, &a, 2) || !(o = object_arg(&a)) || !(m = map_arg(&a, o)))
		return NULL;
	v = bpf_map__initial_value(m, &size);
	if (!v)
		return throw_errno(env, EINVAL, "bpf_map__initial_value");
	if (napi_create_arraybuffer(env, size, &to, &ab) != napi_ok)
		return NULL;
	if (size)
		memcpy(to, v, size);
	return ab;
}

static napi_value object_initial_set(napi_env env, napi_callback_info info)
{
	struct object *o;
	struct bpf_map *m;
	struct args a;
	size_t size;
	void *bytes;
	int err;

	if (!args_get(env, info, &a, 3) || !(o = object_arg(&a)) || !(m = map_arg(&a, o)) ||
	    !arg_bytes(&a, 2, "bytes", &bytes, &size))
		return NULL;
	err = bpf_map__set_initial_value(m, bytes, size);
	return err ? throw_errno(env, -err, "bpf_map__set_initial_value") : mk_undefined(env);
}

/* objectProgram(handle, program, autoload, expectedAttachType|-1) */
static napi_value object_program(napi_env env, napi_callback_info info)
{
	struct bpf_program *p;
	struct object *o;
	struct args a;
	bool autoload;
	int32_t type;

	if (!args_get(env, info, &a, 4) || !(o = object_arg(&a)) || !(p = prog_arg(&a, o)) ||
	    !arg_bool(&a, 2, "autoload", &autoload) || !arg_i32(&a, 3, "expectedAttachType", &type))
		return NULL;
	bpf_program__set_autoload(p, autoload);
	if (type >= 0)
		bpf_program__set_expected_attach_type(p, type);
	return mk_undefined(env);
}

/* objectAttachTarget(handle, program, targetProgFd | 0: the kernel, function) */
static napi_value object_attach_target(napi_env env, napi_callback_info info)
{
	struct bpf_program *p;
	struct object *o;
	struct args a;
	char func[NAME_CAP];
	int32_t fd;
	int err;

	if (!args_get(env, info, &a, 4) || !(o = object_arg(&a)) || !(p = prog_arg(&a, o)) ||
	    !arg_i32(&a, 2, "targetProgFd", &fd) || !arg_str(&a, 3, "function", func, sizeof(func)))
		return NULL;
	listen_begin();
	err = bpf_program__set_attach_target(p, fd, func);
	if (err)
		throw_said(env, -err, "bpf_program__set_attach_target");
	listen_end();
	return err ? NULL : mk_undefined(env);
}

/*
 * Holds back this thread's signals, which come when they are let in again. A signal that waits ends the verifier's work with EAGAIN, and
 * libbpf begins anew five times at most: a profiler's timer is faster than a long program. Faults cannot be held back.
 */
static void signals_hold(sigset_t *before)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS };
	sigset_t held;
	size_t i;

	sigfillset(&held);
	for (i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		sigdelset(&held, faults[i]);
	pthread_sigmask(SIG_BLOCK, &held, before);
}

/* objectLoad(handle) */
static napi_value object_load(napi_env env, napi_callback_info info)
{
	sigset_t signals;
	struct object *o;
	struct args a;
	int err;

	if (!args_get(env, info, &a, 1) || !(o = object_arg(&a)))
		return NULL;
	listen_begin();
	signals_hold(&signals);
	err = bpf_object__load(o->obj);
	pthread_sigmask(SIG_SETMASK, &signals, NULL);
	if (err)
		throw_said(env, -err, "bpf_object__load");
	listen_end();
	return err ? NULL : mk_undefined(env);
}

/* ENOENT: it was not loaded */
static napi_value fd_result(napi_env env, int fd, const char *what)
{
	return fd < 0 ? throw_errno(env, ENOENT, what) : mk_i32(env, fd);
}

static napi_value object_map_fd(napi_env env, napi_callback_info info)
{
	struct object *o;
	struct bpf_map *m;
	struct args a;

	if (!args_get(env, info, &a, 2) || !(o = object_arg(&a)) || !(m = map_arg(&a, o)))
		return NULL;
	return fd_result(env, bpf_map__fd(m), "map");
}

static napi_value object_prog_fd(napi_env env, napi_callback_info info)
{
	struct bpf_program *p;
	struct object *o;
	struct args a;

	if (!args_get(env, info, &a, 2) || !(o = object_arg(&a)) || !(p = prog_arg(&a, o)))
		return NULL;
	return fd_result(env, bpf_program__fd(p), "program");
}

/* objectBtf(handle) -> ArrayBuffer copy of the object's BTF; undefined if it has none */
static napi_value object_btf(napi_env env, napi_callback_info info)
{
	const struct btf *btf;
	struct object *o;
	const void *raw;
	struct args a;
	napi_value ab;
	uint32_t size;
	void *to;

	if (!args_get(env, info, &a, 1) || !(o = object_arg(&a)))
		return NULL;
	btf = bpf_object__btf(o->obj);
	raw = btf ? btf__raw_data(btf, &size) : NULL;
	if (!raw)
		return mk_undefined(env);
	if (napi_create_arraybuffer(env, size, &to, &ab) != napi_ok)
		return NULL;
	memcpy(to, raw, size);
	return ab;
}

static napi_value object_close(napi_env env, napi_callback_info info)
{
	struct object *o;
	struct args a;

	if (!args_get(env, info, &a, 1) || !(o = any_object_arg(&a)))
		return NULL;
	object_free(o);
	return mk_undefined(env);
}

void object_init(napi_env env, napi_value exports)
{
	libbpf_log_init();
	export_fn(env, exports, "objectOpen", object_open);
	export_fn(env, exports, "objectInfo", object_info);
	export_fn(env, exports, "objectMapMaxEntries", object_map_max);
	export_fn(env, exports, "objectMapReuse", object_map_reuse);
	export_fn(env, exports, "objectInitialValue", object_initial_get);
	export_fn(env, exports, "objectSetInitialValue", object_initial_set);
	export_fn(env, exports, "objectProgram", object_program);
	export_fn(env, exports, "objectAttachTarget", object_attach_target);
	export_fn(env, exports, "objectLoad", object_load);
	export_fn(env, exports, "objectMapFd", object_map_fd);
	export_fn(env, exports, "objectProgFd", object_prog_fd);
	export_fn(env, exports, "objectBtf", object_btf);
	export_fn(env, exports, "objectClose", object_close);
}
