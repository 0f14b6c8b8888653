/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Readability of an fd as a callback on Node's own event loop.
 *
 * A watch has two owners: the loop (until its close callback ran) and the JavaScript handle (until
 * it is collected). The last one frees it, so a late unwatchFd() never meets freed memory.
 */
#include "util.h"

#include <errno.h>
#include <stdlib.h>
#include <uv.h>

#define WATCH_MAGIC 0x77617463u

struct watch {
	uint32_t magic;
	int owners;
	bool closing;
	uv_poll_t poll;
	napi_env env;
	napi_ref callback;
	napi_async_context async;
	napi_async_cleanup_hook_handle cleanup;
};

static void watch_put(struct watch *w)
{
	if (--w->owners)
		return;
	w->magic = 0;
	free(w);
}

static void on_closed(uv_handle_t *handle)
{
	struct watch *w = handle->data;
	napi_handle_scope scope;

	if (napi_open_handle_scope(w->env, &scope) == napi_ok) {
		napi_delete_reference(w->env, w->callback);
		napi_async_destroy(w->env, w->async);
		napi_close_handle_scope(w->env, scope);
	}
	/* last: it lets a dying environment go on */
	napi_remove_async_cleanup_hook(w->cleanup);
	watch_put(w);
}

static void watch_close(struct watch *w)
{
	if (w->closing)
		return;
	w->closing = true;
	uv_close((uv_handle_t *)&w->poll, on_closed);
}

static void on_env_exit(napi_async_cleanup_hook_handle handle, void *arg)
{
	(void)handle;
	watch_close(arg);
}

static void on_collected(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	watch_put(data);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *w = poll->data;
	napi_value fn, global, arg, ret, error;
	napi_handle_scope scope;
	bool thrown = false;

	(void)events;
	/*
	 * libuv stops polling and says EBADF on any POLLERR, and a netlink receive overrun is one.
	 * The error is the reader's to collect (recv answers ENOBUFS once), so keep watching.
	 */
	if (status < 0 && uv_poll_start(poll, UV_READABLE, on_ready) == 0)
		status = UV_EIO;
	if (napi_open_handle_scope(w->env, &scope) != napi_ok)
		return;
	if (napi_get_reference_value(w->env, w->callback, &fn) == napi_ok && fn &&
	    napi_get_global(w->env, &global) == napi_ok) {
		arg = mk_i32(w->env, status);
		napi_make_callback(w->env, w->async, global, fn, 1, &arg, &ret);
		napi_is_exception_pending(w->env, &thrown);
		if (thrown && napi_get_and_clear_last_exception(w->env, &error) == napi_ok)
			napi_fatal_exception(w->env, error);
	}
	napi_close_handle_scope(w->env, scope);
}

static void on_aborted(uv_handle_t *handle)
{
	free(handle->data);
}

/* watchFd(fd, callback(status), ref) -> handle; status 0 readable, negative: an error is pending on fd */
static napi_value watch_fd(napi_env env, napi_callback_info info)
{
	struct args a;
	struct watch *w;
	uv_loop_t *loop;
	napi_valuetype type;
	napi_value handle;
	int32_t fd;
	bool ref = true;
	int rc;

	if (!args_get(env, info, &a, 2) || !arg_i32(&a, 0, "fd", &fd))
		return NULL;
	if (napi_typeof(env, a.v[1], &type) != napi_ok || type != napi_function) {
		napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "callback must be a function");
		return NULL;
	}
	if (!arg_absent(&a, 2))
		napi_get_value_bool(env, a.v[2], &ref);
	if (napi_get_uv_event_loop(env, &loop) != napi_ok)
		return throw_errno(env, EINVAL, "napi_get_uv_event_loop");
	w = calloc(1, sizeof(*w));
	if (!w)
		return throw_errno(env, ENOMEM, "calloc");
	w->magic = WATCH_MAGIC;
	w->env = env;
	rc = uv_poll_init(loop, &w->poll, fd);
	if (rc < 0) {
		free(w);
		return throw_errno(env, -rc, "uv_poll_init");
	}
	w->poll.data = w;
	rc = uv_poll_start(&w->poll, UV_READABLE, on_ready);
	if (rc < 0 || napi_create_external(env, w, on_collected, NULL, &handle) != napi_ok) {
		uv_close((uv_handle_t *)&w->poll, on_aborted);
		return throw_errno(env, rc < 0 ? -rc : ENOMEM, "uv_poll_start");
	}
	w->owners = 2;
	if (!ref)
		uv_unref((uv_handle_t *)&w->poll);
	napi_create_reference(env, a.v[1], 1, &w->callback);
	napi_async_init(env, NULL, mk_str(env, "bpf-loader-ts:watchFd"), &w->async);
	napi_add_async_cleanup_hook(env, on_env_exit, w, &w->cleanup);
	return handle;
}

/* The watch behind argument 0, or NULL with an exception. */
static struct watch *watch_arg(struct args *a)
{
	void *p = NULL;

	if (napi_get_value_external(a->env, a->v[0], &p) == napi_ok && p && ((struct watch *)p)->magic == WATCH_MAGIC)
		return p;
	napi_throw_type_error(a->env, "ERR_INVALID_ARG_TYPE", "handle must come from watchFd");
	return NULL;
}

/* unwatchFd(handle): at once, also from inside the callback; a second call does nothing. */
static napi_value unwatch_fd(napi_env env, napi_callback_info info)
{
	struct args a;
	struct watch *w;

	if (!args_get(env, info, &a, 1))
		return NULL;
	w = watch_arg(&a);
	if (!w)
		return NULL;
	watch_close(w);
	return mk_undefined(env);
}

/* watchRef(handle, keepAlive) */
static napi_value watch_ref(napi_env env, napi_callback_info info)
{
	struct args a;
	struct watch *w;
	bool on = true;

	if (!args_get(env, info, &a, 2))
		return NULL;
	w = watch_arg(&a);
	if (!w)
		return NULL;
	napi_get_value_bool(env, a.v[1], &on);
	if (w->closing)
		return mk_undefined(env);
	if (on)
		uv_ref((uv_handle_t *)&w->poll);
	else
		uv_unref((uv_handle_t *)&w->poll);
	return mk_undefined(env);
}

/* watchPause(handle, paused): a paused watch calls nobody and holds nothing alive */
static napi_value watch_pause(napi_env env, napi_callback_info info)
{
	struct args a;
	struct watch *w;
	bool paused;
	int rc;

	if (!args_get(env, info, &a, 2) || !arg_bool(&a, 1, "paused", &paused))
		return NULL;
	w = watch_arg(&a);
	if (!w)
		return NULL;
	if (w->closing)
		return mk_undefined(env);
	rc = paused ? uv_poll_stop(&w->poll) : uv_poll_start(&w->poll, UV_READABLE, on_ready);
	return rc < 0 ? throw_errno(env, -rc, "uv_poll_start") : mk_undefined(env);
}

void sys_watch_init(napi_env env, napi_value exports)
{
	EXPORT_FN(env, exports, "watchFd", watch_fd);
	EXPORT_FN(env, exports, "unwatchFd", unwatch_fd);
	EXPORT_FN(env, exports, "watchRef", watch_ref);
	EXPORT_FN(env, exports, "watchPause", watch_pause);
}
