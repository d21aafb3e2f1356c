// SPDX-License-Identifier: GPL-2.0-only
#include "iter/types.h"

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

struct kv_types {
	struct btf *btf; /* the kernel's; NULL: not read yet */
	uint32_t *first; /* id by hash of the name, 0 for none */
	uint32_t *next;	 /* by id: another one in the same bucket */
	int fd;		 /* the file that libbpf is offered */
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

static int take_kernel(struct kv_types *types, struct btf *kernel)
{
	uint32_t n = btf__type_cnt(kernel);

	types->btf = kernel;
	types->first = calloc(BUCKETS, sizeof(*types->first));
	types->next = calloc(n, sizeof(*types->next));
	if (!types->first || !types->next)
		return -ENOMEM;
	/* Backwards: each bucket is in the order of ids. */
	for (uint32_t id = n - 1; id > 0; id--) {
		const char *name = root_name(types->btf, btf__type_by_id(types->btf, id));
		uint32_t bucket;

		if (!*name)
			continue;
		bucket = bucket_of(name, essential_len(name));
		types->next[id] = types->first[bucket];
		types->first[bucket] = id;
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
	else if (take_kernel(types, kernel) == 0)
		return types;
	kv_types_free(types);
	return NULL;
}

void kv_types_drop(struct kv_types *types)
{
	if (!types)
		return;
	btf__free(types->btf);
	free(types->first);
	free(types->next);
	kv_closep(&types->fd);
	*types = (struct kv_types){.fd = -1};
	give_memory_back();
}

void kv_types_free(struct kv_types *types)
{
	kv_types_drop(types);
	free(types);
}

/* --- excerpts --- */

struct excerpt {
	const struct kv_types *from;
	struct btf *btf;
	uint32_t *ids; /* by id there: the id here, 0 for none yet */
};

/* Copied as it is: its references are still the kernel's ids. */
static int take(struct excerpt *e, uint32_t id, uint32_t *taken)
{
	int rc;

	if (id && !e->ids[id]) {
		rc = btf__add_type(e->btf, e->from->btf, btf__type_by_id(e->from->btf, id));
		if (rc < 0)
			return rc;
		e->ids[id] = (uint32_t)rc;
	}
	*taken = e->ids[id];
	return 0;
}

static int take_named(struct excerpt *e, const char *name)
{
	const struct kv_types *from = e->from;
	size_t len = essential_len(name);
	uint32_t id = from->first[bucket_of(name, len)];
	int rc = 0;

	for (; id && !rc; id = from->next[id]) {
		const char *found = root_name(from->btf, btf__type_by_id(from->btf, id));
		uint32_t taken;

		if (essential_len(found) == len && memcmp(found, name, len) == 0)
			rc = take(e, id, &taken);
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

static int fill(struct excerpt *e, const struct btf *wanted)
{
	int rc = 0;

	for (uint32_t id = 1; !rc && id < btf__type_cnt(wanted); id++) {
		const char *name = root_name(wanted, btf__type_by_id(wanted, id));

		if (*name)
			rc = take_named(e, name);
	}
	for (uint32_t id = 1; !rc && id < btf__type_cnt(e->btf); id++)
		rc = take_parts(e, id);
	return rc;
}

struct btf *kv_types_excerpt(const struct kv_types *types, const struct btf *wanted)
{
	_cleanup_free_ uint32_t *ids = calloc(btf__type_cnt(types->btf), sizeof(*ids));
	struct excerpt e = {.from = types, .btf = btf__new_empty(), .ids = ids};
	int rc = ids && e.btf ? fill(&e, wanted) : -ENOMEM;

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
	struct btf *kernel;

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
	kernel = types->btf ? NULL : read_kernel();
	if (!types->btf && (!kernel || take_kernel(types, kernel) < 0)) {
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
