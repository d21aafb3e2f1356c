// SPDX-License-Identifier: GPL-2.0-only
/*
 * stuck FILE SECONDS [UID]: prints the number of a process, of that user, whose mmap_lock
 * nobody gets, and keeps it so for that long, 100 seconds at most, or until killed.
 *
 * We mount a file system of our own on FILE. One thread of the victim touches a
 * mapped page of it. The kernel drops the lock for the READ at first; we let
 * that fail, until it tries once more with the lock held for reading: that READ
 * is never answered. Another thread then wants the lock for writing, so readers
 * get it no more. It also tells the one kind of READ from the other. The mount
 * is in a mount namespace of ours: nothing stays when we end, however we do.
 */
#define FUSE_USE_VERSION 314
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
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

#define PAGE 4096
#define MAX_SECONDS 100
#define LOCK_MS 100 /* a lock that nobody holds is got within that */

struct channel {
	int hear, tell;
};

static struct channel to_victim = {-1, -1}; /* mounted; then: take the lock */
static struct channel to_us = {-1, -1};	    /* it was taken, and let go */
static pid_t victim;

/* --- the file system: its root is the file --- */

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st = {.st_ino = ino, .st_mode = S_IFREG | 0444, .st_nlink = 1, .st_size = PAGE};

	(void)fi;
	fuse_reply_attr(req, &st, 60.0);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fuse_reply_open(req, fi);
}

static bool is_locked(void)
{
	struct pollfd p = {.fd = to_us.hear, .events = POLLIN};
	char byte;

	if (write(to_victim.tell, "x", 1) != 1)
		err(1, "write");
	return poll(&p, 1, LOCK_MS) == 0 || read(to_us.hear, &byte, 1) != 1;
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	(void)ino;
	(void)size;
	(void)off;
	(void)fi;
	if (!is_locked()) {
		fuse_reply_err(req, EIO);
		return;
	}
	printf("%d\n", (int)victim);
	fflush(stdout);
}

static const struct fuse_lowlevel_ops ops = {
	.getattr = op_getattr,
	.open = op_open,
	.read = op_read,
};

/* --- the victim --- */

static void listen_once(void)
{
	char byte;

	if (read(to_victim.hear, &byte, 1) != 1)
		_exit(1);
}

static void *want_lock(void *arg)
{
	(void)arg;
	for (;;) {
		listen_once();
		mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (write(to_us.tell, "x", 1) != 1)
			_exit(1);
	}
	return NULL;
}

static void be_user(const char *uid)
{
	uid_t id = (uid_t)strtoul(uid, NULL, 10);

	if (setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
		err(1, "setresuid");
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* that was cleared */
}

static _Noreturn void be_victim(const char *path, const char *uid)
{
	volatile const char *page;
	pthread_t writer;
	struct stat st; /* asked for, or the kernel takes the file for empty */
	int fd;

	listen_once();
	fd = open(path, O_RDONLY);
	page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (fd < 0 || fstat(fd, &st) < 0 || page == MAP_FAILED)
		err(1, "%s", path);
	if (uid)
		be_user(uid);
	if (pthread_create(&writer, NULL, want_lock, NULL))
		errx(1, "no thread");
	_exit(*page);
}

/* Before there is a connection, which it must not have. */
static pid_t start_victim(const char *path, const char *uid)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(to_victim.tell);
	close(to_us.hear);
	if (getppid() == parent)
		be_victim(path, uid);
	_exit(1);
}

static void open_channel(struct channel *c)
{
	int fds[2];

	if (pipe(fds) < 0)
		err(1, "pipe");
	*c = (struct channel){fds[0], fds[1]};
}

static struct fuse_session *open_session(const char *path)
{
	char *argv[] = {"stuck", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_session *session = fuse_session_new(&args, &ops, sizeof(ops), NULL);

	if (!session || fuse_session_mount(session, path) != 0)
		errx(1, "can't mount on %s", path);
	return session;
}

int main(int argc, char **argv)
{
	struct fuse_session *session;
	unsigned long seconds;

	if (argc != 3 && argc != 4)
		errx(2, "two or three arguments");
	seconds = strtoul(argv[2], NULL, 10);
	alarm(seconds < MAX_SECONDS ? (unsigned int)seconds : MAX_SECONDS);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		err(1, "no mount namespace of our own");
	open_channel(&to_victim);
	open_channel(&to_us);
	victim = start_victim(argv[1], argv[3]);
	session = open_session(argv[1]);
	if (write(to_victim.tell, "x", 1) != 1)
		err(1, "write");
	return fuse_session_loop(session) ? 1 : 0;
}
