/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BPF objects on their way into the kernel. One iterator program of an object is its view, or
 * a query of kview's own, or prints its own output; the object may have other programs beside
 * it. libbpf resolves the kernel types that an object names, and this file fills in the column
 * table of a view.
 */
#ifndef KVIEW_LOAD_LOAD_H
#define KVIEW_LOAD_LOAD_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "load/kind.h"
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
	int spool_fd;	/* the map that records come by (stream/spool.h) */
};

#define KV_LOADED_INIT ((struct kv_loaded){-1, -1, -1, -1})

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
 * kv_object_choose() - choose the iterator that is loaded, the only one of the programs
 * @program: its name; NULL: the only iterator, or the one that has the object's name
 *
 * Return: 0; -EINVAL with @err set: there is no such one.
 */
int kv_object_choose(struct bpf_object *object, const char *program, struct kv_err *err);

/* kv_object_open() - kv_object_parse() and kv_object_choose() */
int kv_object_open(const char *name, const char *program, const void *data, size_t size,
		   struct kv_types *types, struct bpf_object **object, struct kv_err *err);

/* kv_object_has_view() - does it declare a view? Otherwise its iterators print what they like */
bool kv_object_has_view(const struct bpf_object *object);

/**
 * kv_object_next_iterator() - the iterators of an object, one by one
 * @last: of the last call; NULL: the first is asked for
 *
 * Return: the program's name; NULL: there is no other.
 */
const char *kv_object_next_iterator(const struct bpf_object *object, const char *last);

/*
 * KV_KIND_CALL - the kind of a program that walks by itself, each time it is called
 *
 * It is in the section "call", and its records are spooled. It has no link.
 */
#define KV_KIND_CALL "call"

/* kv_object_kind() - the kind of the chosen iterator: "task_file"; or KV_KIND_CALL */
const char *kv_object_kind(const struct bpf_object *object);

/* kv_object_others() - its other programs, "count (tp_btf/sched_switch)", to be freed; or NULL */
char *kv_object_others(const struct bpf_object *object);

/**
 * kv_object_load() - load the chosen iterator of an object, and make a link of it
 * @schema: of a view; NULL for others, which have no column table
 * @fingerprint: goes into the table; 0: no pin is made, so that only registered readers get rows.
 *	Without the code for others the verifier is done sooner
 * @loaded: on success the caller closes the descriptors
 *
 * An iterator over a map's elements has no link: each iteration makes one, of its map.
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
	enum kv_param param; /* which one there is */
	union bpf_iter_link_info info;
};

/*
 * kv_link_process(), kv_link_thread() - a process with all its threads, or one thread alone;
 * 0: all. The kernel looks the task up, so others cost nothing.
 */
struct kv_link kv_link_process(pid_t pid);
struct kv_link kv_link_thread(pid_t tid);

/* kv_link_map() - @fd must stay open until the iteration has begun, here and below */
struct kv_link kv_link_map(int fd);

/* kv_link_cgroup() - a cgroup and all below it, parents first */
struct kv_link kv_link_cgroup(int fd);

/**
 * kv_loaded_iter() - begin an iteration
 *
 * The kernel does not look whether there is such a process or thread: without one there is no
 * object.
 *
 * Return: the iterator's descriptor, to be closed, or -errno.
 */
int kv_loaded_iter(const struct kv_loaded *loaded, const struct kv_link *link);

#endif
