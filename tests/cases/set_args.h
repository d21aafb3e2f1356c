/* SPDX-License-Identifier: GPL-2.0-only */
/* For programs that have their arguments elsewhere. */
#include <err.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* PR_SET_MM_MAP takes no capability, and all values: the others as they are. */
static void set_args(const char *start, size_t size)
{
	unsigned long v[52] = {0};
	struct prctl_mm_map map = {.exe_fd = -1U};
	char stat[1024], *p;
	int fd = open("/proc/self/stat", O_RDONLY);
	ssize_t n = read(fd, stat, sizeof(stat) - 1);

	close(fd);
	stat[n > 0 ? n : 0] = '\0';
	p = strrchr(stat, ')');
	if (!p)
		errx(1, "/proc/self/stat");
	p += 4; /* the fourth field is next */
	for (int i = 4; i < 52; i++)
		v[i] = strtoul(p, &p, 10);
	map.start_code = v[26];
	map.end_code = v[27];
	map.start_stack = v[28];
	map.start_data = v[45];
	map.end_data = v[46];
	map.start_brk = v[47];
	map.brk = (unsigned long)sbrk(0);
	map.arg_start = (unsigned long)start;
	map.arg_end = map.arg_start + size;
	map.env_start = v[50];
	map.env_end = v[51];
	if (prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0) < 0)
		err(1, "PR_SET_MM_MAP");
}
