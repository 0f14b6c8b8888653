/* SPDX-License-Identifier: GPL-2.0-only
 *
 * xsk DEVICE QUEUE FRAMES COMMAND...: opens an AF_XDP socket on that queue (copy mode), runs COMMAND with the socket's descriptor as its last
 * argument, then says "ready" and counts the frames of Ethernet type 0x88b5 in its receive ring until it has that many, or five seconds are
 * over. Prints the count.
 */
#include <linux/if_xdp.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAMES 256
#define FRAME_SIZE 4096

static void check(int failed, const char *what)
{
	if (!failed)
		return;
	perror(what);
	exit(1);
}

static void *ring(int fd, size_t len, off_t at)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, at);

	check(p == MAP_FAILED, "mmap");
	return p;
}

int main(int argc, char **argv)
{
	struct xdp_umem_reg umem = { .len = FRAMES * FRAME_SIZE, .chunk_size = FRAME_SIZE };
	struct sockaddr_xdp to = { .sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY };
	int fd = socket(AF_XDP, SOCK_RAW, 0), n = FRAMES, status, want, got = 0;
	struct xdp_mmap_offsets off;
	socklen_t len = sizeof(off);
	char number[16];
	pid_t child;
	uint8_t *area, *fill, *rx;
	uint32_t seen = 0;

	check(fd < 0, "socket(AF_XDP)");
	want = atoi(argv[3]);
	area = mmap(NULL, umem.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(area == MAP_FAILED, "mmap");
	umem.addr = (uintptr_t)area;
	check(setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)), "XDP_UMEM_REG");
	check(setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &n, sizeof(n)), "XDP_UMEM_FILL_RING");
	check(setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &n, sizeof(n)), "XDP_UMEM_COMPLETION_RING");
	check(setsockopt(fd, SOL_XDP, XDP_RX_RING, &n, sizeof(n)), "XDP_RX_RING");
	check(getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &len), "XDP_MMAP_OFFSETS");
	fill = ring(fd, off.fr.desc + FRAMES * sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING);
	rx = ring(fd, off.rx.desc + FRAMES * sizeof(struct xdp_desc), XDP_PGOFF_RX_RING);
	for (int i = 0; i < FRAMES; i++)
		((uint64_t *)(fill + off.fr.desc))[i] = (uint64_t)i * FRAME_SIZE;
	__atomic_store_n((uint32_t *)(fill + off.fr.producer), FRAMES, __ATOMIC_RELEASE);
	to.sxdp_ifindex = if_nametoindex(argv[1]);
	to.sxdp_queue_id = atoi(argv[2]);
	check(bind(fd, (struct sockaddr *)&to, sizeof(to)), "bind(AF_XDP)");

	snprintf(number, sizeof(number), "%d", fd);
	child = fork();
	if (!child) {
		char *args[32] = { 0 };
		int i;

		for (i = 0; i + 4 < argc && i < 30; i++)
			args[i] = argv[i + 4];
		args[i] = number;
		execvp(args[0], args);
		perror(args[0]);
		_exit(127);
	}
	check(waitpid(child, &status, 0) < 0 || status, "command");
	puts("ready");
	fflush(stdout);

	for (int tries = 0; got < want && tries < 500; tries++) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		struct xdp_desc *descs = (struct xdp_desc *)(rx + off.rx.desc);
		uint32_t producer;

		poll(&p, 1, 10);
		producer = __atomic_load_n((uint32_t *)(rx + off.rx.producer), __ATOMIC_ACQUIRE);
		for (; seen != producer; seen++) {
			uint8_t *frame = area + descs[seen % FRAMES].addr;

			got += frame[12] == 0x88 && frame[13] == 0xb5;
		}
		__atomic_store_n((uint32_t *)(rx + off.rx.consumer), seen, __ATOMIC_RELEASE);
	}
	printf("%d\n", got);
	return 0;
}
