/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Tap devices: to the kernel's link code they are what a VF or a virtio NIC is (carrier set by a
 * driver, changes rate-limited by linkwatch), so the lab builds its devices from them.
 */
#include "sys_netns.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef TUNSETCARRIER
#define TUNSETCARRIER _IOW('T', 226, int)
#endif

#define TUN_PATH "/dev/net/tun"

struct tap {
	int fd;
	int ifindex;
	const char *failed;
};

/* Runs inside the namespace: a tun file belongs to the one it was opened in. Returns 0 or errno. */
static int tap_open(struct tap *t, struct ifreq *ifr, const uint8_t *mac, short flags)
{
	char name[IFNAMSIZ];
	int sock, err = 0;

	t->failed = "open(" TUN_PATH ")";
	t->fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0)
		return errno;
	t->failed = "socket";
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0) {
		err = errno;
		goto fail;
	}
	ifr->ifr_flags = flags;
	t->failed = "ioctl(TUNSETIFF)";
	if (ioctl(t->fd, TUNSETIFF, ifr) < 0)
		err = errno;
	memcpy(name, ifr->ifr_name, sizeof(name));
	if (!err && mac) {
		t->failed = "ioctl(SIOCSIFHWADDR)";
		ifr->ifr_hwaddr.sa_family = ARPHRD_ETHER;
		memcpy(ifr->ifr_hwaddr.sa_data, mac, 6);
		if (ioctl(sock, SIOCSIFHWADDR, ifr) < 0)
			err = errno;
	}
	if (!err) {
		t->failed = "ioctl(SIOCGIFINDEX)";
		memcpy(ifr->ifr_name, name, sizeof(name));
		if (ioctl(sock, SIOCGIFINDEX, ifr) < 0)
			err = errno;
		t->ifindex = ifr->ifr_ifindex;
	}
	close(sock);
	if (!err)
		return 0;
fail:
	close(t->fd);
	return err;
}

/* tapCreate(netns | -1, name, macBytes | null, vnetHdr) -> {fd, ifindex, name}; closing fd removes it */
static napi_value tap_create(napi_env env, napi_callback_info info)
{
	short flags = IFF_TAP | IFF_NO_PI;
	struct ifreq ifr = { 0 };
	struct tap t = { .fd = -1 };
	struct args a;
	void *mac = NULL;
	size_t mac_len = 6;
	int32_t ns;
	bool vnet = false;
	napi_value r;
	int ticket, err;

	if (!args_get(env, info, &a, 2) || !arg_i32(&a, 0, "netns", &ns) ||
	    !arg_str(&a, 1, "name", ifr.ifr_name, sizeof(ifr.ifr_name)))
		return NULL;
	if (!arg_absent(&a, 2) && !arg_bytes(&a, 2, "mac", &mac, &mac_len))
		return NULL;
	if (mac_len != 6)
		return throw_errno(env, EINVAL, "tapCreate: mac");
	if (!arg_absent(&a, 3))
		napi_get_value_bool(env, a.v[3], &vnet);
	if (vnet)
		flags |= IFF_VNET_HDR;
	ticket = ns_enter(ns);
	if (NS_FAILED(ticket))
		return throw_errno(env, NS_ERR(ticket), "setns");
	err = tap_open(&t, &ifr, mac, flags);
	ns_leave(ticket);
	if (err)
		return throw_errno(env, err, t.failed);
	napi_create_object(env, &r);
	set_prop(env, r, "fd", mk_i32(env, t.fd));
	set_prop(env, r, "ifindex", mk_i32(env, t.ifindex));
	set_prop(env, r, "name", mk_str(env, ifr.ifr_name));
	return r;
}

/* tapCarrier(fd, on): Linux 5.0 */
static napi_value tap_carrier(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t fd;
	bool on = false;
	int value;

	if (!args_get(env, info, &a, 2) || !arg_i32(&a, 0, "fd", &fd))
		return NULL;
	napi_get_value_bool(env, a.v[1], &on);
	value = on;
	if (ioctl(fd, TUNSETCARRIER, &value) < 0)
		return throw_errno(env, errno, "ioctl(TUNSETCARRIER)");
	return mk_undefined(env);
}

/* Errors of a write that mean "the far end did not take this frame": a wire drops it and goes on. */
static bool is_drop(int err)
{
	return err == EIO || err == ENETDOWN || err == EAGAIN || err == ENOBUFS || err == ENOMEM || err == EINVAL;
}

/* tapForward(fromFd, toFd, scratch, max) -> frames delivered, or -errno when none was */
static napi_value tap_forward(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t from, to, moved = 0;
	uint32_t max;
	void *buf;
	size_t len;

	if (!args_get(env, info, &a, 4) || !arg_i32(&a, 0, "fromFd", &from) || !arg_i32(&a, 1, "toFd", &to) ||
	    !arg_bytes(&a, 2, "scratch", &buf, &len) || !arg_u32(&a, 3, "max", &max))
		return NULL;
	for (uint32_t i = 0; i < max; i++) {
		ssize_t n = read(from, buf, len);

		if (n < 0)
			return mk_i32(env, moved || errno == EAGAIN ? moved : -errno);
		if (write(to, buf, (size_t)n) >= 0)
			moved++;
		else if (!is_drop(errno))
			return mk_i32(env, moved ? moved : -errno);
	}
	return mk_i32(env, moved);
}

/* tapDiscard(fd, max) -> frames read and thrown away, or -errno when there was none */
static napi_value tap_discard(napi_env env, napi_callback_info info)
{
	struct args a;
	char head[64]; /* tun cuts what does not fit and drops the rest with it */
	int32_t fd, gone = 0;
	uint32_t max;

	if (!args_get(env, info, &a, 2) || !arg_i32(&a, 0, "fd", &fd) || !arg_u32(&a, 1, "max", &max))
		return NULL;
	for (uint32_t i = 0; i < max; i++) {
		if (read(fd, head, sizeof(head)) < 0)
			return mk_i32(env, gone || errno == EAGAIN ? gone : -errno);
		gone++;
	}
	return mk_i32(env, gone);
}

void sys_tap_init(napi_env env, napi_value exports)
{
	EXPORT_FN(env, exports, "tapCreate", tap_create);
	EXPORT_FN(env, exports, "tapCarrier", tap_carrier);
	EXPORT_FN(env, exports, "tapForward", tap_forward);
	EXPORT_FN(env, exports, "tapDiscard", tap_discard);
}
