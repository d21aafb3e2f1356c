/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Directories with a member for each object of a kind: pid/ has one for each process, map/ for each
 * BPF map. A member of pid/ is a directory of files, whose rows are of that object; one of map/ is
 * several files beside each other. A group says which members there are and for whom; the tree has
 * the files of a member, and inode numbers, listings and requests are the same for all groups.
 *
 * To add a group: a file like pids.c that fills in struct kv_group, its declaration below, an entry
 * in kv_groups (pids.c), and its name among those that views may not have (src/load/view.c).
 */
#ifndef KVIEW_FS_GROUP_H
#define KVIEW_FS_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "access/reader.h"
#include "load/view.h"
#include "stream/run.h"

#define KV_KEY_BITS 48 /* the rest of an inode number is the node's index, see tree.h */

struct kv_member {
	/*
	 * Of KV_KEY_BITS, and not 0. No other member has it, nor a later object of the same name.
	 * It means the same to the next worker.
	 */
	uint64_t key;
	uint64_t position; /* below 2^40; a listing is in this order, and continues behind it */
	char name[32];	   /* of files what their names begin with */
	char alias[32];	   /* of files: a name that tells more; "": it has none */
	uint32_t type;	   /* of files: for has_file() */
	bool is_hidden;	   /* the reader may see the name, and nothing below it */
	struct kv_subset subset;
};

struct kv_group {
	const char *name; /* of the directory, "pid" */

	/* Has the view rows of single objects of this kind? */
	bool (*has)(const struct kv_view *view);

	/*
	 * Each member is several files, those that has_file() says: one per format, one per raw
	 * iterator, and a link to the first. They are kernel-wide: not for everyone.
	 */
	bool of_files;

	/* Has the member the file of a raw iterator; or where @view is NULL, those of formats? */
	bool (*has_file)(const struct kv_member *member, const struct kv_view *view);

	/* May a member, or a file of one, have that name? Others are not looked for. */
	bool (*is_name)(const char *name);

	/*
	 * find(): the member of that name, or whose file may have it, for this reader. look(): the
	 * one that had this key, if it is still there and the reader may know of it; a member of
	 * files may have gone. find() fills in all but @position, look() key and subset.
	 * Return: 0; -ENOENT: there is none; another -errno.
	 */
	int (*find)(const struct kv_host *host, const struct kv_reader *reader, const char *name,
		    struct kv_member *member);
	int (*look)(const struct kv_host *host, const struct kv_reader *reader, uint64_t key,
		    struct kv_member *member);

	/*
	 * list_new(): a listing for @reader, which on success is the listing's; NULL: out of
	 * memory. list_next(): the first member at @position or behind, with all but @subset.
	 * Return: 1; 0: the end; -errno. Several threads may call it at a time.
	 */
	void *(*list_new)(const struct kv_host *host, struct kv_reader *reader);
	int (*list_next)(void *list, uint64_t position, struct kv_member *member);
	void (*list_free)(void *list);

	/* A link in the directory to the reader's own member, "self"; NULL: there is none. */
	const char *self;
	/* The name that it leads to; false: the reader is no member of its own. */
	bool (*self_name)(const struct kv_reader *reader, char name[32]);
};

extern const struct kv_group kv_group_pids, kv_group_maps;
extern const struct kv_group *const kv_groups[]; /* ends with NULL */

#endif
