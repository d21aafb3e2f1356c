/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Objects into the kernel. An iterator program of an object is a view, and may have other
 * programs beside it; libbpf resolves its kernel types, we fill in its column table.
 */
#ifndef KVIEW_LOAD_LOAD_H
#define KVIEW_LOAD_LOAD_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "schema/schema.h"

struct bpf_object;
struct kv_types;

#define KV_KIND_MAX 64

/* What a loaded object leaves open; -1 where it has none. */
struct kv_loaded {
	int prog_fd;
	int link_fd;
	int readers_fd; /* the map of registered readers */
};

#define KV_LOADED_INIT ((struct kv_loaded){-1, -1, -1})

/**
 * kv_object_parse() - parse an object, whatever is in it, without touching the kernel
 * @name: for messages
 * @types: to load it with, or NULL, see load/types.h; one object at a time
 * @object: on success to be closed with bpf_object__close()
 *
 * Return: 0 or -errno with @err set: no ELF, no BPF.
 */
int kv_object_parse(const char *name, const void *data, size_t size, struct kv_types *types,
		    struct bpf_object **object, struct kv_err *err);

/**
 * kv_object_open() - parse the object of a view; otherwise like kv_object_parse()
 * @name: of the view too: where there are several iterators, it is the one of that name
 * @kind: KV_KIND_MAX bytes, receives the iterator's kind ("task_file")
 */
int kv_object_open(const char *name, const void *data, size_t size, struct kv_types *types,
		   char *kind, struct bpf_object **object, struct kv_err *err);

/* kv_object_others() - its other programs, "count (tp_btf/sched_switch)", to be freed; or NULL */
char *kv_object_others(const struct bpf_object *object);

/**
 * kv_object_schema() - the columns that the object's BTF declares
 */
int kv_object_schema(const struct bpf_object *object, struct kv_schema **schema,
		     struct kv_err *err);

/**
 * kv_object_load() - load the object and make a link of its program
 * @schema: of a view; NULL for an object that has no column table
 * @fingerprint: goes into the table, see kv_image_fingerprint()
 * @loaded: on success the caller closes the descriptors
 *
 * Return: 0 or -errno with @err set; -EOPNOTSUPP: this kernel has no iterator
 * of that kind.
 */
int kv_object_load(struct bpf_object *object, const char *kind, const struct kv_schema *schema,
		   uint64_t fingerprint, struct kv_loaded *loaded, struct kv_err *err);

/**
 * kv_embedded_load() - the same of a built-in object that is no view
 * @name: "identity/NAME"
 */
int kv_embedded_load(const char *name, struct kv_types *types, struct kv_loaded *loaded,
		     struct kv_err *err);

void kv_loaded_close(struct kv_loaded *loaded);

/* The parameters of a link, which narrow its iterations; zeroed: it has none. */
struct kv_link {
	union bpf_iter_link_info info; /* as the iterator's kind has it */
	bool has_info;
};

/*
 * kv_link_process(), kv_link_thread() - a process with all its threads, or one thread alone;
 * 0: all. Others cost nothing: the kernel looks it up.
 */
struct kv_link kv_link_process(pid_t pid);
struct kv_link kv_link_thread(pid_t tid);

/**
 * kv_loaded_iter() - begin an iteration
 *
 * Return: the iterator's descriptor, to be closed, or -errno; -ESRCH: there is
 * no such process or thread.
 */
int kv_loaded_iter(const struct kv_loaded *loaded, const struct kv_link *link);

/**
 * kv_load_lacks() - what the kernel lacks that the last object refused was refused for
 *
 * Return: as "task_struct.nvcsw", or "" where libbpf did not say so; the thread's own, valid
 * until the next load.
 */
const char *kv_load_lacks(void);

/* kv_libbpf_log_init() - keep libbpf from printing; errors carry its last words */
void kv_libbpf_log_init(void);

#endif
