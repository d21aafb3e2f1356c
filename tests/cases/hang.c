// SPDX-License-Identifier: GPL-2.0-only
/*
 * hang FILE SECONDS FUSE_DEVICE [MODE]: an ordinary user's process whose end takes for ever, in
 * whichever process gives its memory back.
 *
 * In a user namespace of ours we mount a file system on FILE that takes a page and
 * never answers when it is written back. The victim, whose number is printed, has dirtied that
 * page and has 60,000 mappings besides, so that a walk through them takes a while. At a byte on
 * standard input it is killed; if a walk holds its memory at that moment, the walker writes the
 * page back, and hangs. All ends with standard input, or after SECONDS, 60 at most.
 *
 * restless: it changes its mappings all the time, which others have to wait for. args: the file
 * system never answers a READ, and a page of the file takes the place of its arguments. flip: as
 * args, in turns with a page of memory, which has an x.
 */
#define FUSE_USE_VERSION 314
#include <err.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "set_args.h"

#define PAGE 4096ul
#define MAPPINGS 60000
#define MAX_SECONDS 60

static enum { IDLE, RESTLESS, ARGS, FLIP } mode;
static pid_t victim;

/* --- the file system: its root is the file --- */

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st = {
		.st_ino = ino, .st_mode = S_IFREG | 0666, .st_nlink = 1, .st_size = (off_t)PAGE};

	(void)fi;
	fuse_reply_attr(req, &st, 60.0);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fuse_reply_open(req, fi);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	static const char zeros[PAGE];

	(void)ino;
	(void)off;
	(void)fi;
	if (mode == ARGS || mode == FLIP)
		return; /* not answered */
	fuse_reply_buf(req, zeros, size < PAGE ? size : PAGE);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	/* Not answered. */
	(void)req;
	(void)ino;
	(void)buf;
	(void)size;
	(void)off;
	(void)fi;
}

static const struct fuse_lowlevel_ops ops = {
	.getattr = op_getattr,
	.open = op_open,
	.read = op_read,
	.write = op_write,
};

/* --- the victim --- */

static char *map_fixed(char *at, int flags, int fd)
{
	return mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | flags, fd, 0);
}

static void say(int told)
{
	if (write(told, "x", 1) != 1)
		_exit(1);
}

static _Noreturn void hide_args(char *page, int fd, int told)
{
	set_args(page, PAGE);
	map_fixed(page, MAP_SHARED, fd);
	say(told);
	while (mode == FLIP) {
		map_fixed(page, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		*(volatile char *)page = 'x';
		map_fixed(page, MAP_SHARED, fd);
	}
	for (;;)
		pause();
}

static _Noreturn void be_victim(const char *path, int go, int told)
{
	struct stat st; /* asked for, or the kernel takes the file for empty */
	char *page, *many, byte;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(go, &byte, 1) != 1)
		_exit(1);
	fd = open(path, O_RDWR);
	if (fd < 0 || fstat(fd, &st) < 0)
		err(1, "%s", path);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	many = mmap(NULL, MAPPINGS * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		    -1, 0);
	if (page == MAP_FAILED || many == MAP_FAILED)
		err(1, "mmap");
	if (mode == ARGS || mode == FLIP)
		hide_args(many, fd, told);
	close(fd);
	for (unsigned long i = 0; i < MAPPINGS; i += 2)
		mprotect(many + i * PAGE, PAGE, PROT_NONE);
	*page = 1;
	say(told);
	for (bool odd = false; mode == RESTLESS; odd = !odd)
		madvise(many, MAPPINGS * PAGE, odd ? MADV_DODUMP : MADV_DONTDUMP);
	for (;;)
		pause();
}

/* --- the world --- */

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err(1, "%s", path);
	close(fd);
}

static void enter_namespaces(void)
{
	char uids[64], gids[64];

	snprintf(uids, sizeof(uids), "0 %u 1", getuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getgid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		err(1, "no namespaces of our own");
	put("/proc/self/setgroups", "deny");
	put("/proc/self/uid_map", uids);
	put("/proc/self/gid_map", gids);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		err(1, "mount");
}

static struct fuse_session *open_session(const char *path, const char *device)
{
	char *argv[] = {"hang", NULL}, options[128], name[32];
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_session *session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	int fd = open(device, O_RDWR | O_CLOEXEC);

	if (!session || fd < 0)
		err(1, "%s", device);
	snprintf(options, sizeof(options), "fd=%d,rootmode=100000,user_id=0,group_id=0", fd);
	if (mount("hang", path, "fuse.hang", MS_NOSUID | MS_NODEV, options) < 0)
		err(1, "can't mount on %s", path);
	snprintf(name, sizeof(name), "/dev/fd/%d", fd);
	if (fuse_session_mount(session, name) != 0)
		errx(1, "no session");
	return session;
}

static void *end_it(void *arg)
{
	char byte;

	(void)arg;
	while (read(STDIN_FILENO, &byte, 1) == 1)
		kill(victim, SIGKILL);
	_exit(0);
}

static void *announce(void *told)
{
	char byte;

	if (read(*(int *)told, &byte, 1) == 1)
		printf("%d\n", (int)victim);
	fflush(stdout);
	return NULL;
}

int main(int argc, char **argv)
{
	struct fuse_session *session;
	int go[2], told[2];
	unsigned long seconds;
	pthread_t thread;

	if (argc != 4 && argc != 5)
		errx(2, "three or four arguments");
	if (argc == 5)
		mode = *argv[4] == 'r' ? RESTLESS : *argv[4] == 'a' ? ARGS : FLIP;
	seconds = strtoul(argv[2], NULL, 10);
	alarm(seconds < MAX_SECONDS ? (unsigned int)seconds : MAX_SECONDS);
	signal(SIGCHLD, SIG_IGN);
	enter_namespaces();
	if (pipe(go) < 0 || pipe(told) < 0)
		err(1, "pipe");
	victim = fork(); /* before there is a connection, which it must not have */
	if (victim < 0)
		err(1, "fork");
	if (!victim)
		be_victim(argv[1], go[0], told[1]);
	session = open_session(argv[1], argv[3]);
	if (pthread_create(&thread, NULL, end_it, NULL) ||
	    pthread_create(&thread, NULL, announce, &told[0]) || write(go[1], "x", 1) != 1)
		errx(1, "no threads");
	return fuse_session_loop(session) ? 1 : 0;
}
