// SPDX-License-Identifier: GPL-2.0-only
#include "load/load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "load/image.h"
#include "load/kernel.h"
#include "load/types.h"
#include "schema/table.h"

/* --- libbpf's log --- */

/* The first line that libbpf warns of a failure with is the one that tells why. */
static _Thread_local char first_warning[256];

/* What could not be found in the kernel's types, and was needed. */
static _Thread_local char lacking[128];

/*
 * libbpf has it in the verifier's log, where the program came by it (1.0, in
 * fixup_log_failed_core_relo()): "failed to resolve CO-RE relocation <byte_off> [12]
 * struct task_struct___new.__state (0:0 @ offset 0)". A flavour is our own affair.
 */
static void find_lacking(const char *log)
{
	const char *at = strstr(log, "failed to resolve CO-RE relocation <"), *end, *flavour;
	size_t n = 0;

	at = at ? strstr(at, "] ") : NULL;
	at = at ? strchr(at + 2, ' ') : NULL; /* behind "struct" */
	if (!at)
		return;
	at++;
	end = at + strcspn(at, " \n");
	flavour = strstr(at, "___");
	while (at < end && n < sizeof(lacking) - 1) {
		if (at == flavour)
			at += strcspn(at, ".: \n");
		else
			lacking[n++] = *at++;
	}
	lacking[n] = '\0';
}

const char *kv_load_lacks(void)
{
	return lacking;
}

/* For authors of views: libbpf's and the verifier's words, all of them. */
static bool is_debugging(void)
{
	return getenv("KVIEW_DEBUG") != NULL;
}

__attribute__((format(printf, 2, 0))) static int keep_warning(enum libbpf_print_level level,
							      const char *fmt, va_list ap)
{
	_cleanup_free_ char *text = NULL;

	if (is_debugging()) {
		va_list copy;

		va_copy(copy, ap);
		vfprintf(stderr, fmt, copy);
		va_end(copy);
	}
	if (level != LIBBPF_WARN)
		return 0;
	if (vasprintf(&text, fmt, ap) < 0) {
		text = NULL;
		return 0;
	}
	if (!lacking[0])
		find_lacking(text);
	if (!first_warning[0])
		snprintf(first_warning, sizeof(first_warning), "%.*s", (int)strcspn(text, "\n"),
			 text);
	return 0;
}

void kv_libbpf_log_init(void)
{
	libbpf_set_print(keep_warning);
}

/* --- opening --- */

/* "task_file" for SEC("iter/task_file"); NULL: no iterator. A '?' says not to load it by default. */
static const char *kind_of(const struct bpf_program *prog)
{
	const char *section = bpf_program__section_name(prog);

	section += *section == '?';
	if (strncmp(section, "iter/", 5) != 0 && strncmp(section, "iter.s/", 7) != 0)
		return NULL;
	section = strchr(section, '/') + 1;
	return *section && strlen(section) < KV_KIND_MAX ? section : NULL;
}

static struct bpf_program *next_program(const struct bpf_object *object, struct bpf_program *prog)
{
	return bpf_object__next_program(object, prog);
}

/* The object's only iterator, or the one that is called like the view. */
static struct bpf_program *view_program(const struct bpf_object *object, unsigned int *iterators)
{
	struct bpf_program *prog, *found = NULL, *named = NULL;
	unsigned int n = 0;

	for (prog = next_program(object, NULL); prog; prog = next_program(object, prog)) {
		if (!kind_of(prog))
			continue;
		found = prog;
		n++;
		if (strcmp(bpf_program__name(prog), bpf_object__name(object)) == 0)
			named = prog;
	}
	if (iterators)
		*iterators = n;
	return named ? named : n == 1 ? found : NULL;
}

char *kv_object_others(const struct bpf_object *object)
{
	const struct bpf_program *own = view_program(object, NULL);
	struct bpf_program *prog;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (prog = next_program(object, NULL); prog; prog = next_program(object, prog))
		if (prog != own)
			fprintf(f, "%s%s (%s)", ftell(f) ? ", " : "", bpf_program__name(prog),
				bpf_program__section_name(prog));
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static int offer_types(const struct bpf_object *object, struct kv_types *types, struct kv_err *err)
{
	const struct btf *btf = bpf_object__btf(object);
	int rc = btf ? kv_types_offer(types, btf) : 0;

	return rc ? kv_err_errno(err, rc, "can't look up the kernel's types") : 0;
}

int kv_object_parse(const char *name, const void *data, size_t size, struct kv_types *types,
		    struct bpf_object **object, struct kv_err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = name,
		    .btf_custom_path = types ? kv_types_path(types) : NULL);
	int rc;

	first_warning[0] = '\0';
	*object = bpf_object__open_mem(data, size, &opts);
	if (!*object) {
		rc = -errno;
		kv_err_set(err, rc, "not a BPF object (%s)",
			   first_warning[0] ? first_warning : strerror(-rc));
		kv_err_hint(err, "it is built with clang -g -O2 -target bpf, see kview-iters(7)");
		return rc;
	}
	rc = opts.btf_custom_path ? offer_types(*object, types, err) : 0;
	if (rc)
		bpf_object__close(*object);
	return rc;
}

static void refuse_programs(const struct bpf_object *object, struct kv_err *err)
{
	const struct bpf_program *first = next_program(object, NULL);
	unsigned int iterators;

	view_program(object, &iterators);
	if (iterators)
		kv_err_set(err, -EINVAL, "it has %u iterators, and none is called '%s'", iterators,
			   bpf_object__name(object));
	else if (first)
		kv_err_set(err, -EINVAL, "its program is in section '%s': no iterator",
			   bpf_program__section_name(first));
	else
		kv_err_set(err, -EINVAL, "it has no program");
	kv_err_hint(err, "a view is a program in a section iter/KIND, see kview-iters(7)");
}

int kv_object_open(const char *name, const void *data, size_t size, struct kv_types *types,
		   char *kind, struct bpf_object **object, struct kv_err *err)
{
	struct bpf_program *own, *prog;
	int rc = kv_object_parse(name, data, size, types, object, err);

	if (rc) {
		*object = NULL;
		return rc;
	}
	own = view_program(*object, NULL);
	if (!own) {
		refuse_programs(*object, err);
		bpf_object__close(*object);
		*object = NULL;
		return -EINVAL;
	}
	/* The others wait for who attaches them. */
	for (prog = next_program(*object, NULL); prog; prog = next_program(*object, prog))
		bpf_program__set_autoload(prog, prog == own);
	snprintf(kind, KV_KIND_MAX, "%s", kind_of(own));
	return 0;
}

int kv_object_schema(const struct bpf_object *object, struct kv_schema **schema, struct kv_err *err)
{
	const struct btf *btf = bpf_object__btf(object);

	if (!btf) {
		kv_err_set(err, -EINVAL, "it has no BTF");
		kv_err_hint(err, "compile it with -g");
		return -EINVAL;
	}
	return kv_schema_from_btf(btf, schema, err);
}

/* --- loading --- */

/*
 * An object built with other headers would understand scopes otherwise, or not
 * know of them, and show a reader what it must not.
 */
static bool has_our_abi(const struct bpf_object *object)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, KV_TABLE_MAP);
	struct bpf_map *readers = bpf_object__find_map_by_name(object, KV_READERS_MAP);
	const struct kv_table *table;
	size_t size = 0;

	if (!map || !readers || bpf_map__value_size(readers) != sizeof(struct kv_reading))
		return false;
	table = bpf_map__initial_value(map, &size);
	return table && size == sizeof(*table) && table->abi == KV_ABI_VERSION;
}

static int fill_table(struct bpf_object *object, const struct kv_schema *schema,
		      uint64_t fingerprint, struct kv_err *err)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, KV_TABLE_MAP);
	struct kv_table table = {
		.abi = KV_ABI_VERSION,
		.fingerprint = fingerprint,
		.page_shift = kv_kernel_page_shift(),
		.nr_nodes = kv_kernel_nodes(),
	};

	kv_kernel_vsyscall(table.vsyscall);
	kv_schema_table(schema, &table);
	if (!has_our_abi(object) || bpf_map__set_initial_value(map, &table, sizeof(table)) != 0) {
		kv_err_set(err, -EINVAL, "it was built with other headers than this kview's");
		kv_err_hint(err, "build it again with the headers of this version");
		return -EINVAL;
	}
	return 0;
}

static int no_descriptors(struct kv_err *err)
{
	kv_err_set(err, -EMFILE, "%s", strerror(EMFILE));
	kv_err_hint(err, "raise the limit: ulimit -n 1024");
	return -EMFILE;
}

static int no_kind(const char *kind, const char *since, struct kv_err *err)
{
	kv_err_set(err, -EOPNOTSUPP, "this kernel has no '%s' iterator", kind);
	if (*since)
		kv_err_hint(err, "it needs Linux %s", since);
	return -EOPNOTSUPP;
}

/* Why: the kernel is too old or lacks the kind, we lack the right, or the verifier says no. */
static int explain(int rc, const char *kind, const char *since, struct kv_err *err)
{
	int has = 1;

	if (!kv_kernel_has_descriptors())
		return no_descriptors(err);
	if (rc != -EPERM) {
		has = kv_kernel_check(err);
		has = has ? has : kv_kernel_has_iter(kind, err);
	}
	if (has < 0)
		return has;
	if (!has)
		return no_kind(kind, since, err);
	if (rc != -EPERM && lacking[0]) {
		kv_err_set(err, rc, "this kernel has no %s", lacking);
		kv_err_hint(err, "kview can't do without; "
				 "another version may know what took its place");
		return rc;
	}
	kv_err_set(err, rc, "%s", strerror(-rc));
	if (rc == -EPERM)
		kv_err_hint(err, "loading iterators needs CAP_BPF and CAP_PERFMON (or root)");
	else if (first_warning[0])
		kv_err_hint(err, "%s; KVIEW_DEBUG=1 in the environment shows all", first_warning);
	return rc;
}

static int dup_fd(int fd)
{
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* libbpf's descriptors go with the object: keep our own. */
static int keep(const struct bpf_object *object, struct bpf_link *link, struct kv_loaded *loaded,
		struct kv_err *err)
{
	struct bpf_map *readers = bpf_object__find_map_by_name(object, KV_READERS_MAP);

	*loaded = (struct kv_loaded){
		.prog_fd = dup_fd(bpf_program__fd(view_program(object, NULL))),
		.link_fd = dup_fd(bpf_link__fd(link)),
		.readers_fd = readers ? dup_fd(bpf_map__fd(readers)) : -1,
	};
	if (loaded->prog_fd >= 0 && loaded->link_fd >= 0 && (!readers || loaded->readers_fd >= 0))
		return 0;
	kv_loaded_close(loaded);
	return no_descriptors(err);
}

int kv_object_load(struct bpf_object *object, const char *kind, const struct kv_schema *schema,
		   uint64_t fingerprint, struct kv_loaded *loaded, struct kv_err *err)
{
	struct bpf_link *link;
	int rc = 0;

	first_warning[0] = lacking[0] = '\0';
	if (schema)
		rc = fill_table(object, schema, fingerprint, err);
	if (rc)
		return rc;
	rc = bpf_object__load(object);
	if (rc)
		return explain(rc, kind, schema ? schema->since : "", err);
	link = bpf_program__attach_iter(view_program(object, NULL), NULL);
	if (!link)
		return explain(-errno, kind, schema ? schema->since : "", err);
	rc = keep(object, link, loaded, err);
	bpf_link__destroy(link);
	return rc;
}

void kv_loaded_close(struct kv_loaded *loaded)
{
	kv_closep(&loaded->prog_fd);
	kv_closep(&loaded->link_fd);
	kv_closep(&loaded->readers_fd);
	*loaded = KV_LOADED_INIT;
}

struct kv_link kv_link_process(pid_t pid)
{
	return (struct kv_link){.info.task.pid = (uint32_t)pid, .has_info = pid > 0};
}

struct kv_link kv_link_thread(pid_t tid)
{
	return (struct kv_link){.info.task.tid = (uint32_t)tid, .has_info = tid > 0};
}

int kv_loaded_iter(const struct kv_loaded *loaded, const struct kv_link *link)
{
	union bpf_iter_link_info info = link->info;
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof(info));
	_cleanup_close_ int fd = -1;

	if (!link->has_info)
		return bpf_iter_create(loaded->link_fd);
	fd = bpf_link_create(loaded->prog_fd, 0, BPF_TRACE_ITER, &opts);
	return fd < 0 ? fd : bpf_iter_create(fd);
}

int kv_embedded_load(const char *name, struct kv_types *types, struct kv_loaded *loaded,
		     struct kv_err *err)
{
	const struct kv_embedded *e = kv_embedded_find(name);
	struct bpf_object *object;
	struct kv_err why = {0};
	char kind[KV_KIND_MAX];
	int rc;

	if (!e)
		return kv_err_set(err, -ENOENT, "no object '%s' is built in", name);
	rc = kv_object_open(name, e->data, (size_t)(e->end - e->data), types, kind, &object, err);
	if (rc)
		return rc;
	rc = kv_object_load(object, kind, NULL, 0, loaded, &why);
	bpf_object__close(object);
	if (rc) {
		kv_err_set(err, rc, "can't load '%s': %s", name, why.msg);
		if (why.hint[0])
			kv_err_hint(err, "%s", why.hint);
	}
	return rc;
}
