/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's types for libbpf: an excerpt of its BTF for each object.
 *
 * libbpf searches all types of the kernel, more than 100000, for each type that an object
 * names. The excerpt for an object holds these types alone, and is made in less time than two
 * such searches take. It also holds types of a few modules, if they are loaded. Its ids are
 * its own, so it is of no use to an object that needs ids of the kernel.
 */
#ifndef KVIEW_LOAD_TYPES_H
#define KVIEW_LOAD_TYPES_H

#include <stdbool.h>
#include <stdint.h>

struct btf;
struct kv_types;

/**
 * kv_types_new() - types to make excerpts of
 * @kernel: freed with them, or at once on failure; NULL: the running kernel's, which are read
 *	  when they are needed
 *
 * Return: to be freed with kv_types_free(), or NULL: out of memory.
 */
struct kv_types *kv_types_new(struct btf *kernel);

/* kv_types_drop() - free the memory; the kernel's types are read again when they are needed */
void kv_types_drop(struct kv_types *types);

/* Both do nothing with NULL. */
void kv_types_free(struct kv_types *types);

/* kv_types_has_function() - is there a function of that name? Not before kv_types_path() */
bool kv_types_has_function(const struct kv_types *types, const char *name);

/* kv_types_modules() - a bit for each module that is loaded and has types that excerpts take */
uint64_t kv_types_modules(void);

/**
 * kv_types_path() - a file for bpf_object_open_opts.btf_custom_path
 *
 * libbpf reads the file when it loads the object. The name is valid until kv_types_drop().
 *
 * Return: NULL: the types can't be read, and libbpf does without.
 */
const char *kv_types_path(struct kv_types *types);

/**
 * kv_types_offer() - write the excerpt for an object into that file
 * @wanted: the object's BTF
 *
 * Return: 0 or -errno.
 */
int kv_types_offer(struct kv_types *types, const struct btf *wanted);

/**
 * kv_types_excerpt() - all types whose names are in @wanted
 *
 * NAME___FLAVOUR counts as NAME. The types that a type consists of come with it; the type
 * that a pointer points to does not, since no relocation needs it. A member that is a number
 * in @wanted, and a bit-field or a number of another size in the kernel, loses its name: a
 * program that needs it must not load.
 *
 * Return: to be freed with btf__free(), or NULL with errno set.
 */
struct btf *kv_types_excerpt(const struct kv_types *types, const struct btf *wanted);

#endif
