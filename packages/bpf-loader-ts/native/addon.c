/* SPDX-License-Identifier: GPL-2.0-only
 *
 * bpf_loader.node: what JavaScript cannot do itself. Two halves: eBPF over libbpf (object, map,
 * prog, link, tracing, clsact, probe) and the Linux calls its users need (sys_*). Everything above is TypeScript.
 */
#include <bpf/libbpf.h>

#include "util.h"

NAPI_MODULE_INIT()
{
	object_init(env, exports);
	map_init(env, exports);
	map_batch_init(env, exports);
	map_mmap_init(env, exports);
	prog_init(env, exports);
	link_init(env, exports);
	link_info_init(env, exports);
	tracing_init(env, exports);
	probe_init(env, exports);
	libbpf_messages_init(env, exports);
	look_init(env, exports);
	clsact_init(env, exports);
	sys_fd_init(env, exports);
	sys_memlock_init(env, exports);
	sys_watch_init(env, exports);
	sys_netns_init(env, exports);
	sys_netlink_init(env, exports);
	sys_ethtool_init(env, exports);
	sys_groups_init(env, exports);
	sys_packet_init(env, exports);
	sys_pace_init(env, exports);
	sys_tap_init(env, exports);
	/* "v1.1" */
	set_prop(env, exports, "libbpfVersion", mk_str(env, libbpf_version_string() + 1));
	return exports;
}
