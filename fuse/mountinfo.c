// SPDX-License-Identifier: GPL-2.0-only
#include "mountinfo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"

/* A line of /proc/self/mountinfo, see proc(5). */
struct line {
	char *text;
	size_t size;
	dev_t dev;
	char *path;
	const char *type;
	const char *options; /* of the file system */
};

/* In place: blank, tab, newline and backslash stand as \\040 and the like. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* 36 35 98:0 /root /path rw,noatime master:1 - type source options */
static bool parse(struct line *l)
{
	char *rest = strstr(l->text, " - "), *field, *save;
	unsigned int major, minor;

	if (!rest || sscanf(l->text, "%*u %*u %u:%u", &major, &minor) != 2)
		return false;
	*rest = '\0';
	l->dev = makedev(major, minor);
	field = strtok_r(l->text, " ", &save);
	for (int i = 0; i < 4 && field; i++)
		field = strtok_r(NULL, " ", &save);
	l->path = field;
	l->type = strtok_r(rest + 3, " ", &save);
	if (!l->path || !l->type || !strtok_r(NULL, " ", &save))
		return false;
	field = strtok_r(NULL, " \n", &save);
	l->options = field ? field : "";
	unescape(l->path);
	return true;
}

static bool next(FILE *f, struct line *l)
{
	while (getline(&l->text, &l->size, f) > 0)
		if (parse(l))
			return true;
	return false;
}

static bool has_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *w = words; (w = strstr(w, word)); w += n)
		if ((w == words || w[-1] == ',') && (!w[n] || w[n] == ','))
			return true;
	return false;
}

int kv_mountinfo_find(const char *path, struct kv_mount_at *at)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	struct line l = {0};

	*at = (struct kv_mount_at){0};
	if (!f)
		return -errno;
	/* In the order of mounting. */
	while (next(f, &l)) {
		if (strcmp(l.path, path) != 0)
			continue;
		at->dev = l.dev;
		snprintf(at->type, sizeof(at->type), "%s", l.type);
		at->allow_other = has_word(l.options, "allow_other");
	}
	free(l.text);
	return 0;
}

static bool is_on_top(const char *path, dev_t dev)
{
	struct kv_mount_at at;

	return kv_mountinfo_find(path, &at) == 0 && at.dev == dev;
}

/* A path where the file system is, and is on top; to be freed. */
static char *find_place(dev_t dev, const char *type)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	struct line l = {0};
	char *found = NULL;

	while (f && !found && next(f, &l))
		if (l.dev == dev && strcmp(l.type, type) == 0 && is_on_top(l.path, dev))
			found = strdup(l.path);
	free(l.text);
	return found;
}

int kv_mountinfo_detach(dev_t dev, const char *type)
{
	for (;;) {
		_cleanup_free_ char *path = find_place(dev, type);

		if (!path)
			return 0;
		if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			return -errno;
	}
}
