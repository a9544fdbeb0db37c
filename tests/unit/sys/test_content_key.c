/*
 * test_content_key.c - which mails have the same content key, and which have none.
 */
#include "src/inspector/dig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define TOP "Received: by a\r\nFrom: a@example.com\r\nTo: b@example.com\r\n" \
	"Subject: news\r\nDate: Mon\r\nMessage-ID: <1@x>\r\nMIME-Version: 1.0\r\n"
#define MIXED(b) "Content-Type: multipart/mixed; charset=x;\r\n boundary=\"" b "\"\r\n\r\n"
#define TEXT "Content-Type: text/plain\r\n\r\nHello.\r\n"
#define FILE_HEADER "Content-Type: application/pdf; name=a.pdf\r\n" \
	"Content-Transfer-Encoding: base64\r\n\r\n"
#define FILE_PART FILE_HEADER "QUJDREVGR0hJ\r\n"
#define ATTACHED "Content-Type: message/rfc822\r\n\r\nSubject: x\r\nDate: Tue\r\n\r\ntext\r\n"
#define BODY(b) "--" b "\r\n" TEXT "--" b "\r\n" FILE_PART "--" b "\r\n" ATTACHED "--" b \
	"--\r\n"
#define BASE TOP MIXED("bound") BODY("bound")

static struct content_key
key_of_limits(struct span mail, unsigned wishes, const struct dig_limits *limits)
{
	const struct dig_tools tools = { 0 };
	struct content_key key = { 0 };
	struct findings *f = must_alloc(sizeof *f);
	struct arena arena = { 0 };

	dig(&(struct dig_job){ .message = mail, .wishes = wishes, .key = &key }, &tools,
	    limits, f, &arena);
	arena_free(&arena);
	free(f);
	return key;
}

static struct content_key
key_of(struct span mail)
{
	return key_of_limits(mail, WISH_STRUCTURE | WISH_PARTS | WISH_KEY, &DIG_LIMITS);
}

static bool
same(const struct content_key *a, const struct content_key *b)
{
	return a->known && b->known && memcmp(a->bytes, b->bytes, CONTENT_KEY_BYTES) == 0;
}

enum relation { SAME = 0, OTHER, NONE };

static const struct { const char *name; struct span mail; enum relation is; } rows[] = {
	{ "itself", SPAN_LIT(BASE), SAME },
	{ "what differs from copy to copy", SPAN_LIT("Received: by z\r\nReceived: by y\r\n"
	    "DKIM-Signature: a\r\n b\r\nFrom: a@example.com\r\nto: c@example.com\r\n"
	    "Subject: news\r\nMESSAGE-ID: <2@x>\r\nMIME-Version: 1.0\r\n"
	    "X-Received: q\r\n" MIXED("bound") BODY("bound")), SAME },
	{ "another boundary", SPAN_LIT(TOP MIXED("other") BODY("other")), SAME },
	{ "other lines of base64", SPAN_LIT(TOP MIXED("bound") "--bound\r\n" TEXT "--bound\r\n"
	    FILE_HEADER "QUJD\r\nREVGR0hJ\r\n--bound\r\n" ATTACHED "--bound--\r\n"), SAME },
	{ "another subject", SPAN_LIT("From: a@example.com\r\nSubject: New\r\n"
	    "MIME-Version: 1.0\r\n" MIXED("bound") BODY("bound")), OTHER },
	{ "another sender", SPAN_LIT("From: b@example.com\r\nSubject: news\r\n"
	    "MIME-Version: 1.0\r\n" MIXED("bound") BODY("bound")), OTHER },
	{ "a field more", SPAN_LIT("X-Any: 1\r\n" BASE), OTHER },
	{ "an empty field more", SPAN_LIT("X:\r\n" BASE), OTHER },
	{ "another order of fields", SPAN_LIT("Subject: news\r\nFrom: a@example.com\r\n"
	    "MIME-Version: 1.0\r\n" MIXED("bound") BODY("bound")), OTHER },
	{ "something beside the boundary", SPAN_LIT(TOP "Content-Type: multipart/mixed; "
	    "charset=y;\r\n boundary=\"bound\"\r\n\r\n" BODY("bound")), OTHER },
	{ "no quotes", SPAN_LIT(TOP "Content-Type: multipart/mixed; charset=x;\r\n "
	    "boundary=bound\r\n\r\n" BODY("bound")), OTHER },
	{ "another multipart", SPAN_LIT(TOP "Content-Type: multipart/related; charset=x;\r\n "
	    "boundary=\"bound\"\r\n\r\n" BODY("bound")), OTHER },
	{ "another text", SPAN_LIT(TOP MIXED("bound") "--bound\r\nContent-Type: text/plain\r\n"
	    "\r\nHello!\r\n--bound\r\n" FILE_PART "--bound\r\n" ATTACHED "--bound--\r\n"),
	    OTHER },
	{ "another file", SPAN_LIT(TOP MIXED("bound") "--bound\r\n" TEXT "--bound\r\n"
	    FILE_HEADER "QUJDREVGR0hK\r\n--bound\r\n" ATTACHED "--bound--\r\n"), OTHER },
	{ "another name", SPAN_LIT(TOP MIXED("bound") "--bound\r\n" TEXT "--bound\r\n"
	    "Content-Type: application/pdf; name=b.pdf\r\nContent-Transfer-Encoding: base64"
	    "\r\n\r\nQUJDREVGR0hJ\r\n--bound\r\n" ATTACHED "--bound--\r\n"), OTHER },
	{ "another encoding of the same", SPAN_LIT(TOP MIXED("bound") "--bound\r\n" TEXT
	    "--bound\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\nABCDEFGHI\r\n"
	    "--bound\r\n" ATTACHED "--bound--\r\n"), OTHER },
	{ "another order of parts", SPAN_LIT(TOP MIXED("bound") "--bound\r\n" FILE_PART
	    "--bound\r\n" TEXT "--bound\r\n" ATTACHED "--bound--\r\n"), OTHER },
	{ "a part less", SPAN_LIT(TOP MIXED("bound") "--bound\r\n" TEXT "--bound\r\n"
	    FILE_PART "--bound--\r\n"), OTHER },
	{ "an empty part more", SPAN_LIT(TOP MIXED("bound") "--bound\r\n\r\n\r\n" BODY("bound")),
	    OTHER },
	{ "a date in the attached mail", SPAN_LIT(TOP MIXED("bound") "--bound\r\n" TEXT
	    "--bound\r\n" FILE_PART "--bound\r\nContent-Type: message/rfc822\r\n\r\n"
	    "Subject: x\r\nDate: Wed\r\n\r\ntext\r\n--bound--\r\n"), OTHER },
	{ "a field of a part", SPAN_LIT(TOP MIXED("bound") "--bound\r\nDate: 1\r\n" TEXT
	    "--bound\r\n" FILE_PART "--bound\r\n" ATTACHED "--bound--\r\n"), OTHER },
	{ "a preamble", SPAN_LIT(TOP MIXED("bound") "text\r\n" BODY("bound")), OTHER },
	{ "an epilogue", SPAN_LIT(BASE "text\r\n"), OTHER },
	{ "a blank in base64", SPAN_LIT(TOP MIXED("bound") "--bound\r\n" TEXT "--bound\r\n"
	    FILE_HEADER "QUJD!REVGR0hJ\r\n--bound\r\n" ATTACHED "--bound--\r\n"), NONE },
	{ "padding in the middle", SPAN_LIT(TOP MIXED("bound") "--bound\r\n" TEXT "--bound\r\n"
	    FILE_HEADER "QUI=QUJD\r\n--bound\r\n" ATTACHED "--bound--\r\n"), NONE },
	{ "two types", SPAN_LIT("Content-Type: text/plain\r\n" BASE), NONE },
	{ "not ended", SPAN_LIT(TOP MIXED("bound") "--bound\r\n" TEXT "--bound\r\n" FILE_PART),
	    NONE },
	{ "no boundary", SPAN_LIT(TOP "Content-Type: multipart/mixed\r\n\r\n" BODY("bound")),
	    NONE },
	{ "a broken archive", SPAN_LIT(TOP MIXED("bound") "--bound\r\n"
	    "Content-Type: application/zip\r\n\r\nPK\3\4\24\0\0\0\10\0aaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaa\r\n--bound--\r\n"), NONE },
};

static void
test_relations(void **state)
{
	struct content_key base = key_of(SPAN_LIT(BASE));

	assert_true(base.known);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct content_key k = key_of(rows[i].mail);

		print_message("# %s\n", rows[i].name);
		assert_int_equal(k.known, rows[i].is != NONE);
		assert_int_equal(same(&base, &k), rows[i].is == SAME);
	}
}

/* Of the key alone; every other table row has both. */
static void
test_wishes(void **state)
{
	struct span base = SPAN_LIT(BASE);
	struct content_key all = key_of_limits(base, WISH_ALL, &DIG_LIMITS), few = key_of(base);

	assert_true(same(&all, &few));
	assert_false(key_of_limits(base, WISH_ALL & ~(unsigned)WISH_KEY, &DIG_LIMITS).known);
	assert_false(key_of_limits(base, WISH_STRUCTURE | WISH_KEY, &DIG_LIMITS).known);
}

static void
test_limits(void **state)
{
	const unsigned wishes = WISH_STRUCTURE | WISH_PARTS | WISH_KEY;
	struct dig_limits l = DIG_LIMITS;

	l.contents = 2;
	assert_false(key_of_limits(SPAN_LIT(BASE), wishes, &l).known);
	l = DIG_LIMITS;
	l.part_bytes = 5;
	assert_false(key_of_limits(SPAN_LIT(BASE), wishes, &l).known);
	l = DIG_LIMITS;
	l.cpu_us = 0;
	assert_false(key_of_limits(SPAN_LIT(BASE), wishes, &l).known);
}

/* A field that is left out cannot carry much. */
static void
test_long_field(void **state)
{
	struct content_key keys[2][2];

	for (unsigned is_long = 0; is_long < 2; is_long++)
		for (unsigned k = 0; k < 2; k++) {
			struct buf b = { 0 };

			buf_printf(&b, "Date: %0*u\r\n" BASE, is_long ? 1000 : 900, k);
			keys[is_long][k] = key_of(buf_span(&b));
			assert_true(keys[is_long][k].known);
			buf_free(&b);
		}
	assert_true(same(&keys[0][0], &keys[0][1]));
	assert_false(same(&keys[1][0], &keys[1][1]));
}

static bool
is_any_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Offsets of `text` in BASE: from its first byte up to and without its last newline. */
static bool
is_inside(size_t at, const char *text)
{
	const char *place = strstr(BASE, text);

	assert_non_null(place);
	return at >= (size_t)(place - BASE) && at < (size_t)(place - BASE) + strlen(text);
}

static void
assert_same_without_blanks(struct span a, struct span b)
{
	size_t i = 0, k = 0;

	while (i < a.len || k < b.len) {
		if (i < a.len && is_any_blank(a.ptr[i]))
			i++;
		else if (k < b.len && is_any_blank(b.ptr[k]))
			k++;
		else {
			assert_true(i < a.len && k < b.len);
			assert_int_equal(a.ptr[i++], b.ptr[k++]);
		}
	}
}

/* No byte can be another, go or be doubled without a different key or none at all: but in
   fields that are left out, and in how lines end that are no text, those of boundaries and
   of base64. */
static void
test_every_byte(void **state)
{
	static const char *const free_text[] = { "Received: by a\r\n",
		"To: b@example.com\r\n", "Date: Mon\r\n", "Message-ID: <1@x>\r\n" };
	static const uint8_t bytes[] = "\0\r\n \t=-:;\"aZ0/\xff";
	const struct span base = SPAN_LIT(BASE);
	struct content_key want = key_of(base);

	for (size_t at = 0; at < base.len; at++) {
		bool is_free = false;

		for (size_t i = 0; i < COUNT_OF(free_text); i++)
			is_free |= is_inside(at, free_text[i]);
		for (size_t i = 0; i <= sizeof bytes && !is_free; i++) {
			struct buf b = { 0 };

			buf_add(&b, span_slice(base, 0, at));
			if (i < sizeof bytes - 1)
				buf_byte(&b, bytes[i]);
			else if (i == sizeof bytes)
				buf_add(&b, span_slice(base, at, at + 1));
			if (i == sizeof bytes)
				buf_add(&b, span_slice(base, at, base.len));
			else
				buf_add(&b, span_slice(base, at + 1, base.len));
			struct content_key k = key_of(buf_span(&b));

			if (same(&want, &k) && !span_equal(buf_span(&b), base)) {
				assert_true(base.ptr[at] == '\r' || base.ptr[at] == '\n');
				/* Behind base64: more padding than is due. */
				if (i < sizeof bytes - 1 && bytes[i] == '=' &&
				    base.ptr[at - 1] == 'J')
					b.ptr[at] = '\r';
				assert_same_without_blanks(buf_span(&b), base);
			}
			buf_free(&b);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relations),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_long_field),
		cmocka_unit_test(test_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
