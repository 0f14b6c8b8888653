/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Netlink sockets: only the bytes; src/netlink gives them meaning. NETLINK_NO_ENOBUFS stays off:
 * a receive overrun must be seen, for the answer to it is a fresh dump.
 */
#include "sys_netns.h"
#include "util.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

/* frames of other processes skipped in one call, so that none of them can hold the caller */
#define MAX_STRANGERS 64

static int set_rcvbuf(int fd, int bytes)
{
	/* FORCE passes net.core.rmem_max and wants CAP_NET_ADMIN */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) == 0)
		return 0;
	return setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) < 0 ? -errno : 0;
}

/* netlinkOpen(protocol, netns | -1, rcvbuf | 0) -> fd */
static napi_value netlink_open(napi_env env, napi_callback_info info)
{
	struct sockaddr_nl local = { .nl_family = AF_NETLINK };
	struct args a;
	int32_t protocol, ns, rcvbuf;
	int fd, one = 1, err;

	if (!args_get(env, info, &a, 3) || !arg_i32(&a, 0, "protocol", &protocol) || !arg_i32(&a, 1, "netns", &ns) ||
	    !arg_i32(&a, 2, "rcvbuf", &rcvbuf))
		return NULL;
	fd = ns_socket(ns, AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, protocol);
	if (fd < 0)
		return throw_errno(env, -fd, "socket(AF_NETLINK)");
	/* both only sharpen answers; kernels before 4.12 and 4.20 do without */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	err = rcvbuf > 0 ? -set_rcvbuf(fd, rcvbuf) : 0;
	if (err) {
		close(fd);
		return throw_errno(env, err, "setsockopt(SO_RCVBUF)");
	}
	if (bind(fd, (struct sockaddr *)&local, sizeof(local)) < 0) {
		err = errno;
		close(fd);
		return throw_errno(env, err, "bind(AF_NETLINK)");
	}
	return mk_i32(env, fd);
}

static napi_value netlink_join(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t fd, group;

	if (!args_get(env, info, &a, 2) || !arg_i32(&a, 0, "fd", &fd) || !arg_i32(&a, 1, "group", &group))
		return NULL;
	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return throw_errno(env, errno, "setsockopt(NETLINK_ADD_MEMBERSHIP)");
	return mk_undefined(env);
}

/*
 * netlinkRecv(fd, bytes) -> length | -errno. Only what the kernel itself sent is returned; a
 * datagram longer than the buffer is lost and reported as EMSGSIZE.
 */
static napi_value netlink_recv(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t fd;
	void *buf;
	size_t len;

	if (!args_get(env, info, &a, 2) || !arg_i32(&a, 0, "fd", &fd) || !arg_bytes(&a, 1, "bytes", &buf, &len))
		return NULL;
	for (int i = 0; i < MAX_STRANGERS; i++) {
		struct sockaddr_nl from = { 0 };
		struct iovec iov = { buf, len };
		struct msghdr msg = {
			.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1,
		};
		ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0)
			return mk_i32(env, -errno);
		if (from.nl_pid != 0)
			continue;
		return mk_i32(env, (size_t)n > len ? -EMSGSIZE : (int32_t)n);
	}
	return mk_i32(env, -EAGAIN);
}

static napi_value netlink_send(napi_env env, napi_callback_info info)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct args a;
	int32_t fd;
	uint32_t len;
	void *buf;
	size_t cap;
	ssize_t n;

	if (!args_get(env, info, &a, 3) || !arg_i32(&a, 0, "fd", &fd) || !arg_bytes(&a, 1, "bytes", &buf, &cap) ||
	    !arg_u32(&a, 2, "len", &len))
		return NULL;
	if (len > cap)
		return mk_i32(env, -EINVAL);
	n = sendto(fd, buf, len, MSG_DONTWAIT, (struct sockaddr *)&kernel, sizeof(kernel));
	return mk_i32(env, n < 0 ? -errno : (int32_t)n);
}

/* pollIn(fd, timeoutMs) -> 1 readable (or an error to collect), 0 timeout or signal, -errno */
static napi_value poll_in(napi_env env, napi_callback_info info)
{
	struct pollfd p = { .events = POLLIN };
	struct args a;
	int32_t ms;
	int n;

	if (!args_get(env, info, &a, 2) || !arg_i32(&a, 0, "fd", &p.fd) || !arg_i32(&a, 1, "timeoutMs", &ms))
		return NULL;
	n = poll(&p, 1, ms);
	if (n < 0)
		return mk_i32(env, errno == EINTR ? 0 : -errno);
	return mk_i32(env, p.revents & POLLNVAL ? -EBADF : n);
}

/* rcvbuf(fd) -> bytes as the kernel counts them (twice what was asked for) */
static napi_value get_rcvbuf_js(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t fd;
	int bytes;
	socklen_t len = sizeof(bytes);

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "fd", &fd))
		return NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &len) < 0)
		return throw_errno(env, errno, "getsockopt(SO_RCVBUF)");
	return mk_i32(env, bytes);
}

static napi_value set_rcvbuf_js(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t fd, bytes;
	int err;

	if (!args_get(env, info, &a, 2) || !arg_i32(&a, 0, "fd", &fd) || !arg_i32(&a, 1, "bytes", &bytes))
		return NULL;
	err = -set_rcvbuf(fd, bytes);
	if (err)
		return throw_errno(env, err, "setsockopt(SO_RCVBUF)");
	return mk_undefined(env);
}

void sys_netlink_init(napi_env env, napi_value exports)
{
	EXPORT_FN(env, exports, "netlinkOpen", netlink_open);
	EXPORT_FN(env, exports, "netlinkJoin", netlink_join);
	EXPORT_FN(env, exports, "netlinkRecv", netlink_recv);
	EXPORT_FN(env, exports, "netlinkSend", netlink_send);
	EXPORT_FN(env, exports, "pollIn", poll_in);
	EXPORT_FN(env, exports, "rcvbuf", get_rcvbuf_js);
	EXPORT_FN(env, exports, "setRcvbuf", set_rcvbuf_js);
}
