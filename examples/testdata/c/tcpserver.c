/* tcpserver: takes one connection on a free port and prints what comes in. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof sa;
	if (s < 0 || bind(s, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(s, 5) < 0 ||
	    getsockname(s, (struct sockaddr *)&sa, &len) < 0) {
		perror("tcpserver");
		return 1;
	}
	fprintf(stderr, "listening on port %d\n", ntohs(sa.sin_port));

	int c = accept(s, (struct sockaddr *)&sa, &len);
	if (c < 0) {
		perror("accept");
		return 1;
	}
	printf("accepted host(IP: %s, Port: %d)\n", inet_ntoa(sa.sin_addr), ntohs(sa.sin_port));
	fflush(stdout);
	char buf[4096];
	ssize_t n;
	while ((n = recv(c, buf, sizeof buf - 1, 0)) > 0) {
		buf[n] = 0;
		buf[strcspn(buf, "\n")] = 0;
		printf("recv data: %s\n", buf);
		fflush(stdout);
	}
	if (n < 0) {
		perror("recv");
		return 1;
	}
	printf("finish.\n");
	close(c);
	close(s);
	return 0;
}
