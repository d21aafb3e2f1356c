/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BPF objects on their way into the kernel. One iterator program of an object is its view, or
 * a query of kview's own; the object may have other programs beside it. libbpf resolves the
 * kernel types that an object names, and this file fills in its column table.
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

/* The objects in this binary: a table that the build makes of iters/. The last has no name. */
struct kv_embedded {
	const char *name; /* "task"; "identity/NAME" for a query */
	const char *data;
	size_t size;
};

extern const struct kv_embedded kv_embedded[];

/* kv_embedded_find() - by name, NULL for none */
const struct kv_embedded *kv_embedded_find(const char *name);

/* kv_object_fingerprint() - a number that tells builds of an object apart */
uint64_t kv_object_fingerprint(const void *data, size_t size);

/* The descriptors of a loaded object; -1 where it has none. */
struct kv_loaded {
	int prog_fd;
	int link_fd;
	int readers_fd; /* the map of registered readers */
};

#define KV_LOADED_INIT ((struct kv_loaded){-1, -1, -1})

/**
 * kv_object_parse() - parse an object, whatever is in it, without touching the kernel
 * @name: for messages
 * @types: to load it with, or NULL, see load/types.h; for one object at a time
 * @object: on success to be closed with bpf_object__close(); NULL on failure
 *
 * Return: 0 or -errno with @err set: no ELF, no BPF.
 */
int kv_object_parse(const char *name, const void *data, size_t size, struct kv_types *types,
		    struct bpf_object **object, struct kv_err *err);

/**
 * kv_object_open() - parse an object with an iterator, the only program that will be loaded
 * @name: the iterator's, where the object has several
 *
 * Otherwise like kv_object_parse().
 */
int kv_object_open(const char *name, const void *data, size_t size, struct kv_types *types,
		   struct bpf_object **object, struct kv_err *err);

/* kv_object_kind() - the kind of that iterator: "task_file" */
const char *kv_object_kind(const struct bpf_object *object);

/* kv_object_others() - its other programs, "count (tp_btf/sched_switch)", to be freed; or NULL */
char *kv_object_others(const struct bpf_object *object);

/**
 * kv_object_load() - load an object that kv_object_open() opened, and make a link of its iterator
 * @schema: of a view; NULL for a query, which has no column table
 * @fingerprint: goes into the table; 0: no pin is made, so that only registered readers get rows.
 *	Without the code for others the verifier is done sooner
 * @loaded: on success the caller closes the descriptors
 *
 * Return: 0 or -errno with @err set; -EOPNOTSUPP: this kernel has no iterator
 * of that kind.
 */
int kv_object_load(struct bpf_object *object, const struct kv_schema *schema, uint64_t fingerprint,
		   struct kv_loaded *loaded, struct kv_err *err);

/* kv_query_load() - load the embedded object of that name, one of "identity/NAME" */
int kv_query_load(const char *name, struct kv_types *types, struct kv_loaded *loaded,
		  struct kv_err *err);

void kv_loaded_close(struct kv_loaded *loaded);

/* kv_fd_dup() - duplicate @fd; -1: that failed, or @fd is negative */
int kv_fd_dup(int fd);

/* The parameters of a link, which narrow its iterations; zeroed: it has none. */
struct kv_link {
	union bpf_iter_link_info info; /* as the iterator's kind has it */
	bool has_info;
};

/*
 * kv_link_process(), kv_link_thread() - a process with all its threads, or one thread alone;
 * 0: all. The kernel looks the task up, so others cost nothing.
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
 * kv_load_lacks() - the struct member for whose lack the kernel refused the last object
 *
 * Return: "task_struct.nvcsw", or "" where libbpf named none. Each thread has its own answer,
 * valid until its next load.
 */
const char *kv_load_lacks(void);

/* kv_libbpf_log_init() - keep libbpf from printing; errors carry its last words */
void kv_libbpf_log_init(void);

#endif
