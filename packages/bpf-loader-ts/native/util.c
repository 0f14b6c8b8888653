/* SPDX-License-Identifier: GPL-2.0-only */
#include "util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool bad_type(napi_env env, const char *name, const char *want)
{
	char msg[160];
	snprintf(msg, sizeof(msg), "%s must be %s", name, want);
	napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", msg);
	return false;
}

bool args_get(napi_env env, napi_callback_info info, struct args *a, size_t want)
{
	size_t n = VF_MAX_ARGS;

	a->env = env;
	if (napi_get_cb_info(env, info, &n, a->v, &a->this_arg, NULL) != napi_ok)
		return false;
	a->n = n > VF_MAX_ARGS ? VF_MAX_ARGS : n;
	if (n < want) {
		char msg[80];
		snprintf(msg, sizeof(msg), "expected %zu arguments, got %zu", want, n);
		napi_throw_type_error(env, "ERR_MISSING_ARGS", msg);
		return false;
	}
	return true;
}

bool arg_absent(struct args *a, size_t i)
{
	napi_valuetype t = napi_undefined;

	if (i < a->n)
		napi_typeof(a->env, a->v[i], &t);
	return t == napi_undefined || t == napi_null;
}

bool arg_f64(struct args *a, size_t i, const char *name, double *out)
{
	if (i >= a->n || napi_get_value_double(a->env, a->v[i], out) != napi_ok)
		return bad_type(a->env, name, "a number");
	return true;
}

static bool arg_integer(struct args *a, size_t i, const char *name, double min, double max, double *out)
{
	char msg[160];

	if (!arg_f64(a, i, name, out))
		return false;
	if (*out >= min && *out <= max && *out == (double)(int64_t)*out)
		return true;
	snprintf(msg, sizeof(msg), "%s is %g, not a whole number from %.0f to %.0f", name, *out, min, max);
	napi_throw_range_error(a->env, "ERR_OUT_OF_RANGE", msg);
	return false;
}

bool arg_i32(struct args *a, size_t i, const char *name, int32_t *out)
{
	double d;

	if (!arg_integer(a, i, name, INT32_MIN, INT32_MAX, &d))
		return false;
	*out = (int32_t)d;
	return true;
}

bool arg_u32(struct args *a, size_t i, const char *name, uint32_t *out)
{
	double d;

	if (!arg_integer(a, i, name, 0, UINT32_MAX, &d))
		return false;
	*out = (uint32_t)d;
	return true;
}

bool arg_i64(struct args *a, size_t i, const char *name, int64_t *out)
{
	double d;

	if (!arg_integer(a, i, name, -9007199254740991.0, 9007199254740991.0, &d))
		return false;
	*out = (int64_t)d;
	return true;
}

bool arg_u64(struct args *a, size_t i, const char *name, uint64_t *out)
{
	bool lossless = false;

	if (i >= a->n || napi_get_value_bigint_uint64(a->env, a->v[i], out, &lossless) != napi_ok)
		return bad_type(a->env, name, "a BigInt");
	if (!lossless) {
		char msg[160];
		snprintf(msg, sizeof(msg), "%s is not from 0n to 2n ** 64n - 1n", name);
		napi_throw_range_error(a->env, "ERR_OUT_OF_RANGE", msg);
	}
	return lossless;
}

bool arg_bool(struct args *a, size_t i, const char *name, bool *out)
{
	if (i >= a->n || napi_get_value_bool(a->env, a->v[i], out) != napi_ok)
		return bad_type(a->env, name, "a boolean");
	return true;
}

/* The system sees a string up to its first NUL: one inside would name something else than JavaScript meant. */
static bool no_nul(struct args *a, const char *name, const char *s, size_t len)
{
	char msg[160];

	if (strlen(s) == len)
		return true;
	snprintf(msg, sizeof(msg), "%s has a NUL character in it", name);
	napi_throw_range_error(a->env, "ERR_OUT_OF_RANGE", msg);
	return false;
}

bool arg_str(struct args *a, size_t i, const char *name, char *buf, size_t cap)
{
	size_t len;

	if (i >= a->n || napi_get_value_string_utf8(a->env, a->v[i], NULL, 0, &len) != napi_ok)
		return bad_type(a->env, name, "a string");
	if (len >= cap) {
		char msg[160];
		snprintf(msg, sizeof(msg), "%s is %zu bytes long, at most %zu fit", name, len, cap - 1);
		napi_throw_range_error(a->env, "ERR_OUT_OF_RANGE", msg);
		return false;
	}
	napi_get_value_string_utf8(a->env, a->v[i], buf, cap, &len);
	return no_nul(a, name, buf, len);
}

bool arg_bytes(struct args *a, size_t i, const char *name, void **data, size_t *len)
{
	static const uint8_t width[] = {
		[napi_int8_array] = 1, [napi_uint8_array] = 1, [napi_uint8_clamped_array] = 1,
		[napi_int16_array] = 2, [napi_uint16_array] = 2, [napi_int32_array] = 4,
		[napi_uint32_array] = 4, [napi_float32_array] = 4, [napi_float64_array] = 8,
		[napi_bigint64_array] = 8, [napi_biguint64_array] = 8,
	};
	napi_typedarray_type type = (napi_typedarray_type)-1;
	bool is = false;

	if (i >= a->n)
		return bad_type(a->env, name, "a typed array");
	napi_is_typedarray(a->env, a->v[i], &is);
	if (is) {
		size_t n;
		if (napi_get_typedarray_info(a->env, a->v[i], &type, &n, data, NULL, NULL) != napi_ok)
			return bad_type(a->env, name, "a typed array");
		/* later Node versions know more types than this table */
		if ((size_t)type >= sizeof(width))
			return bad_type(a->env, name, "a typed array of integers or floats");
		*len = n * width[type];
		return true;
	}
	napi_is_dataview(a->env, a->v[i], &is);
	if (is)
		return napi_get_dataview_info(a->env, a->v[i], len, data, NULL, NULL) == napi_ok ||
		       bad_type(a->env, name, "a DataView that is not detached");
	napi_is_arraybuffer(a->env, a->v[i], &is);
	if (is)
		return napi_get_arraybuffer_info(a->env, a->v[i], data, len) == napi_ok ||
		       bad_type(a->env, name, "an ArrayBuffer");
	return bad_type(a->env, name, "a typed array, DataView or ArrayBuffer");
}

napi_value mk_u32(napi_env env, uint32_t v)
{
	napi_value r = NULL;
	napi_create_uint32(env, v, &r);
	return r;
}

napi_value mk_i32(napi_env env, int32_t v)
{
	napi_value r = NULL;
	napi_create_int32(env, v, &r);
	return r;
}

napi_value mk_f64(napi_env env, double v)
{
	napi_value r = NULL;
	napi_create_double(env, v, &r);
	return r;
}

napi_value mk_u64(napi_env env, uint64_t v)
{
	napi_value r = NULL;
	napi_create_bigint_uint64(env, v, &r);
	return r;
}

napi_value mk_bool(napi_env env, bool v)
{
	napi_value r = NULL;
	napi_get_boolean(env, v, &r);
	return r;
}

napi_value mk_str(napi_env env, const char *s)
{
	napi_value r = NULL;
	napi_create_string_utf8(env, s ? s : "", NAPI_AUTO_LENGTH, &r);
	return r;
}

napi_value mk_undefined(napi_env env)
{
	napi_value r = NULL;
	napi_get_undefined(env, &r);
	return r;
}

void set_prop(napi_env env, napi_value obj, const char *name, napi_value v)
{
	if (v)
		napi_set_named_property(env, obj, name, v);
}

napi_value throw_errno_log(napi_env env, int err, const char *syscall, const char *log)
{
	const char *name = strerrorname_np(err);
	char code[32], msg[256];
	napi_value e;

	if (name)
		snprintf(code, sizeof(code), "%s", name);
	else
		snprintf(code, sizeof(code), "E%d", err);
	snprintf(msg, sizeof(msg), "%s: %s (%s)", syscall, strerror(err), code);
	if (napi_create_error(env, mk_str(env, code), mk_str(env, msg), &e) != napi_ok)
		return NULL;
	set_prop(env, e, "errno", mk_i32(env, err));
	set_prop(env, e, "syscall", mk_str(env, syscall));
	if (log)
		set_prop(env, e, "log", mk_str(env, log));
	napi_throw(env, e);
	return NULL;
}

napi_value throw_errno(napi_env env, int err, const char *syscall)
{
	return throw_errno_log(env, err, syscall, NULL);
}

void export_fn(napi_env env, napi_value exports, const char *name, napi_callback fn)
{
	napi_value f;

	if (napi_create_function(env, name, NAPI_AUTO_LENGTH, fn, NULL, &f) == napi_ok)
		napi_set_named_property(env, exports, name, f);
}
