/* SPDX-License-Identifier: GPL-2.0-only
 *
 * File descriptors, clocks, epoll and the calling thread. The functions a hot loop calls return
 * >= 0 or -errno and create no JavaScript value but that number.
 */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

#define EPOLL_BATCH 64

static napi_value result(napi_env env, ssize_t rc)
{
	return mk_i32(env, rc < 0 ? -errno : (int32_t)rc);
}

static double clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* ---- eventfd ---- */

static napi_value eventfd_create(napi_env env, napi_callback_info info)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0)
		return throw_errno(env, errno, "eventfd");
	return mk_i32(env, fd);
}

static napi_value eventfd_signal(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t fd;
	uint64_t one = 1;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "fd", &fd))
		return NULL;
	/* EAGAIN: the counter is full, so the reader is already due to wake */
	if (write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		return mk_i32(env, -errno);
	return mk_i32(env, 0);
}

/* eventfdClear(fd) -> signals taken (saturating at 2^31-1), 0 when there was none. */
static napi_value eventfd_clear(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t fd;
	uint64_t n;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "fd", &fd))
		return NULL;
	if (read(fd, &n, sizeof(n)) < 0)
		return mk_i32(env, errno == EAGAIN ? 0 : -errno);
	return mk_i32(env, n > INT32_MAX ? INT32_MAX : (int32_t)n);
}

/* ---- any fd ---- */

static napi_value fd_close(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t fd;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "fd", &fd))
		return NULL;
	/* Linux has let go of the fd even when it answers EINTR: never retry */
	if (close(fd) < 0 && errno != EINTR)
		return throw_errno(env, errno, "close");
	return mk_undefined(env);
}

static napi_value fd_read(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t fd;
	void *buf;
	size_t len;

	if (!args_get(env, info, &a, 2) || !arg_i32(&a, 0, "fd", &fd) || !arg_bytes(&a, 1, "bytes", &buf, &len))
		return NULL;
	return result(env, read(fd, buf, len > INT32_MAX ? INT32_MAX : len));
}

static napi_value fd_write(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t fd;
	uint32_t len;
	void *buf;
	size_t cap;

	if (!args_get(env, info, &a, 3) || !arg_i32(&a, 0, "fd", &fd) || !arg_bytes(&a, 1, "bytes", &buf, &cap) ||
	    !arg_u32(&a, 2, "len", &len))
		return NULL;
	if (len > cap)
		return mk_i32(env, -EINVAL);
	return result(env, write(fd, buf, len));
}

static napi_value fd_dup(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t fd;
	int copy;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "fd", &fd))
		return NULL;
	/* from 3 up: a copy must never become stdin, stdout or stderr */
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return throw_errno(env, errno, "fcntl(F_DUPFD_CLOEXEC)");
	return mk_i32(env, copy);
}

/* lockFile(path) -> fd that holds the lock, or null when another one holds it */
static napi_value lock_file(napi_env env, napi_callback_info info)
{
	struct args a;
	char path[4096];
	napi_value r = NULL;
	int fd, err;

	if (!args_get(env, info, &a, 1) || !arg_str(&a, 0, "path", path, sizeof(path)))
		return NULL;
	/* O_NONBLOCK: a fifo at that path must not hang the caller; no link is followed to where another user points */
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0 && errno == EISDIR)
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return throw_errno(env, errno, "open(lock file)");
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return mk_i32(env, fd);
	err = errno;
	close(fd);
	if (err != EWOULDBLOCK)
		return throw_errno(env, err, "flock");
	napi_get_null(env, &r);
	return r;
}

/* errnoName(errno) -> "ENODEV"; every name the C library knows (libuv knows fewer: no ESTALE) */
static napi_value errno_name(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t err;
	const char *name;
	char unknown[16];

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "errno", &err))
		return NULL;
	/* through unsigned: -INT32_MIN does not exist */
	err = err < 0 ? (int32_t)(0u - (uint32_t)err) : err;
	name = strerrorname_np(err);
	if (!name) {
		snprintf(unknown, sizeof(unknown), "E%u", (uint32_t)err);
		name = unknown;
	}
	return mk_str(env, name);
}

/* ---- clocks ---- */

/* clockMonotonic(f64array, index): stores nanoseconds; a returned double would be a heap number. */
static napi_value clock_monotonic(napi_env env, napi_callback_info info)
{
	struct args a;
	uint32_t i;
	void *p;
	size_t len;

	if (!args_get(env, info, &a, 2) || !arg_bytes(&a, 0, "array", &p, &len) || !arg_u32(&a, 1, "index", &i))
		return NULL;
	if ((size_t)i >= len / sizeof(double))
		return mk_i32(env, -EINVAL);
	((double *)p)[i] = clock_ns(CLOCK_MONOTONIC);
	return mk_i32(env, 0);
}

static napi_value monotonic_ns(napi_env env, napi_callback_info info)
{
	return mk_f64(env, clock_ns(CLOCK_MONOTONIC));
}

static napi_value thread_cpu_ns(napi_env env, napi_callback_info info)
{
	return mk_f64(env, clock_ns(CLOCK_THREAD_CPUTIME_ID));
}

/* ---- the calling thread and process ---- */

static napi_value get_tid(napi_env env, napi_callback_info info)
{
	return mk_i32(env, (int32_t)syscall(SYS_gettid));
}

/* setNice(nice) -> 0 | -errno: of the calling thread alone, as Linux has it */
static napi_value set_nice(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t nice;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "nice", &nice))
		return NULL;
	return result(env, setpriority(PRIO_PROCESS, syscall(SYS_gettid), nice));
}

/* setAffinity(mask, tid): bit n of the mask is CPU n. Thread 0 is the calling one. */
static napi_value set_affinity(napi_env env, napi_callback_info info)
{
	struct args a;
	void *mask;
	size_t len;
	int32_t tid;

	if (!args_get(env, info, &a, 2) || !arg_bytes(&a, 0, "mask", &mask, &len) || !arg_i32(&a, 1, "tid", &tid))
		return NULL;
	if (sched_setaffinity(tid, len, mask) < 0)
		return throw_errno(env, errno, "sched_setaffinity");
	return mk_undefined(env);
}

/* affinity(mask, tid): fills the mask. */
static napi_value get_affinity(napi_env env, napi_callback_info info)
{
	struct args a;
	void *mask;
	size_t len;
	int32_t tid;

	if (!args_get(env, info, &a, 2) || !arg_bytes(&a, 0, "mask", &mask, &len) || !arg_i32(&a, 1, "tid", &tid))
		return NULL;
	if (sched_getaffinity(tid, len, mask) < 0)
		return throw_errno(env, errno, "sched_getaffinity");
	return mk_undefined(env);
}

static double limit_value(rlim_t v)
{
	return v == RLIM_INFINITY ? INFINITY : (double)v;
}

static napi_value memlock_limit(napi_env env, napi_callback_info info)
{
	struct rlimit lim;
	napi_value r;

	if (getrlimit(RLIMIT_MEMLOCK, &lim) < 0)
		return throw_errno(env, errno, "getrlimit");
	napi_create_object(env, &r);
	set_prop(env, r, "soft", mk_f64(env, limit_value(lim.rlim_cur)));
	set_prop(env, r, "hard", mk_f64(env, limit_value(lim.rlim_max)));
	return r;
}

/* raiseMemlock() -> true when now unlimited. Kernels before 5.11 charge BPF maps to this limit. */
static napi_value raise_memlock(napi_env env, napi_callback_info info)
{
	struct rlimit lim = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &lim) == 0)
		return mk_bool(env, true);
	if (errno != EPERM)
		return throw_errno(env, errno, "setrlimit");
	/* without CAP_SYS_RESOURCE the hard limit is as far as it goes */
	if (getrlimit(RLIMIT_MEMLOCK, &lim) < 0)
		return throw_errno(env, errno, "getrlimit");
	lim.rlim_cur = lim.rlim_max;
	if (setrlimit(RLIMIT_MEMLOCK, &lim) < 0)
		return throw_errno(env, errno, "setrlimit");
	return mk_bool(env, lim.rlim_cur == RLIM_INFINITY);
}

/* ---- epoll ---- */

static napi_value epoll_make(napi_env env, napi_callback_info info)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return throw_errno(env, errno, "epoll_create1");
	return mk_i32(env, fd);
}

/* epollCtlAdd(epfd, fd, data): level-triggered readability; epollWait hands `data` back. */
static napi_value epoll_add(napi_env env, napi_callback_info info)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct args a;
	int32_t epfd, fd, data;

	if (!args_get(env, info, &a, 3) || !arg_i32(&a, 0, "epfd", &epfd) || !arg_i32(&a, 1, "fd", &fd) ||
	    !arg_i32(&a, 2, "data", &data))
		return NULL;
	ev.data.u64 = (uint32_t)data;
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return throw_errno(env, errno, "epoll_ctl(ADD)");
	return mk_undefined(env);
}

static napi_value epoll_del(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t epfd, fd;

	if (!args_get(env, info, &a, 2) || !arg_i32(&a, 0, "epfd", &epfd) || !arg_i32(&a, 1, "fd", &fd))
		return NULL;
	if (epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL) < 0)
		return throw_errno(env, errno, "epoll_ctl(DEL)");
	return mk_undefined(env);
}

static int wait_us(int epfd, struct epoll_event *ev, int max, int32_t timeout_us)
{
	struct timespec ts = { timeout_us / 1000000, timeout_us % 1000000 * 1000L };
	int n;

	if (timeout_us <= 0)
		return epoll_wait(epfd, ev, max, timeout_us < 0 ? -1 : 0);
	n = (int)syscall(SYS_epoll_pwait2, epfd, ev, max, &ts, NULL, 0);
	/* before 5.11, or a seccomp filter that does not know the call (EPERM) */
	if (n < 0 && (errno == ENOSYS || errno == EPERM))
		n = epoll_wait(epfd, ev, max, timeout_us / 1000 + (timeout_us % 1000 != 0));
	return n;
}

/* epollWait(epfd, i32array, timeoutUs) -> how many data words were stored, or -errno. */
static napi_value epoll_ready(napi_env env, napi_callback_info info)
{
	struct epoll_event ev[EPOLL_BATCH];
	struct args a;
	int32_t epfd, timeout_us, *out;
	void *p;
	size_t len;
	int n, max;

	if (!args_get(env, info, &a, 3) || !arg_i32(&a, 0, "epfd", &epfd) || !arg_bytes(&a, 1, "ready", &p, &len) ||
	    !arg_i32(&a, 2, "timeoutUs", &timeout_us))
		return NULL;
	len /= sizeof(int32_t);
	if (len == 0)
		return mk_i32(env, -EINVAL);
	max = len > EPOLL_BATCH ? EPOLL_BATCH : (int)len;
	n = wait_us(epfd, ev, max, timeout_us);
	if (n < 0)
		return mk_i32(env, errno == EINTR ? 0 : -errno);
	out = p;
	for (int i = 0; i < n; i++)
		out[i] = (int32_t)ev[i].data.u64;
	return mk_i32(env, n);
}

void sys_fd_init(napi_env env, napi_value exports)
{
	EXPORT_FN(env, exports, "eventfdCreate", eventfd_create);
	EXPORT_FN(env, exports, "eventfdSignal", eventfd_signal);
	EXPORT_FN(env, exports, "eventfdClear", eventfd_clear);
	EXPORT_FN(env, exports, "fdClose", fd_close);
	EXPORT_FN(env, exports, "fdRead", fd_read);
	EXPORT_FN(env, exports, "fdWrite", fd_write);
	EXPORT_FN(env, exports, "fdDup", fd_dup);
	EXPORT_FN(env, exports, "lockFile", lock_file);
	EXPORT_FN(env, exports, "errnoName", errno_name);
	EXPORT_FN(env, exports, "clockMonotonic", clock_monotonic);
	EXPORT_FN(env, exports, "monotonicNs", monotonic_ns);
	EXPORT_FN(env, exports, "threadCpuNs", thread_cpu_ns);
	EXPORT_FN(env, exports, "gettid", get_tid);
	EXPORT_FN(env, exports, "setNice", set_nice);
	EXPORT_FN(env, exports, "setAffinity", set_affinity);
	EXPORT_FN(env, exports, "affinity", get_affinity);
	EXPORT_FN(env, exports, "memlockLimit", memlock_limit);
	EXPORT_FN(env, exports, "raiseMemlock", raise_memlock);
	EXPORT_FN(env, exports, "epollCreate", epoll_make);
	EXPORT_FN(env, exports, "epollCtlAdd", epoll_add);
	EXPORT_FN(env, exports, "epollCtlDel", epoll_del);
	EXPORT_FN(env, exports, "epollWait", epoll_ready);
}
