/*
 * Sends entries to a journald in its native protocol: journal-send SOCKET COUNT FIRST PAUSE-US
 * Each carries its number as TAPIO_SEQ and, as TAPIO_SENT, microseconds since the epoch right before it was sent.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc != 5) return 2;
	long count = atol(argv[2]), first = atol(argv[3]), pause = atol(argv[4]);
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	if (strlen(argv[1]) >= sizeof to.sun_path) return 3;
	strcpy(to.sun_path, argv[1]);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0) return 4;
	for (long i = 0; i < count; i++) {
		char text[512];
		struct timespec now;
		clock_gettime(CLOCK_REALTIME, &now);
		int length = snprintf(text, sizeof text,
			"PRIORITY=%ld\nSYSLOG_IDENTIFIER=sender\nTAPIO_SEQ=%ld\nTAPIO_SENT=%lld\nMESSAGE=entry number %ld of a test\n", 3 + i % 5, first + i,
			(long long)now.tv_sec * 1000000 + now.tv_nsec / 1000, first + i);
		while (sendto(fd, text, length, 0, (struct sockaddr *)&to, sizeof to) < 0) {
			if (errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED) {
				perror("sendto");
				return 1;
			}
			usleep(1000);
		}
		if (pause > 0) usleep(pause);
	}
	return 0;
}
