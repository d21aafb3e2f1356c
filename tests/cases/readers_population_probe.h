/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The reader of readers_population.c: copies what kview and /proc tell the
 * process that it runs in, errors included, to standard output. What it means
 * is judged by oracle_readers.py.
 *
 * A record: "WHAT PATH ERRNO LENGTH\n", so many bytes, and a NUL. It allocates and
 * maps nothing while it reads, since its own mappings are compared as well.
 */
#ifndef READERS_POPULATION_PROBE_H
#define READERS_POPULATION_PROBE_H

#include <dirent.h>
#include <sys/fsuid.h>

#include "readers_population_common.h"

#define ARENA (1ul << 30)
#define HEAD_MAX 1024
#define BASE_MAX 256

struct probe {
	const char *mnt;
	char **pids; /* of the population; none: all that are in /proc */
	int n;
};

static char *arena, *arena_end;

/* The data lie HEAD_MAX behind the end of the records so far. */
static const char *put(const char *what, const char *path, long error, size_t n)
{
	char *data = arena_end + HEAD_MAX;
	int head = sprintf(arena_end, "%s %s %ld %zu\n", what, path, error, n);
	char *to = arena_end + head;

	memmove(to, data, n);
	to[n] = '\0';
	arena_end = to + n + 1;
	return to;
}

static const char *put_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	size_t n = 0;
	ssize_t got = 0;

	if (fd < 0)
		return put("file", path, errno, 0);
	while ((got = read(fd, arena_end + HEAD_MAX + n, 1 << 20)) > 0)
		n += (size_t)got;
	put("file", path, got < 0 ? errno : 0, got < 0 ? 0 : n);
	close(fd);
	return NULL;
}

static const char *put_link(const char *path)
{
	ssize_t n = readlink(path, arena_end + HEAD_MAX, PATH_MAX);

	return put("link", path, n < 0 ? errno : 0, n < 0 ? 0 : (size_t)n);
}

/* May it be opened? */
static void put_open(const char *path)
{
	int fd = open(path, O_RDONLY);

	put("open", path, fd < 0 ? errno : 0, 0);
	close(fd);
}

static void put_stat(const char *path)
{
	struct stat st;
	int rc = stat(path, &st);

	put("stat", path, rc ? errno : 0,
	    rc ? 0 : (size_t)sprintf(arena_end + HEAD_MAX, "%lu", (unsigned long)st.st_ino));
}

/* Of /proc/PID/fd: how many it has. */
static const char *put_size(const char *path)
{
	struct stat st;
	int rc = stat(path, &st);

	return put("size", path, rc ? errno : 0,
		   rc ? 0
		      : (size_t)sprintf(arena_end + HEAD_MAX, "%lu", (unsigned long)st.st_size));
}

/* The numbers in a directory, a line each; never NULL. */
static const char *put_list(const char *path)
{
	static char entries[1 << 15] __attribute__((aligned(8)));
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	char *data = arena_end + HEAD_MAX;
	size_t n = 0;
	long got = -1;

	while (fd >= 0 && (got = syscall(SYS_getdents64, fd, entries, sizeof(entries))) > 0)
		for (long i = 0; i < got;) {
			struct dirent64 *entry = (void *)(entries + i);

			if (*entry->d_name >= '0' && *entry->d_name <= '9')
				n += (size_t)sprintf(data + n, "%s\n", entry->d_name);
			i += entry->d_reclen;
		}
	if (got < 0)
		return put("list", path, errno, 0);
	close(fd);
	return put("list", path, 0, n);
}

static void put_under(const char *base, const char *name, const char *(*how)(const char *))
{
	char path[2 * BASE_MAX];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	how(path);
}

#define FOR_EACH_NUMBER(at, list) for (const char *at = list; *at; at = strchr(at, '\n') + 1)

static void put_fds(const char *base)
{
	char path[2 * BASE_MAX];
	const char *list;

	snprintf(path, sizeof(path), "%s/fd", base);
	list = put_list(path);
	FOR_EACH_NUMBER(at, list)
	{
		snprintf(path, sizeof(path), "%s/fd/%d", base, atoi(at));
		put_link(path);
		put_stat(path);
		snprintf(path, sizeof(path), "%s/fdinfo/%d", base, atoi(at));
		put_file(path);
	}
}

static void put_thread(const char *base)
{
	put_under(base, "stat", put_file);
	put_under(base, "status", put_file);
	put_under(base, "comm", put_file);
	put_under(base, "cgroup", put_file);
	put_under(base, "maps", put_file);
	put_under(base, "exe", put_link);
	put_under(base, "ns/pid", put_link);
	put_fds(base);
}

/* All that /proc says of a process. */
static void put_process(int pid)
{
	static const char *const files[] = {"stat", "status", "comm",	  "cgroup",
					    "io",   "limits", "loginuid", "oom_score_adj"};
	static const char *const links[] = {"exe",    "cwd",	"root",	   "ns/mnt",
					    "ns/net", "ns/pid", "ns/user", "ns/cgroup"};
	char path[64];
	const char *list;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		put_under(path, files[i], put_file);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		put_under(path, links[i], put_link);
	put_under(path, "fd", put_size);
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	list = put_list(path);
	FOR_EACH_NUMBER(at, list)
	{
		snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, atoi(at));
		put_thread(path);
	}
}

/* What is asked of processes that the population is not made of. */
static void put_others(void)
{
	const char *list = put_list("/proc");
	char path[64];

	FOR_EACH_NUMBER(at, list)
	{
		snprintf(path, sizeof(path), "/proc/%d", atoi(at));
		put_under(path, "stat", put_file);
		put_under(path, "status", put_file);
		put_under(path, "exe", put_link);
		put_under(path, "ns/pid", put_link);
		snprintf(path, sizeof(path), "/proc/%d/fd", atoi(at));
		put_open(path);
		snprintf(path, sizeof(path), "/proc/%d/maps", atoi(at));
		put_open(path);
	}
}

static void put_views(const char *base)
{
	put_under(base, "json/task.json", put_file);
	put_under(base, "json/task_file.json", put_file);
	put_under(base, "json/task_vma.json", put_file);
	put_under(base, "json/process.json", put_file);
}

static void put_views_of(const struct probe *p, int pid)
{
	char path[BASE_MAX];

	snprintf(path, sizeof(path), "%s/pid/%d", p->mnt, pid);
	put_views(path);
}

static void for_each_process(const struct probe *p, const char *list,
			     void (*what)(const struct probe *p, int pid))
{
	for (int i = 0; i < p->n; i++)
		what(p, atoi(p->pids[i]));
	if (p->n)
		what(p, getpid());
	else
		FOR_EACH_NUMBER(at, list)
	what(p, atoi(at));
}

static void put_process_of(const struct probe *p, int pid)
{
	(void)p;
	put_process(pid);
}

static void probe_all(const struct probe *p)
{
	char path[BASE_MAX];
	const char *list;

	arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED)
		err(1, "arena");
	arena_end = arena;
	put("mark", "before", 0, (size_t)sprintf(arena_end + HEAD_MAX, "%d %d", getpid(), p->n));
	put_others();
	list = put_list("/proc");
	for_each_process(p, list, put_process_of);
	put("mark", "kview", 0, 0);
	put_views(p->mnt);
	snprintf(path, sizeof(path), "%s/pid", p->mnt);
	put_list(path);
	put_under(path, "self", put_link);
	put_under(path, "self/json/task.json", put_file);
	for_each_process(p, list, put_views_of);
	put("mark", "after", 0, 0);
	put_others();
	for (const char *at = arena; at < arena_end;) {
		ssize_t n = write(STDOUT_FILENO, at, (size_t)(arena_end - at));

		if (n <= 0)
			err(1, "write");
		at += n;
	}
}

/* --- readers that no other program makes --- */

struct other_thread {
	const struct probe *probe;
	uid_t uid;
};

/* A thread acts with ids of its own; its leader keeps all rights. */
static void *probe_thread(void *arg)
{
	const struct other_thread *t = arg;

	raw_ids(t->uid, t->uid, t->uid, t->uid);
	probe_all(t->probe);
	return NULL;
}

static void probe_in_thread(const struct probe *p, uid_t uid)
{
	struct other_thread t = {p, uid};
	pthread_t thread;

	if (pthread_create(&thread, NULL, probe_thread, &t))
		errx(1, "pthread_create");
	pthread_join(thread, NULL);
}

/* read [-f FSUID | -g FSGID | -e EUID | -u UID | -t UID-OF-A-THREAD] MNT [PID...] */
static int probe_main(int argc, char **argv)
{
	struct probe p = {0};
	uid_t id = argc > 2 ? (uid_t)atoi(argv[2]) : 0;
	const char *how = argc > 3 && *argv[1] == '-' ? argv[1] : "";

	if (strcmp(how, "-f") == 0)
		setfsuid(id);
	else if (strcmp(how, "-g") == 0)
		setfsgid(id);
	else if (strcmp(how, "-e") == 0)
		must(seteuid(id), "seteuid");
	else if (strcmp(how, "-u") == 0)
		raw_ids(id, id, id, id);
	argv += *how ? 3 : 1;
	argc -= *how ? 3 : 1;
	p.mnt = argv[0];
	p.pids = argv + 1;
	p.n = argc - 1;
	if (strcmp(how, "-t") == 0)
		probe_in_thread(&p, id);
	else
		probe_all(&p);
	return 0;
}

#endif
