/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Whether the kernel charges BPF maps to RLIMIT_MEMLOCK (before 5.11) or to the memory cgroup. Measured in a child that shares our memory but
 * not our limits: in this process no limit changes, not for an instant.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf_sys.h"
#include "util.h"

#define STACK (64 * 1024)

struct trial {
	int as_we_are; /* errno of making a map, or 0 */
	int without;   /* the same with RLIMIT_MEMLOCK 0 */
};

static int make_map(void)
{
	/* map_type, key_size, value_size, max_entries */
	uint32_t attr[4] = { BPF_MAP_TYPE_ARRAY, 4, 4, 1 };
	int fd = sys_bpf(BPF_MAP_CREATE, attr, sizeof(attr));

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* In the child: nothing but system calls. */
static int try_both(void *arg)
{
	struct trial *t = arg;
	struct rlimit none = { 0, 0 };

	t->as_we_are = make_map();
	t->without = setrlimit(RLIMIT_MEMLOCK, &none) ? errno : make_map();
	return 0;
}

/* memlockTrial() -> {asWeAre, without}: errno of making a small map, 0 for success */
static napi_value memlock_trial(napi_env env, napi_callback_info info)
{
	struct trial t = { -1, -1 };
	sigset_t all, before;
	char *stack;
	napi_value r;
	pid_t pid;
	int err;

	stack = malloc(STACK);
	if (!stack)
		return throw_errno(env, ENOMEM, "memlockTrial");
	/* a handler of ours must not run in the child, on our memory */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pid = clone(try_both, stack + STACK, CLONE_VM | CLONE_VFORK, &t);
	err = errno;
	if (pid > 0)
		while (waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	free(stack);
	if (pid < 0)
		return throw_errno(env, err, "clone");
	napi_create_object(env, &r);
	set_prop(env, r, "asWeAre", mk_i32(env, t.as_we_are));
	set_prop(env, r, "without", mk_i32(env, t.without));
	return r;
}

void sys_memlock_init(napi_env env, napi_value exports)
{
	export_fn(env, exports, "memlockTrial", memlock_trial);
}
