/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What a tracing program hangs on: raw tracepoints and trampolines (BPF_RAW_TRACEPOINT_OPEN), perf events for tracepoints, kprobes and
 * uprobes, and tracefs, which numbers the tracepoints.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf_sys.h"
#include "util.h"

#define PATH_CAP 4096

/* since glibc 2.36 and Linux 5.2; the numbers are the same on every architecture */
#ifndef SYS_fsopen
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#define OPEN_CLOEXEC 1		/* FSOPEN_CLOEXEC and FSMOUNT_CLOEXEC */
#define CONFIG_CREATE 6		/* FSCONFIG_CMD_CREATE */

struct raw_tracepoint {
	uint64_t name;
	uint32_t prog_fd;
	uint32_t pad;
	uint64_t cookie; /* Linux 6.10 */
};

/* rawTracepointOpen(progFd, name | null, cookie) -> fd; without a name the program knows where it belongs */
static napi_value raw_tracepoint_open(napi_env env, napi_callback_info info)
{
	struct raw_tracepoint attr = {};
	char name[128];
	struct args a;
	int32_t prog;
	int fd;

	if (!args_get(env, info, &a, 3) || !arg_i32(&a, 0, "progFd", &prog) || !arg_u64(&a, 2, "cookie", &attr.cookie))
		return NULL;
	if (!arg_absent(&a, 1)) {
		if (!arg_str(&a, 1, "name", name, sizeof(name)))
			return NULL;
		attr.name = (uint64_t)(uintptr_t)name;
	}
	attr.prog_fd = prog;
	fd = good_fd(sys_bpf(BPF_RAW_TRACEPOINT_OPEN, &attr, attr.cookie ? 24 : 12));
	return fd < 0 ? throw_errno(env, errno, "bpf(BPF_RAW_TRACEPOINT_OPEN)") : mk_i32(env, fd);
}

/*
 * perfOpen(type, config, name | null, offset, pid | -1) -> fd. With a name: a probe at that symbol (kprobe) or in that file (uprobe).
 * Programs on a tracepoint or probe run on every CPU, whatever CPU the event is for.
 */
static napi_value perf_open(napi_env env, napi_callback_info info)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	char name[PATH_CAP];
	uint64_t config, offset;
	struct args a;
	int32_t pid;
	int fd;

	if (!args_get(env, info, &a, 5) || !arg_u32(&a, 0, "type", &attr.type) || !arg_u64(&a, 1, "config", &config) ||
	    !arg_u64(&a, 3, "offset", &offset) || !arg_i32(&a, 4, "pid", &pid))
		return NULL;
	attr.config = config;
	if (!arg_absent(&a, 2)) {
		if (!arg_str(&a, 2, "name", name, sizeof(name)))
			return NULL;
		attr.config1 = (uint64_t)(uintptr_t)name; /* kprobe_func, uprobe_path */
		attr.config2 = offset;			  /* probe_offset */
	}
	fd = good_fd(syscall(__NR_perf_event_open, &attr, pid < 0 ? -1 : pid, pid < 0 ? 0 : -1, -1, PERF_FLAG_FD_CLOEXEC));
	return fd < 0 ? throw_errno(env, errno, "perf_event_open") : mk_i32(env, fd);
}

/* A mount of tracefs that no path leads to and that ends with the descriptor; -1 with errno. CAP_SYS_ADMIN. */
static int tracefs_mount(void)
{
	int fs = syscall(SYS_fsopen, "tracefs", OPEN_CLOEXEC), mnt = -1, err;

	if (fs < 0)
		return -1;
	if (!syscall(SYS_fsconfig, fs, CONFIG_CREATE, NULL, NULL, 0))
		mnt = syscall(SYS_fsmount, fs, OPEN_CLOEXEC, 0);
	err = errno;
	close(fs);
	errno = err;
	return mnt;
}

/*
 * tracefsRead(path) -> the beginning of a file of tracefs, from a mount of our own: for machines where nobody mounted it. undefined: tracefs has
 * no such file. The path is relative, and leads nowhere else.
 */
static napi_value tracefs_read(napi_env env, napi_callback_info info)
{
	char path[512], text[256];
	int mnt, fd, err;
	struct args a;
	ssize_t n;

	if (!args_get(env, info, &a, 1) || !arg_str(&a, 0, "path", path, sizeof(path)))
		return NULL;
	if (path[0] == '/')
		return throw_errno(env, EINVAL, "path in tracefs");
	mnt = tracefs_mount();
	if (mnt < 0)
		return throw_errno(env, errno, "mount tracefs");
	fd = openat(mnt, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	err = errno;
	close(mnt);
	if (fd < 0)
		return err == ENOENT ? mk_undefined(env) : throw_errno(env, err, "open in tracefs");
	n = read(fd, text, sizeof(text) - 1);
	err = errno;
	close(fd);
	if (n < 0)
		return throw_errno(env, err, "read in tracefs");
	text[n] = 0;
	return mk_str(env, text);
}

void tracing_init(napi_env env, napi_value exports)
{
	export_fn(env, exports, "rawTracepointOpen", raw_tracepoint_open);
	export_fn(env, exports, "perfOpen", perf_open);
	export_fn(env, exports, "tracefsRead", tracefs_read);
}
