// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostile_exec FD...: a program that is executed with files open, setuid
 * perhaps. Copies each from its beginning to standard output, behind a line
 * "ERRNO SIZE"; says "end" and stays until standard input ends.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX (64 << 20) /* other cases make 16,000 threads */

static void copy(int fd)
{
	static char data[MAX];
	size_t used = 0;
	ssize_t n = -1;

	errno = 0;
	if (lseek(fd, 0, SEEK_SET) == 0)
		while (used < MAX && (n = read(fd, data + used, MAX - used)) > 0)
			used += (size_t)n;
	printf("%d %zu\n", n < 0 ? errno : 0, used);
	fwrite(data, 1, used, stdout);
}

int main(int argc, char **argv)
{
	char c;

	for (int i = 1; i < argc; i++)
		copy(atoi(argv[i]));
	puts("end");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
