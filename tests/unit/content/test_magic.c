/*
 * test_magic.c - the second opinion: known, unknown, empty, and a database that is not
 * there.
 */
#include "lib/content/magic.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_ask(void **state)
{
	static const uint8_t noise[64] = { 0x9e, 1, 0xfe, 0x80, 3 };
	char media[MAGIC_MEDIA_BYTES];
	struct magic *magic = NULL;
	enum file_type type;
	struct error e;

	if (magic_create(&magic, NULL, &e) != ST_OK)
		skip();
	assert_true(magic_ask(magic, SPAN_LIT("GIF89a\1\0\1\0\0\0\0;"), media, &type));
	assert_string_equal(media, "image/gif");
	assert_int_equal(type, FILE_GIF);
	assert_false(magic_ask(magic, (struct span){ noise, sizeof noise }, media,
	    &type));
	assert_false(magic_ask(magic, SPAN_NONE, media, &type));
	magic_destroy(&magic);
	assert_null(magic);
	magic_destroy(&magic);
}

static void
test_no_database(void **state)
{
	struct magic *magic = NULL;
	struct error e;

	assert_int_equal(magic_create(&magic, "/nowhere/at/all", &e), ST_PERM);
	assert_null(magic);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ask), cmocka_unit_test(test_no_database),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
