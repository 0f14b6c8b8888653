/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Node-API conveniences shared by every file of the addon. Plain C: no exceptions, no global
 * mutable state (what must be kept is kept per environment, so that worker threads never meet).
 */
#pragma once

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VF_MAX_ARGS 10

/* Arguments of one call. Filled by args_get(). */
struct args {
	napi_env env;
	napi_value this_arg;
	napi_value v[VF_MAX_ARGS];
	size_t n;
};

/* Reads the call's arguments; throws TypeError and returns false when fewer than `want` came. */
bool args_get(napi_env env, napi_callback_info info, struct args *a, size_t want);

/* Each reads argument i; on the wrong type it throws a TypeError naming `name` and returns false. */
bool arg_i32(struct args *a, size_t i, const char *name, int32_t *out);
bool arg_u32(struct args *a, size_t i, const char *name, uint32_t *out);
bool arg_f64(struct args *a, size_t i, const char *name, double *out);
bool arg_i64(struct args *a, size_t i, const char *name, int64_t *out);
/* A BigInt of 64 bits, not negative. */
bool arg_u64(struct args *a, size_t i, const char *name, uint64_t *out);
bool arg_bool(struct args *a, size_t i, const char *name, bool *out);
/* Copies a string argument into buf (NUL-terminated); longer than cap-1, or with a NUL inside, is a RangeError. */
bool arg_str(struct args *a, size_t i, const char *name, char *buf, size_t cap);
/* The bytes of a TypedArray, DataView, Buffer or ArrayBuffer argument; no copy. */
bool arg_bytes(struct args *a, size_t i, const char *name, void **data, size_t *len);
/* True when argument i is missing, undefined or null. */
bool arg_absent(struct args *a, size_t i);

napi_value mk_u32(napi_env env, uint32_t v);
napi_value mk_i32(napi_env env, int32_t v);
napi_value mk_f64(napi_env env, double v);
napi_value mk_u64(napi_env env, uint64_t v); /* a BigInt */
napi_value mk_bool(napi_env env, bool v);
napi_value mk_str(napi_env env, const char *s);
napi_value mk_undefined(napi_env env);
void set_prop(napi_env env, napi_value obj, const char *name, napi_value v);

/* Throws Error{code:'EPERM', errno:1, syscall} for a positive errno; returns NULL. */
napi_value throw_errno(napi_env env, int err, const char *syscall);
/* The same with a longer text, kept in `.log` (a verifier log, say); log may be NULL. */
napi_value throw_errno_log(napi_env env, int err, const char *syscall, const char *log);

#define EXPORT_FN(env, exports, name, fn) export_fn(env, exports, name, fn)
void export_fn(napi_env env, napi_value exports, const char *name, napi_callback fn);

/* One per source file: adds that file's functions to the exports object. */
void object_init(napi_env env, napi_value exports);
void map_init(napi_env env, napi_value exports);
void map_batch_init(napi_env env, napi_value exports);
void map_mmap_init(napi_env env, napi_value exports);
void prog_init(napi_env env, napi_value exports);
void link_init(napi_env env, napi_value exports);
void link_info_init(napi_env env, napi_value exports);
void tracing_init(napi_env env, napi_value exports);
void probe_init(napi_env env, napi_value exports);
void libbpf_messages_init(napi_env env, napi_value exports);
void sys_memlock_init(napi_env env, napi_value exports);
void look_init(napi_env env, napi_value exports);
void clsact_init(napi_env env, napi_value exports);
void sys_fd_init(napi_env env, napi_value exports);
void sys_watch_init(napi_env env, napi_value exports);
void sys_netns_init(napi_env env, napi_value exports);
void sys_netlink_init(napi_env env, napi_value exports);
void sys_ethtool_init(napi_env env, napi_value exports);
void sys_groups_init(napi_env env, napi_value exports);
void sys_packet_init(napi_env env, napi_value exports);
void sys_pace_init(napi_env env, napi_value exports);
void sys_tap_init(napi_env env, napi_value exports);
