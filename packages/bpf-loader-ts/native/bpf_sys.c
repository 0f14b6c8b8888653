/* SPDX-License-Identifier: GPL-2.0-only */
#include "bpf_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

int sys_bpf(int cmd, void *attr, unsigned int size)
{
	int r, tries = 5;

	do {
		r = syscall(__NR_bpf, cmd, attr, size);
	} while (r < 0 && errno == EAGAIN && --tries);
	return r;
}

int good_fd(int fd)
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
