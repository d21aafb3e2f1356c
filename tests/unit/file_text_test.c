// SPDX-License-Identifier: GPL-2.0-only
/* Open files of a text that is made when it is read: no iteration, no counters. */
#include "file_reader.h"

static unsigned int made;
static const char *now; /* what the text is when it is made next; NULL: out of memory */

static char *make_text(const void *arg, const struct kv_reader *reader)
{
	const char *const *text = arg;

	assert_int_equal(reader->scope.fsuid, 1000); /* who opened the file */
	made++;
	return *text ? strdup(*text) : NULL;
}

static void open_text(struct reader *r, const char *text)
{
	static const struct kv_source source = {.text = make_text, .arg = &now};

	made = 0;
	now = text;
	*r = (struct reader){.cancel_in = -1};
	open_source(r, &source);
}

static const char a_text[] = "n\tinteger\t-\ta number\nname\tstring\t-\tits name\n";

static void a_text_is_read_without_an_iteration(void **state)
{
	struct reader r;

	(void)state;
	open_text(&r, a_text);
	assert_int_equal(read_at(&r, 0, 4096), 0);
	assert_bytes(r.got, r.n, BYTES(a_text));
	assert_int_equal(read_at(&r, r.n, 4096), 0);
	assert_int_equal(r.n, 0);
	assert_int_equal(fake.opens, 0);
	reader_close(&r);
}

static void a_text_is_read_at_any_offset(void **state)
{
	const size_t len = strlen(a_text);
	struct reader r;

	(void)state;
	open_text(&r, a_text);
	for (size_t off = len + 10; off-- > 0;) {
		size_t want = off < len ? len - off : 0;

		assert_int_equal(read_at(&r, off, 5), 0);
		assert_int_equal(r.n, want < 5 ? want : 5);
		assert_true(memcmp(r.got, a_text + (want ? off : 0), r.n) == 0);
	}
	reader_close(&r);
}

static void a_text_is_made_when_it_is_read_first(void **state)
{
	struct reader r;

	(void)state;
	open_text(&r, "old");
	assert_int_equal(made, 0);
	now = "new";
	assert_int_equal(read_at(&r, 0, 10), 0);
	assert_bytes(r.got, r.n, BYTES("new"));
	reader_close(&r);
	open_text(&r, "never read");
	reader_close(&r);
	assert_int_equal(made, 0);
}

/* Or its halves would be of two. */
static void a_text_stays_the_same_while_it_is_read_on(void **state)
{
	struct reader r;

	(void)state;
	open_text(&r, "one text");
	assert_int_equal(read_at(&r, 0, 4), 0);
	assert_bytes(r.got, r.n, BYTES("one "));
	now = "another, and longer";
	assert_int_equal(read_at(&r, 4, 100), 0);
	assert_bytes(r.got, r.n, BYTES("text"));
	assert_int_equal(read_at(&r, 8, 100), 0);
	assert_int_equal(r.n, 0);
	assert_int_equal(made, 1);
	reader_close(&r);
}

static void offset_0_makes_the_text_anew(void **state)
{
	struct reader r;

	(void)state;
	open_text(&r, "long and old");
	assert_int_equal(read_at(&r, 0, 100), 0);
	now = "new";
	assert_int_equal(read_at(&r, 0, 100), 0);
	assert_bytes(r.got, r.n, BYTES("new"));
	assert_int_equal(read_at(&r, 5, 100), 0);
	assert_int_equal(r.n, 0);
	assert_int_equal(made, 2);
	reader_close(&r);
}

static void an_empty_text_is_an_empty_file(void **state)
{
	struct reader r;

	(void)state;
	open_text(&r, "");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(read_at(&r, (uint64_t)i, 100), 0);
		assert_int_equal(r.n, 0);
	}
	assert_int_equal(made, 1);
	reader_close(&r);
}

static void a_text_that_cant_be_made_is_an_error(void **state)
{
	struct reader r;

	(void)state;
	open_text(&r, NULL);
	assert_int_equal(read_at(&r, 0, 100), -ENOMEM);
	assert_int_equal(read_at(&r, 1, 100), -ENOMEM);
	now = "there";
	assert_int_equal(read_at(&r, 1, 100), -ENOMEM);
	assert_int_equal(read_at(&r, 0, 100), 0);
	assert_bytes(r.got, r.n, BYTES("there"));
	reader_close(&r);
}

/* However many views there are: nothing of it is dropped. */
static void a_text_longer_than_the_window_is_whole(void **state)
{
	const size_t len = 5 * KV_WINDOW_KEEP + 123;
	char *text = malloc(len + 1);
	uint64_t seed = 9;
	struct reader r;

	(void)state;
	for (size_t i = 0; i < len; i++)
		text[i] = (char)('!' + noise(&seed) % 90);
	text[len] = '\0';
	open_text(&r, text);
	for (size_t off = 0; off < len; off += r.n) {
		assert_int_equal(read_at(&r, off, 4096), 0);
		assert_true(r.n > 0 && off + r.n <= len);
		assert_true(memcmp(r.got, text + off, r.n) == 0);
	}
	assert_int_equal(made, 1);
	reader_close(&r);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FAKE(a_text_is_read_without_an_iteration),
		WITH_FAKE(a_text_is_read_at_any_offset),
		WITH_FAKE(a_text_is_made_when_it_is_read_first),
		WITH_FAKE(a_text_stays_the_same_while_it_is_read_on),
		WITH_FAKE(offset_0_makes_the_text_anew),
		WITH_FAKE(an_empty_text_is_an_empty_file),
		WITH_FAKE(a_text_that_cant_be_made_is_an_error),
		WITH_FAKE(a_text_longer_than_the_window_is_whole),
	};

	return cmocka_run_group_tests_name("file texts", tests, make_whole, free_whole);
}
