// SPDX-License-Identifier: GPL-2.0-only
/* From argv to a command, from its result to an exit status. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cli/commands.h"
#include "render/render.h"

/* Exit statuses */
#define FAILED 1
#define WRONG_USAGE 2

const struct kv_command kv_commands[] = {
	{"mount", "[SOURCE] [MOUNTPOINT]", "load, pin and mount; returns once the mount answers",
	 KV_OPT_FOREGROUND | KV_OPT_TAKEOVER | KV_OPT_MOUNT | KV_OPT_ITER_DIR | KV_OPT_PIN_DIR, 0,
	 2, kv_cmd_mount},
	{"umount", "[MOUNTPOINT]", "unmount and end the daemon", 0, 0, 1, kv_cmd_umount},
	{"load", "", "load and pin the views, without a mount", KV_OPT_ITER_DIR | KV_OPT_PIN_DIR, 0,
	 0, kv_cmd_load},
	{"unload", "", "remove the pins", KV_OPT_PIN_DIR, 0, 0, kv_cmd_unload},
	{"list", "", "each view: is it supported, is it pinned, what does it show",
	 KV_OPT_KINDS | KV_OPT_ITER_DIR | KV_OPT_PIN_DIR, 0, 0, kv_cmd_list},
	{"cat", "VIEW", "print a view, without a mount",
	 KV_OPT_FORMAT | KV_OPT_COLUMNS | KV_OPT_PID | KV_OPT_MAP | KV_OPT_CGROUP | KV_OPT_FOR |
		 KV_OPT_ITER_DIR | KV_OPT_PIN_DIR,
	 1, 1, kv_cmd_cat},
	{"schema", "VIEW", "a view's columns: name, type, unit, meaning, role", KV_OPT_ITER_DIR, 1,
	 1, kv_cmd_schema},
	{"status", "[MOUNTPOINT]", "counters of a mount, and what it uses now", 0, 0, 1,
	 kv_cmd_status},
	{"check", "", "can this machine run kview? item by item", KV_OPT_ITER_DIR | KV_OPT_ITER, 0,
	 0, kv_cmd_check},
	{"help", "[COMMAND]", "this text, or a command's options", 0, 0, 1, kv_cmd_help},
	{0},
};

const struct kv_command *kv_command_find(const char *name)
{
	for (const struct kv_command *c = kv_commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static void put_line(const char *label, const char *text)
{
	char line[4 * sizeof(((struct kv_err *)0)->msg)];

	fprintf(stderr, "%s: %.*s\n", label, (int)kv_utf8_plain(line, sizeof(line), text), line);
}

void kv_say(const struct kv_err *err)
{
	put_line("kview", err->msg);
	if (err->hint[0])
		put_line("hint", err->hint);
}

void kv_warn_view(const struct kv_view *view)
{
	struct kv_err err = {0};
	char columns[KV_MAX_COLUMNS * (KV_COLUMN_NAME + 2)];

	if (!view->is_loaded) {
		kv_say(&view->err);
	} else if (view->schema && kv_schema_put_lacking(view->schema, columns, sizeof(columns))) {
		kv_err_set(&err, 0, "view '%s' shows no value in %s", view->name, columns);
		kv_err_hint(&err, "this kernel has no such thing, or keeps it in a place that is "
				  "not known here: `kview list` says what");
		kv_say(&err);
	}
}

int kv_open_map(uint32_t id, struct kv_map_fds *fds, struct kv_err *err)
{
	int rc = kv_map_open(id, false, fds);

	if (rc) {
		kv_err_errno(err, rc, "can't open the BPF map %u", id);
		kv_err_hint(err, rc == -EPERM ? "that takes CAP_SYS_ADMIN: be root"
					      : "`kview cat bpf_map` lists the ids of maps");
	}
	return rc;
}

/* "map/ID" is a view of the elements of a BPF map. */
static bool is_map(const char *name)
{
	return strncmp(name, "map/", 4) == 0;
}

static int open_map_views(const char *name, struct kv_views *views, struct kv_err *err)
{
	struct kv_map_fds fds;
	unsigned long id;
	char *end;
	int rc;

	errno = 0;
	id = strtoul(name + 4, &end, 10);
	if (errno || name[4] < '1' || name[4] > '9' || *end || id > UINT32_MAX) {
		kv_err_set(err, KV_USAGE, "'%s' names no BPF map", name);
		kv_err_hint(err, "map/12 is the map with the id 12; -F json and -F csv choose the "
				 "format");
		return KV_USAGE;
	}
	rc = kv_open_map((uint32_t)id, &fds, err);
	return rc ? rc : kv_map_views(&fds, views, err);
}

int kv_open_view(const struct kv_args *args, struct kv_views *views, struct kv_view **view,
		 struct kv_err *err)
{
	const char *name = args->operands[0];
	int rc = is_map(name) ? open_map_views(name, views, err)
			      : kv_views_open(args->iter_dir, name, views, err);

	if (rc)
		return rc;
	*view = kv_views_find(views, name, err);
	if (*view)
		return 0;
	kv_views_close(views);
	return -ENOENT;
}

/* From the result of a command to an exit status. */
static int finish(int rc, struct kv_err *err)
{
	/* Output that could not be written is a failure, whatever the command returned. */
	if (!rc && (fflush(stdout) != 0 || ferror(stdout)))
		rc = kv_err_errno(err, errno ? -errno : -EIO, "can't write to standard output");
	if (rc)
		kv_say(err);
	return rc == KV_USAGE ? WRONG_USAGE : rc ? FAILED : EXIT_SUCCESS;
}

static int run(const struct kv_command *command, int argc, char **argv)
{
	struct kv_err err = {0};
	struct kv_args args;

	if (kv_args_parse(command, argc, argv, &args, &err))
		return finish(KV_USAGE, &err);
	if (args.help) {
		args.operands[0] = command->name;
		args.n_operands = 1;
		command = kv_command_find("help");
	}
	return finish(command->run(&args, &err), &err);
}

/*
 * mount(8) runs `mount.fuse.kview SOURCE DIR [-sfnv] [-N NS] [-o OPTS] [-t TYPE]`,
 * where -f means: do all but mount.
 */
static int run_helper(int argc, char **argv)
{
	int n = 0;

	for (int i = 0; i < argc; i++) {
		const char *word = argv[i];

		if (strcmp(word, "-t") == 0 || strcmp(word, "-N") == 0)
			i++;
		else if (word[0] != '-' || !word[1] || word[1 + strspn(word + 1, "sfnv")])
			argv[n++] = argv[i];
		else if (strchr(word, 'f'))
			return EXIT_SUCCESS;
	}
	argv[n] = NULL;
	return run(kv_command_find("mount"), n, argv);
}

/* `kview SOURCE MOUNTPOINT -o ...` is how mount.fuse calls a file system. */
static bool is_mount_call(int argc, char **argv)
{
	if (argc < 4 || argv[1][0] == '-' || argv[2][0] != '/')
		return false;
	/* mount.fuse always passes -o; a mistyped command with a path does not. */
	for (int i = 3; i < argc; i++)
		if (strncmp(argv[i], "-o", 2) == 0)
			return true;
	return false;
}

static int run_word(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	const struct kv_command *command = kv_command_find(word);
	struct kv_err err = {0};

	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		command = kv_command_find("help");
	if (command)
		return run(command, argc - 1, argv + 1);
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
		printf("kview %s\n", KVIEW_VERSION);
		return finish(0, &err);
	}
	if (is_mount_call(argc, argv))
		return run(kv_command_find("mount"), argc, argv);
	if (argc < 2)
		kv_err_set(&err, KV_USAGE, "a command is missing");
	else
		kv_err_set(&err, KV_USAGE, "unknown %s '%s'", *word == '-' ? "option" : "command",
			   word);
	kv_err_hint(&err, "`kview help` lists the commands");
	return finish(KV_USAGE, &err);
}

/*
 * Opens standard streams that are closed, so that no file of ours gets their numbers: output
 * would be written into it. Writes to a descriptor of O_PATH fail.
 */
static void fill_streams(void)
{
	int fd;

	do
		fd = open("/", O_PATH);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

int main(int argc, char **argv)
{
	fill_streams();
	/* A parent that ignores SIGCHLD passes that on, and we wait for children. */
	signal(SIGCHLD, SIG_DFL);
	if (argc > 0 && strncmp(basename(argv[0]), "mount.", 6) == 0)
		return run_helper(argc, argv);
	return run_word(argc, argv);
}
