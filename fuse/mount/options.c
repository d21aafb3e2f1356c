// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/mount/options.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * What mount(8) and fstab say to everybody. The mount is read-only, nosuid,
 * nodev and noexec whatever they ask for.
 */
static const char *const ignored[] = {
	"defaults", "ro",	"rw",	      "suid",	  "nosuid",	"dev",	  "nodev",
	"exec",	    "noexec",	"auto",	      "noauto",	  "user",	"nouser", "users",
	"owner",    "group",	"nofail",     "_netdev",  "async",	"sync",	  "atime",
	"noatime",  "relatime", "norelatime", "diratime", "nodiratime", "silent",
};

static bool is_ignored(const char *word)
{
	if (!*word || strncmp(word, "x-", 2) == 0 || strncmp(word, "X-", 2) == 0 ||
	    strncmp(word, "comment=", 8) == 0)
		return true;
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (strcmp(word, ignored[i]) == 0)
			return true;
	return false;
}

struct option {
	const char *key;
	bool (*parse)(const struct option *option, const char *value, void *to); /* is it good? */
	size_t at; /* of what it sets, in struct kv_mount_opts */
	const char *hint;
	int base; /* of a number, as of strtoul() */
	unsigned int min, max;
};

/* An unsigned int in decimal or octal digits, and nothing else. */
static bool parse_number(const struct option *option, const char *value, void *to)
{
	unsigned long n;
	char *end;

	if (*value < '0' || *value > '9')
		return false;
	errno = 0;
	n = strtoul(value, &end, option->base);
	if (errno || *end || n < option->min || n > option->max)
		return false;
	*(unsigned int *)to = (unsigned int)n;
	return true;
}

static bool parse_user(const struct option *option, const char *value, void *to)
{
	const struct passwd *user;

	if (parse_number(option, value, to))
		return true;
	user = getpwnam(value);
	if (user)
		*(uid_t *)to = user->pw_uid;
	return user;
}

static bool parse_group(const struct option *option, const char *value, void *to)
{
	const struct group *group;

	if (parse_number(option, value, to))
		return true;
	group = getgrnam(value);
	if (group)
		*(gid_t *)to = group->gr_gid;
	return group;
}

static bool parse_view(const struct option *option, const char *value, void *to)
{
	bool is_host = strcmp(value, "host") == 0;

	(void)option;
	if (!is_host && strcmp(value, "reader") != 0)
		return false;
	*(bool *)to = is_host;
	return true;
}

static bool parse_hidepid(const struct option *option, const char *value, void *to)
{
	/* The names are those of proc(5). */
	static const char *const names[][2] = {
		[KV_HIDEPID_OFF] = {"0", "off"},
		[KV_HIDEPID_NO_ACCESS] = {"1", "noaccess"},
		[KV_HIDEPID_INVISIBLE] = {"2", "invisible"},
	};

	(void)option;
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(value, names[i][0]) == 0 || strcmp(value, names[i][1]) == 0) {
			*(enum kv_hidepid *)to = (enum kv_hidepid)i;
			return true;
		}
	return false;
}

static bool parse_text(const struct option *option, const char *value, void *to)
{
	(void)option;
	if (*value)
		*(const char **)to = value;
	return *value;
}

#define AT(member) offsetof(struct kv_mount_opts, member)
#define MAX_ID (UINT32_MAX - 1) /* the last one is nobody's: see chown(2) */
#define MAX_FILES 65536		/* some 180 KiB each, if all are read at length */
#define MAX_CPU 100000		/* a thousand CPUs */

static const struct option options[] = {
	{"pin_dir", parse_text, AT(pin_dir), "pin_dir=DIR, in a BPF file system", 0, 0, 0},
	{"iter_dir", parse_text, AT(iter_dir), "iter_dir=DIR, with BPF objects", 0, 0, 0},
	{"collect", parse_text, AT(collect),
	 "collect=VIEW+VIEW, those that have collectors; or collect=all", 0, 0, 0},
	{"view", parse_view, AT(policy.host_view),
	 "view=reader: each sees what /proc would show it; view=host: all see what the host does",
	 0, 0, 0},
	{"hidepid", parse_hidepid, AT(policy.hidepid), "hidepid=0, 1 or 2, as for /proc", 0, 0, 0},
	{"uid", parse_user, AT(policy.wide_uid), "uid=USER: a number, or the name of a user", 10, 0,
	 MAX_ID},
	{"gid", parse_group, AT(policy.wide_gid), "gid=GROUP: a number, or the name of a group", 10,
	 0, MAX_ID},
	{"mode", parse_number, AT(policy.wide_mode),
	 "mode=MODE: permissions in octal, as mode=0440", 8, 0, 0777},
	{"max_files", parse_number, AT(max_files), "max_files=N: files open at a time, 1 to 65536",
	 10, 1, MAX_FILES},
	{"max_user_files", parse_number, AT(max_user_files),
	 "max_user_files=N: of one user, 1 to 65536", 10, 1, MAX_FILES},
	{"cpu", parse_number, AT(cpu_percent),
	 "cpu=PERCENT: of one CPU, for the reads of each user but the one who mounts; 0: no limit",
	 10, 0, MAX_CPU},
};

static int parse_word(const char *word, struct kv_mount_opts *opts, struct kv_err *err)
{
	if (is_ignored(word))
		return 0;
	if (strcmp(word, "allow_other") == 0) {
		opts->allow_other = true;
		return 0;
	}
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const struct option *option = &options[i];
		size_t n = strlen(option->key);

		if (strncmp(word, option->key, n) != 0 || word[n] != '=')
			continue;
		if (option->parse(option, word + n + 1, (char *)opts + option->at))
			return 0;
		kv_err_set(err, -EINVAL, "bad value in mount option '%s'", word);
		kv_err_hint(err, "%s", option->hint);
		return -EINVAL;
	}
	kv_err_set(err, -EINVAL, "unknown mount option '%s'", word);
	kv_err_hint(err,
		    "kview's own are allow_other, view=, hidepid=, uid=, gid=, mode=, max_files=, "
		    "max_user_files=, cpu=, collect=, pin_dir= and iter_dir=");
	return -EINVAL;
}

int kv_mount_options(char *words, struct kv_mount_opts *opts, struct kv_err *err)
{
	char *save = NULL;
	int rc = 0;

	for (char *w = strtok_r(words, ",", &save); w && !rc; w = strtok_r(NULL, ",", &save))
		rc = parse_word(w, opts, err);
	opts->policy.hidepid_gid = opts->policy.wide_gid;
	return rc;
}

int kv_mount_options_check(const struct kv_mount_opts *opts, struct kv_err *err)
{
	unsigned int all = opts->max_files ? opts->max_files : KV_MAX_FILES;

	if (opts->max_user_files && opts->max_user_files >= all) {
		kv_err_set(err, -EINVAL, "mount option max_user_files=%u is not below max_files=%u",
			   opts->max_user_files, all);
		kv_err_hint(err,
			    "as many files as one user may open are kept for the one who mounts");
		return -EINVAL;
	}
	if (!opts->policy.host_view || !opts->policy.hidepid)
		return 0;
	kv_err_set(err, -EINVAL, "mount options view=host and hidepid= contradict each other");
	kv_err_hint(err, "view=host shows all processes to everyone");
	return -EINVAL;
}
