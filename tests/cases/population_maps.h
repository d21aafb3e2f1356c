/* SPDX-License-Identifier: GPL-2.0-only */
/* Roles for the view `task_vma`: every kind of mapping and path. */
#ifndef POPULATION_MAPS_H
#define POPULATION_MAPS_H

#include <linux/memfd.h>
#include <sys/shm.h>

#include "population_common.h"

#define PAGE 4096

static void map(int fd, off_t offset, int prot, int flags)
{
	if (mmap(NULL, 4 * PAGE, prot, flags, fd, offset) == MAP_FAILED)
		err(1, "mmap");
}

/* In private and in shared, then closed: only the mapping holds it. */
static void map_and_close(int fd)
{
	must(ftruncate(fd, 16 * PAGE), "ftruncate");
	map(fd, 0, PROT_READ, MAP_PRIVATE);
	map(fd, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	close(fd);
}

static void play_maps(const struct scene *s, const char *arg)
{
	int fd = make_file(s, arg, O_RDWR), ro;

	must(ftruncate(fd, 8589934592), "ftruncate");
	map(fd, 5368709120, PROT_READ, MAP_SHARED);
	map(fd, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE);
	map(fd, PAGE, PROT_WRITE, MAP_SHARED);
	ro = make_file(s, arg, O_RDONLY);
	map(ro, 0, PROT_READ, MAP_SHARED); /* shared, but never to be written */
	fd = make_file(s, "mapped and deleted", O_RDWR);
	must(unlink(at(s, "mapped and deleted")), "unlink");
	map_and_close(fd);
	fd = must(open("/dev/zero", O_RDWR), "/dev/zero");
	map(fd, 0, PROT_READ, MAP_PRIVATE);
	map(fd, 0, PROT_READ, MAP_SHARED);
}

static void play_maps_memory(const struct scene *s, const char *arg)
{
	int anon = MAP_PRIVATE | MAP_ANONYMOUS, fd, id;
	char *named;

	(void)s;
	map(-1, 0, PROT_NONE, anon);
	map(-1, 0, PROT_READ, anon);
	map(-1, 0, PROT_READ | PROT_WRITE, anon | MAP_GROWSDOWN);
	map(-1, 0, PROT_READ | PROT_WRITE | PROT_EXEC, anon);
	map(-1, 0, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
	map_and_close(must((int)syscall(SYS_memfd_create, arg, 0), "memfd"));
	fd = must((int)syscall(SYS_memfd_create, "huge", MFD_HUGETLB), "hugetlb");
	if (mmap(NULL, 1 << 21, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0) == MAP_FAILED)
		err(1, "hugetlb");
	id = must(shmget(IPC_PRIVATE, 4 * PAGE, 0600), "shmget");
	if (shmat(id, NULL, 0) == (void *)-1)
		err(1, "shmat");
	must(shmctl(id, IPC_RMID, NULL), "shmctl");
	if (sbrk(300 * PAGE) == (void *)-1)
		err(1, "sbrk");
	named = mmap(NULL, PAGE, PROT_READ, anon, -1, 0);
	/* Not every kernel can: then it is one more mapping without a name. */
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, named, PAGE, "of kview's test");
}

static void play_maps_names(const struct scene *s, const char *arg)
{
	char name[64];

	(void)arg;
	for (size_t i = 0; i < N_HOSTILE; i++) {
		snprintf(name, sizeof(name), "mapped %s", hostile[i]);
		map_and_close(make_file(s, name, O_RDWR));
	}
	map_and_close(make_file(s, " mapped leading", O_RDWR));
	for (size_t i = 4000; i < 4100; i += 95) /* 4000, 4095 */
		map_and_close(make_long(s, i, 'm'));
	map_and_close(make_long(s, 4096, 'm'));
	map_and_close(make_long(s, 6000, 'm'));
}

/*
 * A mapping of a file on overlayfs holds the file of the layer below. In a
 * tmpfs, since the layers can't lie on every file system.
 */
static void play_overlay(const struct scene *s, const char *arg)
{
	char options[3 * PATH_MAX + 64];
	int fd;

	private_mounts();
	must(mount("tmpfs", make_dir(s, arg), "tmpfs", 0, NULL), "tmpfs");
	make_dir(s, "overlay/low");
	make_dir(s, "overlay/up");
	make_dir(s, "overlay/work");
	make_dir(s, "overlay/all");
	fd = make_file(s, "overlay/low/lower\nfile", O_RDWR);
	must(ftruncate(fd, 16 * PAGE), "ftruncate");
	close(fd);
	close(make_file(s, "overlay/low/copied up", O_RDWR));
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s",
		 at(s, "overlay/low"), at(s, "overlay/up"), at(s, "overlay/work"));
	must(mount("overlay", at(s, "overlay/all"), "overlay", 0, options), "overlay");
	fd = must(open(at(s, "overlay/all/lower\nfile"), O_RDONLY), "lower");
	map(fd, PAGE, PROT_READ, MAP_PRIVATE);
	map(fd, 0, PROT_READ, MAP_SHARED);
	map_and_close(make_file(s, "overlay/all/copied up", O_RDWR));
	map_and_close(make_file(s, "overlay/all/upper", O_RDWR));
	map_and_close(make_file(s, "overlay/all/deleted", O_RDWR));
	must(unlink(at(s, "overlay/all/deleted")), "unlink");
	make_file(s, "overlay/all/open", O_RDWR);
	make_file(s, "overlay/all/copied up", O_RDONLY);
}

#endif
