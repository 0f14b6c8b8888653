/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What the kernel says of a link (BPF_OBJ_GET_INFO_BY_FD). Beyond a common head each kind has its own words; the layout is that of
 * include/uapi/linux/bpf.h of Linux 6.18, of which older kernels fill a beginning.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "bpf_sys.h"
#include "fd_is.h"
#include "util.h"

/* enum bpf_link_type */
enum {
	RAW_TRACEPOINT = 1, TRACING, CGROUP, ITER, NETNS, XDP, PERF_EVENT, KPROBE_MULTI, STRUCT_OPS, NETFILTER, TCX,
	UPROBE_MULTI, NETKIT, SOCKMAP
};
/* enum bpf_perf_event_type */
enum { PERF_UPROBE = 1, PERF_URETPROBE, PERF_KPROBE, PERF_KRETPROBE, PERF_TRACEPOINT, PERF_EVENT_EVENT };

/* a tracepoint's name, a symbol or a path */
#define NAME_CAP 512

struct link_info {
	uint32_t type;
	uint32_t id;
	uint32_t prog_id;
	uint32_t pad;
	union {
		struct {
			uint64_t name;
			uint32_t name_len;
			uint32_t pad;
			uint64_t cookie;
		} raw_tracepoint;
		struct {
			uint32_t attach_type, target_obj_id, target_btf_id, pad;
			uint64_t cookie;
		} tracing;
		struct {
			uint64_t id;
			uint32_t attach_type;
		} cgroup;
		struct {
			uint64_t target;
			uint32_t target_len;
		} iter;
		struct {
			uint32_t ino, attach_type;
		} netns;
		struct {
			uint32_t ifindex, attach_type; /* not for xdp */
		} device;
		struct {
			uint32_t id, attach_type; /* not for struct_ops */
		} map;
		struct {
			uint32_t pf, hooknum;
			int32_t priority;
			uint32_t flags;
		} netfilter;
		struct {
			uint32_t type, pad;
			union {
				struct {
					uint64_t name;
					uint32_t name_len, offset;
					uint64_t cookie;
				} uprobe;
				struct {
					uint64_t name;
					uint32_t name_len, offset;
					uint64_t addr, missed, cookie;
				} kprobe;
				struct {
					uint64_t name;
					uint32_t name_len, pad;
					uint64_t cookie;
				} tracepoint;
				struct {
					uint64_t config;
					uint32_t type, pad;
					uint64_t cookie;
				} event;
			};
		} perf_event;
		uint64_t room[12];
	};
};

struct info_by_fd {
	uint32_t fd;
	uint32_t len;
	uint64_t info;
};

static int get(int fd, struct link_info *li)
{
	struct info_by_fd attr = { .fd = fd, .len = sizeof(*li), .info = (uint64_t)(uintptr_t)li };

	return sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr));
}

/* The kinds with a name want room for it: asked a second time, with what the first answer said of the kind. */
static int get_named(int fd, struct link_info *li, char *name)
{
	struct link_info more = {};
	int err;

	if (li->type == RAW_TRACEPOINT || li->type == ITER) {
		more.raw_tracepoint.name = (uint64_t)(uintptr_t)name;
		more.raw_tracepoint.name_len = NAME_CAP;
	} else if (li->type == PERF_EVENT && li->perf_event.type >= PERF_UPROBE && li->perf_event.type <= PERF_TRACEPOINT) {
		more.perf_event.uprobe.name = (uint64_t)(uintptr_t)name;
		more.perf_event.uprobe.name_len = NAME_CAP;
	} else {
		return 0;
	}
	err = get(fd, &more);
	/* a longer name is cut, with ENOSPC; the rest is then what the first answer had */
	if (err && errno == ENOSPC)
		return 0;
	if (!err)
		*li = more;
	return err;
}

static void put_u32(napi_env env, napi_value r, const char *key, uint32_t v)
{
	set_prop(env, r, key, mk_u32(env, v));
}

static void put_u64(napi_env env, napi_value r, const char *key, uint64_t v)
{
	set_prop(env, r, key, mk_u64(env, v));
}

static void perf_fields(napi_env env, napi_value r, const struct link_info *li, const char *name)
{
	uint32_t type = li->perf_event.type;

	/* 0 before Linux 6.6, which says nothing of what the event is */
	put_u32(env, r, "perfType", type);
	switch (type) {
	case PERF_UPROBE:
	case PERF_URETPROBE:
		set_prop(env, r, "name", mk_str(env, name));
		put_u32(env, r, "offset", li->perf_event.uprobe.offset);
		put_u64(env, r, "cookie", li->perf_event.uprobe.cookie);
		break;
	case PERF_KPROBE:
	case PERF_KRETPROBE:
		set_prop(env, r, "name", mk_str(env, name));
		put_u32(env, r, "offset", li->perf_event.kprobe.offset);
		put_u64(env, r, "missed", li->perf_event.kprobe.missed);
		put_u64(env, r, "cookie", li->perf_event.kprobe.cookie);
		break;
	case PERF_TRACEPOINT:
		set_prop(env, r, "name", mk_str(env, name));
		put_u64(env, r, "cookie", li->perf_event.tracepoint.cookie);
		break;
	case PERF_EVENT_EVENT:
		put_u64(env, r, "config", li->perf_event.event.config);
		put_u32(env, r, "eventType", li->perf_event.event.type);
		put_u64(env, r, "cookie", li->perf_event.event.cookie);
		break;
	}
}

static void kind_fields(napi_env env, napi_value r, const struct link_info *li, const char *name)
{
	switch (li->type) {
	case RAW_TRACEPOINT:
		set_prop(env, r, "name", mk_str(env, name));
		put_u64(env, r, "cookie", li->raw_tracepoint.cookie);
		break;
	case TRACING:
		put_u32(env, r, "attachType", li->tracing.attach_type);
		put_u32(env, r, "targetObjId", li->tracing.target_obj_id);
		put_u32(env, r, "targetBtfId", li->tracing.target_btf_id);
		put_u64(env, r, "cookie", li->tracing.cookie);
		break;
	case CGROUP:
		put_u64(env, r, "cgroupId", li->cgroup.id);
		put_u32(env, r, "attachType", li->cgroup.attach_type);
		break;
	case ITER:
		set_prop(env, r, "target", mk_str(env, name));
		break;
	case NETNS:
		put_u32(env, r, "netnsInode", li->netns.ino);
		put_u32(env, r, "attachType", li->netns.attach_type);
		break;
	case XDP:
		put_u32(env, r, "ifindex", li->device.ifindex);
		break;
	case TCX:
	case NETKIT:
		put_u32(env, r, "ifindex", li->device.ifindex);
		put_u32(env, r, "attachType", li->device.attach_type);
		break;
	case PERF_EVENT:
		perf_fields(env, r, li, name);
		break;
	case STRUCT_OPS:
		put_u32(env, r, "mapId", li->map.id);
		break;
	case SOCKMAP:
		put_u32(env, r, "mapId", li->map.id);
		put_u32(env, r, "attachType", li->map.attach_type);
		break;
	case NETFILTER:
		put_u32(env, r, "pf", li->netfilter.pf);
		put_u32(env, r, "hooknum", li->netfilter.hooknum);
		set_prop(env, r, "priority", mk_i32(env, li->netfilter.priority));
		put_u32(env, r, "flags", li->netfilter.flags);
		break;
	}
}

/* linkInfo(fd) -> {type, id, progId, ifindex (0: not on a device), attachType (0: none), and what the kind has} */
static napi_value link_info(napi_env env, napi_callback_info info)
{
	struct link_info li = {};
	char name[NAME_CAP] = "";
	struct args a;
	napi_value r;
	int32_t fd;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "linkFd", &fd))
		return NULL;
	if (!fd_is(fd, "bpf_link") && !fd_is(fd, "bpf-link"))
		return throw_errno(env, EINVAL, "not a link");
	if (get(fd, &li) || get_named(fd, &li, name))
		return throw_errno(env, errno, "bpf(BPF_OBJ_GET_INFO_BY_FD)");
	name[NAME_CAP - 1] = 0;
	napi_create_object(env, &r);
	put_u32(env, r, "type", li.type);
	put_u32(env, r, "id", li.id);
	put_u32(env, r, "progId", li.prog_id);
	put_u32(env, r, "ifindex", 0);
	put_u32(env, r, "attachType", 0);
	kind_fields(env, r, &li, name);
	return r;
}

static napi_value next_id(napi_env env, napi_callback_info info, int (*get_next)(__u32, __u32 *), const char *what)
{
	struct args a;
	uint32_t id;

	if (!args_get(env, info, &a, 1) || !arg_u32(&a, 0, "id", &id))
		return NULL;
	if (!get_next(id, &id))
		return mk_u32(env, id);
	return errno == ENOENT ? mk_u32(env, 0) : throw_errno(env, errno, what);
}

/* progNextId(id), linkNextId(id) -> the next higher id in the kernel, 0 for none; start with 0 */
static napi_value prog_next_id(napi_env env, napi_callback_info info)
{
	return next_id(env, info, bpf_prog_get_next_id, "bpf(BPF_PROG_GET_NEXT_ID)");
}

static napi_value link_next_id(napi_env env, napi_callback_info info)
{
	return next_id(env, info, bpf_link_get_next_id, "bpf(BPF_LINK_GET_NEXT_ID)");
}

void link_info_init(napi_env env, napi_value exports)
{
	export_fn(env, exports, "linkInfo", link_info);
	export_fn(env, exports, "progNextId", prog_next_id);
	export_fn(env, exports, "linkNextId", link_next_id);
}
