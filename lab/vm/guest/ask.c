/* SPDX-License-Identifier: GPL-2.0-only
 *
 * One request to the daemon's socket: standard input goes there, a line of answer comes back. The command line would do, but starting Node
 * takes seconds under emulation, beside the traffic that is measured.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char data[65536];
	ssize_t n;
	int fd;

	if (argc != 2 || strlen(argv[1]) >= sizeof(to.sun_path))
		return 2;
	strcpy(to.sun_path, argv[1]);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (void *)&to, sizeof(to))) {
		perror(argv[1]);
		return 1;
	}
	while ((n = read(0, data, sizeof(data))) > 0)
		if (write(fd, data, n) != n)
			return 1;
	while ((n = read(fd, data, sizeof(data))) > 0) {
		fwrite(data, 1, n, stdout);
		if (data[n - 1] == '\n')
			return 0;
	}
	return 1;
}
