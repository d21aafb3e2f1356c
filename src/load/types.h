/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's types, found by name.
 *
 * libbpf looks for each type that an object names by going through all types of
 * the kernel, of which there are more than 100000. An excerpt that has these
 * types alone is made in less time than two such searches take. It holds types of a
 * few modules, if they are there, and its ids are its own: it is for objects that ask
 * for no others.
 */
#ifndef KVIEW_LOAD_TYPES_H
#define KVIEW_LOAD_TYPES_H

#include <stdint.h>

struct btf;
struct kv_types;

/**
 * kv_types_new() - of the running kernel; nothing is read yet
 *
 * Return: to be freed with kv_types_free(), or NULL: out of memory.
 */
struct kv_types *kv_types_new(void);

/* kv_types_modules() - which of these modules are there: each that comes changes it */
uint64_t kv_types_modules(void);

/* kv_types_of() - the same of @kernel, which is freed with them, or at once */
struct kv_types *kv_types_of(struct btf *kernel);

/* kv_types_drop() - give the memory back; what is asked later is read anew */
void kv_types_drop(struct kv_types *types);

/* Both do nothing with NULL. */
void kv_types_free(struct kv_types *types);

/**
 * kv_types_path() - a file for bpf_object_open_opts.btf_custom_path
 *
 * Valid until the types are dropped; libbpf reads it as it loads the object.
 *
 * Return: NULL if there is none: libbpf does without.
 */
const char *kv_types_path(struct kv_types *types);

/**
 * kv_types_offer() - have the file hold what an object's relocations can ask for
 * @wanted: the object's own types: theirs are the names
 *
 * Return: 0 or -errno.
 */
int kv_types_offer(struct kv_types *types, const struct btf *wanted);

/**
 * kv_types_excerpt() - all types of the names in @wanted
 *
 * Flavours (NAME___FLAVOUR) are the same name. With them goes what they consist
 * of; what a pointer points to does not: no relocation asks for it. A member that is a
 * number in @wanted and of another size in the kernel, or a bit-field, has no name here, so
 * that no program loads that would take it for something else.
 *
 * Return: to be freed with btf__free(), or NULL with errno set.
 */
struct btf *kv_types_excerpt(const struct kv_types *types, const struct btf *wanted);

#endif
