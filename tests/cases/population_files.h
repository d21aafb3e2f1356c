/* SPDX-License-Identifier: GPL-2.0-only */
/* Roles for the view `task_file`: every kind of open file, flag and path. */
#ifndef POPULATION_FILES_H
#define POPULATION_FILES_H

#include <netinet/in.h>
#include <linux/netlink.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include "population_common.h"

static void seek(int fd, off_t to)
{
	if (lseek(fd, to, SEEK_SET) == (off_t)-1) /* others below 0 are positions */
		err(1, "lseek");
}

static void play_regular(const struct scene *s, const char *arg)
{
	int fd = make_file(s, arg, O_RDWR);

	if (write(fd, "0123456789", 10) != 10)
		err(1, "write");
	seek(fd, 7);
	must(dup(fd), "dup"); /* two numbers, one file */
	must(fcntl(fd, F_DUPFD_CLOEXEC, 700), "dup");
	must(dup2(fd, 4000), "dup2");
	make_file(s, arg, O_RDONLY);
	make_file(s, arg, O_WRONLY | O_APPEND);
	make_file(s, arg, O_RDWR | O_CLOEXEC);
	make_file(s, arg, O_RDWR | O_NONBLOCK | O_SYNC | O_NOATIME);
	make_file(s, arg, 3); /* for ioctl alone: neither to read nor to write */
	must(open(at(s, arg), O_PATH), "O_PATH");
	must(open(at(s, arg), O_PATH | O_CLOEXEC | O_NOFOLLOW), "O_PATH");
	fd = make_file(s, "sparse", O_RDWR);
	must(ftruncate(fd, 5000000000), "ftruncate");
	seek(fd, 4999999999);
}

static void play_deleted(const struct scene *s, const char *arg)
{
	make_file(s, arg, O_RDWR);
	must(unlink(at(s, arg)), "unlink");
	make_file(s, "not gone (deleted)", O_RDWR);
	must(open(s->dir, O_TMPFILE | O_RDWR, 0600), "O_TMPFILE");
	must(open(make_dir(s, "gone dir"), O_RDONLY | O_DIRECTORY), "dir");
	must(rmdir(at(s, "gone dir")), "rmdir");
}

static void play_special(const struct scene *s, const char *arg)
{
	const char *fifo = at(s, "fifo"), *node = at(s, "block"), *sock = at(s, "link");
	int fd;

	(void)arg;
	must(open(s->dir, O_RDONLY | O_DIRECTORY), "dir");
	must(open("/", O_PATH | O_DIRECTORY), "/");
	must(open("/dev/null", O_WRONLY), "/dev/null");
	must(open("/dev/zero", O_RDWR), "/dev/zero");
	must(posix_openpt(O_RDWR | O_NOCTTY), "ptmx");
	must(mkfifo(fifo, 0600), "mkfifo");
	must(open(fifo, O_RDWR | O_NONBLOCK), "fifo");
	must(mknod(node, S_IFBLK | 0600, makedev(7, 300)), "mknod");
	must(open(node, O_PATH), "block");
	must(symlink("nowhere", sock), "symlink");
	must(open(sock, O_PATH | O_NOFOLLOW), "symlink");
	must(open("/proc/self/ns/net", O_RDONLY), "nsfs");
	must(open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC), "nsfs");
	must(open("/proc/self/status", O_RDONLY), "proc");
	must(open("/sys/kernel/mm", O_RDONLY | O_DIRECTORY), "sysfs");
	fd = must(open("/proc/self/mem", O_RDONLY), "mem");
	seek(fd, (off_t)0xffffffffff600000); /* a position below 0 */
}

static void play_sockets(const struct scene *s, const char *arg)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "\0kview \n\xff"};
	socklen_t len = sizeof(in);
	int pair[2], server, client, fd;

	(void)s;
	(void)arg;
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	fd = must(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "unix");
	/* An abstract name of its own: the pid makes it so. */
	snprintf(un.sun_path + 12, 16, "%d", getpid());
	must(bind(fd, (struct sockaddr *)&un, sizeof(un)), "bind");
	must(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), "udp");
	must(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), "netlink");
	server = must(socket(AF_INET, SOCK_STREAM, 0), "tcp");
	must(bind(server, (struct sockaddr *)&in, sizeof(in)), "bind");
	must(listen(server, 1), "listen");
	must(getsockname(server, (struct sockaddr *)&in, &len), "getsockname");
	client = must(socket(AF_INET, SOCK_STREAM, 0), "tcp");
	must(connect(client, (struct sockaddr *)&in, sizeof(in)), "connect");
	must(accept(server, NULL, NULL), "accept");
}

static void play_anonymous(const struct scene *s, const char *arg)
{
	struct epoll_event event = {.events = EPOLLIN};
	int ends[2], fd, epoll;
	sigset_t set;

	(void)arg;
	must(pipe2(ends, O_CLOEXEC), "pipe");
	must(pipe2(ends, O_DIRECT | O_NONBLOCK), "pipe");
	fd = must(eventfd(1, EFD_NONBLOCK), "eventfd");
	epoll = must(epoll_create1(EPOLL_CLOEXEC), "epoll");
	must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll");
	must(timerfd_create(CLOCK_MONOTONIC, 0), "timerfd"); /* not set: its time would go on */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	must(signalfd(-1, &set, 0), "signalfd");
	fd = must(inotify_init1(0), "inotify");
	must(inotify_add_watch(fd, s->dir, IN_UNMOUNT), "inotify");
	must((int)syscall(SYS_pidfd_open, getpid(), 0), "pidfd");
	fd = must((int)syscall(SYS_memfd_create, "mem\n\t\xff fd", 0), "memfd");
	must(ftruncate(fd, 1LL << 62), "ftruncate");
	seek(fd, 0x7fffffffffffff00);
	must((int)syscall(SYS_memfd_create, "", 1), "memfd");
}

static void play_names(const struct scene *s, const char *arg)
{
	(void)arg;
	for (size_t i = 0; i < N_HOSTILE; i++)
		make_file(s, hostile[i], O_RDWR);
	make_file(s, " leading", O_RDWR);
	make_file(s, "trailing ", O_RDWR);
	make_file(s, "new\nline (deleted)\n", O_RDWR);
}

/* Around what bpf_seq_printf cuts, what readlink takes, and above both. */
static void play_long(const struct scene *s, const char *arg)
{
	static const size_t lengths[] = {510, 511, 512, 2000, 4094, 4095, 4096, 4097, 9000};

	(void)arg;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		make_long(s, lengths[i], 'f');
	make_long(s, 4085, 'x'); /* " (deleted)" has 10 bytes */
	make_long(s, 4086, 'x');
}

static void play_detached(const struct scene *s, const char *arg)
{
	const char *dir = make_dir(s, arg);

	private_mounts();
	must(mount("tmpfs", dir, "tmpfs", 0, NULL), "tmpfs");
	must(open(dir, O_RDONLY | O_DIRECTORY), dir);
	make_file(s, "adrift/file", O_RDWR);
	must(umount2(dir, MNT_DETACH), "umount");
}

#endif
