/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Groups in a device's filter (SIOCADDMULTI, SIOCDELMULTI). The kernel keeps such a group until it is deleted or the device is
 * gone: it belongs to no socket and so to no process. rtnetlink cannot do the same: it puts the groups of 802.1's control
 * protocols (01:80:c2:00:00:0x) into the unicast list.
 */
#include "sys_netns.h"
#include "util.h"

#include <errno.h>
#include <net/if.h>
#include <linux/sockios.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define MAC_LEN 6

static int change(int sock, struct ifreq *ifr, bool add, const uint8_t *mac)
{
	ifr->ifr_hwaddr.sa_family = AF_UNSPEC;
	memcpy(ifr->ifr_hwaddr.sa_data, mac, MAC_LEN);
	return ioctl(sock, add ? SIOCADDMULTI : SIOCDELMULTI, ifr) < 0 ? -errno : 0;
}

/*
 * ioctls take names, devices are known by ifindex. If the name has moved to another device in between, that device gets its
 * groups back and the caller ENODEV.
 */
static int change_all(int sock, int ifindex, bool add, const uint8_t *macs, int32_t *out, size_t n)
{
	struct ifreq ifr = { .ifr_ifindex = ifindex }, now;

	if (ifindex <= 0 || ioctl(sock, SIOCGIFNAME, &ifr) < 0)
		return -ENODEV;
	for (size_t i = 0; i < n; i++)
		out[i] = change(sock, &ifr, add, macs + i * MAC_LEN);
	now = ifr;
	if (ioctl(sock, SIOCGIFINDEX, &now) == 0 && now.ifr_ifindex == ifindex)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (out[i] == 0)
			change(sock, &ifr, !add, macs + i * MAC_LEN);
	return -ENODEV;
}

/* changeGroups(sockFd, ifindex, add, macs, out) -> 0 | -ENODEV | -EINVAL; out[i]: 0 or -errno of the i-th MAC of 6 bytes */
static napi_value change_groups(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t sock, ifindex;
	bool add;
	void *macs, *out;
	size_t nmacs, nout;

	if (!args_get(env, info, &a, 5) || !arg_i32(&a, 0, "sockFd", &sock) || !arg_i32(&a, 1, "ifindex", &ifindex) ||
	    !arg_bool(&a, 2, "add", &add) || !arg_bytes(&a, 3, "macs", &macs, &nmacs) || !arg_bytes(&a, 4, "out", &out, &nout))
		return NULL;
	if (nmacs % MAC_LEN != 0 || nout / sizeof(int32_t) < nmacs / MAC_LEN)
		return mk_i32(env, -EINVAL);
	return mk_i32(env, change_all(sock, ifindex, add, macs, out, nmacs / MAC_LEN));
}

void sys_groups_init(napi_env env, napi_value exports)
{
	EXPORT_FN(env, exports, "changeGroups", change_groups);
}
