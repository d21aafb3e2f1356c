// SPDX-License-Identifier: GPL-2.0-only
/* Digits of every kind, against printf where printf knows the kind. */
#include <inttypes.h>

#include "render/number.h"
#include "unit.h"

static void check_padded(const struct kv_column *col, uint64_t raw, const char *want,
			 unsigned int width)
{
	char out[KV_NUMBER_MAX + 40 + 8], padded[KV_NUMBER_MAX + 40];
	size_t n, len = (size_t)sprintf(padded, "%*s", (int)width, want);

	memset(out, '#', sizeof(out));
	n = (size_t)(kv_put_number(out, col, raw, width) - out);
	assert_bytes(out, n, padded, len);
	for (size_t i = KV_NUMBER_MAX + width; i < sizeof(out); i++)
		assert_int_equal(out[i], '#');
}

static void check(enum kv_type type, enum kv_show show, uint16_t size, uint64_t raw,
		  const char *want)
{
	const struct kv_column col = {.type = type, .show = show, .size = size};

	assert_true(strlen(want) <= KV_NUMBER_MAX);
	check_padded(&col, raw, want, 0);
	check_padded(&col, raw, want, 1 + raw % 40);
}

static void check_u64(uint64_t v)
{
	char want[32];

	snprintf(want, sizeof(want), "%" PRIu64, v);
	check(KV_TYPE_UINT, KV_SHOW_DEC, 8, v, want);
	snprintf(want, sizeof(want), "%" PRId64, (int64_t)v);
	check(KV_TYPE_INT, KV_SHOW_DEC, 8, v, want);
	snprintf(want, sizeof(want), "%08" PRIx64, v);
	check(KV_TYPE_UINT, KV_SHOW_HEX, 8, v, want);
	snprintf(want, sizeof(want), "0%" PRIo64, v);
	check(KV_TYPE_UINT, KV_SHOW_OCT, 8, v, want);
	snprintf(want, sizeof(want), "%" PRIu64 ".%09" PRIu64, v / 1000000000, v % 1000000000);
	check(KV_TYPE_UINT, KV_SHOW_SECONDS, 8, v, want);
	snprintf(want, sizeof(want), "%02" PRIx64 ":%02" PRIx64, v >> 20, v & 0xfffff);
	check(KV_TYPE_UINT, KV_SHOW_DEV, 8, v, want);
}

static void extremes_of_64_bits(void **state)
{
	(void)state;
	check(KV_TYPE_UINT, KV_SHOW_DEC, 8, UINT64_MAX, "18446744073709551615");
	check(KV_TYPE_INT, KV_SHOW_DEC, 8, INT64_MAX, "9223372036854775807");
	check(KV_TYPE_INT, KV_SHOW_DEC, 8, (uint64_t)INT64_MIN, "-9223372036854775808");
	check(KV_TYPE_UINT, KV_SHOW_HEX, 8, UINT64_MAX, "ffffffffffffffff");
	check(KV_TYPE_UINT, KV_SHOW_OCT, 8, UINT64_MAX, "01777777777777777777777");
	check(KV_TYPE_UINT, KV_SHOW_SECONDS, 8, UINT64_MAX, "18446744073.709551615");
	check(KV_TYPE_INT, KV_SHOW_SECONDS, 8, (uint64_t)INT64_MIN, "-9223372036.854775808");
	check(KV_TYPE_UINT, KV_SHOW_DEV, 8, UINT64_MAX, "fffffffffff:fffff");
}

static void every_power_of_ten_and_its_neighbours(void **state)
{
	uint64_t v = 1;

	(void)state;
	for (int i = 0; i < 20; i++, v *= 10) {
		check_u64(v - 1);
		check_u64(v);
		check_u64(v + 1);
	}
}

static void every_power_of_two_and_its_neighbours(void **state)
{
	(void)state;
	for (int i = 0; i < 64; i++) {
		check_u64((UINT64_C(1) << i) - 1);
		check_u64(UINT64_C(1) << i);
		check_u64((UINT64_C(1) << i) + 1);
	}
}

static void random_numbers_of_every_length(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (int i = 0; i < 100000; i++)
		check_u64(noise(&seed) >> i % 64);
}

static void every_small_number(void **state)
{
	(void)state;
	for (uint64_t v = 0; v < 20000; v++)
		check_u64(v);
}

static void hex_has_at_least_8_digits(void **state)
{
	(void)state;
	check(KV_TYPE_UINT, KV_SHOW_HEX, 8, 0, "00000000");
	check(KV_TYPE_UINT, KV_SHOW_HEX, 8, 0x400000, "00400000");
	check(KV_TYPE_UINT, KV_SHOW_HEX, 8, 0xffffffff, "ffffffff");
	check(KV_TYPE_UINT, KV_SHOW_HEX, 8, 0x7ffd12345000, "7ffd12345000");
	check(KV_TYPE_UINT, KV_SHOW_HEX, 8, 0xffffffffff600000, "ffffffffff600000");
	check(KV_TYPE_UINT, KV_SHOW_HEX, 1, 0xab, "000000ab");
}

/* As fdinfo: "0%o", which makes 00 of nothing. */
static void octal_has_a_leading_0(void **state)
{
	(void)state;
	check(KV_TYPE_UINT, KV_SHOW_OCT, 4, 0, "00");
	check(KV_TYPE_UINT, KV_SHOW_OCT, 4, 0100002, "0100002");
	check(KV_TYPE_UINT, KV_SHOW_OCT, 4, 02000000, "02000000");
	check(KV_TYPE_UINT, KV_SHOW_OCT, 4, 0xffffffff, "037777777777");
}

static void hex_and_octal_have_no_sign(void **state)
{
	(void)state;
	check(KV_TYPE_INT, KV_SHOW_HEX, 1, (uint64_t)-1, "000000ff");
	check(KV_TYPE_INT, KV_SHOW_HEX, 2, (uint64_t)-1, "0000ffff");
	check(KV_TYPE_INT, KV_SHOW_HEX, 4, (uint64_t)-1, "ffffffff");
	check(KV_TYPE_INT, KV_SHOW_HEX, 8, (uint64_t)-1, "ffffffffffffffff");
	check(KV_TYPE_INT, KV_SHOW_OCT, 2, (uint64_t)-1, "0177777");
	check(KV_TYPE_INT, KV_SHOW_OCT, 4, (uint64_t)INT32_MIN, "020000000000");
}

static void seconds_always_have_9_digits_behind_the_point(void **state)
{
	(void)state;
	check(KV_TYPE_UINT, KV_SHOW_SECONDS, 8, 0, "0.000000000");
	check(KV_TYPE_UINT, KV_SHOW_SECONDS, 8, 1, "0.000000001");
	check(KV_TYPE_UINT, KV_SHOW_SECONDS, 8, 999999999, "0.999999999");
	check(KV_TYPE_UINT, KV_SHOW_SECONDS, 8, 1000000000, "1.000000000");
	check(KV_TYPE_UINT, KV_SHOW_SECONDS, 8, 1000000010, "1.000000010");
	check(KV_TYPE_UINT, KV_SHOW_SECONDS, 8, 1700000000123456789, "1700000000.123456789");
}

static void seconds_below_zero_keep_their_sign(void **state)
{
	(void)state;
	check(KV_TYPE_INT, KV_SHOW_SECONDS, 8, (uint64_t)-1, "-0.000000001");
	check(KV_TYPE_INT, KV_SHOW_SECONDS, 8, (uint64_t)-1500000000, "-1.500000000");
}

/* As maps: "%02x:%02x" of 12 bits of major and 20 of minor. */
static void devices_are_major_and_minor_in_hex(void **state)
{
	(void)state;
	check(KV_TYPE_UINT, KV_SHOW_DEV, 4, 0, "00:00");
	check(KV_TYPE_UINT, KV_SHOW_DEV, 4, 8 << 20 | 1, "08:01");
	check(KV_TYPE_UINT, KV_SHOW_DEV, 4, 253u << 20 | 16, "fd:10");
	check(KV_TYPE_UINT, KV_SHOW_DEV, 4, 259u << 20 | 0x12345, "103:12345");
	check(KV_TYPE_UINT, KV_SHOW_DEV, 4, 0xffffffff, "fff:fffff");
	check(KV_TYPE_UINT, KV_SHOW_DEV, 4, 0xfffff, "00:fffff");
	check(KV_TYPE_INT, KV_SHOW_DEV, 4, (uint64_t)-1, "fff:fffff");
}

static void small_types_show_their_extremes(void **state)
{
	(void)state;
	check(KV_TYPE_UINT, KV_SHOW_DEC, 1, 255, "255");
	check(KV_TYPE_INT, KV_SHOW_DEC, 1, (uint64_t)INT8_MIN, "-128");
	check(KV_TYPE_INT, KV_SHOW_DEC, 2, (uint64_t)INT16_MIN, "-32768");
	check(KV_TYPE_INT, KV_SHOW_DEC, 4, (uint64_t)INT32_MIN, "-2147483648");
	check(KV_TYPE_UINT, KV_SHOW_DEC, 4, UINT32_MAX, "4294967295");
	check(KV_TYPE_INT, KV_SHOW_DEC, 4, 0, "0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extremes_of_64_bits),
		cmocka_unit_test(every_power_of_ten_and_its_neighbours),
		cmocka_unit_test(every_power_of_two_and_its_neighbours),
		cmocka_unit_test(random_numbers_of_every_length),
		cmocka_unit_test(every_small_number),
		cmocka_unit_test(hex_has_at_least_8_digits),
		cmocka_unit_test(octal_has_a_leading_0),
		cmocka_unit_test(hex_and_octal_have_no_sign),
		cmocka_unit_test(seconds_always_have_9_digits_behind_the_point),
		cmocka_unit_test(seconds_below_zero_keep_their_sign),
		cmocka_unit_test(devices_are_major_and_minor_in_hex),
		cmocka_unit_test(small_types_show_their_extremes),
	};

	return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
