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

/* What iters/lib/stat.h reads of: file systems, where they are modules. */
static const char *const modules[] = {"btrfs", "ext4", "overlay", "xfs"};

#define NMODULES (sizeof(modules) / sizeof(modules[0]))

/* The kernel, or a module, whose ids go on where the kernel's end. */
struct source {
	struct btf *btf; /* NULL: not read yet, or there is none */
	uint32_t start;	 /* its own first id */
	uint32_t *first; /* id by hash of the name, 0 for none */
	uint32_t *next;	 /* by id - @start: another one in the same bucket */
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

/* Can a relocation begin at it? Functions and variables are half of all types. */
static const char *root_name(const struct btf *btf, const struct btf_type *t)
{
	switch (btf_kind(t)) {
	case BTF_KIND_INT:
	case BTF_KIND_FLOAT:
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
		return btf__name_by_offset(btf, t->name_off);
	default:
		return "";
	}
}

static uint32_t bucket_of(const char *name, size_t len)
{
	return (uint32_t)kv_hash(name, len) % BUCKETS;
}

/* @btf: types of @source from id @start on; freed with it */
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
		bucket = bucket_of(name, essential_len(name));
		source->next[id - start] = source->first[bucket];
		source->first[bucket] = id;
	}
	return 0;
}

/* --- reading --- */

/*
 * From 6.16 on the file can be mapped (a539e2a6d51d); a read() of it gets no
 * more than a page at a time.
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

static void module_path(size_t i, char path[64])
{
	snprintf(path, 64, "/sys/kernel/btf/%s", modules[i]);
}

uint64_t kv_types_modules(void)
{
	uint64_t there = 0;
	char path[64];

	for (size_t i = 0; i < NMODULES; i++) {
		module_path(i, path);
		there |= (uint64_t)(access(path, R_OK) == 0) << i;
	}
	return there;
}

static int read_modules(struct kv_types *types)
{
	struct btf *kernel = types->sources[0].btf, *btf;
	char path[64];
	int rc = 0;

	for (size_t i = 0; i < NMODULES && !rc; i++) {
		module_path(i, path);
		btf = access(path, R_OK) == 0 ? btf__parse_split(path, kernel) : NULL;
		if (btf)
			rc = take_source(&types->sources[1 + i], btf, btf__type_cnt(kernel));
	}
	return rc;
}

static int read_all(struct kv_types *types)
{
	struct btf *kernel = read_kernel();
	int rc = kernel ? take_source(&types->sources[0], kernel, 0) : -ENOENT;

	return rc ? rc : read_modules(types);
}

/*
 * libbpf reads the kernel's types as well, for each object anew: memory that
 * it gives back stays here for the next time, not to be cleared by the kernel.
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

struct kv_types *kv_types_new(void)
{
	struct kv_types *types = calloc(1, sizeof(*types));

	if (types)
		types->fd = -1;
	return types;
}

struct kv_types *kv_types_of(struct btf *kernel)
{
	struct kv_types *types = kv_types_new();

	if (!types)
		btf__free(kernel);
	else if (take_source(&types->sources[0], kernel, 0) == 0)
		return types;
	kv_types_free(types);
	return NULL;
}

void kv_types_drop(struct kv_types *types)
{
	if (!types)
		return;
	/* Modules before the kernel, whose types theirs go on from. */
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
	uint32_t *ids;	/* by id in the kernel: the id here, 0 for none yet */
	uint32_t *own;	/* likewise by id - start in a module */
	uint32_t done;	/* so many types here have taken what they consist of */
	uint8_t *found; /* by id of what is wanted: it was, in an earlier source */
};

/* Copied as it is: its references are still ids there. */
static int take(struct excerpt *e, uint32_t id, uint32_t *taken)
{
	const struct source *from = e->from;
	uint32_t *known =
		id < from->start || !from->start ? &e->ids[id] : &e->own[id - from->start];
	int rc;

	if (id && !*known) {
		rc = btf__add_type(e->btf, from->btf, btf__type_by_id(from->btf, id));
		if (rc < 0)
			return rc;
		*known = (uint32_t)rc;
	}
	*taken = *known;
	return 0;
}

static int take_named(struct excerpt *e, const char *name, uint8_t *is_found)
{
	const struct source *from = e->from;
	size_t len = essential_len(name);
	uint32_t id = from->first[bucket_of(name, len)];
	int rc = 0;

	for (; id && !rc; id = from->next[id - from->start]) {
		const char *found = root_name(from->btf, btf__type_by_id(from->btf, id));
		uint32_t taken;

		if (essential_len(found) != len || memcmp(found, name, len) != 0)
			continue;
		rc = take(e, id, &taken);
		*is_found = 1;
	}
	return rc;
}

/* The @i-th type that a type consists of, to be changed; NULL: it has no more. */
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

/* What a type consists of goes to the end, and so has its turn later. */
static int take_parts(struct excerpt *e, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(e->btf, id);
	bool is_pointer = btf_is_ptr(t) || btf_is_func_proto(t);
	const uint32_t *old;
	int rc = 0;

	for (uint32_t i = 0; !rc && (old = part(e->btf, id, i)); i++) {
		uint32_t new = 0;

		if (!is_pointer)
			rc = take(e, *old, &new); /* may move what @old points to */
		*part(e->btf, id, i) = new;
	}
	return rc;
}

/* What a module has under a name of the kernel's is something else. */
static int take_from(struct excerpt *e, const struct source *source, const struct btf *wanted)
{
	_cleanup_free_ uint32_t *own =
		calloc(btf__type_cnt(source->btf) - source->start, sizeof(*own));
	int rc = own ? 0 : -ENOMEM;

	e->from = source;
	e->own = own;
	for (uint32_t id = 1; !rc && id < btf__type_cnt(wanted); id++) {
		const char *name = root_name(wanted, btf__type_by_id(wanted, id));

		if (*name && !e->found[id])
			rc = take_named(e, name, &e->found[id]);
	}
	for (; !rc && e->done + 1 < btf__type_cnt(e->btf); e->done++)
		rc = take_parts(e, e->done + 1);
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

/* Of a type here, or of what it consists of without a name, the member that is called so. */
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

/* libbpf compares whether both are numbers, and only what is loaded directly for its size. */
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
		size_t len = essential_len(name);

		for (uint32_t w = 1; *name && btf_is_composite(t) && w < btf__type_cnt(wanted);
		     w++) {
			const struct btf_type *want = btf__type_by_id(wanted, w);
			const char *other = root_name(wanted, want);

			if (essential_len(other) == len && memcmp(other, name, len) == 0)
				hide_other_shapes(btf, t, wanted, want);
		}
	}
}

static int fill(struct excerpt *e, const struct kv_types *types, const struct btf *wanted)
{
	int rc = 0;

	for (size_t i = 0; !rc && i <= NMODULES; i++)
		if (types->sources[i].btf)
			rc = take_from(e, &types->sources[i], wanted);
	if (!rc)
		hide_all_other_shapes(e->btf, wanted);
	return rc;
}

struct btf *kv_types_excerpt(const struct kv_types *types, const struct btf *wanted)
{
	_cleanup_free_ uint32_t *ids = calloc(btf__type_cnt(types->sources[0].btf), sizeof(*ids));
	_cleanup_free_ uint8_t *found = calloc(btf__type_cnt(wanted), sizeof(*found));
	struct excerpt e = {.btf = btf__new_empty(), .ids = ids, .found = found};
	int rc = ids && found && e.btf ? fill(&e, types, wanted) : -ENOMEM;

	if (!rc)
		return e.btf;
	btf__free(e.btf);
	errno = -rc;
	return NULL;
}

/* --- for libbpf --- */

/* Without MFD_NOEXEC_SEAL Linux grumbles from 6.3 on; before, it knows no such thing. */
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
	if (access(types->path, R_OK) < 0) {
		kv_types_drop(types);
		return NULL;
	}
	if (!types->sources[0].btf && read_all(types)) {
		kv_types_drop(types);
		return NULL;
	}
	return types->path;
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
