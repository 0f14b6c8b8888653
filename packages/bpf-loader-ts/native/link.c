/* SPDX-License-Identifier: GPL-2.0-only
 *
 * bpf_link by raw system call: libbpf 1.1 has no TCX (Linux 6.6), the system call needs no library. The structures are those of
 * include/uapi/linux/bpf.h from 6.6 on, spelled out since Debian 12's header is older.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fd_is.h"
#include "util.h"

/* as many as the kernel attaches to one hook (BPF_MPROG_MAX) */
#define MAX_QUERY 64

/* enum bpf_link_type */
#define LINK_XDP 6
#define LINK_TCX 11
#define LINK_NETKIT 13

struct link_create {
	uint32_t prog_fd;
	uint32_t target_ifindex;
	uint32_t attach_type;
	uint32_t flags;
	uint32_t relative_fd; /* or id, by flags */
	uint32_t pad;
	uint64_t expected_revision;
	uint64_t room[4];
};

struct link_update {
	uint32_t link_fd;
	uint32_t new_prog_fd;
	uint32_t flags;
	uint32_t old_prog_fd;
	uint64_t room[4];
};

struct link_info {
	uint32_t type;
	uint32_t id;
	uint32_t prog_id;
	uint32_t pad;
	uint32_t ifindex;
	uint32_t attach_type;
	uint64_t room[12];
};

struct info_by_fd {
	uint32_t fd;
	uint32_t len;
	uint64_t info;
	uint64_t room[4];
};

struct prog_query {
	uint32_t target_ifindex;
	uint32_t attach_type;
	uint32_t query_flags;
	uint32_t attach_flags;
	uint64_t prog_ids;
	uint32_t count;
	uint32_t pad;
	uint64_t prog_attach_flags;
	uint64_t link_ids;
	uint64_t link_attach_flags;
	uint64_t revision;
};

static int bpf(int cmd, void *attr, unsigned int size)
{
	int r, tries = 5;

	do {
		r = syscall(__NR_bpf, cmd, attr, size);
	} while (r < 0 && errno == EAGAIN && --tries);
	return r;
}

/* A descriptor that is not stdin, stdout or stderr, should one of these be closed. */
static int good_fd(int fd)
{
	int up, err;

	if (fd < 0 || fd > 2)
		return fd;
	up = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	err = errno;
	close(fd);
	errno = err;
	return up;
}

/* linkCreate(progFd, ifindex, attachType, flags, relative, expectedRevision) -> fd */
static napi_value link_create(napi_env env, napi_callback_info info)
{
	struct link_create attr = {};
	int32_t prog;
	int64_t rev;
	struct args a;
	int fd;

	if (!args_get(env, info, &a, 6) || !arg_i32(&a, 0, "progFd", &prog) ||
	    !arg_u32(&a, 1, "ifindex", &attr.target_ifindex) || !arg_u32(&a, 2, "attachType", &attr.attach_type) ||
	    !arg_u32(&a, 3, "flags", &attr.flags) || !arg_u32(&a, 4, "relative", &attr.relative_fd) ||
	    !arg_i64(&a, 5, "expectedRevision", &rev))
		return NULL;
	attr.prog_fd = prog;
	attr.expected_revision = rev;
	/* Kernels before 6.6 refuse bytes they do not know: send no more than is used. */
	fd = good_fd(bpf(BPF_LINK_CREATE, &attr, attr.relative_fd || rev ? 32 : 16));
	return fd < 0 ? throw_errno(env, errno, "bpf(BPF_LINK_CREATE)") : mk_i32(env, fd);
}

/* linkUpdate(linkFd, newProgFd, oldProgFd|-1) */
static napi_value link_update(napi_env env, napi_callback_info info)
{
	struct link_update attr = {};
	int32_t link, new_fd, old_fd;
	struct args a;

	if (!args_get(env, info, &a, 3) || !arg_i32(&a, 0, "linkFd", &link) || !arg_i32(&a, 1, "newProgFd", &new_fd) ||
	    !arg_i32(&a, 2, "oldProgFd", &old_fd))
		return NULL;
	attr.link_fd = link;
	attr.new_prog_fd = new_fd;
	if (old_fd >= 0) {
		attr.flags = BPF_F_REPLACE;
		attr.old_prog_fd = old_fd;
	}
	return bpf(BPF_LINK_UPDATE, &attr, 16) ? throw_errno(env, errno, "bpf(BPF_LINK_UPDATE)") : mk_undefined(env);
}

static napi_value link_detach(napi_env env, napi_callback_info info)
{
	uint64_t attr[2] = {};
	struct args a;
	int32_t fd;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "linkFd", &fd))
		return NULL;
	attr[0] = (uint32_t)fd;
	return bpf(BPF_LINK_DETACH, attr, 4) ? throw_errno(env, errno, "bpf(BPF_LINK_DETACH)") : mk_undefined(env);
}

static napi_value link_info(napi_env env, napi_callback_info info)
{
	struct link_info li = {};
	struct info_by_fd attr = { .len = sizeof(li), .info = (uint64_t)(uintptr_t)&li };
	struct args a;
	napi_value r;
	bool on_device;
	int32_t fd;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "linkFd", &fd))
		return NULL;
	if (!fd_is(fd, "bpf_link") && !fd_is(fd, "bpf-link"))
		return throw_errno(env, EINVAL, "not a link");
	attr.fd = fd;
	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, 16))
		return throw_errno(env, errno, "bpf(BPF_OBJ_GET_INFO_BY_FD)");
	napi_create_object(env, &r);
	set_prop(env, r, "type", mk_u32(env, li.type));
	set_prop(env, r, "id", mk_u32(env, li.id));
	set_prop(env, r, "progId", mk_u32(env, li.prog_id));
	/* the other kinds have something else in this place */
	on_device = li.type == LINK_XDP || li.type == LINK_TCX || li.type == LINK_NETKIT;
	set_prop(env, r, "ifindex", mk_u32(env, on_device ? li.ifindex : 0));
	set_prop(env, r, "attachType", mk_u32(env, on_device && li.type != LINK_XDP ? li.attach_type : 0));
	return r;
}

/* progQuery(ifindex, attachType) -> {revision, entries: [{progId, linkId}]} (Linux 6.6) */
static napi_value prog_query(napi_env env, napi_callback_info info)
{
	uint32_t progs[MAX_QUERY] = {}, links[MAX_QUERY] = {};
	struct prog_query q = {
		.prog_ids = (uint64_t)(uintptr_t)progs, .link_ids = (uint64_t)(uintptr_t)links, .count = MAX_QUERY,
	};
	struct args a;
	napi_value r, list;
	uint32_t i;

	if (!args_get(env, info, &a, 2) || !arg_u32(&a, 0, "ifindex", &q.target_ifindex) ||
	    !arg_u32(&a, 1, "attachType", &q.attach_type))
		return NULL;
	if (bpf(BPF_PROG_QUERY, &q, sizeof(q)))
		return throw_errno(env, errno, "bpf(BPF_PROG_QUERY)");
	napi_create_object(env, &r);
	napi_create_array(env, &list);
	for (i = 0; i < q.count && i < MAX_QUERY; i++) {
		napi_value e;
		napi_create_object(env, &e);
		set_prop(env, e, "progId", mk_u32(env, progs[i]));
		set_prop(env, e, "linkId", mk_u32(env, links[i]));
		napi_set_element(env, list, i, e);
	}
	set_prop(env, r, "revision", mk_f64(env, (double)q.revision));
	set_prop(env, r, "entries", list);
	return r;
}

void link_init(napi_env env, napi_value exports)
{
	export_fn(env, exports, "linkCreate", link_create);
	export_fn(env, exports, "linkUpdate", link_update);
	export_fn(env, exports, "linkDetach", link_detach);
	export_fn(env, exports, "linkInfo", link_info);
	export_fn(env, exports, "progQuery", prog_query);
}
