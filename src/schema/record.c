// SPDX-License-Identifier: GPL-2.0-only
#include "schema/record.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "schema/names.h"

/*
 * Strings lie behind the fixed part and share no bytes: so their lengths add
 * up to no more than @room, and a row's size is bounded by its record's.
 */
static int check_string(const struct kv_schema *schema, const struct kv_column *col,
			const char *record, uint32_t len, uint32_t *room, struct kv_err *err)
{
	struct kv_str s;

	memcpy(&s, record + col->off, sizeof(s));
	if (s.off == KV_STR_NONE || s.off >= KV_STR_BUSY)
		return 0;
	if (s.off < schema->fixed || (uint32_t)s.off + s.len > len || s.len > *room)
		return kv_err_set(err, -EBADMSG, "malformed record: column '%s' points outside it",
				  col->name);
	*room -= s.len;
	return 0;
}

int kv_record_check(const struct kv_schema *schema, const void *p, size_t avail, struct kv_err *err)
{
	const uint32_t most = schema->whose ? KV_FILLED_MAX : KV_RECORD_MAX;
	struct kv_head head;
	uint32_t room;
	int rc;

	if (avail < sizeof(head))
		return 0;
	memcpy(&head, p, sizeof(head));
	if (head.len < schema->fixed || head.len > most)
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

static const struct kv_string no_value;

static struct kv_string string(const struct kv_column *col, const unsigned char *record)
{
	struct kv_str s;

	memcpy(&s, record + col->off, sizeof(s));
	if (s.off == KV_STR_NONE)
		return no_value;
	if (s.off == KV_STR_TOO_LONG)
		return constant("(too long)");
	if (s.off == KV_STR_UNREADABLE)
		return constant("(unreadable)");
	if (s.off == KV_STR_BUSY)
		return constant("(busy)");
	return (struct kv_string){record + s.off, s.len};
}

/* As inet_ntop(), which takes a sixth of the time of a whole row of a socket. */
static struct kv_string ipv4(const unsigned char bytes[4], char *value)
{
	char *end = value;

	for (unsigned int i = 0; i < 4; i++) {
		unsigned int n = bytes[i];

		if (i)
			*end++ = '.';
		if (n >= 100)
			*end++ = (char)('0' + n / 100);
		if (n >= 10)
			*end++ = (char)('0' + n / 10 % 10);
		*end++ = (char)('0' + n % 10);
	}
	return (struct kv_string){(unsigned char *)value, (size_t)(end - value)};
}

static struct kv_string number(const unsigned char *bytes, char *value)
{
	uint32_t n;

	memcpy(&n, bytes, sizeof(n));
	return (struct kv_string){(unsigned char *)value, (size_t)sprintf(value, "%u", n)};
}

static struct kv_string address(const unsigned char *p, char *value)
{
	struct kv_ip ip;

	memcpy(&ip, p, sizeof(ip));
	if (!ip.family)
		return no_value;
	if (ip.family == 4)
		return ipv4(ip.bytes, value);
	if (ip.family == KV_IP_NUMBER)
		return number(ip.bytes, value);
	if (ip.family != 6)
		return constant("(unreadable)");
	return constant(inet_ntop(AF_INET6, ip.bytes, value, KV_VALUE_MAX));
}

static struct kv_string bytes(const struct kv_column *col, const unsigned char *p, char *value)
{
	for (size_t i = 0; i < col->size; i++) {
		value[2 * i] = "0123456789abcdef"[p[i] >> 4];
		value[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
	}
	return (struct kv_string){(unsigned char *)value, 2u * col->size};
}

static struct kv_string enumerator(const struct kv_column *col, const void *record, char *value)
{
	uint64_t v = kv_record_number(col, record);
	uint64_t mask = col->size < 8 ? (UINT64_C(1) << (col->size * 8)) - 1 : UINT64_MAX;
	const char *name = kv_names_find(col->names, v & mask);

	if (kv_record_is_none(col, v))
		return no_value;
	if (name)
		return constant(name);
	snprintf(value, KV_VALUE_MAX, col->type == KV_TYPE_INT ? "%jd" : "%ju", (uintmax_t)v);
	return constant(value);
}

struct kv_string kv_record_string(const struct kv_column *col, const void *record,
				  char value[KV_VALUE_MAX])
{
	const unsigned char *p = (const unsigned char *)record + col->off;
	size_t n;

	if (col->lacks)
		return no_value;
	switch (col->type) {
	case KV_TYPE_CHARS:
		n = strnlen((const char *)p, col->size);
		return (struct kv_string){n ? p : NULL, n};
	case KV_TYPE_STR:
		return string(col, record);
	case KV_TYPE_IP:
		return address(p, value);
	case KV_TYPE_BYTES:
		return bytes(col, p, value);
	default:
		return enumerator(col, record, value);
	}
}
