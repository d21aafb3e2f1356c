// SPDX-License-Identifier: GPL-2.0-only
#include "load/types.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/hash.h"

#ifndef MFD_NOEXEC_SEAL /* linux/memfd.h has it since 6.3 */
#define MFD_NOEXEC_SEAL 8U
#endif

#define VMLINUX "/sys/kernel/btf/vmlinux"
#define BUCKETS (1u << 14)

/* The modules whose types iters/lib/stat.h reads: file systems. */
static const char *const modules[] = {
	"/sys/kernel/btf/btrfs",
	"/sys/kernel/btf/ext4",
	"/sys/kernel/btf/overlay",
	"/sys/kernel/btf/xfs",
};

#define NMODULES (sizeof(modules) / sizeof(modules[0]))

/* The types of the kernel, or of a module: its ids begin where the kernel's end. */
struct source {
	struct btf *btf; /* NULL: not read yet, or not there */
	uint32_t start;	 /* its own first id */
	uint32_t *first; /* by hash of a name: the first id, 0 for none */
	uint32_t *next;	 /* by id - @start: the next id of the same hash */
};

struct kv_types {
	struct source sources[1 + NMODULES]; /* the kernel's first */
	int fd;				     /* the file that libbpf is offered */
	char path[32];
};

/* --- names --- */

/* Length without the flavour, as bpf_core_essential_name_len() in libbpf. */
static size_t essential_len(const char *name)
{
	const char *flavour = strstr(name, "___");

	return flavour && flavour != name && flavour[3] ? (size_t)(flavour - name) : strlen(name);
}

/* The name of a type, or "" for one that no relocation names: half of all types are such. */
static const char *root_name(const struct btf *btf, const struct btf_type *t)
{
	bool is_other = btf_is_func(t) || btf_is_var(t) || btf_is_datasec(t) ||
			btf_is_decl_tag(t) || btf_is_type_tag(t);

	return is_other ? "" : btf__name_by_offset(btf, t->name_off);
}

static bool is_same_name(const char *a, const char *b)
{
	size_t n;

	if (*a != *b)
		return false; /* nearly always */
	n = essential_len(a);
	return essential_len(b) == n && memcmp(a, b, n) == 0;
}

static uint32_t bucket_of(const char *name)
{
	return (uint32_t)kv_hash(name, essential_len(name)) % BUCKETS;
}

/* @btf: its types from id @start on become those of @source, which frees it */
static int take_source(struct source *source, struct btf *btf, uint32_t start)
{
	uint32_t n = btf__type_cnt(btf);

	source->btf = btf;
	source->start = start;
	source->first = calloc(BUCKETS, sizeof(*source->first));
	source->next = calloc(n - start, sizeof(*source->next));
	if (!source->first || !source->next)
		return -ENOMEM;
	/* Backwards: each bucket is in the order of ids. */
	for (uint32_t id = n - 1; id >= start && id; id--) {
		const char *name = root_name(btf, btf__type_by_id(btf, id));
		uint32_t bucket;

		if (!*name)
			continue;
		bucket = bucket_of(name);
		source->next[id - start] = source->first[bucket];
		source->first[bucket] = id;
	}
	return 0;
}

/* --- reading --- */

/*
 * The file can be mapped since Linux 6.16 (a539e2a6d51d), which takes half the time: a read()
 * of it returns one page at most.
 */
static struct btf *read_kernel(void)
{
	_cleanup_close_ int fd = open(VMLINUX, O_RDONLY | O_CLOEXEC);
	struct btf *btf;
	struct stat st;
	void *data;

	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return btf__parse_raw(VMLINUX);
	btf = btf__new(data, (uint32_t)st.st_size);
	munmap(data, (size_t)st.st_size);
	return btf;
}

uint64_t kv_types_modules(void)
{
	uint64_t there = 0;

	for (size_t i = 0; i < NMODULES; i++)
		there |= (uint64_t)(access(modules[i], R_OK) == 0) << i;
	return there;
}

static int read_all(struct kv_types *types)
{
	struct btf *kernel = read_kernel(), *btf;
	int rc = kernel ? take_source(&types->sources[0], kernel, 0) : -ENOENT;

	for (size_t i = 0; i < NMODULES && !rc; i++) {
		btf = btf__parse_split(modules[i], kernel);
		if (btf)
			rc = take_source(&types->sources[1 + i], btf, btf__type_cnt(kernel));
	}
	return rc;
}

/*
 * libbpf allocates and frees megabytes for each object that it loads. malloc() keeps them for
 * the next object, so the kernel need not clear new pages each time.
 */
static void keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

static void give_memory_back(void)
{
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	mallopt(M_TRIM_THRESHOLD, 128 << 10);
	malloc_trim(0);
}

struct kv_types *kv_types_new(struct btf *kernel)
{
	struct kv_types *types = calloc(1, sizeof(*types));

	if (!types) {
		btf__free(kernel);
		return NULL;
	}
	types->fd = -1;
	if (!kernel || take_source(&types->sources[0], kernel, 0) == 0)
		return types;
	kv_types_free(types);
	return NULL;
}

void kv_types_drop(struct kv_types *types)
{
	if (!types)
		return;
	/* The kernel's last: the BTF of a module points to it. */
	for (size_t i = NMODULES + 1; i-- > 0;) {
		btf__free(types->sources[i].btf);
		free(types->sources[i].first);
		free(types->sources[i].next);
	}
	kv_closep(&types->fd);
	*types = (struct kv_types){.fd = -1};
	give_memory_back();
}

void kv_types_free(struct kv_types *types)
{
	kv_types_drop(types);
	free(types);
}

/* --- excerpts, and what of them is wanted --- */

struct excerpt {
	const struct source *from; /* whose turn it is */
	struct btf *btf;
	uint32_t *ids;	/* by id in @from: the id here, 0 for none yet */
	uint8_t *found; /* by id of what is wanted: it was, in an earlier source */
};

/* The id of the @i-th type that a type refers to, to be replaced; NULL: there are no more. */
static uint32_t *part(struct btf *btf, uint32_t id, uint32_t i)
{
	struct btf_type *t = (struct btf_type *)btf__type_by_id(btf, id);

	switch (btf_kind(t)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return i < btf_vlen(t) ? &btf_members(t)[i].type : NULL;
	case BTF_KIND_FUNC_PROTO:
		return i == 0 ? &t->type : i <= btf_vlen(t) ? &btf_params(t)[i - 1].type : NULL;
	case BTF_KIND_ARRAY:
		return i == 0 ? &btf_array(t)->type : i == 1 ? &btf_array(t)->index_type : NULL;
	case BTF_KIND_PTR:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		return i == 0 ? &t->type : NULL;
	default:
		return NULL;
	}
}

/* Copies a type with the types that it consists of. Its id here, or -errno. */
static int take(struct excerpt *e, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(e->from->btf, id);
	bool is_pointer = btf_is_ptr(t) || btf_is_func_proto(t);
	const uint32_t *old;
	int copy, rc;

	if (!id || e->ids[id])
		return (int)e->ids[id];
	copy = btf__add_type(e->btf, e->from->btf, t);
	if (copy < 0)
		return copy;
	e->ids[id] = (uint32_t)copy;
	for (uint32_t i = 0; (old = part(e->btf, e->ids[id], i)); i++) {
		rc = is_pointer ? 0 : take(e, *old); /* may move what @old points to */
		if (rc < 0)
			return rc;
		*part(e->btf, e->ids[id], i) = (uint32_t)rc;
	}
	return copy;
}

static int take_named(struct excerpt *e, const char *name, uint8_t *is_found)
{
	const struct source *from = e->from;
	uint32_t id = from->first[bucket_of(name)];
	int rc = 0;

	for (; id && rc >= 0; id = from->next[id - from->start]) {
		if (!is_same_name(name, root_name(from->btf, btf__type_by_id(from->btf, id))))
			continue;
		rc = take(e, id);
		*is_found = 1;
	}
	return rc < 0 ? rc : 0;
}

/* A name that the kernel has is not looked for in modules: there it is something else. */
static int take_from(struct excerpt *e, const struct source *source, const struct btf *wanted)
{
	int rc = 0;

	/* The ids of the kernel's types stay; a module's take the place of the last module's. */
	memset(e->ids + source->start, 0,
	       (btf__type_cnt(source->btf) - source->start) * sizeof(*e->ids));
	e->from = source;
	for (uint32_t id = 1; !rc && id < btf__type_cnt(wanted); id++) {
		const char *name = root_name(wanted, btf__type_by_id(wanted, id));

		if (*name && !e->found[id])
			rc = take_named(e, name, &e->found[id]);
	}
	return rc;
}

/* --- what has another shape --- */

static const struct btf_type *plain_type(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (btf_is_mod(t) || btf_is_typedef(t))
		t = btf__type_by_id(btf, t->type);
	return t;
}

static bool is_number(const struct btf_type *t)
{
	return btf_is_int(t) || btf_is_any_enum(t);
}

/* The member of that name, be it within an anonymous struct or union. */
static struct btf_member *find_member(struct btf *btf, const struct btf_type *t, const char *name,
				      uint32_t *bits)
{
	for (uint32_t i = 0; btf_is_composite(t) && i < btf_vlen(t); i++) {
		struct btf_member *m = &btf_members(t)[i], *inside;
		const char *found = btf__name_by_offset(btf, m->name_off);

		*bits = btf_member_bitfield_size(t, i);
		if (*found && strcmp(found, name) == 0)
			return m;
		inside = *found ? NULL : find_member(btf, plain_type(btf, m->type), name, bits);
		if (inside)
			return inside;
	}
	return NULL;
}

/*
 * Takes the name from each member that the program takes for a number of another size. libbpf
 * only checks that both are numbers, and adjusts the size of direct loads alone.
 */
static void hide_other_shapes(struct btf *btf, const struct btf_type *t, const struct btf *wanted,
			      const struct btf_type *want)
{
	for (uint32_t i = 0; btf_is_composite(want) && i < btf_vlen(want); i++) {
		const struct btf_member *wm = &btf_members(want)[i];
		const struct btf_type *wtype = plain_type(wanted, wm->type), *type = t;
		const char *name = btf__name_by_offset(wanted, wm->name_off);
		uint32_t bits = 0;
		struct btf_member *m = *name ? find_member(btf, t, name, &bits) : NULL;

		if (m)
			type = plain_type(btf, m->type);
		if (btf_is_composite(wtype) && (m || !*name))
			hide_other_shapes(btf, type, wanted, wtype);
		else if (m && is_number(wtype) && is_number(type) &&
			 !btf_member_bitfield_size(want, i) && (bits || type->size != wtype->size))
			m->name_off = 0;
	}
}

static void hide_all_other_shapes(struct btf *btf, const struct btf *wanted)
{
	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);
		const char *name = root_name(btf, t);

		for (uint32_t w = 1; *name && btf_is_composite(t) && w < btf__type_cnt(wanted);
		     w++) {
			const struct btf_type *want = btf__type_by_id(wanted, w);

			if (btf_is_composite(want) && is_same_name(name, root_name(wanted, want)))
				hide_other_shapes(btf, t, wanted, want);
		}
	}
}

static uint32_t highest_count(const struct kv_types *types)
{
	uint32_t n = 0;

	for (size_t i = 0; i <= NMODULES; i++)
		if (types->sources[i].btf && btf__type_cnt(types->sources[i].btf) > n)
			n = btf__type_cnt(types->sources[i].btf);
	return n;
}

struct btf *kv_types_excerpt(const struct kv_types *types, const struct btf *wanted)
{
	_cleanup_free_ uint32_t *ids = malloc(highest_count(types) * sizeof(*ids));
	_cleanup_free_ uint8_t *found = calloc(btf__type_cnt(wanted), sizeof(*found));
	struct excerpt e = {.btf = btf__new_empty(), .ids = ids, .found = found};
	int rc = ids && found && e.btf ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i <= NMODULES; i++)
		if (types->sources[i].btf)
			rc = take_from(&e, &types->sources[i], wanted);
	if (!rc) {
		hide_all_other_shapes(e.btf, wanted);
		return e.btf;
	}
	btf__free(e.btf);
	errno = -rc;
	return NULL;
}

bool kv_types_has_function(const struct kv_types *types, const char *name)
{
	const struct btf *kernel = types->sources[0].btf;

	return kernel && btf__find_by_name_kind(kernel, name, BTF_KIND_FUNC) > 0;
}

/* --- for libbpf --- */

/* Linux logs a warning where MFD_NOEXEC_SEAL is missing; before 6.3 the flag is unknown. */
static int make_file(void)
{
	int fd = memfd_create("kview-types", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	return fd < 0 && errno == EINVAL ? memfd_create("kview-types", MFD_CLOEXEC) : fd;
}

const char *kv_types_path(struct kv_types *types)
{
	if (types->fd >= 0)
		return types->path;
	keep_memory();
	types->fd = make_file();
	snprintf(types->path, sizeof(types->path), "/proc/self/fd/%d", types->fd);
	/* Without /proc it has no name. */
	if (access(types->path, R_OK) == 0 && (types->sources[0].btf || read_all(types) == 0))
		return types->path;
	kv_types_drop(types);
	return NULL;
}

int kv_types_offer(struct kv_types *types, const struct btf *wanted)
{
	struct btf *excerpt = kv_types_excerpt(types, wanted);
	const void *data;
	uint32_t size;
	int rc = 0;

	if (!excerpt)
		return -errno;
	data = btf__raw_data(excerpt, &size);
	if (!data)
		rc = -ENOMEM;
	else if (ftruncate(types->fd, 0) < 0)
		rc = -errno;
	else if (pwrite(types->fd, data, size, 0) != (ssize_t)size)
		rc = -EIO;
	btf__free(excerpt);
	return rc;
}
