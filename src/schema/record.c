// SPDX-License-Identifier: GPL-2.0-only
#include "schema/record.h"

#include <errno.h>

/*
 * Strings lie behind the fixed part and share no bytes: so their lengths add
 * up to no more than @room, and a row's size is bounded by its record's.
 */
static int check_string(const struct kv_schema *schema, const struct kv_column *col,
			const char *record, uint32_t len, uint32_t *room, struct kv_err *err)
{
	struct kv_str s;

	memcpy(&s, record + col->off, sizeof(s));
	if (s.off == KV_STR_NONE || s.off == KV_STR_UNREADABLE || s.off == KV_STR_TOO_LONG)
		return 0;
	if (s.off < schema->fixed || (uint32_t)s.off + s.len > len || s.len > *room)
		return kv_err_set(err, -EBADMSG, "malformed record: column '%s' points outside it",
				  col->name);
	*room -= s.len;
	return 0;
}

int kv_record_check(const struct kv_schema *schema, const void *p, size_t avail, struct kv_err *err)
{
	struct kv_head head;
	uint32_t room;
	int rc;

	if (avail < sizeof(head))
		return 0;
	memcpy(&head, p, sizeof(head));
	if (head.len < schema->fixed || head.len > KV_RECORD_MAX)
		return kv_err_set(err, -EBADMSG, "malformed record: it says it has %u bytes",
				  head.len);
	if (avail < head.len)
		return 0;
	room = head.len - schema->fixed;
	for (uint64_t left = schema->strings; left; left &= left - 1) {
		rc = check_string(schema, &schema->columns[__builtin_ctzll(left)], p, head.len,
				  &room, err);
		if (rc)
			return rc;
	}
	return (int)head.len;
}

static struct kv_string constant(const char *text)
{
	return (struct kv_string){(const unsigned char *)text, strlen(text)};
}

struct kv_string kv_record_string(const struct kv_column *col, const void *record)
{
	const unsigned char *p = (const unsigned char *)record + col->off;
	struct kv_str s;

	if (col->lacks)
		return (struct kv_string){NULL, 0};
	if (col->type == KV_TYPE_CHARS) {
		size_t n = strnlen((const char *)p, col->size);

		return (struct kv_string){n ? p : NULL, n};
	}
	memcpy(&s, p, sizeof(s));
	if (s.off == KV_STR_NONE)
		return (struct kv_string){NULL, 0};
	if (s.off == KV_STR_TOO_LONG)
		return constant("(too long)");
	if (s.off == KV_STR_UNREADABLE)
		return constant("(unreadable)");
	return (struct kv_string){(const unsigned char *)record + s.off, s.len};
}
