// SPDX-License-Identifier: GPL-2.0-only
#include "mountinfo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"

/* A line of /proc/self/mountinfo, see proc(5). */
struct line {
	char *text;
	size_t size;
	unsigned int id, parent;
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

	if (!rest || sscanf(l->text, "%u %u %u:%u", &l->id, &l->parent, &major, &minor) != 4)
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

static uid_t user_of(const char *options)
{
	const char *word = strstr(options, "user_id=");

	return word ? (uid_t)strtoul(word + strlen("user_id="), NULL, 10) : 0;
}

/* The mounts on one path: each is mounted on another of them, but the first. */
struct stack {
	struct level {
		unsigned int id, parent;
		struct kv_mount_at at;
	} * levels;
	size_t n;
};

static int push(struct stack *s, const struct line *l)
{
	struct level *more = realloc(s->levels, (s->n + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	s->levels = more;
	more += s->n++;
	*more = (struct level){
		.id = l->id,
		.parent = l->parent,
		.at = {.dev = l->dev,
		       .user = user_of(l->options),
		       .allow_other = has_word(l->options, "allow_other")},
	};
	snprintf(more->at.type, sizeof(more->at.type), "%s", l->type);
	return 0;
}

static bool is_covered(const struct stack *s, const struct level *level)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->levels[i].parent == level->id)
			return true;
	return false;
}

int kv_mountinfo_find(const char *path, struct kv_mount_at *at)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	struct stack stack = {0};
	struct line l = {0};
	int rc = 0;

	*at = (struct kv_mount_at){0};
	if (!f)
		return -errno;
	while (!rc && next(f, &l))
		if (strcmp(l.path, path) == 0)
			rc = push(&stack, &l);
	/* The order of lines tells nothing: mounts can be moved. */
	for (size_t i = 0; !rc && i < stack.n; i++)
		if (!is_covered(&stack, &stack.levels[i]))
			*at = stack.levels[i].at;
	free(stack.levels);
	free(l.text);
	return rc;
}

static bool is_on_top(const char *path, dev_t dev)
{
	struct kv_mount_at at;

	return kv_mountinfo_find(path, &at) == 0 && at.dev == dev;
}

char *kv_mountinfo_place(dev_t dev, const char *type, unsigned int skip)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	struct line l = {0};
	char *found = NULL;

	while (f && !found && next(f, &l))
		if (l.dev == dev && strcmp(l.type, type) == 0 && is_on_top(l.path, dev) &&
		    skip-- == 0)
			found = strdup(l.path);
	free(l.text);
	return found;
}
