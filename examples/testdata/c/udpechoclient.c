/* udpechoclient IP WORD PORT: sends a word and prints the answer. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[3]))}, from;
	socklen_t len = sizeof from;
	size_t size = strlen(argv[2]);
	if (s < 0 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 ||
	    sendto(s, argv[2], size, 0, (struct sockaddr *)&to, sizeof to) != (ssize_t)size) {
		perror("udpechoclient");
		return 1;
	}
	char buf[65508];
	ssize_t n = recvfrom(s, buf, sizeof buf - 1, 0, (struct sockaddr *)&from, &len);
	if (n < 0) {
		perror("recvfrom");
		return 1;
	}
	if (from.sin_addr.s_addr != to.sin_addr.s_addr || from.sin_port != to.sin_port) {
		fprintf(stderr, "received a packet from unknown source\n");
		return 1;
	}
	buf[n] = 0;
	printf("Received: %s\n", buf);
	return 0;
}
