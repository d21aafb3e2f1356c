// SPDX-License-Identifier: GPL-2.0-only
/* UTF-8 lengths against iconv, which has its own decoder and encoder. */
#include <iconv.h>

#include "base/utf8.h"
#include "unit.h"

#define LAST 0x10ffffu

static bool is_surrogate(uint32_t c)
{
	return c >= 0xd800 && c <= 0xdfff;
}

static size_t encode(iconv_t cd, uint32_t c, unsigned char *out)
{
	char *from = (char *)&c, *to = (char *)out;
	size_t in = sizeof(c), room = 4;

	return iconv(cd, &from, &in, &to, &room) == (size_t)-1 ? 0 : 4 - room;
}

/* Bytes of the one character at the start, 0 for none. */
static size_t decode_length(iconv_t cd, const unsigned char *p, size_t n)
{
	for (size_t len = 1; len <= n && len <= 4; len++) {
		char *from = (char *)p, *to;
		size_t in = len, room = 4;
		uint32_t c;

		to = (char *)&c;
		iconv(cd, NULL, NULL, NULL, NULL);
		if (iconv(cd, &from, &in, &to, &room) != (size_t)-1 && !in && !room)
			return len;
	}
	return 0;
}

static void one_byte_is_a_character_only_if_ascii(void **state)
{
	(void)state;
	for (unsigned int c = 0; c < 256; c++) {
		unsigned char b = (unsigned char)c;

		assert_int_equal(kv_utf8_length(&b, 1), c < 0x80);
	}
}

static void two_bytes_agree_with_iconv(void **state)
{
	iconv_t cd = iconv_open("UTF-32LE", "UTF-8");

	(void)state;
	for (unsigned int v = 0; v < 0x10000; v++) {
		unsigned char b[2] = {(unsigned char)(v >> 8), (unsigned char)v};

		assert_int_equal(kv_utf8_length(b, 2), decode_length(cd, b, 2));
	}
	iconv_close(cd);
}

static void three_bytes_are_characters_only_if_iconv_encodes_some_so(void **state)
{
	iconv_t cd = iconv_open("UTF-8", "UTF-32LE");
	unsigned char *valid = calloc(1 << 24, 1), b[4];

	(void)state;
	for (uint32_t c = 0x800; c < 0x10000; c++)
		if (!is_surrogate(c) && encode(cd, c, b) == 3)
			valid[b[0] << 16 | b[1] << 8 | b[2]] = 3;
	for (uint32_t v = 0; v < 1 << 24; v++) {
		b[0] = (unsigned char)(v >> 16);
		b[1] = (unsigned char)(v >> 8);
		b[2] = (unsigned char)v;
		if (b[0] >= 0xe0 && kv_utf8_length(b, 3) != valid[v])
			fail_msg("%02x %02x %02x", b[0], b[1], b[2]);
	}
	free(valid);
	iconv_close(cd);
}

static void four_bytes_agree_with_iconv_at_every_edge(void **state)
{
	static const unsigned char edges[] = {0x00, 0x41, 0x7f, 0x80, 0xbf, 0xc0, 0xff};
	iconv_t cd = iconv_open("UTF-32LE", "UTF-8");

	(void)state;
	for (unsigned int v = 0xe000; v < 0x10000; v++) {
		for (size_t i = 0; i < ARRAY_SIZE(edges) * ARRAY_SIZE(edges); i++) {
			unsigned char b[4] = {(unsigned char)(v >> 8), (unsigned char)v,
					      edges[i / ARRAY_SIZE(edges)],
					      edges[i % ARRAY_SIZE(edges)]};

			if (kv_utf8_length(b, 4) != decode_length(cd, b, 4))
				fail_msg("%02x %02x %02x %02x", b[0], b[1], b[2], b[3]);
		}
	}
	iconv_close(cd);
}

static void random_bytes_agree_with_iconv(void **state)
{
	iconv_t cd = iconv_open("UTF-32LE", "UTF-8");
	uint64_t seed = 42;

	(void)state;
	for (int i = 0; i < 500000; i++) {
		uint32_t v = (uint32_t)noise(&seed) | (i & 1 ? 0x808080e0 : 0);
		unsigned char b[4];

		memcpy(b, &v, 4);
		if (kv_utf8_length(b, 4) != decode_length(cd, b, 4))
			fail_msg("%02x %02x %02x %02x", b[0], b[1], b[2], b[3]);
	}
	iconv_close(cd);
}

static void every_character_is_found_whole(void **state)
{
	iconv_t cd = iconv_open("UTF-8", "UTF-32LE");
	unsigned char b[4];

	(void)state;
	for (uint32_t c = 0; c <= LAST; c++) {
		size_t n = is_surrogate(c) ? 0 : encode(cd, c, b);

		if (n && kv_utf8_length(b, n) != n)
			fail_msg("U+%04X", c);
	}
	iconv_close(cd);
}

/* In memory of exactly its size: a sanitizer sees a step too far. */
static void a_cut_character_is_none(void **state)
{
	iconv_t cd = iconv_open("UTF-8", "UTF-32LE");
	unsigned char b[4];

	(void)state;
	for (uint32_t c = 0x80; c <= LAST; c += 97) {
		size_t n = is_surrogate(c) ? 0 : encode(cd, c, b);

		for (size_t cut = 1; cut < n; cut++) {
			unsigned char *part = malloc(cut);

			memcpy(part, b, cut);
			assert_int_equal(kv_utf8_length(part, cut), 0);
			free(part);
		}
	}
	iconv_close(cd);
}

static void bytes_behind_a_character_do_not_count(void **state)
{
	(void)state;
	assert_int_equal(kv_utf8_length((const unsigned char *)"a\xff\xff\xff", 4), 1);
	assert_int_equal(kv_utf8_length((const unsigned char *)"\xc3\xa4\xff\xff", 4), 2);
	assert_int_equal(kv_utf8_length((const unsigned char *)"\xe2\x82\xac\xff", 4), 3);
	assert_int_equal(kv_utf8_length((const unsigned char *)"\xf0\x9f\x98\x80\xff", 5), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_byte_is_a_character_only_if_ascii),
		cmocka_unit_test(two_bytes_agree_with_iconv),
		cmocka_unit_test(three_bytes_are_characters_only_if_iconv_encodes_some_so),
		cmocka_unit_test(four_bytes_agree_with_iconv_at_every_edge),
		cmocka_unit_test(random_bytes_agree_with_iconv),
		cmocka_unit_test(every_character_is_found_whole),
		cmocka_unit_test(a_cut_character_is_none),
		cmocka_unit_test(bytes_behind_a_character_do_not_count),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
