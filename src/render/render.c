// SPDX-License-Identifier: GPL-2.0-only
#include "render/render.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "render/histogram.h"
#include "render/number.h"
#include "schema/names.h"

const struct kv_format *const kv_formats[] = {
	&kv_format_text,
	&kv_format_json,
	&kv_format_csv,
	NULL,
};

const struct kv_format *kv_format_find(const char *name)
{
	for (const struct kv_format *const *f = kv_formats; *f; f++)
		if (strcmp((*f)->name, name) == 0)
			return *f;
	return NULL;
}

bool kv_format_is_dir(const char *name)
{
	for (const struct kv_format *const *f = kv_formats; *f; f++)
		if (*(*f)->dir && strcmp((*f)->dir, name) == 0)
			return true;
	return false;
}

void kv_format_names(const char *link, char names[KV_FORMAT_NAMES])
{
	size_t n = 0;

	for (const struct kv_format *const *f = kv_formats; *f && n < KV_FORMAT_NAMES; f++)
		n += (size_t)snprintf(names + n, KV_FORMAT_NAMES - n, "%s%s",
				      !n     ? ""
				      : f[1] ? ", "
					     : link,
				      (*f)->name);
}

static void begin_plan(struct kv_plan *plan, const struct kv_schema *schema)
{
	plan->schema = schema;
	plan->ncolumns = 0;
	plan->header_bound = 2;
}

/* Names of enums and bounds of buckets are not in the record, so its length says nothing of them. */
static void add_column(struct kv_plan *plan, const struct kv_column *col)
{
	struct kv_key *key = &plan->keys[plan->ncolumns];
	size_t n = strlen(col->name);

	_Static_assert(KV_COLUMN_NAME - 1 + 4 <= sizeof(key->text), "a key of a view fits");
	key->len = 0;
	if (n + 4 <= sizeof(key->text)) {
		memcpy(key->text, ",\"", 2);
		memcpy(key->text + 2, col->name, n);
		memcpy(key->text + 2 + n, "\":", 2);
		key->len = (uint8_t)(n + 4);
	}
	plan->header_bound += col->width + KV_COLUMN_NAME + n + 1u;
	plan->header_bound += col->names ? col->names->longest : 0;
	plan->header_bound += (size_t)kv_column_buckets(col) * KV_BUCKET_MAX;
	plan->columns[plan->ncolumns++] = col;
}

void kv_plan_all(struct kv_plan *plan, const struct kv_schema *schema)
{
	begin_plan(plan, schema);
	for (unsigned int i = 0; i < schema->ncolumns; i++)
		add_column(plan, &schema->columns[i]);
}

static int pick_one(struct kv_plan *plan, const char *name, size_t len, struct kv_err *err)
{
	int i = kv_schema_find(plan->schema, name, len);

	if (i < 0) {
		kv_err_set(err, -EINVAL, "no column '%.*s'", (int)(len < 64 ? len : 64), name);
		kv_err_hint(err, "`kview schema VIEW` lists the columns");
		return -EINVAL;
	}
	for (unsigned int j = 0; j < plan->ncolumns; j++)
		if (plan->columns[j] == &plan->schema->columns[i])
			return kv_err_set(err, -EINVAL, "column '%.*s' is named twice", (int)len,
					  name);
	add_column(plan, &plan->schema->columns[i]);
	return 0;
}

int kv_plan_pick(struct kv_plan *plan, const struct kv_schema *schema, const char *list,
		 struct kv_err *err)
{
	begin_plan(plan, schema);
	for (;;) {
		size_t len = strcspn(list, ",");
		int rc = pick_one(plan, list, len, err);

		if (rc)
			return rc;
		if (!list[len])
			return 0;
		list += len + 1;
	}
}

uint64_t kv_plan_unwanted(const struct kv_plan *plan)
{
	uint64_t unwanted = UINT64_MAX;

	for (unsigned int i = 0; i < plan->ncolumns; i++)
		unwanted &= ~(1ULL << (plan->columns[i] - plan->schema->columns));
	return unwanted;
}

bool kv_plan_pass(const struct kv_plan *plan, unsigned int pass, struct kv_plan *part)
{
	begin_plan(part, plan->schema);
	for (unsigned int i = 0; i < plan->ncolumns; i++)
		if (plan->columns[i]->role == KV_ROLE_KEY)
			add_column(part, plan->columns[i]);
	for (unsigned int i = 0; i < plan->ncolumns; i++)
		if (plan->columns[i]->role > KV_ROLE_KEY && !pass--) {
			add_column(part, plan->columns[i]);
			return true;
		}
	return false;
}

size_t kv_header_bound(const struct kv_plan *plan)
{
	return plan->header_bound;
}

/*
 * Each byte of a record becomes at most 6 ("\u0001"); with each value come its
 * name in quotes, a separator, a number's digits and the padding to its width.
 */
size_t kv_row_bound(const struct kv_plan *plan, size_t record_len)
{
	return record_len * 6 + plan->ncolumns * (KV_NUMBER_MAX + KV_COLUMN_NAME + 8u) +
	       kv_header_bound(plan);
}

char *kv_schema_put(const struct kv_schema *schema)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	for (unsigned int i = 0; i < schema->ncolumns; i++) {
		const struct kv_column *col = &schema->columns[i];

		fprintf(f, "%s\t%s\t%s\t%s", col->name, kv_column_type_name(col),
			*col->unit ? col->unit : "-", *col->meaning ? col->meaning : "-");
		if (col->lacks)
			fprintf(f, " (no value: %s)", kv_column_why_lacks(col));
		fprintf(f, "\t%s\n", kv_column_role_name(col));
	}
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

bool kv_schema_put_lacking(const struct kv_schema *schema, char *text, size_t size)
{
	size_t n = 0;

	for (unsigned int i = 0; i < schema->ncolumns && n < size; i++)
		if (schema->columns[i].lacks)
			n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "",
					      schema->columns[i].name);
	return n;
}
