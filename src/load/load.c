// SPDX-License-Identifier: GPL-2.0-only
#include "load/load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "load/kernel.h"
#include "load/types.h"
#include "schema/table.h"

/* --- libbpf's log --- */

/* The first line of libbpf's first warning, which tells the cause of a failure. */
static _Thread_local char first_warning[256];

/* The type or member that the kernel's types lack, and that a program needs. */
static _Thread_local char lacking[128];

/*
 * libbpf has put it into the verifier's log since 1.0 (fixup_log_failed_core_relo()): "failed
 * to resolve CO-RE relocation <byte_off> [12] struct task_struct___new.__state (0:0 @ offset
 * 0)". The flavour is left out of the answer.
 */
static void find_lacking(const char *log)
{
	static const char words[] = "failed to resolve CO-RE relocation <";
	const char *at = strstr(log, words);
	char *flavour;

	if (!at || sscanf(at + strlen(words), "%*[^>]> [%*u] %*s %127s", lacking) != 1)
		return;
	flavour = strstr(lacking, "___");
	if (flavour) {
		at = flavour + strcspn(flavour, ".:");
		memmove(flavour, at, strlen(at) + 1);
	}
}

const char *kv_load_lacks(void)
{
	return lacking;
}

__attribute__((format(printf, 2, 0))) static int keep_warning(enum libbpf_print_level level,
							      const char *fmt, va_list ap)
{
	_cleanup_free_ char *text = NULL;

	if (getenv("KVIEW_DEBUG")) { /* authors of views want every word */
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

const struct kv_embedded *kv_embedded_find(const char *name)
{
	const struct kv_embedded *e = kv_embedded;

	while (e->name && strcmp(e->name, name) != 0)
		e++;
	return e->name ? e : NULL;
}

uint64_t kv_object_fingerprint(const void *data, size_t size)
{
	return kv_hash(data, size) ^ KV_ABI_VERSION;
}

/* "task_file" for SEC("iter/task_file"); NULL: no iterator. '?' means: do not load by default. */
static const char *kind_of(const struct bpf_program *prog)
{
	const char *section = bpf_program__section_name(prog);

	section += *section == '?';
	if (strncmp(section, "iter/", 5) != 0 && strncmp(section, "iter.s/", 7) != 0)
		return NULL;
	section = strchr(section, '/') + 1;
	return *section && strlen(section) < KV_KIND_MAX ? section : NULL;
}

/* The object's only iterator, or the one that is named like the object. */
static struct bpf_program *find_iterator(const struct bpf_object *object, unsigned int *count)
{
	struct bpf_program *prog = NULL, *found = NULL, *named = NULL;
	unsigned int n = 0;

	while ((prog = bpf_object__next_program(object, prog))) {
		if (!kind_of(prog))
			continue;
		found = prog;
		n++;
		if (strcmp(bpf_program__name(prog), bpf_object__name(object)) == 0)
			named = prog;
	}
	if (count)
		*count = n;
	return named ? named : n == 1 ? found : NULL;
}

const char *kv_object_kind(const struct bpf_object *object)
{
	return kind_of(find_iterator(object, NULL));
}

char *kv_object_others(const struct bpf_object *object)
{
	const struct bpf_program *own = find_iterator(object, NULL);
	struct bpf_program *prog = NULL;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	while ((prog = bpf_object__next_program(object, prog)))
		if (prog != own)
			fprintf(f, "%s%s (%s)", ftell(f) ? ", " : "", bpf_program__name(prog),
				bpf_program__section_name(prog));
	fclose(f);
	return text;
}

int kv_object_parse(const char *name, const void *data, size_t size, struct kv_types *types,
		    struct bpf_object **object, struct kv_err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = name,
		    .btf_custom_path = types ? kv_types_path(types) : NULL);
	const struct btf *btf;
	int rc = 0;

	first_warning[0] = '\0';
	*object = bpf_object__open_mem(data, size, &opts);
	if (!*object) {
		rc = -errno;
		kv_err_set(err, rc, "not a BPF object (%s)",
			   first_warning[0] ? first_warning : strerror(-rc));
		kv_err_hint(err, "it is built with clang -g -O2 -target bpf, see kview-iters(7)");
		return rc;
	}
	btf = bpf_object__btf(*object);
	if (opts.btf_custom_path && btf)
		rc = kv_types_offer(types, btf);
	if (rc) {
		bpf_object__close(*object);
		*object = NULL;
		kv_err_errno(err, rc, "can't look up the kernel's types");
	}
	return rc;
}

static int refuse_programs(const struct bpf_object *object, unsigned int iterators,
			   struct kv_err *err)
{
	const struct bpf_program *first = bpf_object__next_program(object, NULL);

	if (iterators)
		kv_err_set(err, -EINVAL, "it has %u iterators, and none is called '%s'", iterators,
			   bpf_object__name(object));
	else if (first)
		kv_err_set(err, -EINVAL, "its program is in section '%s': no iterator",
			   bpf_program__section_name(first));
	else
		kv_err_set(err, -EINVAL, "it has no program");
	kv_err_hint(err, "a view is a program in a section iter/KIND, see kview-iters(7)");
	return -EINVAL;
}

int kv_object_open(const char *name, const void *data, size_t size, struct kv_types *types,
		   struct bpf_object **object, struct kv_err *err)
{
	struct bpf_program *own, *prog = NULL;
	unsigned int iterators;
	int rc = kv_object_parse(name, data, size, types, object, err);

	if (rc)
		return rc;
	own = find_iterator(*object, &iterators);
	if (!own) {
		rc = refuse_programs(*object, iterators, err);
		bpf_object__close(*object);
		*object = NULL;
		return rc;
	}
	while ((prog = bpf_object__next_program(*object, prog)))
		bpf_program__set_autoload(prog, prog == own);
	return 0;
}

/* --- loading --- */

/*
 * An object built with other headers has another struct of scopes, or none: it would show a
 * reader what that reader must not see.
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
	};

	kv_kernel_table(&table);
	kv_schema_table(schema, &table);
	if (!fingerprint)
		table.ncolumns = 0;
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

/* Why: the kernel is too old or lacks the kind, we lack the right, or the verifier refuses. */
static int explain(int rc, const struct bpf_object *object, const struct kv_schema *schema,
		   struct kv_err *err)
{
	int lacks = 0;

	if (!kv_kernel_has_descriptors())
		return no_descriptors(err);
	if (rc != -EPERM)
		lacks = kv_kernel_check(kv_object_kind(object), schema ? schema->since : "", err);
	if (lacks)
		return lacks;
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

int kv_fd_dup(int fd)
{
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* Our own descriptors: bpf_object__close() closes libbpf's. */
static int keep(const struct bpf_object *object, const struct bpf_link *link,
		struct kv_loaded *loaded, struct kv_err *err)
{
	struct bpf_map *readers = bpf_object__find_map_by_name(object, KV_READERS_MAP);

	*loaded = (struct kv_loaded){
		.prog_fd = kv_fd_dup(bpf_program__fd(find_iterator(object, NULL))),
		.link_fd = kv_fd_dup(bpf_link__fd(link)),
		.readers_fd = readers ? kv_fd_dup(bpf_map__fd(readers)) : -1,
	};
	if (loaded->prog_fd >= 0 && loaded->link_fd >= 0 && (!readers || loaded->readers_fd >= 0))
		return 0;
	kv_loaded_close(loaded);
	return no_descriptors(err);
}

int kv_object_load(struct bpf_object *object, const struct kv_schema *schema, uint64_t fingerprint,
		   struct kv_loaded *loaded, struct kv_err *err)
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
		return explain(rc, object, schema, err);
	link = bpf_program__attach_iter(find_iterator(object, NULL), NULL);
	if (!link)
		return explain(-errno, object, schema, err);
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

int kv_query_load(const char *name, struct kv_types *types, struct kv_loaded *loaded,
		  struct kv_err *err)
{
	const struct kv_embedded *e = kv_embedded_find(name);
	struct bpf_object *object;
	int rc = kv_object_open(name, e->data, e->size, types, &object, err);

	if (!rc)
		rc = kv_object_load(object, NULL, 0, loaded, err);
	bpf_object__close(object);
	if (rc)
		kv_err_prefix(err, "can't load '%s'", name);
	return rc;
}
