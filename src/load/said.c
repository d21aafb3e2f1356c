// SPDX-License-Identifier: GPL-2.0-only
#include "load/said.h"

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* The first line of libbpf's first warning, which tells the cause of a failure. */
static _Thread_local char first_warning[256];

/* The type or member that the kernel's types lack, and that a program needs. */
static _Thread_local char lacking[128];

static _Thread_local char verdict[512];

/* The verifier's whole log, which belongs to this file. */
static _Thread_local char *whole;

/* A function of the kernel that a program calls: bpf_object__resolve_ksym_func_btf_id(). */
static void find_lacking_function(const char *warning)
{
	static const char words[] = "extern (func ksym) '";
	const char *at = strstr(warning, words);
	char name[120];

	if (at && strstr(at, "not found") && sscanf(at + strlen(words), "%119[^']", name) == 1)
		snprintf(lacking, sizeof(lacking), "%s()", name);
}

/*
 * libbpf has put it into the verifier's log since 1.0 (fixup_log_failed_core_relo()): "failed
 * to resolve CO-RE relocation <byte_off> [12] struct task_struct___new.__state (0:0 @ offset
 * 0)". The flavour is left out of the answer.
 */
static void find_lacking(const char *log)
{
	static const char words[] = "failed to resolve CO-RE relocation <";
	const char *at = strstr(log, words);
	char *flavour;

	if (!at || sscanf(at + strlen(words), "%*[^>]> [%*u] %*s %127s", lacking) != 1)
		return;
	flavour = strstr(lacking, "___");
	if (flavour) {
		at = flavour + strcspn(flavour, ".:");
		memmove(flavour, at, strlen(at) + 1);
	}
}

/* The last line from @log on that ends before @end, and that @wanted says yes to; or NULL. */
static const char *last_line(const char *log, const char *end, bool (*wanted)(const char *line))
{
	const char *found = NULL;

	for (const char *line = log; line && line < end; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (line < end && wanted(line))
			found = line;
	}
	return found;
}

static bool is_source(const char *line)
{
	return line[0] == ';' && line[1] == ' ';
}

/* Not the program's text or the verifier's state. */
static bool is_message(const char *line)
{
	return *line && *line != '\n' && *line != ';' && (*line < '0' || *line > '9') &&
	       strncmp(line, "processed ", 10) != 0 &&
	       strncmp(line, "verification time", 17) != 0 && strncmp(line, "stack depth", 11) != 0;
}

/*
 * libbpf prints the log between two lines of its own. The verifier's log is the program's source
 * lines ("; x = y->z; @ view.bpf.c:12", with the place since 6.9), its instructions with their
 * numbers, and at the end the message.
 */
static void find_verdict(const char *log)
{
	static const char begin[] = "-- BEGIN PROG LOAD LOG --\n";
	const char *at = strstr(log, begin), *end, *message, *source;

	if (!at)
		return;
	at += strlen(begin);
	end = strstr(at, "-- END PROG LOAD LOG --");
	end = end ? end : at + strlen(at);
	free(whole);
	whole = strndup(at, (size_t)(end - at));
	message = last_line(at, end, is_message);
	if (!message)
		return;
	source = last_line(at, message, is_source);
	snprintf(verdict, sizeof(verdict), "%.*s%s%.*s", (int)strcspn(message, "\n"), message,
		 source ? ", at: " : "", source ? (int)strcspn(source + 2, "\n") : 0,
		 source ? source + 2 : "");
}

__attribute__((format(printf, 2, 0))) static int keep_warning(enum libbpf_print_level level,
							      const char *fmt, va_list ap)
{
	_cleanup_free_ char *text = NULL;

	if (getenv("KVIEW_DEBUG")) { /* authors of views want every word */
		va_list copy;

		va_copy(copy, ap);
		vfprintf(stderr, fmt, copy);
		va_end(copy);
	}
	if (level != LIBBPF_WARN)
		return 0;
	if (vasprintf(&text, fmt, ap) < 0) {
		text = NULL;
		return 0;
	}
	if (!lacking[0])
		find_lacking(text);
	if (!lacking[0])
		find_lacking_function(text);
	if (!verdict[0])
		find_verdict(text);
	if (!first_warning[0])
		snprintf(first_warning, sizeof(first_warning), "%.*s", (int)strcspn(text, "\n"),
			 text);
	return 0;
}

void kv_libbpf_log_init(void)
{
	libbpf_set_print(keep_warning);
}

void kv_said_clear(void)
{
	first_warning[0] = lacking[0] = verdict[0] = '\0';
	free(whole);
	whole = NULL;
}

const char *kv_said_warning(void)
{
	return first_warning;
}

const char *kv_said_lacks(void)
{
	return lacking;
}

const char *kv_said_log(void)
{
	return whole ? whole : "";
}

const char *kv_said_verdict(void)
{
	return verdict;
}
