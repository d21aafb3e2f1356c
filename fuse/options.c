// SPDX-License-Identifier: GPL-2.0-only
/* The words behind -o, whether ours, mount(8)'s or fstab's. */
#include <errno.h>
#include <string.h>

#include "serve.h"

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

static int parse_word(const char *word, struct kv_mount_opts *opts, struct kv_err *err)
{
	const char *value;

	if (is_ignored(word))
		return 0;
	if ((value = value_of(word, "pin_dir")) && *value) {
		opts->pin_dir = value;
		return 0;
	}
	if ((value = value_of(word, "iter_dir")) && *value) {
		opts->iter_dir = value;
		return 0;
	}
	if (strcmp(word, "allow_other") == 0 || strcmp(word, "allow_root") == 0) {
		kv_err_set(err, -EINVAL, "mount option '%s' is not supported by this version",
			   word);
		kv_err_hint(err, "the mount is for the user who mounts it, root, alone");
		return -EINVAL;
	}
	kv_err_set(err, -EINVAL, "unknown mount option '%s'", word);
	kv_err_hint(err, "kview's own are pin_dir=DIR and iter_dir=DIR");
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
