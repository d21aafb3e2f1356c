// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/mount/options.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
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

static const char *value_of(const char *word, const char *key)
{
	size_t n = strlen(key);

	return strncmp(word, key, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

#define MAX_FILES 65536 /* some 180 KiB each, if all are read at length */

static int bad_value(const char *word, const char *hint, struct kv_err *err)
{
	kv_err_set(err, -EINVAL, "bad value in mount option '%s'", word);
	kv_err_hint(err, "%s", hint);
	return -EINVAL;
}

/* A number, all of it, of at most @max. */
static bool is_number(const char *text, int base, unsigned long max, unsigned long *n)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*n = strtoul(text, &end, base);
	return !errno && !*end && *n <= max;
}

static int parse_uid(const char *word, const char *value, struct kv_mount_opts *opts,
		     struct kv_err *err)
{
	const struct passwd *user;
	unsigned long n;

	if (is_number(value, 10, UINT32_MAX - 1, &n)) {
		opts->uid = (uid_t)n;
	} else if ((user = getpwnam(value))) {
		opts->uid = user->pw_uid;
	} else {
		return bad_value(word, "uid=USER: a number, or the name of a user", err);
	}
	return 0;
}

static int parse_gid(const char *word, const char *value, struct kv_mount_opts *opts,
		     struct kv_err *err)
{
	const struct group *group;
	unsigned long n;

	if (is_number(value, 10, UINT32_MAX - 1, &n)) {
		opts->gid = (gid_t)n;
	} else if ((group = getgrnam(value))) {
		opts->gid = group->gr_gid;
	} else {
		return bad_value(word, "gid=GROUP: a number, or the name of a group", err);
	}
	opts->policy.hidepid_gid = opts->gid;
	return 0;
}

static int parse_mode(const char *word, const char *value, struct kv_mount_opts *opts,
		      struct kv_err *err)
{
	unsigned long n;

	if (!is_number(value, 8, 0777, &n))
		return bad_value(word, "mode=MODE: permissions in octal, as mode=0440", err);
	opts->mode = (mode_t)n;
	return 0;
}

static int parse_view(const char *word, const char *value, struct kv_mount_opts *opts,
		      struct kv_err *err)
{
	if (strcmp(value, "reader") != 0 && strcmp(value, "host") != 0)
		return bad_value(word,
				 "view=reader: each sees what /proc would show it; "
				 "view=host: all see what the host does",
				 err);
	opts->policy.host_view = strcmp(value, "host") == 0;
	return 0;
}

static int parse_hidepid(const char *word, const char *value, struct kv_mount_opts *opts,
			 struct kv_err *err)
{
	/* The names are those of proc(5). */
	static const char *const names[][2] = {
		[KV_HIDEPID_OFF] = {"0", "off"},
		[KV_HIDEPID_NO_ACCESS] = {"1", "noaccess"},
		[KV_HIDEPID_INVISIBLE] = {"2", "invisible"},
	};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(value, names[i][0]) == 0 || strcmp(value, names[i][1]) == 0) {
			opts->policy.hidepid = (enum kv_hidepid)i;
			return 0;
		}
	return bad_value(word, "hidepid=0, 1 or 2, as for /proc", err);
}

static int parse_max_files(const char *word, const char *value, struct kv_mount_opts *opts,
			   struct kv_err *err)
{
	unsigned long n;

	if (!is_number(value, 10, MAX_FILES, &n) || !n)
		return bad_value(word, "max_files=N: files open at a time, 1 to 65536", err);
	opts->max_files = (unsigned int)n;
	return 0;
}

static int parse_max_user_files(const char *word, const char *value, struct kv_mount_opts *opts,
				struct kv_err *err)
{
	unsigned long n;

	if (!is_number(value, 10, MAX_FILES, &n) || !n)
		return bad_value(word, "max_user_files=N: of one user, 1 to 65536", err);
	opts->max_user_files = (unsigned int)n;
	return 0;
}

#define MAX_CPU 100000 /* a thousand CPUs */

static int parse_cpu(const char *word, const char *value, struct kv_mount_opts *opts,
		     struct kv_err *err)
{
	unsigned long n;

	if (!is_number(value, 10, MAX_CPU, &n))
		return bad_value(
			word,
			"cpu=PERCENT: of one CPU, for the reads of each user but the one who mounts; "
			"0: no limit",
			err);
	opts->cpu_percent = (unsigned int)n;
	return 0;
}

static int parse_pin_dir(const char *word, const char *value, struct kv_mount_opts *opts,
			 struct kv_err *err)
{
	if (!*value)
		return bad_value(word, "pin_dir=DIR, in a BPF file system", err);
	opts->pin_dir = value;
	return 0;
}

static int parse_iter_dir(const char *word, const char *value, struct kv_mount_opts *opts,
			  struct kv_err *err)
{
	if (!*value)
		return bad_value(word, "iter_dir=DIR, with BPF objects", err);
	opts->iter_dir = value;
	return 0;
}

static const struct {
	const char *key;
	int (*parse)(const char *word, const char *value, struct kv_mount_opts *opts,
		     struct kv_err *err);
} valued[] = {
	{"pin_dir", parse_pin_dir},
	{"iter_dir", parse_iter_dir},
	{"view", parse_view},
	{"hidepid", parse_hidepid},
	{"uid", parse_uid},
	{"gid", parse_gid},
	{"mode", parse_mode},
	{"max_files", parse_max_files},
	{"max_user_files", parse_max_user_files},
	{"cpu", parse_cpu},
};

static int parse_word(const char *word, struct kv_mount_opts *opts, struct kv_err *err)
{
	if (is_ignored(word))
		return 0;
	if (strcmp(word, "allow_other") == 0) {
		opts->allow_other = true;
		return 0;
	}
	for (size_t i = 0; i < sizeof(valued) / sizeof(valued[0]); i++) {
		const char *value = value_of(word, valued[i].key);

		if (value)
			return valued[i].parse(word, value, opts, err);
	}
	kv_err_set(err, -EINVAL, "unknown mount option '%s'", word);
	kv_err_hint(err,
		    "kview's own are allow_other, view=, hidepid=, uid=, gid=, mode=, max_files=, "
		    "max_user_files=, cpu=, pin_dir= and iter_dir=");
	return -EINVAL;
}

int kv_mount_options(char *words, struct kv_mount_opts *opts, struct kv_err *err)
{
	char *save = NULL;
	int rc = 0;

	for (char *w = strtok_r(words, ",", &save); w && !rc; w = strtok_r(NULL, ",", &save))
		rc = parse_word(w, opts, err);
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
