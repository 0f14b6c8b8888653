/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The lab's hand in the guest: process 1 behind /init. It reads commands from the virtio port "agent" and runs them, any number at once.
 * Both ways a message is a line `verb id length` and `length` bytes.
 *
 *   host -> guest   exec: a script for sh -c    in: bytes for its standard input    eof: end of that    kill: a signal's number
 *                   ping: asks for hello
 *   guest -> host   hello: the kernel's release    out, err: what a command printed    end: its exit status (128 + signal)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS 64
#define MESSAGE_MAX (1 << 20)

struct job {
	unsigned id;
	pid_t pid; /* 0: free */
	int in, out, err; /* -1: closed */
	int status; /* -1: still runs */
};

static struct job jobs[JOBS];
static int port = -1;
static char buffer[MESSAGE_MAX + 256];
static size_t filled;

static void complain(const char *what)
{
	fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
}

/* The port's number depends on the order of devices; its name is in sysfs. */
static int open_port(void)
{
	char path[64], name[32];
	int n, fd;

	for (n = 0; n < 8; n++) {
		snprintf(path, sizeof(path), "/sys/class/virtio-ports/vport%dp1/name", n);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			continue;
		name[read(fd, name, sizeof(name) - 1) > 0 ? 5 : 0] = 0;
		close(fd);
		if (strcmp(name, "agent"))
			continue;
		snprintf(path, sizeof(path), "/dev/vport%dp1", n);
		return open(path, O_RDWR | O_CLOEXEC);
	}
	errno = ENODEV;
	return -1;
}

/* Blocks until the host has taken it: a guest that prints faster than the host reads has to wait. */
static void put(const void *data, size_t size)
{
	while (size) {
		ssize_t n = write(port, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			/* Nobody is connected (a restored guest, before its host is): what was to be said is lost, as on a cut line. */
			usleep(10000);
			return;
		}
		data = (const char *)data + n;
		size -= n;
	}
}

static void say(const char *verb, unsigned id, const void *data, size_t size)
{
	char head[64];

	put(head, snprintf(head, sizeof(head), "%s %u %zu\n", verb, id, size));
	put(data, size);
}

static void hello(void)
{
	struct utsname u;

	uname(&u);
	say("hello", 0, u.release, strlen(u.release));
}

static struct job *job_of(unsigned id)
{
	for (int i = 0; i < JOBS; i++)
		if (jobs[i].pid && jobs[i].id == id)
			return &jobs[i];
	return NULL;
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void start(unsigned id, char *script)
{
	int in[2], out[2], err[2];
	struct job *j = NULL;

	for (int i = 0; i < JOBS && !j; i++)
		if (!jobs[i].pid)
			j = &jobs[i];
	if (!j || pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) {
		static const char why[] = "agent: too many commands at once\n";

		say("err", id, why, sizeof(why) - 1);
		say("end", id, "126", 3);
		return;
	}
	*j = (struct job){ .id = id, .in = in[1], .out = out[0], .err = err[0], .status = -1 };
	j->pid = fork();
	if (j->pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		setsid();
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		signal(SIGPIPE, SIG_DFL);
		chdir("/root");
		/* busybox's shell takes its own ip and the like before those of the system image. */
		execl("/usr/bin/dash", "sh", "-c", script, NULL);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	if (j->pid < 0) {
		complain("fork");
		j->pid = 1; /* not a child of ours; ended below */
		j->status = 126;
	}
}

static void obey(char *verb, unsigned id, char *data, size_t size)
{
	struct job *j = job_of(id);
	char *end = data + size, next = *end;

	*end = 0;
	if (!strcmp(verb, "ping"))
		hello();
	else if (!strcmp(verb, "exec"))
		start(id, data);
	else if (!strcmp(verb, "eof") && j)
		shut(&j->in);
	else if (!strcmp(verb, "kill") && j && j->pid > 1)
		kill(-j->pid, atoi(data));
	else if (!strcmp(verb, "in") && j)
		while (size && j->in >= 0) {
			ssize_t n = write(j->in, data, size);

			if (n < 0 && errno != EINTR)
				shut(&j->in); /* it has ended, or reads no more */
			if (n > 0)
				data += n, size -= n;
		}
	*end = next; /* the next message begins there */
}

/* Takes whole messages off the buffer. */
static void take(void)
{
	char *at = buffer, *end = buffer + filled, *line;
	char verb[16];
	unsigned id;
	size_t size;

	while ((line = memchr(at, '\n', end - at))) {
		if (sscanf(at, "%15s %u %zu", verb, &id, &size) != 3 || size > MESSAGE_MAX) {
			/* The rest of something that was cut off: the next line is tried. */
			at = line + 1;
			continue;
		}
		if ((size_t)(end - line - 1) < size)
			break;
		at = line + 1 + size;
		obey(verb, id, line + 1, size);
	}
	filled = end - at;
	memmove(buffer, at, filled);
	if (filled == sizeof(buffer) - 1)
		filled = 0;
}

/* Reads what a command printed; false at its end. */
static void relay(struct job *j, int *fd, const char *verb)
{
	char data[65536];
	ssize_t n = read(*fd, data, sizeof(data));

	if (n > 0)
		say(verb, j->id, data, n);
	else if (n == 0 || errno != EINTR)
		shut(fd);
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < JOBS; i++)
			if (jobs[i].pid == pid)
				jobs[i].status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/*
 * A command has ended when its process has: something that it left running may hold its output open. What is in the pipes by then
 * is still told.
 */
static void finish(struct job *j)
{
	char rc[16];
	struct pollfd p;
	int *fds[2] = { &j->out, &j->err };

	for (int i = 0; i < 2; i++)
		while (*fds[i] >= 0) {
			p = (struct pollfd){ .fd = *fds[i], .events = POLLIN };
			if (poll(&p, 1, 0) <= 0)
				break;
			relay(j, fds[i], i ? "err" : "out");
		}
	shut(&j->in);
	shut(&j->out);
	shut(&j->err);
	say("end", j->id, rc, snprintf(rc, sizeof(rc), "%d", j->status));
	j->pid = 0;
}

static void ignore(int signal)
{
	(void)signal;
}

int main(void)
{
	struct pollfd p[1 + 2 * JOBS];
	sigset_t child, none;
	ssize_t n;

	/* SIGCHLD interrupts ppoll and nothing else. */
	sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = ignore }, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	for (int i = 0; i < 50 && (port = open_port()) < 0; i++)
		usleep(100000);
	if (port < 0)
		complain("no port");
	hello();
	for (;;) {
		int used = 1;

		p[0] = (struct pollfd){ .fd = port, .events = POLLIN };
		for (int i = 0; i < JOBS; i++)
			if (jobs[i].pid) {
				if (jobs[i].out >= 0)
					p[used++] = (struct pollfd){ .fd = jobs[i].out, .events = POLLIN };
				if (jobs[i].err >= 0)
					p[used++] = (struct pollfd){ .fd = jobs[i].err, .events = POLLIN };
			}
		ppoll(p, used, NULL, &none);
		if (p[0].revents & POLLIN) {
			n = read(port, buffer + filled, sizeof(buffer) - 1 - filled);
			if (n > 0) {
				filled += n;
				take();
			}
		} else if (p[0].revents) {
			usleep(5000); /* the host's end is not connected */
		}
		for (int i = 0; i < JOBS; i++)
			for (int k = 1; k < used && jobs[i].pid; k++) {
				if (!p[k].revents)
					continue;
				if (p[k].fd == jobs[i].out)
					relay(&jobs[i], &jobs[i].out, "out");
				else if (p[k].fd == jobs[i].err)
					relay(&jobs[i], &jobs[i].err, "err");
			}
		reap();
		for (int i = 0; i < JOBS; i++)
			if (jobs[i].pid && jobs[i].status >= 0)
				finish(&jobs[i]);
	}
}
