// SPDX-License-Identifier: GPL-2.0-only
/* Records that lie, under schemas as kv_schema_from_btf() makes them. */
#include "schema/names.h"
#include "rows_check.h"

static const char *const names[] = {"a", "pid", "a_long_name_of_23_chars"};

/* Made once. */
static struct kv_names *enumerators(void)
{
	static struct kv_names *names;

	if (names)
		return names;
	names = calloc(1, sizeof(*names) + 2 * sizeof(names->list[0]));
	names->n = 2;
	names->longest = 5;
	names->list[0] = (struct kv_name){1, "one"};
	names->list[1] = (struct kv_name){0xff, "minus"};
	return names;
}

/* A column where the last one ends, of a type and a show that go together. */
static void add_column(struct kv_schema *s, struct input *in, uint16_t *at)
{
	static const uint16_t sizes[] = {1, 2, 4, 8};
	struct kv_column *col = &s->columns[s->ncolumns];
	uint8_t what = in_8(in), how = in_8(in);

	*col = (struct kv_column){
		.name = (char *)names[how % COUNT(names)],
		.unit = (char *)"",
		.meaning = (char *)"",
		.type = (enum kv_type)(what % (KV_TYPE_HISTOGRAM + 1)),
		.off = *at,
		.size = sizes[what >> 2 & 3],
		.width = (uint16_t)(strlen(names[how % COUNT(names)]) + what % 64),
		.names = enumerators(),
	};
	if (col->type == KV_TYPE_CHARS || col->type == KV_TYPE_BYTES)
		col->size = (uint16_t)(1 + how % 64);
	if (col->type == KV_TYPE_BYTES)
		col->show = KV_SHOW_HEX;
	if (col->type == KV_TYPE_HISTOGRAM) {
		col->size = (uint16_t)(8 * (2 + how % 7));
		col->show = what & 0x40 ? KV_SHOW_SECONDS : KV_SHOW_DEC;
		col->first = (1 + (uint64_t)what) << how % 40;
	}
	if (col->type == KV_TYPE_IP)
		col->size = sizeof(struct kv_ip);
	if (col->type == KV_TYPE_STR) {
		col->size = sizeof(struct kv_str);
		col->show = how & 1 ? KV_SHOW_LIST : KV_SHOW_DEC;
	}
	if (col->type <= KV_TYPE_INT) {
		col->show = (enum kv_show)(how % (KV_SHOW_NAME + 1));
		col->has_none = what & 0x80;
		col->none = col->has_none ? (int8_t)in_8(in) : 0;
	}
	*at += col->size;
	s->strings |= (uint64_t)(col->type == KV_TYPE_STR) << s->ncolumns;
	s->ncolumns++;
}

static void make_schema(struct kv_schema *s, struct input *in)
{
	unsigned int n = 1u + in_8(in) % 24;
	uint16_t at = sizeof(struct kv_head);

	*s = (struct kv_schema){.shows = (char *)"", .since = (char *)""};
	while (s->ncolumns < n && at <= KV_FIXED_MAX - 64)
		add_column(s, in, &at);
	s->fixed = at;
}

/* The first record's length and strings as they should be: else few inputs get far. */
static void mend(const struct kv_schema *s, uint8_t *record, size_t len)
{
	struct kv_head head = {.len = (uint32_t)len};
	size_t at = s->fixed;

	memcpy(record, &head, sizeof(head));
	for (unsigned int i = 0; i < s->ncolumns; i++) {
		const struct kv_column *col = &s->columns[i];
		struct kv_str str;

		if (col->type != KV_TYPE_STR)
			continue;
		memcpy(&str, record + col->off, sizeof(str));
		if (str.off >= KV_STR_UNREADABLE || str.off == KV_STR_NONE)
			continue;
		str.off = (uint16_t)at;
		str.len = (uint16_t)(str.len % (len - at + 1));
		memcpy(record + col->off, &str, sizeof(str));
		at += str.len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size}, mended;
	struct kv_schema s;
	struct kv_plan plan;
	uint8_t *copy;
	bool is_mended = in_8(&in) & 1;

	make_schema(&s, &in);
	kv_plan_all(&plan, &s);
	check_plan(&plan, NULL, 0);
	size = in_left(&in) < KV_RECORD_MAX ? in_left(&in) : KV_RECORD_MAX;
	if (!is_mended || size < s.fixed) {
		check_records(&plan, &in);
		return 0;
	}
	copy = malloc(size);
	MUST(copy);
	memcpy(copy, in.at, size);
	mend(&s, copy, size);
	mended = (struct input){copy, copy + size};
	check_records(&plan, &mended);
	free(copy);
	return 0;
}
