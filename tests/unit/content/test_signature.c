/*
 * test_signature.c - test strings at every place and every cut, digest lists.
 */
#include "lib/base/arena.h"
#include "lib/content/signature.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* In parts, so that no scanner takes this file for a test file. */
#define EICAR "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-" "STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
#define GTUBE "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-" "STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
#define HALF  "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-" "STANDARD-ANTI"

struct found { int eicar, gtube; bool file; };  /* offsets, -1: not there */

static const struct { const char *name, *in; struct found out; } table[] = {
	{ "nothing", "", { -1, -1, false } },
	{ "ordinary", "Dear all, this is not it.", { -1, -1, false } },
	{ "test file", EICAR, { 0, -1, true } },
	{ "with line end", EICAR "\r\n", { 0, -1, true } },
	{ "with all white space", EICAR " \t\r\n\x1a", { 0, -1, true } },
	{ "128 bytes", EICAR "                                                            ",
	    { 0, -1, true } },
	{ "129 bytes", EICAR "                                                             ",
	    { 0, -1, false } },
	{ "text behind", EICAR "x", { 0, -1, false } },
	{ "text behind white space", EICAR " x", { 0, -1, false } },
	{ "vertical tab behind", EICAR "\v", { 0, -1, false } },
	{ "blank before", " " EICAR, { 1, -1, false } },
	{ "inside", "see: " EICAR " !", { 5, -1, false } },
	{ "twice: the first", EICAR EICAR, { 0, -1, false } },
	{ "half, then whole", HALF EICAR, { 47, -1, false } },
	{ "one byte less", "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-" "STANDARD-ANTIVIRUS-TEST-FILE!$H+H",
	    { -1, -1, false } },
	{ "lower case", "x5o!p%@ap[4\\pzx54(p^)7cc)7}$eicar-" "standard-antivirus-test-file!$h+h*",
	    { -1, -1, false } },
	{ "GTUBE", "a\r\n" GTUBE "\r\n", { -1, 3, false } },
	{ "both", GTUBE "\n" EICAR, { 69, 0, false } },
	{ "GTUBE behind the half", HALF GTUBE, { -1, 47, false } },
};

static void
check(const char *name, const struct signature_search *s, const struct found *want)
{
	int eicar = s->found[SIGNATURE_EICAR] ? (int)s->at[SIGNATURE_EICAR] : -1;
	int gtube = s->found[SIGNATURE_GTUBE] ? (int)s->at[SIGNATURE_GTUBE] : -1;

	if (eicar != want->eicar || gtube != want->gtube ||
	    signature_eicar_file(s) != want->file)
		fail_msg("%s: %d %d %d", name, eicar, gtube, signature_eicar_file(s));
}

static void
test_table(void **state)
{
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct span in = span_text(table[i].in);

		for (size_t cut = 0; cut <= in.len; cut++) {
			struct signature_search s = { 0 };

			signature_feed(&s, span_slice(in, 0, cut));
			signature_feed(&s, span_slice(in, cut, in.len));
			check(table[i].name, &s, &table[i].out);
			assert_true(s.size == in.len);
		}
	}
}

static void
test_small_pieces(void **state)
{
	for (size_t i = 0; i < COUNT_OF(table); i++)
		for (size_t piece = 1; piece < 80; piece++) {
			struct span in = span_text(table[i].in);
			struct signature_search s = { 0 };

			for (size_t at = 0; at < in.len; at += piece)
				signature_feed(&s, span_slice(in, at,
				    at + piece < in.len ? at + piece : in.len));
			check(table[i].name, &s, &table[i].out);
		}
}

/* At every place, whatever stands around it. */
static void
test_places(void **state)
{
	static const uint8_t fills[] = { 0, ' ', '-', 'A', 'a', '}', 0xff };
	static const struct { const char *text; enum signature s; } strings[] = {
		{ EICAR, SIGNATURE_EICAR }, { GTUBE, SIGNATURE_GTUBE },
	};
	uint8_t in[300];

	for (size_t i = 0; i < COUNT_OF(strings) * COUNT_OF(fills); i++)
		for (size_t at = 0; at + SIGNATURE_BYTES <= sizeof in; at++) {
			struct signature_search s = { 0 };
			enum signature k = strings[i % COUNT_OF(strings)].s;

			memset(in, fills[i / COUNT_OF(strings)], sizeof in);
			memcpy(in + at, strings[k].text, SIGNATURE_BYTES);
			signature_feed(&s, (struct span){ in, sizeof in });
			assert_true(s.found[k] && s.at[k] == at && !s.found[!k]);
			in[at + at % SIGNATURE_BYTES] ^= 1;
			s = (struct signature_search){ 0 };
			signature_feed(&s, (struct span){ in, sizeof in });
			assert_false(s.found[k]);
		}
}

static void
test_names(void **state)
{
	assert_string_equal(signature_name(SIGNATURE_EICAR), "EICAR-Test-File");
	assert_string_equal(signature_name(SIGNATURE_GTUBE), "GTUBE");
}

/* Digests: 32 times the same digit pair. */
static struct span
digest_text(char out[80], unsigned byte)
{
	for (int i = 0; i < DIGEST_BYTES; i++)
		snprintf(out + 2 * i, 3, i % 2 ? "%02X" : "%02x", byte);
	return span_text(out);
}

static void
test_list(void **state)
{
	char text[80 * 300] = "# list\n\n", one[80];
	struct digest_list list;
	struct error e;
	uint8_t digest[DIGEST_BYTES];

	/* every third, downwards, twice */
	for (int n = 2 * 85; n > 0; n--)
		sprintf(text + strlen(text), " %s  remark\r\n",
		    (const char *)digest_text(one, (unsigned)(n % 85) * 3).ptr);
	assert_int_equal(digest_list_parse(&list, span_text(text), 170, &e), ST_OK);
	assert_true(list.count == 85);
	for (unsigned n = 0; n < 256; n++) {
		memset(digest, (int)n, sizeof digest);
		assert_true(digest_list_has(&list, digest) == (n % 3 == 0 && n < 255));
	}
	digest_list_finish(&list);
	assert_int_equal(digest_list_parse(&list, span_text(text), 169, &e), ST_PERM);
	assert_non_null(strstr(e.text, "line 172: too many"));
	assert_true(list.count == 0 && list.digests == NULL);
}

static void
test_bad_list(void **state)
{
	static const struct { const char *text, *error; } bad[] = {
		{ "abc", "line 1" }, { "\n\nzz # x\n", "line 3" },
		{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1",
		    "line 1" },
		{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g",
		    "line 1" },
		{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f0",
		    "line 1" },
	};
	struct digest_list list;
	struct error e;

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(digest_list_parse(&list, span_text(bad[i].text), 9, &e),
		    ST_PERM);
		assert_non_null(strstr(e.text, bad[i].error));
	}
	assert_int_equal(digest_list_parse(&list, SPAN_LIT("\n#\n"), 9, &e), ST_OK);
	assert_true(list.count == 0 && !digest_list_has(&list, (const uint8_t[32]){ 0 }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_small_pieces),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_names), cmocka_unit_test(test_list),
		cmocka_unit_test(test_bad_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
