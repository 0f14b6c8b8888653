/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The guest's end of a numbered stream (test/vm/lab/stream.ts): sends datagrams at an intended rate and stamps those that arrive.
 *
 *   stream ADDRESS PORT ID PPS FILE      PPS 0: receives only. SIGTERM: writes FILE and ends.
 *
 * A datagram begins with {u32 magic, u32 stream, u32 sequence} and has 64 bytes. FILE: u32 sent, received, duplicated, reordered, refused,
 * numbers; u64 send times [sent]; u64 arrival times [numbers] (0: never came). CLOCK_MONOTONIC ns, little endian.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAGIC 0x56464c52u
#define FRAMES_MAX (1 << 17)
/* A sender that was held up longer does not catch up: a burst would measure queues. */
#define BEHIND_MAX 20

static uint64_t sent_at[FRAMES_MAX], came_at[FRAMES_MAX];
static uint32_t sent, received, duplicated, reordered, refused, numbers;
static uint32_t id;
static int fd;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void *receive(void *arg)
{
	uint32_t frame[256];

	(void)arg;
	/* A refused datagram of ours comes back as an error here: no reason to end. */
	for (ssize_t n; (n = recv(fd, frame, sizeof(frame), 0)) >= 0 || errno == ECONNREFUSED || errno == EINTR;) {
		uint32_t sequence = frame[2];

		if (n < 12 || frame[0] != MAGIC || frame[1] != id || sequence >= FRAMES_MAX)
			continue;
		if (came_at[sequence]) {
			duplicated++;
			continue;
		}
		came_at[sequence] = now();
		received++;
		if (sequence < numbers)
			reordered++;
		else
			numbers = sequence + 1;
	}
	perror("stream: recv");
	return NULL;
}

static void *send_at_rate(void *pps)
{
	uint64_t interval = 1000000000ull / *(unsigned *)pps, next = now();
	uint32_t frame[16] = { MAGIC, id };

	while (sent < FRAMES_MAX) {
		struct timespec t = { next / 1000000000ull, next % 1000000000ull };
		uint64_t at;

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		at = now();
		next = at - next > BEHIND_MAX * interval ? at + interval : next + interval;
		frame[2] = sent;
		sent_at[sent] = at;
		if (send(fd, frame, sizeof(frame), MSG_DONTWAIT) < 0)
			refused++;
		__atomic_store_n(&sent, sent + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static int put(const char *file)
{
	uint32_t n = __atomic_load_n(&sent, __ATOMIC_ACQUIRE);
	uint32_t head[6] = { n, received, duplicated, reordered, refused, numbers };
	char part[256];
	FILE *f;

	snprintf(part, sizeof(part), "%s.part", file);
	f = fopen(part, "w");
	if (!f || fwrite(head, sizeof(head), 1, f) != 1 || fwrite(sent_at, 8, n, f) != n ||
	    fwrite(came_at, 8, head[5], f) != head[5] || fclose(f) || rename(part, file)) {
		perror(file);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = { .sin_family = AF_INET }, there = { .sin_family = AF_INET };
	int buffer = 4 << 20, signal_number;
	unsigned pps;
	pthread_t thread;
	sigset_t end;

	if (argc != 6 || inet_pton(AF_INET, argv[1], &there.sin_addr) != 1) {
		fprintf(stderr, "usage: stream ADDRESS PORT ID PPS FILE\n");
		return 2;
	}
	here.sin_port = there.sin_port = htons(atoi(argv[2]));
	id = strtoul(argv[3], NULL, 10);
	pps = strtoul(argv[4], NULL, 10);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
	if (fd < 0 || bind(fd, (void *)&here, sizeof(here)) || connect(fd, (void *)&there, sizeof(there))) {
		perror("stream");
		return 1;
	}
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &end, NULL);
	pthread_create(&thread, NULL, receive, NULL);
	if (pps)
		pthread_create(&thread, NULL, send_at_rate, &pps);
	sigwait(&end, &signal_number);
	return put(argv[5]);
}
