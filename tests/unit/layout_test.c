// SPDX-License-Identifier: GPL-2.0-only
/* Records of BPF maps' elements, from BTF that is made here. */
#include "schema/layout.h"

#include <bpf/btf.h>

#include "schema/record.h"
#include "unit.h"

static struct btf *btf;
static int u8, u32, s32, u64;

static int make(void **state)
{
	(void)state;
	btf = btf__new_empty();
	u8 = btf__add_int(btf, "unsigned char", 1, 0);
	u32 = btf__add_int(btf, "unsigned int", 4, 0);
	s32 = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	u64 = btf__add_int(btf, "unsigned long", 8, 0);
	return u64 < 0;
}

static int drop(void **state)
{
	(void)state;
	btf__free(btf);
	return 0;
}

static struct kv_layout *layout_of(const struct kv_shape *shape, const char *columns)
{
	struct kv_layout *l = kv_layout_new(btf, shape);
	char names[4096] = "";

	assert_non_null(l);
	for (unsigned int i = 0; i < l->schema->ncolumns; i++) {
		strcat(names, i ? " " : "");
		strcat(names, l->schema->columns[i].name);
		assert_true(l->schema->columns[i].width >= strlen(l->schema->columns[i].name));
	}
	if (columns)
		assert_string_equal(names, columns);
	return l;
}

static void free_layout(struct kv_layout *l)
{
	kv_schema_free(l->schema);
	free(l);
}

static const struct kv_column *column(const struct kv_layout *l, const char *name)
{
	int i = kv_schema_find(l->schema, name, strlen(name));

	assert_true(i >= 0);
	return &l->schema->columns[i];
}

/* The record is sound, and the string in its column is this one. */
static void assert_string(const struct kv_layout *l, const char *record, uint32_t len,
			  const char *name, const char *want)
{
	char value[KV_VALUE_MAX];
	struct kv_string s = kv_record_string(column(l, name), record, value);

	assert_int_equal(kv_record_check(l->schema, record, len, NULL), len);
	assert_bytes(s.data, s.len, want, strlen(want));
}

static void without_btf_all_is_hex(void **state)
{
	const struct kv_shape shape = {.key_size = 3, .value_size = 4};
	struct kv_layout *l = layout_of(&shape, "key value");
	char record[KV_RECORD_MAX];
	uint32_t n = kv_layout_put(l, "\1\xfe\0", "\xff\0\n\"", 0, record);

	(void)state;
	assert_string(l, record, n, "key", "01fe00");
	assert_string(l, record, n, "value", "ff000a22");
	assert_int_equal(column(l, "key")->role, KV_ROLE_KEY);
	free_layout(l);
}

static void an_index_and_an_id_are_numbers(void **state)
{
	const struct kv_shape shape = {
		.key_size = 4, .value_size = 8, .has_index = true, .has_id = true};
	struct kv_layout *l = layout_of(&shape, "key value");
	char record[KV_RECORD_MAX];
	uint64_t id = UINT64_C(1) << 40;
	uint32_t key = 7;

	(void)state;
	kv_layout_put(l, (char *)&key, (char *)&id, 0, record);
	assert_int_equal(kv_record_number(column(l, "key"), record), 7);
	assert_int_equal(kv_record_number(column(l, "value"), record), id);
	free_layout(l);
}

static void a_set_has_no_value(void **state)
{
	const struct kv_shape shape = {.key_size = 4};

	(void)state;
	free_layout(layout_of(&shape, "key"));
}

static void a_value_per_cpu_has_a_column_for_it(void **state)
{
	const struct kv_shape shape = {.key_size = 4, .value_size = 4, .is_cpu = true};
	struct kv_layout *l = layout_of(&shape, "key cpu value");
	char record[KV_RECORD_MAX];

	(void)state;
	kv_layout_put(l, "1234", "abcd", 77, record);
	assert_int_equal(kv_record_number(column(l, "cpu"), record), 77);
	free_layout(l);
}

/* @n members u0, u1 ... of 4 bytes each, the last of type @last. */
static int add_struct(const char *name, int n, int last)
{
	uint32_t size = (uint32_t)btf__resolve_size(btf, (uint32_t)last);
	int id = btf__add_struct(btf, name, (uint32_t)(n - 1) * 4 + size);
	char member[16];

	for (int i = 0; i < n; i++) {
		snprintf(member, sizeof(member), "u%d", i);
		btf__add_field(btf, member, i + 1 < n ? u32 : last, (uint32_t)i * 32, 0);
	}
	return id;
}

static void outer_members_come_first(void **state)
{
	int inner = add_struct("inner", 56, u32);
	int outer = add_struct("outer", 10, inner);
	int most = add_struct("most", 64, inner);
	struct kv_shape shape = {.key_size = 4, .value_size = 260, .value_type = (uint32_t)outer};
	struct kv_layout *l = kv_layout_new(btf, &shape);

	(void)state;
	/* A key, nine members, and 56 would be too many. */
	assert_int_equal(l->schema->ncolumns, 11);
	assert_int_equal(column(l, "value.u9")->type, KV_TYPE_STR);
	free_layout(l);
	shape.value_size = 63 * 4 + 224;
	shape.value_type = (uint32_t)most;
	l = layout_of(&shape, "key value"); /* 64 members and a key: one too many */
	free_layout(l);
	shape.value_size = 55 * 4 + 4;
	shape.value_type = (uint32_t)inner;
	l = kv_layout_new(btf, &shape);
	assert_int_equal(l->schema->ncolumns, 57);
	free_layout(l);
}

static void names_have_dots(void **state)
{
	int two = btf__add_array(btf, u32, u32, 2), pair, unnamed, outer;
	struct kv_shape shape = {.key_size = 4, .value_size = 16};

	(void)state;
	pair = btf__add_struct(btf, "pair", 8);
	btf__add_field(btf, "a", s32, 0, 0);
	btf__add_field(btf, "b", u32, 32, 0);
	unnamed = btf__add_union(btf, NULL, 8);
	btf__add_field(btf, "both", u64, 0, 0);
	btf__add_field(btf, "each", pair, 0, 0);
	outer = btf__add_struct(btf, "outer", 16);
	btf__add_field(btf, NULL, unnamed, 0, 0);
	btf__add_field(btf, "list", two, 64, 0);
	shape.value_type = (uint32_t)btf__add_typedef(btf, "outer_t", outer);
	free_layout(layout_of(
		&shape, "key value.both value.each.a value.each.b value.list.0 value.list.1"));
}

static void bit_fields_are_numbers(void **state)
{
	int id = btf__add_struct(btf, "bits", 8);
	struct kv_shape shape = {.key_size = 4, .value_size = 8, .value_type = (uint32_t)id};
	struct {
		uint32_t low : 5, cross : 11;
		int minus : 7;
		uint32_t high;
	} v = {.low = 21, .cross = 1999, .minus = -60, .high = 4};
	struct kv_layout *l;
	char record[KV_RECORD_MAX];

	(void)state;
	btf__add_field(btf, "low", u32, 0, 5);
	btf__add_field(btf, "cross", u32, 5, 11);
	btf__add_field(btf, "minus", s32, 16, 7);
	btf__add_field(btf, "high", u32, 32, 32);
	l = layout_of(&shape, "key value.low value.cross value.minus value.high");
	kv_layout_put(l, "1234", (char *)&v, 0, record);
	assert_int_equal(kv_record_number(column(l, "value.low"), record), 21);
	assert_int_equal(kv_record_number(column(l, "value.cross"), record), 1999);
	assert_true((int64_t)kv_record_number(column(l, "value.minus"), record) == -60);
	assert_int_equal(kv_record_number(column(l, "value.high"), record), 4);
	free_layout(l);
}

/* The kernel takes them of integers of 16 bytes, and these may begin in the last byte. */
static void a_bit_field_is_read_alone(void **state)
{
	int wide = btf__add_int(btf, "__int128", 16, BTF_INT_SIGNED);
	int id = btf__add_struct(btf, "last", 16);
	struct kv_shape shape = {.key_size = 4, .value_size = 16, .value_type = (uint32_t)id};
	char record[KV_RECORD_MAX], *value = malloc(16);
	struct kv_layout *l;

	(void)state;
	btf__add_field(btf, "x", wide, 120, 8);
	memset(value, 0, 16);
	value[15] = -3;
	l = layout_of(&shape, "key value.x");
	kv_layout_put(l, "1234", value, 0, record);
	assert_int_equal(column(l, "value.x")->type, KV_TYPE_INT);
	assert_true((int64_t)kv_record_number(column(l, "value.x"), record) == -3);
	free_layout(l);
	free(value);
}

/* The kernel checks less of it than would be needed here. */
static void btf_that_does_not_fit_tells_nothing(void **state)
{
	int far = btf__add_struct(btf, "far", 8), odd, empty;
	struct kv_shape shape = {.key_size = 4, .value_size = 8, .value_type = (uint32_t)far};

	(void)state;
	btf__add_field(btf, "a", u64, 32, 0);
	free_layout(layout_of(&shape, "key value"));
	odd = btf__add_struct(btf, "odd", 8);
	btf__add_field(btf, "a", u32, 4, 0);
	shape.value_type = (uint32_t)odd;
	free_layout(layout_of(&shape, "key value"));
	shape.value_type = 1000000;
	free_layout(layout_of(&shape, "key value"));
	shape.value_type = (uint32_t)btf__add_fwd(btf, "unknown", BTF_FWD_STRUCT);
	free_layout(layout_of(&shape, "key value"));
	empty = btf__add_struct(btf, "empty", 8);
	shape.value_type = (uint32_t)empty;
	free_layout(layout_of(&shape, "key value"));
}

static void a_structure_in_itself_ends(void **state)
{
	int id = btf__add_struct(btf, "loop", 8);
	struct kv_shape shape = {.key_size = 4, .value_size = 8, .value_type = (uint32_t)id};
	struct kv_layout *l;

	(void)state;
	btf__add_field(btf, "me", id, 0, 0);
	l = kv_layout_new(btf, &shape);
	assert_non_null(l);
	free_layout(l);
}

static void what_has_no_room_says_so(void **state)
{
	struct kv_shape shape = {.key_size = 4, .value_size = 5200};
	struct kv_layout *l = layout_of(&shape, "key value");
	static char value[5200], record[KV_RECORD_MAX];
	uint32_t n = kv_layout_put(l, "1234", value, 0, record);

	(void)state;
	assert_string(l, record, n, "value", "(too long)");
	assert_string(l, record, n, "key", "31323334");
	free_layout(l);
	shape.value_size = (KV_RECORD_MAX - 24 - 8) / 2;
	l = layout_of(&shape, "key value");
	assert_int_equal(kv_layout_put(l, "1234", value, 0, record), KV_RECORD_MAX);
	free_layout(l);
}

static void characters_end_at_a_nul(void **state)
{
	int chars = btf__add_array(btf, u32, btf__add_int(btf, "char", 1, BTF_INT_SIGNED), 4);
	int octets = btf__add_array(btf, u32, u8, 4);
	struct kv_shape shape = {.key_size = 4, .value_size = 4};
	char record[KV_RECORD_MAX];
	struct kv_layout *l;

	(void)state;
	shape.key_type = (uint32_t)chars;
	shape.value_type = (uint32_t)octets;
	l = layout_of(&shape, "key value");
	assert_string(l, record, kv_layout_put(l, "ab\0c", "ab\0c", 0, record), "key", "ab");
	assert_string(l, record, kv_layout_put(l, "abcd", "ab\0c", 0, record), "key", "abcd");
	assert_string(l, record, kv_layout_put(l, "", "ab\0c", 0, record), "key", "");
	assert_string(l, record, kv_layout_put(l, "", "ab\0c", 0, record), "value", "61620063");
	free_layout(l);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
	const struct CMUnitTest tests[] = {
		TEST(without_btf_all_is_hex),
		TEST(an_index_and_an_id_are_numbers),
		TEST(a_set_has_no_value),
		TEST(a_value_per_cpu_has_a_column_for_it),
		TEST(outer_members_come_first),
		TEST(names_have_dots),
		TEST(bit_fields_are_numbers),
		TEST(a_bit_field_is_read_alone),
		TEST(btf_that_does_not_fit_tells_nothing),
		TEST(a_structure_in_itself_ends),
		TEST(what_has_no_room_says_so),
		TEST(characters_end_at_a_nul),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
