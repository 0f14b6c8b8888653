/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Network namespaces. setns(2) moves one thread, so each Node thread has a place of its own.
 */
#include "sys_netns.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define SELF_NETNS "/proc/thread-self/ns/net"

static int ns_self(void)
{
	return open(SELF_NETNS, O_RDONLY | O_CLOEXEC);
}

/* setns(2) wants CAP_SYS_ADMIN even for the namespace that the thread is in already. */
static bool ns_is_self(int ns)
{
	struct stat mine, other;

	return stat(SELF_NETNS, &mine) == 0 && fstat(ns, &other) == 0 && mine.st_ino == other.st_ino &&
	       mine.st_dev == other.st_dev;
}

int ns_enter(int ns)
{
	int saved, err;

	if (ns < 0 || ns_is_self(ns))
		return -1;
	saved = ns_self();
	if (saved < 0)
		return -errno - 1;
	if (setns(ns, CLONE_NEWNET) < 0) {
		err = errno;
		close(saved);
		return -err - 1;
	}
	return saved;
}

int ns_move(int ns)
{
	return ns_is_self(ns) || setns(ns, CLONE_NEWNET) == 0 ? 0 : -errno;
}

void ns_leave(int ticket)
{
	if (ticket < 0)
		return;
	if (setns(ticket, CLONE_NEWNET) < 0)
		napi_fatal_error("ns_leave", NAPI_AUTO_LENGTH,
				 "cannot return to the thread's own network namespace", NAPI_AUTO_LENGTH);
	close(ticket);
}

int ns_socket(int ns, int domain, int type, int protocol)
{
	int ticket = ns_enter(ns), fd, err;

	if (NS_FAILED(ticket))
		return -NS_ERR(ticket);
	fd = socket(domain, type | SOCK_CLOEXEC, protocol);
	err = errno;
	ns_leave(ticket);
	return fd < 0 ? -err : fd;
}

/* netnsCreate() -> fd of a new anonymous namespace; it lives as long as fds or devices hold it. */
static napi_value netns_create(napi_env env, napi_callback_info info)
{
	int saved = ns_self(), fd, err;

	if (saved < 0)
		return throw_errno(env, errno, "open(" SELF_NETNS ")");
	if (unshare(CLONE_NEWNET) < 0) {
		err = errno;
		close(saved);
		return throw_errno(env, err, "unshare(CLONE_NEWNET)");
	}
	fd = ns_self();
	err = errno;
	ns_leave(saved);
	if (fd < 0)
		return throw_errno(env, err, "open(" SELF_NETNS ")");
	return mk_i32(env, fd);
}

static napi_value netns_open(napi_env env, napi_callback_info info)
{
	struct args a;
	char path[4096];
	int fd, type;

	if (!args_get(env, info, &a, 1) || !arg_str(&a, 0, "path", path, sizeof(path)))
		return NULL;
	/* O_NONBLOCK: a fifo at that path must not hang the caller */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return throw_errno(env, errno, "open(netns)");
	type = ioctl(fd, NS_GET_NSTYPE);
	if (type != CLONE_NEWNET) {
		close(fd);
		return throw_errno(env, EINVAL, "open(netns): not a network namespace");
	}
	return mk_i32(env, fd);
}

static napi_value netns_enter(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t fd;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "fd", &fd))
		return NULL;
	if (!ns_is_self(fd) && setns(fd, CLONE_NEWNET) < 0)
		return throw_errno(env, errno, "setns");
	return mk_undefined(env);
}

static napi_value netns_current(napi_env env, napi_callback_info info)
{
	int fd = ns_self();

	if (fd < 0)
		return throw_errno(env, errno, "open(" SELF_NETNS ")");
	return mk_i32(env, fd);
}

static napi_value netns_inode(napi_env env, napi_callback_info info)
{
	struct args a;
	struct stat st;
	int32_t fd;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "fd", &fd))
		return NULL;
	if (fstat(fd, &st) < 0)
		return throw_errno(env, errno, "fstat");
	return mk_f64(env, (double)st.st_ino);
}

/* netnsCookie(fd) -> BigInt, or null before Linux 5.14. Unlike inodes, cookies are never reused. */
static napi_value netns_cookie(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t ns;
	uint64_t cookie;
	socklen_t len = sizeof(cookie);
	napi_value r = NULL;
	int s, rc, err;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "fd", &ns))
		return NULL;
	s = ns_socket(ns, AF_UNIX, SOCK_DGRAM, 0);
	if (s < 0)
		return throw_errno(env, -s, "socket");
	rc = getsockopt(s, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len);
	err = errno;
	close(s);
	if (rc < 0 && err != ENOPROTOOPT)
		return throw_errno(env, err, "getsockopt(SO_NETNS_COOKIE)");
	if (rc < 0)
		napi_get_null(env, &r);
	else
		napi_create_bigint_uint64(env, cookie, &r);
	return r;
}

void sys_netns_init(napi_env env, napi_value exports)
{
	EXPORT_FN(env, exports, "netnsCreate", netns_create);
	EXPORT_FN(env, exports, "netnsOpen", netns_open);
	EXPORT_FN(env, exports, "netnsEnter", netns_enter);
	EXPORT_FN(env, exports, "netnsCurrent", netns_current);
	EXPORT_FN(env, exports, "netnsInode", netns_inode);
	EXPORT_FN(env, exports, "netnsCookie", netns_cookie);
}
