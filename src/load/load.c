// SPDX-License-Identifier: GPL-2.0-only
#include "load/load.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "load/collect.h"
#include "load/kernel.h"
#include "load/said.h"
#include "load/types.h"
#include "schema/table.h"

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

static const char call_kind[] = KV_KIND_CALL;

/* "task_file" for SEC("iter/task_file"); NULL: no iterator. '?' means: do not load by default. */
static const char *kind_of(const struct bpf_program *prog)
{
	const char *section = bpf_program__section_name(prog);

	section += *section == '?';
	if (strcmp(section, KV_KIND_CALL) == 0)
		return call_kind;
	if (strncmp(section, "iter/", 5) != 0 && strncmp(section, "iter.s/", 7) != 0)
		return NULL;
	section = strchr(section, '/') + 1;
	return *section && strlen(section) < KV_KIND_MAX ? section : NULL;
}

/* The object's only iterator, or the one that is named like the object. */
static struct bpf_program *find_iterator(const struct bpf_object *object, unsigned int *count)
{
	bool spools = bpf_object__find_map_by_name(object, KV_SPOOL_MAP);
	struct bpf_program *prog = NULL, *found = NULL, *named = NULL;

	while ((prog = bpf_object__next_program(object, prog))) {
		const char *kind = kind_of(prog);

		if (!kind || (kind == call_kind && !spools))
			continue;
		found = prog;
		++*count;
		if (strcmp(bpf_program__name(prog), bpf_object__name(object)) == 0)
			named = prog;
	}
	return named ? named : *count == 1 ? found : NULL;
}

static struct bpf_program *chosen(const struct bpf_object *object)
{
	struct bpf_program *prog = bpf_object__next_program(object, NULL);

	while (prog && !(bpf_program__autoload(prog) && kind_of(prog)))
		prog = bpf_object__next_program(object, prog);
	return prog;
}

bool kv_object_has_view(const struct bpf_object *object)
{
	const struct btf *btf = bpf_object__btf(object);

	return btf && btf__find_by_name_kind(btf, KV_VIEW_VAR, BTF_KIND_VAR) > 0;
}

const char *kv_object_next_iterator(const struct bpf_object *object, const char *last)
{
	struct bpf_program *prog = last ? bpf_object__find_program_by_name(object, last) : NULL;

	do
		prog = bpf_object__next_program(object, prog);
	while (prog && (!kind_of(prog) || kind_of(prog) == call_kind));
	return prog ? bpf_program__name(prog) : NULL;
}

const char *kv_object_kind(const struct bpf_object *object)
{
	return kind_of(chosen(object));
}

char *kv_object_others(const struct bpf_object *object)
{
	const struct bpf_program *own = chosen(object);
	struct bpf_program *prog = NULL;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	while ((prog = bpf_object__next_program(object, prog)))
		if (prog != own && !kv_is_collector(prog))
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

	kv_said_clear();
	*object = bpf_object__open_mem(data, size, &opts);
	if (!*object) {
		rc = -errno;
		kv_err_set(err, rc, "not a BPF object (%s)",
			   *kv_said_warning() ? kv_said_warning() : strerror(-rc));
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

int kv_object_choose(struct bpf_object *object, const char *program, struct kv_err *err)
{
	struct bpf_program *own, *prog = NULL;
	unsigned int iterators = 0;

	own = program ? bpf_object__find_program_by_name(object, program)
		      : find_iterator(object, &iterators);
	if (!own)
		return refuse_programs(object, iterators, err);
	while ((prog = bpf_object__next_program(object, prog)))
		bpf_program__set_autoload(prog, prog == own);
	return 0;
}

/*
 * A program that is called may sleep, where it can ask for what holds its walk together. Where it
 * can't, it is of a type that runs under RCU all the time, and is not preempted meanwhile.
 */
static void fit_type(const struct bpf_object *object, const struct kv_types *types)
{
	struct bpf_program *own = chosen(object);

	if (kind_of(own) != call_kind)
		return;
	if (!types || !kv_types_has_function(types, "bpf_rcu_read_lock")) {
		bpf_program__set_type(own, BPF_PROG_TYPE_RAW_TRACEPOINT);
		return;
	}
	bpf_program__set_type(own, BPF_PROG_TYPE_SYSCALL);
	bpf_program__set_flags(own, BPF_F_SLEEPABLE);
}

int kv_object_open(const char *name, const char *program, const void *data, size_t size,
		   struct kv_types *types, struct bpf_object **object, struct kv_err *err)
{
	int rc = kv_object_parse(name, data, size, types, object, err);

	if (!rc)
		rc = kv_object_choose(*object, program, err);
	if (rc) {
		bpf_object__close(*object);
		*object = NULL;
		return rc;
	}
	fit_type(*object, types);
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

/* The first Linux that has its kind; "": nobody knows. */
static const char *since(const struct bpf_object *object, const struct kv_schema *schema)
{
	const struct kv_kind *kind = kv_kind_find(kv_object_kind(object));

	return kind ? kind->since : schema ? schema->since : "";
}

/* Why: the kernel is too old or lacks the kind, we lack the right, or the verifier refuses. */
static int explain(int rc, const struct bpf_object *object, const struct kv_schema *schema,
		   struct kv_err *err)
{
	int lacks = 0;

	if (!kv_kernel_has_descriptors())
		return no_descriptors(err);
	if (rc != -EPERM)
		lacks = kv_kernel_check(kv_object_kind(object), since(object, schema), err);
	if (lacks)
		return lacks;
	if (rc != -EPERM && schema && *schema->since && strchr(kv_said_lacks(), '(')) {
		kv_err_set(err, -EOPNOTSUPP, "this kernel has no %s", kv_said_lacks());
		kv_err_hint(err, "it needs Linux %s", schema->since);
		return -EOPNOTSUPP;
	}
	if (rc != -EPERM && *kv_said_lacks()) {
		kv_err_set(err, rc, "this kernel has no %s", kv_said_lacks());
		kv_err_hint(err, "kview can't do without; "
				 "another version may know what took its place");
		return rc;
	}
	if (rc != -EPERM && *kv_said_verdict()) {
		kv_err_set(err, rc, "the verifier refuses it: %s", kv_said_verdict());
		kv_err_hint(err, "KVIEW_DEBUG=1 in the environment shows its whole log");
		return rc;
	}
	kv_err_set(err, rc, "%s", strerror(-rc));
	if (rc == -EPERM)
		kv_err_hint(err, "loading iterators needs CAP_BPF and CAP_PERFMON (or root)");
	else if (*kv_said_warning())
		kv_err_hint(err, "%s; KVIEW_DEBUG=1 in the environment shows all",
			    kv_said_warning());
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
	struct bpf_map *spool = bpf_object__find_map_by_name(object, KV_SPOOL_MAP);

	*loaded = (struct kv_loaded){
		.prog_fd = kv_fd_dup(bpf_program__fd(chosen(object))),
		.link_fd = link ? kv_fd_dup(bpf_link__fd(link)) : -1,
		.readers_fd = readers ? kv_fd_dup(bpf_map__fd(readers)) : -1,
		.spool_fd = spool ? kv_fd_dup(bpf_map__fd(spool)) : -1,
	};
	if (loaded->prog_fd >= 0 && (!link || loaded->link_fd >= 0) &&
	    (!readers || loaded->readers_fd >= 0) && (!spool || loaded->spool_fd >= 0))
		return 0;
	kv_loaded_close(loaded);
	return no_descriptors(err);
}

/* The map of the object whose elements are the view's rows; NULL: they are none of a map. */
static const struct bpf_map *rows_of(const struct bpf_object *object,
				     const struct kv_schema *schema)
{
	return schema && *schema->rows ? bpf_object__find_map_by_name(object, schema->rows) : NULL;
}

/* Over all objects. The walk through cgroups must be told its order, one through a map its map. */
static struct bpf_link *attach(const struct bpf_program *prog, const struct bpf_map *rows)
{
	enum kv_param param = kv_kind_param(kind_of(prog));
	union bpf_iter_link_info info = {.cgroup.order = BPF_CGROUP_ITER_DESCENDANTS_PRE};
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));

	if (param == KV_PARAM_MAP)
		info = (union bpf_iter_link_info){.map.map_fd = (uint32_t)bpf_map__fd(rows)};
	else if (param != KV_PARAM_CGROUP)
		return bpf_program__attach_iter(prog, NULL);
	return bpf_program__attach_iter(prog, &opts);
}

static bool needs_link(const struct bpf_program *prog, const struct bpf_map *rows)
{
	const char *kind = kind_of(prog);

	return kind != call_kind && (rows || kv_kind_param(kind) != KV_PARAM_MAP);
}

int kv_object_load(struct bpf_object *object, const struct kv_schema *schema, uint64_t fingerprint,
		   struct kv_loaded *loaded, struct kv_err *err)
{
	const struct bpf_program *own = chosen(object);
	const struct bpf_map *rows = rows_of(object, schema);
	struct bpf_link *link = NULL;
	int rc = 0;

	kv_said_clear();
	if (schema && *schema->rows && !rows) {
		kv_err_set(err, -EINVAL, "its rows are of a map '%s', which it does not have",
			   schema->rows);
		kv_err_hint(err, "KV_VIEW_OF_MAP() names one of the object's own maps");
		return -EINVAL;
	}
	if (schema)
		rc = fill_table(object, schema, fingerprint, err);
	if (rc)
		return rc;
	rc = bpf_object__load(object);
	if (rc)
		return explain(rc, object, schema, err);
	if (needs_link(own, rows)) {
		link = attach(own, rows);
		if (!link)
			return explain(-errno, object, schema, err);
	}
	rc = keep(object, link, loaded, err);
	bpf_link__destroy(link);
	return rc;
}

void kv_loaded_close(struct kv_loaded *loaded)
{
	kv_closep(&loaded->prog_fd);
	kv_closep(&loaded->link_fd);
	kv_closep(&loaded->readers_fd);
	kv_closep(&loaded->spool_fd);
	*loaded = KV_LOADED_INIT;
}

struct kv_link kv_link_process(pid_t pid)
{
	return (struct kv_link){
		.param = pid ? KV_PARAM_TASK : KV_PARAM_NONE,
		.info.task.pid = (uint32_t)pid,
	};
}

struct kv_link kv_link_thread(pid_t tid)
{
	return (struct kv_link){
		.param = tid ? KV_PARAM_TASK : KV_PARAM_NONE,
		.info.task.tid = (uint32_t)tid,
	};
}

struct kv_link kv_link_map(int fd)
{
	return (struct kv_link){.param = KV_PARAM_MAP, .info.map.map_fd = (uint32_t)fd};
}

struct kv_link kv_link_cgroup(int fd)
{
	return (struct kv_link){
		.param = KV_PARAM_CGROUP,
		.info.cgroup = {.order = BPF_CGROUP_ITER_DESCENDANTS_PRE,
				.cgroup_fd = (uint32_t)fd},
	};
}

int kv_loaded_iter(const struct kv_loaded *loaded, const struct kv_link *link)
{
	union bpf_iter_link_info info = link->info;
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof(info));
	_cleanup_close_ int fd = -1;

	if (link->param == KV_PARAM_NONE)
		return bpf_iter_create(loaded->link_fd);
	fd = bpf_link_create(loaded->prog_fd, 0, BPF_TRACE_ITER, &opts);
	return fd < 0 ? fd : bpf_iter_create(fd);
}

int kv_query_load(const char *name, struct kv_types *types, struct kv_loaded *loaded,
		  struct kv_err *err)
{
	const struct kv_embedded *e = kv_embedded_find(name);
	struct bpf_object *object;
	int rc = kv_object_open(name, NULL, e->data, e->size, types, &object, err);

	if (!rc)
		rc = kv_object_load(object, NULL, 0, loaded, err);
	bpf_object__close(object);
	if (rc)
		kv_err_prefix(err, "can't load '%s'", name);
	return rc;
}
