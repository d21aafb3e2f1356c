/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Collectors: programs of a view's object that run as things happen, and fill the maps that the
 * view shows. They are attached while they are asked for. Who has the descriptors of their links
 * keeps them running.
 */
#ifndef KVIEW_LOAD_COLLECT_H
#define KVIEW_LOAD_COLLECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "kview/abi.h"

struct bpf_object;
struct bpf_program;
struct kv_views;

struct kv_collector {
	char *name;    /* of its program */
	char *section; /* "tp_btf/sched_switch" */
	bool is_spare; /* for kernels that refuse one of the others: its section began with ? */
	int link_fd;   /* -1: it is not attached */
	int prog_fd;   /* likewise */
	char *why;     /* this kernel refuses it; or NULL */
};

/* What is done with them when the view is loaded. */
enum kv_collecting {
	KV_COLLECT_NOT,
	KV_COLLECT_LOAD, /* to learn which of them this kernel refuses; none runs */
	KV_COLLECT_RUN,	 /* they are attached */
};

/* Zeroed: a view without any. */
struct kv_collectors {
	struct kv_collector *list;
	size_t n;
	enum kv_collecting wanted;
	int counts_fd; /* the map KV_COLLECTED_MAP, -1: there is none */
};

/* kv_is_collector() - is the program to be attached by kview? Its section says so */
bool kv_is_collector(const struct bpf_program *prog);

/**
 * kv_collectors_find() - the collectors of an object, of which no program was chosen yet
 * @c: on success to be freed with kv_collectors_free()
 *
 * Return: 0 or -ENOMEM.
 */
int kv_collectors_find(const struct bpf_object *object, struct kv_collectors *c);

void kv_collectors_free(struct kv_collectors *c);

/* kv_collector_is_needed() - false: it is a spare one, and no other has been refused */
bool kv_collector_is_needed(const struct kv_collectors *c, const struct kv_collector *collector);

/* kv_collectors_choose() - those that are wanted and needed, and not refused, are loaded */
void kv_collectors_choose(const struct kv_collectors *c, struct bpf_object *object);

/**
 * kv_collectors_try() - find out which of them this kernel refuses, and why
 * @open: makes the object anew
 *
 * Return: true: it refuses one that it was not known to refuse.
 */
bool kv_collectors_try(struct kv_collectors *c, struct bpf_object *(*open)(const void *arg),
		       const void *arg);

/**
 * kv_collectors_attach() - as it is wanted, of an object that is loaded
 *
 * One that can't be attached is left out, as long as there are others. Those whose names begin
 * with kv_ keep the rows in order and count nothing: they are needed, and not enough.
 *
 * Return: 0 or -errno with @err set: this kernel refuses all of them, or one that is needed.
 */
int kv_collectors_attach(struct kv_collectors *c, const struct bpf_object *object,
			 struct kv_err *err);

/* kv_collectors_detach() - close the descriptors: without a pin they do not run any more */
void kv_collectors_detach(struct kv_collectors *c);

/* kv_collectors_run() - is one attached? */
bool kv_collectors_run(const struct kv_collectors *c);

/* kv_collectors_are_on() - do they run, or are they to? */
static inline bool kv_collectors_are_on(const struct kv_collectors *c)
{
	return c->wanted == KV_COLLECT_RUN || kv_collectors_run(c);
}

/**
 * kv_views_collect() - ask for the collectors of views
 * @names: of views, as "exits+traffic"; or "all"
 *
 * Return: 0; -EINVAL with @err set: there is no such view, or it has no collectors.
 */
int kv_views_collect(const struct kv_views *views, const char *names, struct kv_err *err);

/* What a collector has done. */
struct kv_collector_use {
	uint64_t runs, ns; /* 0: statistics are off (sysctl kernel.bpf_stats_enabled) */
	uint64_t missed;   /* calls that the kernel left out, since the program was running there */
};

/* kv_collector_use() - false: it is not attached */
bool kv_collector_use(const struct kv_collector *collector, struct kv_collector_use *use);

/* kv_collectors_counts() - false: the object does not count */
bool kv_collectors_counts(const struct kv_collectors *c, struct kv_collected *counts);

#endif
