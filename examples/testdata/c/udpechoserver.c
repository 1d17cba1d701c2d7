/* udpechoserver: sends every datagram back, on a free port. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

int main(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof sa;
	if (s < 0 || bind(s, (struct sockaddr *)&sa, sizeof sa) < 0 ||
	    getsockname(s, (struct sockaddr *)&sa, &len) < 0) {
		perror("udpechoserver");
		return 1;
	}
	fprintf(stderr, "listening on port %d\n", ntohs(sa.sin_port));

	char buf[65507];
	for (;;) {
		len = sizeof sa;
		ssize_t n = recvfrom(s, buf, sizeof buf, 0, (struct sockaddr *)&sa, &len);
		if (n < 0) {
			perror("recvfrom");
			return 1;
		}
		printf("Handling client %s\n", inet_ntoa(sa.sin_addr));
		fflush(stdout);
		if (sendto(s, buf, n, 0, (struct sockaddr *)&sa, len) != n) {
			perror("sendto");
			return 1;
		}
	}
}
