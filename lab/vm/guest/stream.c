/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The guest's end of a numbered stream (lab/vm/stream.ts): sends datagrams at an intended rate and stamps those that arrive.
 *
 *   stream ADDRESS PORT ID PPS FILE [DEVICE]      PPS 0: receives only. SIGTERM: writes FILE and ends.
 *
 * ADDRESS: IPv4 or IPv6, of the far end, or a group that both ends send to and that DEVICE joins.
 * A datagram begins with {u32 magic, u32 stream, u32 sequence, u32 ~sequence} and has 64 bytes; one to the guest has a bit more in its
 * stream. FILE: u32 sent, received, duplicated, reordered, refused, numbers, returned (own frames that came back), 0;
 * u64 send times [sent]; u64 arrival times [numbers] (0: never came). CLOCK_MONOTONIC ns, little endian.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
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
#define TO_GUEST 0x40000000u
/* A sender that was held up longer does not catch up: a burst would measure queues. */
#define BEHIND_MAX 20

static uint64_t sent_at[FRAMES_MAX], came_at[FRAMES_MAX];
static uint32_t sent, received, duplicated, reordered, refused, numbers, returned;
static uint32_t id;
static int fd;

union end {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};
static union end there;
/* Of `there` for sendto(); 0 where the socket is connected. */
static socklen_t there_size;

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

		if (n < 12 || frame[0] != MAGIC || sequence >= FRAMES_MAX)
			continue;
		if (frame[1] == id)
			returned++;
		if (frame[1] != id + TO_GUEST)
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

static ssize_t put_frame(const void *frame, size_t size)
{
	return sendto(fd, frame, size, MSG_DONTWAIT, there_size ? &there.any : NULL, there_size);
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
		frame[3] = ~sent;
		sent_at[sent] = at;
		/* A connected socket tells here that an earlier datagram found nobody, and does not send this one. */
		if (put_frame(frame, sizeof(frame)) < 0 && (errno != ECONNREFUSED || put_frame(frame, sizeof(frame)) < 0))
			refused++;
		__atomic_store_n(&sent, sent + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static int put(const char *file)
{
	uint32_t n = __atomic_load_n(&sent, __ATOMIC_ACQUIRE);
	uint32_t head[8] = { n, received, duplicated, reordered, refused, numbers, returned };
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

/* Joins the group on a device and sends to it there. An unconnected socket: a connected one takes only what is for its own address. */
static int join(const char *device)
{
	unsigned index = if_nametoindex(device);
	int off = 0;

	if (there.any.sa_family == AF_INET) {
		struct ip_mreqn on = { .imr_multiaddr = there.in.sin_addr, .imr_ifindex = index };

		there_size = sizeof(there.in);
		return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &on, sizeof(on)) ||
		       setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &on, sizeof(on)) ||
		       setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &off, sizeof(off));
	}
	struct ipv6_mreq on = { .ipv6mr_multiaddr = there.in6.sin6_addr, .ipv6mr_interface = index };

	there_size = sizeof(there.in6);
	return setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &on, sizeof(on)) ||
	       setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof(index)) ||
	       setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &off, sizeof(off));
}

/* Opens the socket at our port and, but for a group, connects it. */
static int begin(const char *address, int port, const char *device)
{
	int buffer = 4 << 20, group, family = strchr(address, ':') ? AF_INET6 : AF_INET;
	socklen_t size = family == AF_INET ? sizeof(there.in) : sizeof(there.in6);
	union end here = { .any.sa_family = family };

	there.any.sa_family = family;
	/* The port stands at the same place in both. */
	here.in.sin_port = there.in.sin_port = htons(port);
	if (inet_pton(family, address, family == AF_INET ? (void *)&there.in.sin_addr : (void *)&there.in6.sin6_addr) != 1)
		return -1;
	group = family == AF_INET ? IN_MULTICAST(ntohl(there.in.sin_addr.s_addr)) : IN6_IS_ADDR_MULTICAST(&there.in6.sin6_addr);
	fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
	if (fd < 0 || bind(fd, &here.any, size))
		return -1;
	return group ? join(device) : connect(fd, &there.any, size);
}

int main(int argc, char **argv)
{
	int signal_number;
	unsigned pps;
	pthread_t thread;
	sigset_t end;

	if (argc != 6 && argc != 7) {
		fprintf(stderr, "usage: stream ADDRESS PORT ID PPS FILE [DEVICE]\n");
		return 2;
	}
	id = strtoul(argv[3], NULL, 10);
	pps = strtoul(argv[4], NULL, 10);
	if (begin(argv[1], atoi(argv[2]), argc == 7 ? argv[6] : "")) {
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
