/*
 * test_spamd.c - dialogues with spamd: each at every cut, each cut off at every byte, each
 * answer replaced by nonsense.
 */
#include "tests/unit/scanner/talk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define OK "SPAMD/1.1 0 EX_OK\r\n"
#define HEAD(length, spam) OK "Content-length: " length "\r\nSpam: " spam "\r\n\r\n"
#define RULER " ---- ---------------------- ------------------------------\n"

struct row {
	const char *name;
	struct span says;               /* then it closes, if there was no event */
	enum scan_event event;
	enum scan_result result;
	int64_t score, required;
	const char *text, *why;         /* NULL: none */
};

static const struct row rows[] = {
	{ "ham", SPAN_LIT(HEAD("0", "False ; 1.2 / 5.0")), SCAN_DONE, SCAN_SCORED, 1200, 5000,
	    NULL, NULL },
	{ "spam", SPAN_LIT(HEAD("5", "True ; 1000.0 / 5.0") "a\nb\r\n"), SCAN_DONE, SCAN_SCORED,
	    1000000, 5000, "a\nb\n", NULL },
	{ "negative", SPAN_LIT(HEAD("3", "False ; -0.1 / -2") "abc"), SCAN_DONE, SCAN_SCORED,
	    -100, -2000, "abc\n", NULL },
	{ "order and letters", SPAN_LIT("SPAMD/1.5 0 EX_OK\nSPAM:Yes;7/5\nX: y\n"
	    "CONTENT-LENGTH:1\n\n\n"), SCAN_DONE, SCAN_SCORED, 7000, 5000, "\n", NULL },
	{ "no", SPAN_LIT(HEAD("0", "No ; 4.9 / 5.0")), SCAN_DONE, SCAN_SCORED, 4900, 5000, NULL,
	    NULL },
	{ "odd bytes", SPAN_LIT(HEAD("4", "False ; 0.0 / 5.0") "\0\xff\x1b\\"), SCAN_DONE,
	    SCAN_SCORED, 0, 5000, "\\x00\\xff\\x1b\\\n", NULL },
	{ "temporary failure", SPAN_LIT("SPAMD/1.0 75 EX_TEMPFAIL\r\n"), SCAN_DONE, SCAN_FAILED,
	    0, 0, NULL, "spamd could not scan: 75 EX_TEMPFAIL" },
	{ "no user", SPAN_LIT("SPAMD/1.0 67 EX_NOUSER who\r\n"), SCAN_DONE, SCAN_FAILED, 0, 0,
	    NULL, "spamd could not scan: 67 EX_NOUSER who" },
	{ "its time-out", SPAN_LIT("SPAMD/1.0 79 Timeout: (30 second timeout while trying to "
	    "CHECK)\r\n"), SCAN_DONE, SCAN_FAILED, 0, 0, NULL,
	    "spamd could not scan: 79 Timeout: (30 second timeout while trying to CHECK)" },
	{ "protocol", SPAN_LIT("SPAMD/1.0 76 Bad header line: (EOF during headers)\r\n"),
	    SCAN_DONE, SCAN_FAILED, 0, 0, NULL,
	    "spamd could not scan: 76 Bad header line: (EOF during headers)" },
	{ "code without a name", SPAN_LIT("SPAMD/1.0 70\r\n"), SCAN_DONE, SCAN_FAILED, 0, 0,
	    NULL, "spamd could not scan: 70" },
	{ "closed at once", SPAN_LIT(""), SCAN_BROKEN, SCAN_FAILED, 0, 0, NULL,
	    "closed the connection (while waiting for spamd's answer)" },
	{ "closed in the header", SPAN_LIT(OK "Spam: True ; 9 / 5\r\n"), SCAN_BROKEN,
	    SCAN_FAILED, 9000, 5000, NULL,
	    "closed the connection (while waiting for spamd's answer)" },
	{ "report too short", SPAN_LIT(HEAD("6", "True ; 9 / 5") "abcde"), SCAN_BROKEN,
	    SCAN_FAILED, 9000, 5000, NULL,
	    "closed the connection (while reading spamd's report)" },
	{ "no score", SPAN_LIT(OK "Content-length: 1\r\n\r\na"), SCAN_BROKEN, SCAN_FAILED, 0, 0,
	    NULL, "the answer has no score" },
	{ "no length", SPAN_LIT(OK "Spam: True ; 9 / 5\r\n\r\na"), SCAN_BROKEN, SCAN_FAILED,
	    9000, 5000, NULL, "the answer has no Content-length" },
	{ "length and length", SPAN_LIT(OK "Content-length: 1\r\nContent-length: 1\r\n"),
	    SCAN_BROKEN, SCAN_FAILED, 0, 0, NULL,
	    "unexpected field in the answer: Content-length: 1" },
	{ "two scores", SPAN_LIT(OK "Spam: True ; 9 / 5\r\nSpam: False ; 1 / 5\r\n"),
	    SCAN_BROKEN, SCAN_FAILED, 9000, 5000, NULL,
	    "unexpected field in the answer: Spam: False ; 1 / 5" },
	{ "too large", SPAN_LIT(OK "Content-length: 1048577\r\n"), SCAN_BROKEN, SCAN_FAILED, 0,
	    0, NULL, "unexpected field in the answer: Content-length: 1048577" },
	{ "negative length", SPAN_LIT(OK "Content-length: -1\r\n"), SCAN_BROKEN, SCAN_FAILED, 0,
	    0, NULL, "unexpected field in the answer: Content-length: -1" },
	{ "no number", SPAN_LIT(OK "Spam: True ; nan / 5\r\n"), SCAN_BROKEN, SCAN_FAILED, 0, 0,
	    NULL, "unexpected field in the answer: Spam: True ; nan / 5" },
	{ "neither true nor false", SPAN_LIT(OK "Spam: Maybe ; 1 / 5\r\n"), SCAN_BROKEN,
	    SCAN_FAILED, 1000, 5000, NULL,
	    "unexpected field in the answer: Spam: Maybe ; 1 / 5" },
	{ "NUL in the score", SPAN_LIT(OK "Spam: True ; 1\0 / 5\r\n"), SCAN_BROKEN, SCAN_FAILED,
	    0, 0, NULL, "unexpected field in the answer: Spam: True ; 1\\x00 / 5" },
	{ "no field", SPAN_LIT(OK "hello\r\n"), SCAN_BROKEN, SCAN_FAILED, 0, 0, NULL,
	    "unexpected field in the answer: hello" },
	{ "SMTP", SPAN_LIT("220 mx ESMTP\r\n"), SCAN_BROKEN, SCAN_FAILED, 0, 0, NULL,
	    "unexpected answer: 220 mx ESMTP" },
	{ "HTTP", SPAN_LIT("HTTP/1.1 200 OK\r\n"), SCAN_BROKEN, SCAN_FAILED, 0, 0, NULL,
	    "unexpected answer: HTTP/1.1 200 OK" },
	{ "another zero", SPAN_LIT("SPAMD/1.1 0 EX_OKAY\r\n"), SCAN_BROKEN, SCAN_FAILED, 0, 0,
	    NULL, "unexpected answer: SPAMD/1.1 0 EX_OKAY" },
	{ "PONG to REPORT", SPAN_LIT("SPAMD/1.5 0 PONG\r\n"), SCAN_BROKEN, SCAN_FAILED, 0, 0,
	    NULL, "unexpected answer: SPAMD/1.5 0 PONG" },
	{ "no code", SPAN_LIT("SPAMD/1.1 EX_OK\r\n"), SCAN_BROKEN, SCAN_FAILED, 0, 0, NULL,
	    "unexpected answer: SPAMD/1.1 EX_OK" },
	{ "an empty line", SPAN_LIT("\r\n"), SCAN_BROKEN, SCAN_FAILED, 0, 0, NULL,
	    "unexpected answer: " },
};

static const struct scan_options options = { .kind = SCANNER_SPAMD };

static void
set_up(struct talk *t, uint64_t out_step)
{
	*t = (struct talk){ 0 };
	talk_begin(t, &options, &(struct scan_request){ .size = 5, .may_descriptor = true,
	    .prefix = SPAN_LIT("X: y\r\n"), .user = SPAN_LIT("b@c.test") });
	talk_flush(t, out_step);
}

static void
assert_text(struct span s, const char *expected)
{
	char *text = must_alloc(s.len + 1);

	memcpy(text, s.len > 0 ? s.ptr : (const uint8_t *)"", s.len);
	assert_string_equal(text, expected != NULL ? expected : "");
	free(text);
}

static void
run(const struct row *row, size_t first, size_t step, uint64_t out_step)
{
	struct talk t;
	const struct scan_report *r;
	enum scan_event e;

	set_up(&t, out_step);
	assert_text(buf_span(&t.said), "REPORT SPAMC/1.5\r\nContent-length: 13\r\n"
	    "User: b@c.test\r\n\r\nX: y\r\n<body 0 5>\r\n");
	e = talk_feed(&t, span_slice(row->says, 0, first), first > 0 ? first : 1);
	if (e == SCAN_WAIT)
		e = talk_feed(&t, span_slice(row->says, first, row->says.len), step);
	if (e == SCAN_WAIT)
		e = scan_client_closed(t.client);
	r = scan_client_report(t.client);
	assert_int_equal(e, row->event);
	assert_int_equal(r->result, row->result);
	if (row->result == SCAN_SCORED) {
		assert_true(r->has_score);
		assert_true(r->score == row->score && r->required == row->required);
	}
	assert_text(r->text, row->text);
	assert_text(r->why, row->why);
	assert_int_equal(r->virus_count, 0);
	assert_false(scan_client_may_be_reused(t.client));
	talk_end(&t);
}

static void
test_rows(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct row *row = &rows[i];

		print_message("# %s\n", row->name);
		for (size_t cut = 0; cut <= row->says.len; cut++)
			run(row, cut, row->says.len + 1, 1000);
		for (size_t step = 1; step <= row->says.len; step++)
			run(row, 0, step, 1 + step % 7);
		for (uint64_t out = 1; out < 100; out++)
			run(row, 0, 1000, out);
	}
}

static void
test_cut_off(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		for (size_t n = 0; n < rows[i].says.len; n++) {
			struct talk t;
			enum scan_event e;

			set_up(&t, 1000);
			e = scan_client_feed(t.client, span_slice(rows[i].says, 0, n));
			if (e == SCAN_WAIT)
				e = scan_client_lost(t.client, "no answer within 30 s");
			assert_int_equal(e, SCAN_BROKEN);
			assert_int_equal(scan_client_report(t.client)->result, SCAN_FAILED);
			assert_true(scan_client_report(t.client)->why.len > 0);
			talk_end(&t);
		}
}

/* In the place of each line of a good answer's head, and of all that follows. */
static void
test_nonsense(void **state)
{
	static const struct span good = SPAN_LIT(HEAD("90", "True ; 9 / 5"));
	static const struct span nonsense[] = {
		SPAN_LIT("\0"), SPAN_LIT("\r\n\r\n"), SPAN_LIT("\n"), SPAN_LIT("OK\r\n"),
		SPAN_LIT("stream: OK\0\r\n"), SPAN_LIT("\xff\xfe\r\n\r\n"), SPAN_LIT(": \r\n\r\n"),
		SPAN_LIT("Spam\r\n"), SPAN_LIT("Spam:\r\n"), SPAN_LIT("Spam: True\r\n"),
		SPAN_LIT("Spam: True ;\r\n"), SPAN_LIT("Spam: True ; 1\r\n"),
		SPAN_LIT("Spam: True ; 1 /\r\n"), SPAN_LIT("Spam: True ; / 5\r\n"),
		SPAN_LIT("Spam: True 1 / 5\r\n"), SPAN_LIT("Spam: ; 1 / 5\r\n"),
		SPAN_LIT("Spam: True ; 1 / 5 / 6\r\n"), SPAN_LIT("Spam: True ; 1e9 / 5\r\n"),
		SPAN_LIT("Content-length:\r\n"), SPAN_LIT("Content-length: x\r\n"),
		SPAN_LIT("Content-length: 99999999999999999999\r\n"),
		SPAN_LIT("Content-length: 1 1\r\n"), SPAN_LIT("SPAMD/1.1 0 EX_OK\r\n"),
		SPAN_LIT("SPAMD/ 0 EX_OK \r\n"), SPAN_LIT("SPAMD/1.1 00000 EX_OK\0\r\n"),
		SPAN_LIT("SPAMD/1.1 1000 EX_OK\r\n"), SPAN_LIT("SPAMD/1.1 -0 EX_OK\r\n"),
		SPAN_LIT("{\"score\": 1}\r\n"),
	};

	for (size_t i = 0; i < COUNT_OF(nonsense); i++)
		for (size_t at = 0; at < good.len; at += span_find(
		    span_slice(good, at, good.len), '\n') + 1) {
			struct talk t;
			enum scan_event e;

			set_up(&t, 1000);
			e = scan_client_feed(t.client, span_slice(good, 0, at));
			assert_int_equal(e, SCAN_WAIT);
			e = scan_client_feed(t.client, nonsense[i]);
			if (e == SCAN_WAIT)
				e = scan_client_closed(t.client);
			assert_true(e != SCAN_WAIT);
			assert_int_equal(scan_client_report(t.client)->result, SCAN_FAILED);
			talk_end(&t);
		}
}

/* The table. */

struct table {
	const char *name, *text;
	size_t count;
	struct { const char *name; int64_t score; const char *text; } symbols[4];
};

static const struct table tables[] = {
	{ "as spamd writes it",
	    "Content analysis details:   (11.2 points, 5.0 required)\n\n"
	    " pts rule name              description\n" RULER
	    " 1.2 MISSING_HEADERS        Missing To: header\n"
	    "1000 GTUBE                  BODY: Generic Test for\n"
	    "                            Unsolicited Bulk Email\n"
	    "                            [note: 1.5 NOT_A_RULE x]\n"
	    "-0.0 NO_RELAYS              Informational: message was not relayed\n"
	    "-100 USER_IN_WELCOMELIST    \n\n 5.0 AFTER_THE_END x\n", 4,
	    { { "MISSING_HEADERS", 1200, "Missing To: header" },
	      { "GTUBE", 1000000, "BODY: Generic Test for Unsolicited Bulk Email "
	        "[note: 1.5 NOT_A_RULE x]" },
	      { "NO_RELAYS", 0, "Informational: message was not relayed" },
	      { "USER_IN_WELCOMELIST", -100000, "" } } },
	{ "a table in the message", "Content preview:  x\n" RULER " 9.9 FORGED x\n\n" RULER
	    " 1.0 REAL y\r\n", 1, { { "REAL", 1000, "y" } } },
	{ "own template", "Content analysis details:   (1 points, 5.0 required)\n"
	    " 1.0 REAL y\n", 1, { { "REAL", 1000, "y" } } },
	{ "empty", RULER, 0, { { NULL, 0, NULL } } },
	{ "none", "no table here\n 1.0 A b\n", 0, { { NULL, 0, NULL } } },
	{ "no last newline", RULER " 1.0 A", 1, { { "A", 1000, "" } } },
	{ "long note at the left", RULER " 1.0 A b\n[long]\n 2.0 B c\n", 2,
	    { { "A", 1000, "b [long]" }, { "B", 2000, "c" } } },
	{ "note without a rule", RULER "[long]\n 2.0 B c\n", 0, { { NULL, 0, NULL } } },
	{ "no score", RULER " x A b\n 1.0 B c\n", 0, { { NULL, 0, NULL } } },
	{ "no name", RULER " 1.0 A-B b\n 1.0 B c\n", 0, { { NULL, 0, NULL } } },
	{ "not dashes", " ----  ------- ---- x\n 1.0 A b\n", 0, { { NULL, 0, NULL } } },
	{ "one word of dashes", "--------------------------\n 1.0 A b\n", 0,
	    { { NULL, 0, NULL } } },
};

static void
check_table(const struct table *table, size_t step)
{
	struct talk t;
	struct buf answer = { 0 };
	const struct scan_report *r;

	set_up(&t, 1000);
	buf_printf(&answer, OK "Content-length: %zu\r\nSpam: True ; 11.2 / 5.0\r\n\r\n%s",
	    strlen(table->text), table->text);
	assert_int_equal(talk_feed(&t, buf_span(&answer), step), SCAN_DONE);
	r = scan_client_report(t.client);
	assert_int_equal(r->symbol_count, table->count);
	for (size_t i = 0; i < table->count; i++) {
		assert_text(r->symbols[i].name, table->symbols[i].name);
		assert_text(r->symbols[i].text, table->symbols[i].text);
		assert_true(r->symbols[i].has_score);
		assert_true(r->symbols[i].score == table->symbols[i].score);
	}
	buf_free(&answer);
	talk_end(&t);
}

static void
test_tables(void **state)
{
	for (size_t i = 0; i < COUNT_OF(tables); i++) {
		print_message("# %s\n", tables[i].name);
		for (size_t step = 1; step < strlen(tables[i].text) + 100; step++)
			check_table(&tables[i], step);
	}
}

/* Names that would be a line of their own are left out. */
static void
test_user(void **state)
{
	static const struct { struct span user; const char *field; } users[] = {
		{ SPAN_LIT("joe"), "User: joe\r\n" }, { SPAN_LIT(""), "" },
		{ SPAN_LIT("a\r\nX: y"), "" }, { SPAN_LIT("a\nb"), "" }, { SPAN_LIT("a\0b"), "" },
		{ SPAN_LIT("a\x7f"), "" }, { SPAN_LIT("a\tb"), "" },
		{ SPAN_LIT("j\xc3\xb6@c"), "User: j\xc3\xb6@c\r\n" },
	};

	for (size_t i = 0; i < COUNT_OF(users); i++) {
		struct talk t = { 0 };
		char expected[200];

		talk_begin(&t, &options, &(struct scan_request){ .user = users[i].user });
		talk_flush(&t, 1000);
		snprintf(expected, sizeof expected,
		    "REPORT SPAMC/1.5\r\nContent-length: 2\r\n%s\r\n\r\n", users[i].field);
		assert_text(buf_span(&t.said), expected);
		talk_end(&t);
	}
}

static void
test_probe(void **state)
{
	static const struct { const char *says; enum scan_event event; enum scan_result result; }
	    probes[] = {
		{ "SPAMD/1.5 0 PONG\r\n", SCAN_DONE, SCAN_CLEAN },
		{ "SPAMD/1.5 0 PON\r\n", SCAN_BROKEN, SCAN_FAILED },
		{ "SPAMD/1.5 0 EX_OK\r\n", SCAN_BROKEN, SCAN_FAILED },
		{ "SPAMD/1.0 76 Bad header line\r\n", SCAN_DONE, SCAN_FAILED },
		{ "SPAMD/1.5 0 PONG", SCAN_BROKEN, SCAN_FAILED },
	};

	for (size_t i = 0; i < COUNT_OF(probes); i++) {
		struct talk t = { .client = scan_client_create(&options) };
		enum scan_event e;

		scan_client_begin_probe(t.client, &t.arena);
		talk_flush(&t, 3);
		assert_text(buf_span(&t.said), "PING SPAMC/1.5\r\n\r\n");
		e = talk_feed(&t, span_text(probes[i].says), 2);
		if (e == SCAN_WAIT)
			e = scan_client_closed(t.client);
		assert_int_equal(e, probes[i].event);
		assert_int_equal(scan_client_report(t.client)->result, probes[i].result);
		talk_end(&t);
	}
}

/* A score before the message has gone out is about something else. */
static void
test_early(void **state)
{
	struct talk t = { 0 };

	talk_begin(&t, &options, &(struct scan_request){ .size = 5 });
	assert_string_equal(scan_client_doing(t.client), "sending the message to spamd");
	assert_int_equal(scan_client_feed(t.client,
	    SPAN_LIT(HEAD("0", "False ; 0 / 5"))), SCAN_BROKEN);
	assert_int_equal(scan_client_report(t.client)->result, SCAN_FAILED);
	talk_end(&t);
}

/* What comes behind the answer changes nothing. */
static void
test_behind(void **state)
{
	struct talk t;

	set_up(&t, 1000);
	assert_int_equal(scan_client_feed(t.client,
	    SPAN_LIT(HEAD("1", "True ; 9 / 5") "aSpam: False ; 0 / 5\r\n")), SCAN_DONE);
	assert_int_equal(scan_client_report(t.client)->result, SCAN_SCORED);
	assert_true(scan_client_report(t.client)->score == 9000);
	assert_text(scan_client_report(t.client)->text, "a\n");
	assert_int_equal(scan_client_closed(t.client), SCAN_BROKEN);
	assert_int_equal(scan_client_report(t.client)->result, SCAN_FAILED);
	talk_end(&t);
}

static void
test_too_long(void **state)
{
	static const struct { struct span before, again; size_t bytes; } longs[] = {
		{ SPAN_LIT(""), SPAN_LIT("S"), 4097 },
		{ SPAN_LIT(OK), SPAN_LIT("X: y\r\n"), 65 * 6 },
		{ SPAN_LIT(OK "X: "), SPAN_LIT("y"), 4097 - 3 },
	};

	for (size_t i = 0; i < COUNT_OF(longs); i++) {
		struct talk t;
		enum scan_event e;
		size_t n = 0;

		set_up(&t, 1000);
		e = scan_client_feed(t.client, longs[i].before);
		for (; e == SCAN_WAIT && n < 100000; n += longs[i].again.len)
			e = scan_client_feed(t.client, longs[i].again);
		assert_int_equal(e, SCAN_BROKEN);
		assert_int_equal(n, longs[i].bytes);
		talk_end(&t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_nonsense), cmocka_unit_test(test_tables),
		cmocka_unit_test(test_user), cmocka_unit_test(test_probe),
		cmocka_unit_test(test_early), cmocka_unit_test(test_behind),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
