/* SPDX-License-Identifier: GPL-2.0-only
 *
 * bpf_link by raw system call: libbpf 1.1 has no TCX (Linux 6.6) and no netkit (6.7), the system call needs no library. The structures
 * are those of include/uapi/linux/bpf.h, spelled out since Debian 12's header is older.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "bpf_sys.h"
#include "sys_netns.h"
#include "util.h"

/* as many as the kernel attaches to one hook (BPF_MPROG_MAX) */
#define MAX_QUERY 64

/* BPF_LINK_CREATE: who, where, and what the kind of link adds to that */
struct link_create {
	uint32_t prog_fd;
	uint32_t target; /* ifindex or descriptor */
	uint32_t attach_type;
	uint32_t flags;
	union {
		/* tcx, netkit and (6.16) cgroup: a place among others */
		struct {
			uint32_t relative; /* descriptor or id, by flags */
			uint32_t pad;
			uint64_t expected_revision;
		} place;
		struct {
			uint32_t target_btf_id;
			uint32_t pad;
			uint64_t cookie;
		} tracing;
		struct {
			uint64_t cookie;
		} perf_event;
		uint64_t room[6];
	};
};

/* Kernels refuse bytes they do not know: no more are sent than are used. */
#define HEAD 16
#define WITH(field) ((unsigned int)(offsetof(struct link_create, field) + sizeof(((struct link_create *)0)->field)))

struct link_update {
	uint32_t link_fd;
	uint32_t new_prog_fd;
	uint32_t flags;
	uint32_t old_prog_fd;
};

struct prog_query {
	uint32_t target; /* ifindex or descriptor */
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

static napi_value create(napi_env env, struct link_create *attr, unsigned int size)
{
	int fd = good_fd(sys_bpf(BPF_LINK_CREATE, attr, size));

	return fd < 0 ? throw_errno(env, errno, "bpf(BPF_LINK_CREATE)") : mk_i32(env, fd);
}

static bool create_args(struct args *a, napi_callback_info info, size_t want, struct link_create *attr)
{
	int32_t prog;

	if (!args_get(a->env, info, a, want) || !arg_i32(a, 0, "progFd", &prog) || !arg_u32(a, 1, "target", &attr->target) ||
	    !arg_u32(a, 2, "attachType", &attr->attach_type))
		return false;
	attr->prog_fd = prog;
	return true;
}

/* linkCreate(progFd, ifindex or fd, attachType, flags, relative, expectedRevision) -> fd */
static napi_value link_create(napi_env env, napi_callback_info info)
{
	struct link_create attr = {};
	struct args a = { .env = env };
	int64_t rev;

	if (!create_args(&a, info, 6, &attr) || !arg_u32(&a, 3, "flags", &attr.flags) ||
	    !arg_u32(&a, 4, "relative", &attr.place.relative) || !arg_i64(&a, 5, "expectedRevision", &rev))
		return NULL;
	attr.place.expected_revision = rev;
	return create(env, &attr, attr.place.relative || rev ? WITH(place) : HEAD);
}

/* linkCreateTracing(progFd, targetFd, attachType, targetBtfId, cookie) -> fd; a cookie from 5.19 on (tp_btf: 6.10) */
static napi_value link_create_tracing(napi_env env, napi_callback_info info)
{
	struct link_create attr = {};
	struct args a = { .env = env };

	if (!create_args(&a, info, 5, &attr) || !arg_u32(&a, 3, "targetBtfId", &attr.tracing.target_btf_id) ||
	    !arg_u64(&a, 4, "cookie", &attr.tracing.cookie))
		return NULL;
	return create(env, &attr, attr.tracing.cookie ? WITH(tracing) : WITH(tracing.target_btf_id));
}

/* linkCreatePerf(progFd, perfFd, attachType, cookie) -> fd; Linux 5.15 */
static napi_value link_create_perf(napi_env env, napi_callback_info info)
{
	struct link_create attr = {};
	struct args a = { .env = env };

	if (!create_args(&a, info, 4, &attr) || !arg_u64(&a, 3, "cookie", &attr.perf_event.cookie))
		return NULL;
	return create(env, &attr, attr.perf_event.cookie ? WITH(perf_event) : HEAD);
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
	return sys_bpf(BPF_LINK_UPDATE, &attr, sizeof(attr)) ? throw_errno(env, errno, "bpf(BPF_LINK_UPDATE)")
							     : mk_undefined(env);
}

static napi_value link_detach(napi_env env, napi_callback_info info)
{
	uint32_t link_fd;
	struct args a;
	int32_t fd;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "linkFd", &fd))
		return NULL;
	link_fd = fd;
	return sys_bpf(BPF_LINK_DETACH, &link_fd, sizeof(link_fd)) ? throw_errno(env, errno, "bpf(BPF_LINK_DETACH)")
								   : mk_undefined(env);
}

/*
 * progQuery(ifindex or fd, attachType, revised) -> {revision, entries: [{progId, linkId}]}. `revised`: lists that have link ids and a revision
 * (TCX from 6.6, netkit from 6.7, cgroups from 6.16); without, the links' ids are 0.
 */
static napi_value prog_query(napi_env env, napi_callback_info info)
{
	uint32_t progs[MAX_QUERY] = {}, links[MAX_QUERY] = {};
	struct prog_query q = { .prog_ids = (uint64_t)(uintptr_t)progs, .count = MAX_QUERY };
	struct args a;
	napi_value r, list;
	bool revised;
	uint32_t i;

	if (!args_get(env, info, &a, 3) || !arg_u32(&a, 0, "target", &q.target) ||
	    !arg_u32(&a, 1, "attachType", &q.attach_type) || !arg_bool(&a, 2, "revised", &revised))
		return NULL;
	if (revised)
		q.link_ids = (uint64_t)(uintptr_t)links;
	if (sys_bpf(BPF_PROG_QUERY, &q, revised ? sizeof(q) : offsetof(struct prog_query, prog_attach_flags)))
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

/* A number for what is on one hook: other programs, links or another order give another one. Or -errno. */
static int mark_of(uint32_t ifindex, uint32_t type)
{
	uint32_t progs[MAX_QUERY], links[MAX_QUERY], i, mark = 0x811c9dc5;
	struct prog_query q = {
		.target = ifindex,
		.attach_type = type,
		.prog_ids = (uint64_t)(uintptr_t)progs,
		.link_ids = (uint64_t)(uintptr_t)links,
		.count = MAX_QUERY,
	};

	/* ENOSPC: there are more, of which the count tells. */
	if (sys_bpf(BPF_PROG_QUERY, &q, sizeof(q)) && errno != ENOSPC)
		return -errno;
	/* The revision alone does not do: a list that was empty in between begins with the same one. */
	mark = (mark ^ (uint32_t)q.revision) * 0x01000193;
	for (i = 0; i < q.count && i < MAX_QUERY; i++) {
		mark = (mark ^ progs[i]) * 0x01000193;
		mark = (mark ^ links[i]) * 0x01000193;
	}
	return mark & 0x7fffffff;
}

/* listMarks(netnsFds, ifindexes, attachTypes, out, n) -> n | -EINVAL. An ifindex of 0 is skipped, with the mark 0. */
static napi_value list_marks(napi_env env, napi_callback_info info)
{
	size_t nns, nifs, ntypes, nout;
	void *ns, *ifs, *types, *out;
	int here = -1, ticket = -1;
	struct args a;
	uint32_t n;

	if (!args_get(env, info, &a, 5) || !arg_bytes(&a, 0, "netnsFds", &ns, &nns) ||
	    !arg_bytes(&a, 1, "ifindexes", &ifs, &nifs) || !arg_bytes(&a, 2, "attachTypes", &types, &ntypes) ||
	    !arg_bytes(&a, 3, "out", &out, &nout) || !arg_u32(&a, 4, "n", &n))
		return NULL;
	if (n > nns / 4 || n > nifs / 4 || n > ntypes / 4 || n > nout / 4)
		return mk_i32(env, -EINVAL);
	for (uint32_t i = 0; i < n; i++) {
		int32_t *mark = (int32_t *)out + i, want = ((int32_t *)ns)[i];

		*mark = 0;
		if (((int32_t *)ifs)[i] == 0)
			continue;
		if (want != here) {
			ns_leave(ticket);
			ticket = ns_enter(want);
			here = want;
		}
		/* Left with a failed ticket, the thread is where it was: nothing is asked of the wrong namespace. */
		*mark = NS_FAILED(ticket) ? -NS_ERR(ticket) : mark_of(((uint32_t *)ifs)[i], ((uint32_t *)types)[i]);
	}
	ns_leave(ticket);
	return mk_i32(env, (int32_t)n);
}

/* xdpQuery(ifindex) -> {offload, native, generic}: program ids, 0 for none. In the calling thread's network namespace. */
static napi_value xdp_query(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	struct args a;
	int32_t ifindex;
	napi_value r;
	int err;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "ifindex", &ifindex))
		return NULL;
	err = bpf_xdp_query(ifindex, 0, &opts);
	if (err)
		return throw_errno(env, -err, "bpf_xdp_query");
	napi_create_object(env, &r);
	set_prop(env, r, "offload", mk_u32(env, opts.hw_prog_id));
	set_prop(env, r, "native", mk_u32(env, opts.drv_prog_id));
	set_prop(env, r, "generic", mk_u32(env, opts.skb_prog_id));
	return r;
}

void link_init(napi_env env, napi_value exports)
{
	export_fn(env, exports, "linkCreate", link_create);
	export_fn(env, exports, "linkCreateTracing", link_create_tracing);
	export_fn(env, exports, "linkCreatePerf", link_create_perf);
	export_fn(env, exports, "linkUpdate", link_update);
	export_fn(env, exports, "linkDetach", link_detach);
	export_fn(env, exports, "progQuery", prog_query);
	export_fn(env, exports, "listMarks", list_marks);
	export_fn(env, exports, "xdpQuery", xdp_query);
}
