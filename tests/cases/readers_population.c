// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that readers of many kinds look at, and the program by which they
 * look. Linked statically, it runs in any root directory.
 *
 *   readers_population people DIR CGROUP	make them; DIR: a directory of our own, shared
 *						with the mount namespaces that are made;
 *						CGROUP: a cgroup with a, a/b and c in it
 *   readers_population hold NAME DIR [FD [undumpable]]	be one of them
 *   readers_population read ... MNT [PID...]	see readers_population_probe.h
 *
 * A process is known by its name, which is that of its role; a thread whose
 * name begins with "own" is the first that has its table of open files.
 * Once all are there standard output closes; they end with standard input.
 */
#include "readers_population_probe.h"
#include "readers_population_roles.h"

static const struct role roles[] = {
	{.name = "kp-root"},
	{.name = "kp-root-nodump", .undumpable = true},
	{.name = "kp-root-nocaps", .caps = CAPS_NONE},
	{.name = "kp-1000", .ids = {1000, 1000, 1000, 1000}},
	{.name = "kp-1000-nodump", .ids = {1000, 1000, 1000, 1000}, .undumpable = true},
	{.name = "kp-1000-gid", .ids = {1000, 1000, 1000, 1001}},
	{.name = "kp-1000-saved", .ids = {1000, 1000, 0, 1000}},
	{.name = "kp-1000-euid", .ids = {1000, 1001, 1000, 1000}},
	{.name = "kp-1000-real", .ids = {0, 1000, 1000, 1000}},
	{.name = "kp-1000-caps", .ids = {1000, 1000, 1000, 1000}, .caps = CAPS_KEEP},
	{.name = "kp-1000-one-cap", .ids = {1000, 1000, 1000, 1000}, .caps = CAPS_KEEP_ONE},
	{.name = "kp-1000-exec", .ids = {1000, 1000, 1000, 1000}, .program = "people"},
	{.name = "kp-1000-unread", .ids = {1000, 1000, 1000, 1000}, .program = "people-unreadable"},
	{.name = "kp-1000-suid", .ids = {1000, 1000, 1000, 1000}, .program = "people-suid-root"},
	{.name = "kp-1000-suid1", .ids = {1000, 1000, 1000, 1000}, .program = "people-suid-1001"},
	{.name = "kp-io-uring", .ids = {1000, 1000, 1000, 1000}, .begin = start_io_uring},
	{.name = "kp-shared", .ids = {1000, 1000, 1000, 1000}, .begin = share_files},
	{.name = "kp-1000-stop", .ids = {1000, 1000, 1000, 1000}, .end = stop},
	{.name = "kp-1000-zombie", .ids = {1000, 1000, 1000, 1000}, .end = die},
	{.name = "kp-zombie", .end = die},
	{.name = "kp-1001", .ids = {1001, 1001, 1001, 1001}},
	{.name = "kp-1001-nodump", .ids = {1001, 1001, 1001, 1001}, .undumpable = true},
	{.name = "kp-100000", .ids = {100000, 100000, 100000, 100000}},
	{.name = "kp-100005", .ids = {100005, 100005, 100005, 100005}},
	{.name = "kp-200000", .ids = {200000, 200000, 200000, 200000}},
	{.name = "kp-thr-1000", .ids = {1000, 1000, 1000, 1000}, .begin = start_all_threads},
	{.name = "kp-thr-root", .begin = start_all_threads},
	{.name = "kp-zl-1000",
	 .ids = {1000, 1000, 1000, 1000},
	 .begin = start_two,
	 .end = leave_threads},
	{.name = "kp-zl-root", .begin = start_two, .end = leave_threads},
	{.name = "kp-cg-a", .begin = join_a},
	{.name = "kp-cg-c", .begin = join_c},
	{.name = "kp-cg-gone", .begin = join_gone, .end = die},
	{.name = "kp-cg-ns", .begin = join_a_b},
	{.name = "kp-chroot", .begin = enter_jail},
	{.name = "kp-chroot-1000", .ids = {1000, 1000, 1000, 1000}, .begin = enter_jail},
	{.name = "kp-overlay", .begin = use_overlay},
	{.name = "kp-pivot", .flags = CLONE_NEWNS, .begin = pivot},
	{.name = "kp-pns", .flags = CLONE_NEWPID | CLONE_NEWNS, .begin = people_pid_ns},
	{.name = "kp-uA",
	 .flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS,
	 .map = "0 100000 1000\n1000 1000 1\n2000 0 1\n",
	 .begin = people_user_ns_a},
	{.name = "kp-uB",
	 .flags = CLONE_NEWUSER,
	 .map = "0 300000 5\n5 1000 1\n6 0 1\n10 300010 10\n20 300040 2\n30 300030 1\n"
		"40 300050 9\n1000 200000 1\n",
	 .gid_map = "0 400000 50\n1000 1000 1\n",
	 .begin = people_user_ns_b},
	{.name = "kp-uC", .flags = CLONE_NEWUSER, .map = "0 1000 1\n", .owner = 1000},
	{.name = "kp-uE",
	 .flags = CLONE_NEWUSER,
	 .map = "0 200000 1000\n",
	 .owner = 1000,
	 .begin = people_user_ns_e},
};

static void make_people(void)
{
	char byte;

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		spawn(&roles[i]);
	fclose(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	/* Our children die with us. */
}

/* @ready: NULL: nobody waits */
static void hold(const char *name, const char *ready, bool is_undumpable)
{
	prctl(PR_SET_NAME, name);
	prctl(PR_SET_PDEATHSIG, ready ? SIGKILL : 0);
	umask(0);
	if (mkdir(in_dir("files"), 0777) && errno != EEXIST)
		err(1, "mkdir");
	open_some();
	if (is_undumpable)
		must(prctl(PR_SET_DUMPABLE, 0), "dumpable");
	if (ready) {
		must((int)write(atoi(ready), "", 1), "ready");
		close(atoi(ready));
	}
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	if (argc >= 3 && strcmp(argv[1], "read") == 0)
		return probe_main(argc - 1, argv + 1);
	if (argc < 4)
		errx(2, "usage: readers_population people|hold|read ...");
	if (strcmp(argv[1], "hold") == 0) {
		scene.dir = argv[3];
		hold(argv[2], argv[4], argc > 5);
	}
	scene.dir = argv[2];
	scene.cgroup = argv[3];
	/* What we inherited would stand among the files of all. */
	close_range(STDERR_FILENO + 1, ~0u, 0);
	umask(0);
	must(mkdir(in_dir("files"), 0777), "mkdir");
	make_people();
	return 0;
}
