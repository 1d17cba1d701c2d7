/* unixclient PATH WORD...: sends each word and prints what comes back. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	strncpy(sa.sun_path, argv[1], sizeof sa.sun_path - 1);
	if (s < 0 || connect(s, (struct sockaddr *)&sa, sizeof sa) < 0) {
		perror("unixclient");
		return 1;
	}
	char buf[4096];
	for (int i = 2; i < argc; i++) {
		size_t size = strlen(argv[i]);
		if (send(s, argv[i], size, 0) != (ssize_t)size ||
		    recv(s, buf, size, MSG_WAITALL) != (ssize_t)size) {
			perror("unixclient");
			return 1;
		}
		printf("Received: %.*s\n", (int)size, buf);
	}
	close(s);
	return 0;
}
