/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Frames and datagrams: announcements and probes of the daemon, numbered streams of the lab.
 */
#include "sys_netns.h"
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEND_BATCH 64
#define RECV_BATCH 64
/* an endless sender must not hold the caller of recvDrain() */
#define DRAIN_MAX 65536

/* packetSocket(netns | -1, ifindex, protocol, bypass) -> fd; protocol 0 receives nothing (send only) */
static napi_value packet_socket(napi_env env, napi_callback_info info)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET };
	struct args a;
	int32_t ns, ifindex, bypass;
	const char *step = "bind(AF_PACKET)";
	uint32_t protocol;
	int fd, err;

	if (!args_get(env, info, &a, 4) || !arg_i32(&a, 0, "netns", &ns) || !arg_i32(&a, 1, "ifindex", &ifindex) ||
	    !arg_u32(&a, 2, "protocol", &protocol) || !arg_i32(&a, 3, "bypass", &bypass))
		return NULL;
	if (ifindex <= 0)
		return throw_errno(env, ENODEV, "bind(AF_PACKET)");
	/* protocol 0 until bound: no frame of another device gets in between */
	fd = ns_socket(ns, AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return throw_errno(env, -fd, "socket(AF_PACKET)");
	ll.sll_ifindex = ifindex;
	ll.sll_protocol = htons((uint16_t)protocol);
	if (bind(fd, (struct sockaddr *)&ll, sizeof(ll)) < 0)
		goto fail;
	step = "setsockopt(PACKET_QDISC_BYPASS)";
	bypass = bypass != 0;
	if (bypass && setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof(bypass)) < 0)
		goto fail;
	return mk_i32(env, fd);
fail:
	err = errno;
	close(fd);
	return throw_errno(env, err, step);
}

/* Fills ss from text and port; returns its length, 0 when the text is no address. */
static socklen_t parse_addr(const char *text, uint32_t port, struct sockaddr_storage *ss)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (port > 65535)
		return 0;
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		return sizeof(*v6);
	}
	return 0;
}

static int set_sndbuf(int fd, int bytes)
{
	if (bytes <= 0 || setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) == 0)
		return 0;
	return setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

/* udpSocket(netns | -1, bindAddr, bindPort, connectAddr | '', connectPort, sndbuf | 0) -> fd */
static napi_value udp_socket(napi_env env, napi_callback_info info)
{
	struct sockaddr_storage local, peer;
	socklen_t local_len, peer_len = 0;
	char bind_text[64], peer_text[64];
	const char *step;
	uint32_t bind_port, peer_port;
	int32_t ns, sndbuf;
	struct args a;
	int fd, err;

	if (!args_get(env, info, &a, 6) || !arg_i32(&a, 0, "netns", &ns) ||
	    !arg_str(&a, 1, "bindAddr", bind_text, sizeof(bind_text)) || !arg_u32(&a, 2, "bindPort", &bind_port) ||
	    !arg_str(&a, 3, "connectAddr", peer_text, sizeof(peer_text)) ||
	    !arg_u32(&a, 4, "connectPort", &peer_port) || !arg_i32(&a, 5, "sndbuf", &sndbuf))
		return NULL;
	local_len = parse_addr(bind_text, bind_port, &local);
	if (!local_len)
		return throw_errno(env, EINVAL, "udpSocket: bindAddr");
	if (peer_text[0]) {
		peer_len = parse_addr(peer_text, peer_port, &peer);
		if (!peer_len || peer.ss_family != local.ss_family)
			return throw_errno(env, EINVAL, "udpSocket: connectAddr");
	}
	fd = ns_socket(ns, local.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_UDP);
	if (fd < 0)
		return throw_errno(env, -fd, "socket(SOCK_DGRAM)");
	step = "setsockopt(SO_SNDBUF)";
	if (set_sndbuf(fd, sndbuf) < 0)
		goto fail;
	step = "bind";
	if (bind(fd, (struct sockaddr *)&local, local_len) < 0)
		goto fail;
	step = "connect";
	if (peer_len && connect(fd, (struct sockaddr *)&peer, peer_len) < 0)
		goto fail;
	return mk_i32(env, fd);
fail:
	err = errno;
	close(fd);
	return throw_errno(env, err, step);
}

static napi_value sock_send(napi_env env, napi_callback_info info)
{
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
	n = send(fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return mk_i32(env, n < 0 ? -errno : (int32_t)n);
}

/* sendBatch(fd, bytes, len, count) -> how many of `count` copies went out, or -errno when none did */
static napi_value sock_send_batch(napi_env env, napi_callback_info info)
{
	struct mmsghdr msgs[SEND_BATCH] = { 0 };
	struct iovec iov;
	struct args a;
	int32_t fd;
	uint32_t len, count, sent = 0;
	void *buf;
	size_t cap;

	if (!args_get(env, info, &a, 4) || !arg_i32(&a, 0, "fd", &fd) || !arg_bytes(&a, 1, "bytes", &buf, &cap) ||
	    !arg_u32(&a, 2, "len", &len) || !arg_u32(&a, 3, "count", &count))
		return NULL;
	if (len > cap || count > INT32_MAX)
		return mk_i32(env, -EINVAL);
	iov = (struct iovec){ buf, len };
	for (int i = 0; i < SEND_BATCH; i++) {
		msgs[i].msg_hdr.msg_iov = &iov;
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	while (sent < count) {
		uint32_t want = count - sent > SEND_BATCH ? SEND_BATCH : count - sent;
		int n = sendmmsg(fd, msgs, want, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return mk_i32(env, sent ? (int32_t)sent : -errno);
		sent += (uint32_t)n;
		if ((uint32_t)n < want)
			break;
	}
	return mk_i32(env, (int32_t)sent);
}

/* Int32 words of a row: where in `words`, the word that was answered, the end of its sends, how many of them went out. */
enum { ROW_AT, ROW_KNOWN, ROW_END, ROW_SENT, ROW_WORDS };
/* Of a send: socket, offset and length in `bytes`, and what of the frame is made anew: where it begins, how many bytes. */
enum { SEND_FD, SEND_OFFSET, SEND_LENGTH, SEND_FRESH_AT, SEND_FRESH_BYTES, SEND_WORDS };

/* Random bytes. Where the kernel has none yet (it boots), the previous ones counted on. */
static void make_fresh(uint8_t *bytes, size_t n)
{
	if (getrandom(bytes, n, GRND_NONBLOCK) == (ssize_t)n)
		return;
	while (n-- && ++bytes[n] == 0)
		;
}

static int send_row(const int32_t *sends, uint32_t from, uint32_t end, uint8_t *bytes, size_t cap)
{
	int sent = 0;

	for (uint32_t i = from; i < end; i++) {
		const int32_t *s = sends + (size_t)i * SEND_WORDS;
		uint32_t offset = (uint32_t)s[SEND_OFFSET], length = (uint32_t)s[SEND_LENGTH];
		uint32_t at = (uint32_t)s[SEND_FRESH_AT], fresh = (uint32_t)s[SEND_FRESH_BYTES];

		if (offset > cap || length > cap - offset)
			continue;
		if (fresh && at <= length && fresh <= length - at)
			make_fresh(bytes + offset + at, fresh);
		if (send(s[SEND_FD], bytes + offset, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			sent++;
	}
	return sent;
}

/* sendOnChange(words, rows, sends, bytes) -> rows whose word is another than the one they know */
static napi_value send_on_change(napi_env env, napi_callback_info info)
{
	size_t words_len, rows_len, sends_len, cap;
	void *words, *rows, *sends, *bytes;
	uint32_t from = 0, end, max;
	int32_t changed = 0;
	struct args a;

	if (!args_get(env, info, &a, 4) || !arg_bytes(&a, 0, "words", &words, &words_len) ||
	    !arg_bytes(&a, 1, "rows", &rows, &rows_len) || !arg_bytes(&a, 2, "sends", &sends, &sends_len) ||
	    !arg_bytes(&a, 3, "bytes", &bytes, &cap))
		return NULL;
	max = (uint32_t)(sends_len / (SEND_WORDS * sizeof(int32_t)));
	for (size_t r = 0; r < rows_len / (ROW_WORDS * sizeof(int32_t)); r++, from = end) {
		int32_t *row = (int32_t *)rows + r * ROW_WORDS;
		uint32_t at = (uint32_t)row[ROW_AT];
		int32_t word;

		end = (uint32_t)row[ROW_END] < max ? (uint32_t)row[ROW_END] : max;
		if (at >= words_len / sizeof(int32_t))
			continue;
		word = __atomic_load_n((int32_t *)words + at, __ATOMIC_ACQUIRE);
		if (word == row[ROW_KNOWN])
			continue;
		row[ROW_KNOWN] = word;
		row[ROW_SENT] = send_row(sends, from, end, bytes, cap);
		changed++;
	}
	return mk_i32(env, changed);
}

static napi_value sock_recv(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t fd;
	void *buf;
	size_t len;
	ssize_t n;

	if (!args_get(env, info, &a, 2) || !arg_i32(&a, 0, "fd", &fd) || !arg_bytes(&a, 1, "bytes", &buf, &len))
		return NULL;
	n = recv(fd, buf, len, MSG_DONTWAIT);
	return mk_i32(env, n < 0 ? -errno : (int32_t)n);
}

/* recvDrain(fd) -> datagrams thrown away (at most DRAIN_MAX), or -errno when there was none */
static napi_value sock_recv_drain(napi_env env, napi_callback_info info)
{
	struct mmsghdr msgs[RECV_BATCH] = { 0 };
	struct args a;
	int32_t fd, total = 0;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "fd", &fd))
		return NULL;
	while (total < DRAIN_MAX) {
		int n = recvmmsg(fd, msgs, RECV_BATCH, MSG_DONTWAIT, NULL);

		if (n < 0 && errno == ECONNREFUSED)
			continue; /* an old ICMP answer: reading it cleared it */
		if (n < 0)
			return mk_i32(env, total || errno == EAGAIN ? total : -errno);
		total += n;
	}
	return mk_i32(env, total);
}

void sys_packet_init(napi_env env, napi_value exports)
{
	EXPORT_FN(env, exports, "packetSocket", packet_socket);
	EXPORT_FN(env, exports, "udpSocket", udp_socket);
	EXPORT_FN(env, exports, "sockSend", sock_send);
	EXPORT_FN(env, exports, "sockSendBatch", sock_send_batch);
	EXPORT_FN(env, exports, "sendOnChange", send_on_change);
	EXPORT_FN(env, exports, "sockRecv", sock_recv);
	EXPORT_FN(env, exports, "sockRecvDrain", sock_recv_drain);
}
