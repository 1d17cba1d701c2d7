/* tcpclient IP PORT: sends the lines that it reads, without their newlines, up to a lone dot. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	int s = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
	if (s < 0 || inet_pton(AF_INET, argv[1], &sa.sin_addr) != 1 ||
	    connect(s, (struct sockaddr *)&sa, sizeof sa) < 0) {
		perror("tcpclient");
		return 1;
	}
	char line[1024];
	for (;;) {
		printf("Input message(.:quit): ");
		fflush(stdout);
		if (!fgets(line, sizeof line, stdin))
			break;
		line[strcspn(line, "\n")] = 0;
		if (strcmp(line, ".") == 0)
			break;
		if (send(s, line, strlen(line), 0) < 0) {
			perror("send");
			return 1;
		}
	}
	close(s);
	return 0;
}
