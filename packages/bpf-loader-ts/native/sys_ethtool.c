/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Carrier and driver of a device by ioctl. "Carrier" is both ETHTOOL_GLINK, which shows a loss at
 * once (rtnetlink up to a second later), and IFF_RUNNING, without which a queue drops what is sent:
 * after carrier came back the kernel takes up to a second to give the device its queue again.
 */
#include "sys_netns.h"
#include "util.h"

#include <errno.h>
/* one of the two must define struct ifreq, and the flags come with it */
#include <net/if.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define LINK_CARRIER 1
#define LINK_UP 2

/*
 * ioctls take names, devices are known by ifindex, and a name may move to another device between
 * two calls. So the name is looked up first and must still belong to the ifindex at the end.
 */
static int link_state_once(int sock, int ifindex)
{
	struct ethtool_value link = { .cmd = ETHTOOL_GLINK };
	struct ifreq ifr = { .ifr_ifindex = ifindex };
	int state = 0, flags;

	if (ioctl(sock, SIOCGIFNAME, &ifr) < 0)
		return -errno;
	/*
	 * The flags first: they take no lock. GLINK takes RTNL, which linkwatch holds for hundreds of microseconds
	 * while it takes a dead device's queue away; by then the flags say all there is to say.
	 */
	if (ioctl(sock, SIOCGIFFLAGS, &ifr) < 0)
		return -errno;
	flags = ifr.ifr_flags;
	if (flags & IFF_UP)
		state |= LINK_UP;
	if (flags & IFF_RUNNING) {
		state |= LINK_CARRIER;
		ifr.ifr_data = (void *)&link;
		if (ioctl(sock, SIOCETHTOOL, &ifr) == 0) {
			if (!link.data)
				state &= ~LINK_CARRIER;
		} else if (errno != EOPNOTSUPP) {
			return -errno;
		}
	}
	if (ioctl(sock, SIOCGIFINDEX, &ifr) < 0)
		return -errno;
	return ifr.ifr_ifindex == ifindex ? state : -ENODEV;
}

static int link_state(int sock, int ifindex)
{
	int rc;

	if (ifindex <= 0)
		return -ENODEV;
	rc = link_state_once(sock, ifindex);
	/* once more: the first may have met a rename */
	return rc == -ENODEV ? link_state_once(sock, ifindex) : rc;
}

static napi_value link_state_js(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t sock, ifindex;

	if (!args_get(env, info, &a, 2) || !arg_i32(&a, 0, "sockFd", &sock) || !arg_i32(&a, 1, "ifindex", &ifindex))
		return NULL;
	return mk_i32(env, link_state(sock, ifindex));
}

/* linkStates(sockFds, ifindexes, out, n) -> n | -EINVAL: one call for every path of a tick */
static napi_value link_states_js(napi_env env, napi_callback_info info)
{
	struct args a;
	void *socks, *ifindexes, *out;
	size_t nsocks, nifs, nout;
	uint32_t n;

	if (!args_get(env, info, &a, 4) || !arg_bytes(&a, 0, "sockFds", &socks, &nsocks) ||
	    !arg_bytes(&a, 1, "ifindexes", &ifindexes, &nifs) || !arg_bytes(&a, 2, "out", &out, &nout) ||
	    !arg_u32(&a, 3, "n", &n))
		return NULL;
	if (n > nsocks / 4 || n > nifs / 4 || n > nout / 4)
		return mk_i32(env, -EINVAL);
	for (uint32_t i = 0; i < n; i++)
		((int32_t *)out)[i] = link_state(((int32_t *)socks)[i], ((int32_t *)ifindexes)[i]);
	return mk_i32(env, (int32_t)n);
}

/* controlSocket(netns | -1) -> fd: any socket will do for device ioctls, it only names the namespace */
static napi_value control_socket(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t ns;
	int fd;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "netns", &ns))
		return NULL;
	fd = ns_socket(ns, AF_INET, SOCK_DGRAM, 0);
	if (fd < 0)
		return throw_errno(env, -fd, "socket(AF_INET)");
	return mk_i32(env, fd);
}

/* deviceDriver(sockFd, ifname) -> {driver, version, busInfo} | null */
static napi_value device_driver(napi_env env, napi_callback_info info)
{
	struct ethtool_drvinfo drv = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq ifr = { 0 };
	struct args a;
	int32_t sock;
	napi_value r = NULL;

	if (!args_get(env, info, &a, 2) || !arg_i32(&a, 0, "sockFd", &sock) ||
	    !arg_str(&a, 1, "ifname", ifr.ifr_name, sizeof(ifr.ifr_name)))
		return NULL;
	ifr.ifr_data = (void *)&drv;
	if (ioctl(sock, SIOCETHTOOL, &ifr) < 0) {
		if (errno != EOPNOTSUPP)
			return throw_errno(env, errno, "ioctl(ETHTOOL_GDRVINFO)");
		napi_get_null(env, &r);
		return r;
	}
	drv.driver[sizeof(drv.driver) - 1] = 0;
	drv.version[sizeof(drv.version) - 1] = 0;
	drv.bus_info[sizeof(drv.bus_info) - 1] = 0;
	napi_create_object(env, &r);
	set_prop(env, r, "driver", mk_str(env, drv.driver));
	set_prop(env, r, "version", mk_str(env, drv.version));
	set_prop(env, r, "busInfo", mk_str(env, drv.bus_info));
	return r;
}

void sys_ethtool_init(napi_env env, napi_value exports)
{
	EXPORT_FN(env, exports, "linkState", link_state_js);
	EXPORT_FN(env, exports, "linkStates", link_states_js);
	EXPORT_FN(env, exports, "controlSocket", control_socket);
	EXPORT_FN(env, exports, "deviceDriver", device_driver);
}
