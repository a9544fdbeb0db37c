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
	static const uint8_t zeros[64] = { 0x9e, 1, 0xfe, 0x80, 3 };
	char media[MAGIC_MEDIA_BYTES];
	struct magic *magic = NULL;
	enum file_type type;
	struct error e;

	if (magic_create(&magic, NULL, &e) != ST_OK)
		skip();
	assert_int_equal(magic_ask(magic, SPAN_LIT("GIF89a\1\0\1\0\0\0\0;"), media, &type),
	    MAGIC_KNOWN);
	assert_string_equal(media, "image/gif");
	assert_int_equal(type, FILE_GIF);
	assert_int_equal(magic_ask(magic, (struct span){ zeros, sizeof zeros }, media, &type),
	    MAGIC_UNKNOWN);
	assert_int_equal(magic_ask(magic, SPAN_NONE, media, &type), MAGIC_UNKNOWN);
	magic_destroy(&magic);
	assert_null(magic);
	magic_destroy(&magic);
}

/* A mark, then what looks like chance: noise from the 48th different byte on. */
static void
test_noise(void **state)
{
	uint8_t bytes[64] = "GIF89a";
	char media[MAGIC_MEDIA_BYTES];
	struct magic *magic = NULL;
	enum file_type type;
	struct error e;

	if (magic_create(&magic, NULL, &e) != ST_OK)
		skip();
	for (size_t i = 6; i < 47; i++)
		bytes[i] = (uint8_t)(0x80 + i);
	assert_int_equal(magic_ask(magic, (struct span){ bytes, sizeof bytes }, media, &type),
	    MAGIC_UNKNOWN);
	bytes[46] = 0;
	assert_int_equal(magic_ask(magic, (struct span){ bytes, sizeof bytes }, media, &type),
	    MAGIC_KNOWN);
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
		cmocka_unit_test(test_ask), cmocka_unit_test(test_noise),
		cmocka_unit_test(test_no_database),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
