/* SPDX-License-Identifier: GPL-2.0-only */
/* Scenes of names.c: files and directories that are renamed. Included by names_storms.h. */
#ifndef NAMES_FILES_H
#define NAMES_FILES_H

/* --- an executable, of short name and of long name --- */

static const char *exe_names[3];

static void exe_prepare(void)
{
	copy_self("s");
	exe_names[0] = "s";
	exe_names[1] = repeat('L', 220);
}

static void exe_run(void)
{
	execl("s", "s", "again", "threads", NULL);
	err(1, "s");
}

static void exe_rename(void)
{
	tell_ready();
	for (;;) {
		move(exe_names[0], exe_names[1]);
		move(exe_names[1], exe_names[0]);
	}
}

static bool exe_is_right(void)
{
	return is_one_of(value("EXE"), base, exe_names);
}

/* --- a path of which every part changes, for a reader with another root --- */

static const char *tree_names[5];

static void make(const char *dir)
{
	if (mkdir(dir, 0755) < 0 || chown(dir, uid, uid) < 0)
		err(1, "%s", dir);
}

static void tree_prepare(void)
{
	char *a = repeat('A', 200), *b = repeat('B', 100), *x = repeat('X', 150);
	char *path[4];
	int n = 0;

	make("a");
	make("a/b");
	copy_self("a/b/x");
	path[0] = strdup("a/b/x");
	n += asprintf(&path[1], "%s/b/x", a);
	n += asprintf(&path[2], "%s/%s/x", a, b);
	n += asprintf(&path[3], "%s/%s/%s", a, b, x);
	for (int i = 0; i < 4; i++)
		tree_names[i] = path[i];
	if (n < 3)
		errx(1, "no memory");
}

/* To each name in turn, and back: these four paths are all that there ever are. */
static void tree_rename(void)
{
	char *a = repeat('A', 200), *ab, *aB;

	if (asprintf(&ab, "%s/b", a) < 0 || asprintf(&aB, "%s/%s", a, repeat('B', 100)) < 0)
		errx(1, "no memory");
	tell_ready();
	for (;;) {
		move("a", a);
		move(ab, aB);
		move(tree_names[2], tree_names[3]);
		move(tree_names[3], tree_names[2]);
		move(aB, ab);
		move(a, "a");
	}
}

/* Descriptors of that file, and none else. */
static void open_times(const char *name, int n)
{
	int fd = open(name, O_RDONLY);

	tell_ready();
	if (fd < 0 || dup2(fd, 0) < 0)
		err(1, "%s", name);
	close_range(1, ~0U, 0);
	while (dup(0) < n)
		;
}

static void hold_open(const char *name, int n)
{
	open_times(name, n);
	nap(NULL);
}

static void tree_open(void)
{
	hold_open("a/b/x", 900);
}

static void leaf_open(void)
{
	hold_open("s", 900);
}

/* --- so deep that a walk to the root takes longer than much of what tasks do --- */

#define DEEP 1500

static void go_down(int n)
{
	for (int i = 0; i < n; i++)
		if (chdir("d") < 0)
			err(1, "d, %d times", i);
}

/* With the program as x at the end. */
static void deep_prepare(void)
{
	copy_self("x");
	for (int i = 0; i < DEEP; i++) {
		if (mkdir("d", 0755) < 0 || chown("d", uid, uid) < 0 || rename("x", "d/x") < 0)
			err(1, "deep");
		go_down(1);
	}
	if (chdir(base) < 0)
		err(1, "%s", base);
}

/* One of the directories above has a long name now and then. */
static bool is_deep(const char *path, const char *begin)
{
	size_t n = strlen(begin), longs;

	if (strncmp(path, begin, n) != 0)
		return false;
	for (int i = 0; i < DEEP; i++, path += longs ? longs : 1) {
		path += i ? 1 : n + 1; /* the slash */
		longs = strspn(path, "D");
		if (path[-1] != '/' || (longs ? longs != 220 : *path != 'd'))
			return false;
	}
	return strcmp(path, "/x") == 0;
}

/* It takes a new cred all the time: who waits for a row under one of them waits for ever. */
static void cred_change(void)
{
	go_down(DEEP);
	open_times("x", 900);
	for (;; change())
		if (prctl(PR_SET_KEEPCAPS, 0) < 0)
			err(1, "prctl");
}

static bool cred_is_right(void)
{
	return is_deep(value("PATH"), "");
}

static bool leaf_is_right(void)
{
	return is_one_of(value("PATH"), "", exe_names);
}

static bool tree_is_right(void)
{
	return is_one_of(value("PATH"), "", tree_names);
}

static void maps_open(void)
{
	int fd = open("a/b/x", O_RDONLY);
	char *at = mmap(NULL, 2000 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < 900; i++)
		if (fd < 0 || at == MAP_FAILED ||
		    mmap(at + i * 8192, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) ==
			    MAP_FAILED)
			err(1, "mmap");
	tell_ready();
	nap(NULL);
}

static bool ends_with(const char *path, const char *end)
{
	return strlen(path) >= strlen(end) && strcmp(path + strlen(path) - strlen(end), end) == 0;
}

static bool maps_is_right(void)
{
	const char *path = value("PATH");

	/* What lies outside of the reader's root is shown from the top of all. */
	return is_one_of(path, "", tree_names) || ends_with(path, self) ||
	       strstr(path, "/usr/lib/") || strcmp(path, "-") == 0 ||
	       strcmp(path, "/memfd:changes\\040(deleted)") == 0 ||
	       (path[0] == '[' && path[strlen(path) - 1] == ']');
}

#endif
