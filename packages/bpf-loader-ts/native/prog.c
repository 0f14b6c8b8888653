/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Programs by fd: information, statistics, test runs, and the smallest loads that answer "does this kernel know X?".
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf_sys.h"
#include "fd_is.h"
#include "util.h"

#define LIVE_FRAMES (1u << 1) /* BPF_F_TEST_XDP_LIVE_FRAMES */
#define LOG_SIZE (1u << 20)

/* A program uses at most so many maps (MAX_USED_MAPS). */
#define MAX_MAPS 64

/* struct bpf_prog_info as of Linux 5.16, spelled out: older headers end before its last fields */
struct prog_info {
	uint32_t type;
	uint32_t id;
	uint8_t tag[8];
	uint32_t jited_len;
	uint32_t xlated_len;
	uint64_t jited_insns;
	uint64_t xlated_insns;
	uint64_t load_time;
	uint32_t uid;
	uint32_t nr_map_ids;
	uint64_t map_ids;
	char name[16];
	uint32_t ifindex;
	uint32_t gpl_compatible : 1;
	uint64_t netns_dev;
	uint64_t netns_ino;
	uint32_t nr_jited_ksyms;
	uint32_t nr_jited_func_lens;
	uint64_t jited_ksyms;
	uint64_t jited_func_lens;
	uint32_t btf_id;
	uint32_t func_info_rec_size;
	uint64_t func_info;
	uint32_t nr_func_info;
	uint32_t nr_line_info;
	uint64_t line_info;
	uint64_t jited_line_info;
	uint32_t nr_jited_line_info;
	uint32_t line_info_rec_size;
	uint32_t jited_line_info_rec_size;
	uint32_t nr_prog_tags;
	uint64_t prog_tags;
	uint64_t run_time_ns;
	uint64_t run_cnt;
	uint64_t recursion_misses;
	uint32_t verified_insns;
	uint32_t attach_btf_obj_id;
	uint32_t attach_btf_id;
};

static bool info_of(napi_env env, int fd, struct prog_info *pi)
{
	uint32_t len = sizeof(*pi);

	if (!fd_is(fd, "bpf-prog"))
		throw_errno(env, EINVAL, "not a program");
	else if (bpf_obj_get_info_by_fd(fd, (void *)pi, &len))
		throw_errno(env, errno, "bpf(BPF_OBJ_GET_INFO_BY_FD)");
	else
		return true;
	return false;
}

/* progInfo(fd) -> what does not change while the program lives */
static napi_value prog_info(napi_env env, napi_callback_info info)
{
	uint32_t maps[MAX_MAPS], i, n;
	struct prog_info pi = { .nr_map_ids = MAX_MAPS, .map_ids = (uint64_t)(uintptr_t)maps };
	napi_value r, ids;
	char tag[17];
	struct args a;
	int32_t fd;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "fd", &fd) || !info_of(env, fd, &pi))
		return NULL;
	for (i = 0; i < 8; i++) {
		tag[2 * i] = "0123456789abcdef"[pi.tag[i] >> 4];
		tag[2 * i + 1] = "0123456789abcdef"[pi.tag[i] & 15];
	}
	tag[16] = 0;
	napi_create_array(env, &ids);
	n = pi.nr_map_ids < MAX_MAPS ? pi.nr_map_ids : MAX_MAPS;
	for (i = 0; i < n; i++)
		napi_set_element(env, ids, i, mk_u32(env, maps[i]));
	napi_create_object(env, &r);
	set_prop(env, r, "id", mk_u32(env, pi.id));
	set_prop(env, r, "type", mk_u32(env, pi.type));
	set_prop(env, r, "name", mk_str(env, pi.name));
	set_prop(env, r, "tag", mk_str(env, tag));
	set_prop(env, r, "loadTimeNs", mk_f64(env, (double)pi.load_time));
	set_prop(env, r, "uid", mk_u32(env, pi.uid));
	set_prop(env, r, "xlatedBytes", mk_u32(env, pi.xlated_len));
	set_prop(env, r, "jitedBytes", mk_u32(env, pi.jited_len));
	set_prop(env, r, "mapIds", ids);
	set_prop(env, r, "btfId", mk_u32(env, pi.btf_id));
	set_prop(env, r, "verifiedInstructions", mk_u32(env, pi.verified_insns));
	set_prop(env, r, "gplCompatible", mk_bool(env, pi.gpl_compatible));
	return r;
}

/* progStats(fd) -> what does */
static napi_value prog_stats(napi_env env, napi_callback_info info)
{
	struct prog_info pi = {};
	struct args a;
	napi_value r;
	int32_t fd;

	if (!args_get(env, info, &a, 1) || !arg_i32(&a, 0, "fd", &fd) || !info_of(env, fd, &pi))
		return NULL;
	napi_create_object(env, &r);
	set_prop(env, r, "runTimeNs", mk_f64(env, (double)pi.run_time_ns));
	set_prop(env, r, "runCount", mk_f64(env, (double)pi.run_cnt));
	set_prop(env, r, "recursionMisses", mk_f64(env, (double)pi.recursion_misses));
	return r;
}

/* boottimeNs() -> the clock of a program's load time */
static napi_value boottime_ns(napi_env env, napi_callback_info info)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return mk_f64(env, (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec);
}

/* statsEnable() -> fd; run times are kept while it is open (Linux 5.8) */
static napi_value stats_enable(napi_env env, napi_callback_info info)
{
	int fd = good_fd(bpf_enable_stats(BPF_STATS_RUN_TIME));

	return fd < 0 ? throw_errno(env, errno, "bpf(BPF_ENABLE_STATS)") : mk_i32(env, fd);
}

/* Optional bytes at argument i. With a pointer and size 0 the kernel would write all it has, whatever lies there. */
static bool arg_room(struct args *a, size_t i, const char *name, void **data, uint32_t *size)
{
	size_t len;

	if (arg_absent(a, i))
		return true;
	if (!arg_bytes(a, i, name, data, &len))
		return false;
	if (len > UINT32_MAX) {
		napi_throw_range_error(a->env, "ERR_OUT_OF_RANGE", "a test run's bytes are at most 4 GiB");
		return false;
	}
	*size = (uint32_t)len;
	if (!len)
		*data = NULL;
	return true;
}

struct run {
	int fd, err;
	struct bpf_test_run_opts *opts;
};

static void *run_in_thread(void *arg)
{
	struct run *run = arg;

	run->err = bpf_prog_test_run_opts(run->fd, run->opts) ? errno : 0;
	return NULL;
}

/*
 * Signals, and what io_uring has to tell a thread, stop repeated runs half-way (EINTR), and the kernel does not say after how many. So these
 * have a thread of their own, which nobody tells anything; it has the caller's namespace and CPUs. What ends the process still does.
 * Returns 0 or errno.
 */
static int run_undisturbed(int fd, struct bpf_test_run_opts *opts)
{
	struct run run = { .fd = fd, .opts = opts };
	sigset_t all, before;
	pthread_t thread;
	int err;

	if (opts->repeat <= 1) {
		run_in_thread(&run);
		return run.err;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, NULL, run_in_thread, &run);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return err;
	pthread_join(thread, NULL);
	return run.err;
}

/*
 * progTestRun(fd, dataIn|null, dataOut|null, ctxIn|null, repeat, flags, batchSize, ctxOut|null, cpu)
 * -> {retval, durationNs (mean of one run), dataSize, ctxSize}
 */
static napi_value prog_test_run(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	uint32_t repeat, flags, batch, cpu;
	void *in = NULL, *ctx = NULL;
	struct args a;
	napi_value r;
	int32_t fd;
	int err;

	if (!args_get(env, info, &a, 9) || !arg_i32(&a, 0, "fd", &fd) ||
	    !arg_room(&a, 1, "data", &in, &opts.data_size_in) ||
	    !arg_room(&a, 2, "dataOut", &opts.data_out, &opts.data_size_out) ||
	    !arg_room(&a, 3, "ctx", &ctx, &opts.ctx_size_in) || !arg_u32(&a, 4, "repeat", &repeat) ||
	    !arg_u32(&a, 5, "flags", &flags) || !arg_u32(&a, 6, "batchSize", &batch) ||
	    !arg_room(&a, 7, "ctxOut", &opts.ctx_out, &opts.ctx_size_out) || !arg_u32(&a, 8, "cpu", &cpu))
		return NULL;
	if (repeat > INT32_MAX) {
		napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "repeat is at most 2147483647");
		return NULL;
	}
	opts.data_in = in;
	opts.ctx_in = ctx;
	opts.repeat = (int)repeat;
	opts.flags = flags;
	opts.batch_size = batch;
	opts.cpu = cpu;
	err = run_undisturbed(fd, &opts);
	if (err)
		return throw_errno(env, err, "bpf(BPF_PROG_TEST_RUN)");
	napi_create_object(env, &r);
	set_prop(env, r, "retval", mk_u32(env, opts.retval));
	set_prop(env, r, "durationNs", mk_u32(env, opts.duration));
	set_prop(env, r, "dataSize", mk_u32(env, opts.data_size_out));
	set_prop(env, r, "ctxSize", mk_u32(env, opts.ctx_size_out));
	return r;
}

/* progLoad(type, expectedAttachType, instructions, license, name, attachBtfId = 0, flags = 0) -> fd */
static napi_value prog_load(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	char license[32], name[16], *log;
	uint32_t type, attach;
	struct args a;
	void *insns;
	size_t len;
	int fd;

	if (!args_get(env, info, &a, 5) || !arg_u32(&a, 0, "type", &type) ||
	    !arg_u32(&a, 1, "expectedAttachType", &attach) || !arg_bytes(&a, 2, "instructions", &insns, &len) ||
	    !arg_str(&a, 3, "license", license, sizeof(license)) || !arg_str(&a, 4, "name", name, sizeof(name)))
		return NULL;
	if (!arg_absent(&a, 5) && !arg_u32(&a, 5, "attachBtfId", &opts.attach_btf_id))
		return NULL;
	if (!arg_absent(&a, 6) && !arg_u32(&a, 6, "flags", &opts.prog_flags))
		return NULL;
	if (!len || len % 8)
		return throw_errno(env, EINVAL, "bpf(BPF_PROG_LOAD): instructions are 8 bytes each");
	log = calloc(1, LOG_SIZE);
	if (!log)
		return throw_errno(env, ENOMEM, "bpf(BPF_PROG_LOAD)");
	opts.expected_attach_type = attach;
	opts.log_buf = log;
	opts.log_size = LOG_SIZE;
	fd = bpf_prog_load(type, name, license, insns, len / 8, &opts);
	if (fd < 0)
		throw_errno_log(env, -fd, "bpf(BPF_PROG_LOAD)", log);
	free(log);
	return fd < 0 ? NULL : mk_i32(env, fd);
}

static napi_value fd_by_id(napi_env env, napi_callback_info info, int (*get)(__u32), const char *what)
{
	struct args a;
	uint32_t id;
	int fd;

	if (!args_get(env, info, &a, 1) || !arg_u32(&a, 0, "id", &id))
		return NULL;
	fd = get(id);
	return fd < 0 ? throw_errno(env, errno, what) : mk_i32(env, fd);
}

static napi_value prog_fd_by_id(napi_env env, napi_callback_info info)
{
	return fd_by_id(env, info, bpf_prog_get_fd_by_id, "bpf(BPF_PROG_GET_FD_BY_ID)");
}

static napi_value link_fd_by_id(napi_env env, napi_callback_info info)
{
	return fd_by_id(env, info, bpf_link_get_fd_by_id, "bpf(BPF_LINK_GET_FD_BY_ID)");
}

void prog_init(napi_env env, napi_value exports)
{
	export_fn(env, exports, "progInfo", prog_info);
	export_fn(env, exports, "progStats", prog_stats);
	export_fn(env, exports, "boottimeNs", boottime_ns);
	export_fn(env, exports, "statsEnable", stats_enable);
	export_fn(env, exports, "progTestRun", prog_test_run);
	export_fn(env, exports, "progLoad", prog_load);
	export_fn(env, exports, "progFdById", prog_fd_by_id);
	export_fn(env, exports, "linkFdById", link_fd_by_id);
}
