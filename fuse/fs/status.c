// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/fs/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "stream/file.h"
#include "access/process.h"

static double uptime(const struct kv_server *s)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (double)(now.tv_sec - s->began.tv_sec) +
	       (double)(now.tv_nsec - s->began.tv_nsec) / 1e9;
}

/* The number that the reader knows the process by; in a container of its own there is none. */
static void put_process(FILE *out, const char *name, pid_t pid, const struct kv_server *s,
			const struct kv_reader *reader)
{
	struct kv_process process;

	if (kv_process_look(&s->host, reader, pid, &process) == 0)
		fprintf(out, "%s\t%d\n", name, (int)process.nr);
	else
		fprintf(out, "%s\t-\n", name);
}

static void put_mount(FILE *out, const struct kv_server *s, const struct kv_reader *reader)
{
	static const char *const hidepid[] = {"0", "1", "2"};

	fprintf(out, "version\t%s\n", KVIEW_VERSION);
	fprintf(out, "uptime\t%.3f\n", uptime(s));
	put_process(out, "holder", s->supervisor, s, reader);
	put_process(out, "worker", getpid(), s, reader);
	fprintf(out, "restarts\t%u\n", s->facts->restarts);
	fprintf(out, "dying_workers\t%u\n", s->facts->dying);
	fprintf(out, "seccomp\t%s\n", s->is_filtered ? "filter" : "none");
	fprintf(out, "view\t%s\n", s->host.policy.host_view ? "host" : "reader");
	fprintf(out, "hidepid\t%s\n", hidepid[s->host.policy.hidepid]);
	fprintf(out, "resend\t%s\n", s->facts->resends ? "yes" : "no");
	fprintf(out, "perfmon_reads_maps\t%s\n", s->host.perfmon_reads_maps ? "yes" : "no");
}

static void put_use(FILE *out, struct kv_server *s)
{
	struct kv_sched_counts counts;

	kv_sched_count(&s->sched, &counts);
	fprintf(out, "open_files\t%u\n", kv_handles_count(&s->files));
	fprintf(out, "max_files\t%u\n", s->limits.all);
	fprintf(out, "max_user_files\t%u\n", s->limits.each);
	fprintf(out, "cpu\t%u\n", s->cpu_percent);
	fprintf(out, "open_listings\t%u\n", kv_handles_count(&s->dirs));
	fprintf(out, "reads_running\t%u\n", counts.running);
	fprintf(out, "reads_waiting\t%u\n", counts.waiting);
	fprintf(out, "reads_stuck\t%u\n", counts.stuck);
}

static void put_view(FILE *out, const struct kv_view *view, const struct kv_counters *c)
{
	fprintf(out, "%s.iterator\t%s\n", view->name, view->is_loaded ? view->kind : "-");
	fprintf(out, "%s.reads\t%llu\n", view->name, atomic_load(&c->reads));
	fprintf(out, "%s.rows\t%llu\n", view->name, atomic_load(&c->rows));
	fprintf(out, "%s.bytes\t%llu\n", view->name, atomic_load(&c->bytes));
	fprintf(out, "%s.errors\t%llu\n", view->name, atomic_load(&c->errors));
}

static void put_collectors(FILE *out, const struct kv_view *view)
{
	struct kv_collected counts;

	for (size_t i = 0; i < view->collectors.n; i++) {
		const struct kv_collector *c = &view->collectors.list[i];
		struct kv_collector_use use;
		bool runs = kv_collector_use(c, &use);

		fprintf(out, "%s.%s.attached\t%s\n", view->name, c->name, runs ? "yes" : "no");
		if (!runs)
			continue;
		fprintf(out, "%s.%s.runs\t%ju\n", view->name, c->name, (uintmax_t)use.runs);
		fprintf(out, "%s.%s.ns\t%ju\n", view->name, c->name, (uintmax_t)use.ns);
		fprintf(out, "%s.%s.missed\t%ju\n", view->name, c->name, (uintmax_t)use.missed);
	}
	if (!kv_collectors_counts(&view->collectors, &counts))
		return;
	fprintf(out, "%s.collected\t%ju\n", view->name, (uintmax_t)counts.used);
	fprintf(out, "%s.dropped\t%ju\n", view->name, (uintmax_t)counts.dropped);
}

char *kv_status_text(const void *server, const struct kv_reader *reader)
{
	struct kv_server *s = (struct kv_server *)server;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	put_mount(out, s, reader);
	put_use(out, s);
	for (size_t i = 0; i < s->views->n; i++) {
		put_view(out, &s->views->list[i], &s->counters[i]);
		put_collectors(out, &s->views->list[i]);
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
