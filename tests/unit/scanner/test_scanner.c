/*
 * test_scanner.c - what the client cores share: output, scores, names, texts.
 */
#include "lib/scanner/dialect.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* A client in the middle of a scan that has said nothing. */
struct scan { struct scan_options options; struct scan_client *client; struct arena arena; };

static void
set_up(struct scan *s)
{
	*s = (struct scan){ .options = { .kind = SCANNER_SPAMD } };
	s->client = scan_client_create(&s->options);
	scan_client_begin_probe(s->client, &s->arena);
}

static void
tear_down(struct scan *s)
{
	scan_client_destroy(&s->client);
	assert_null(s->client);
	scan_client_destroy(&s->client);
	arena_free(&s->arena);
}

static void
assert_text(struct span s, const char *expected)
{
	assert_int_equal(s.len, strlen(expected));
	assert_memory_equal(s.len > 0 ? s.ptr : (const uint8_t *)"", expected, s.len);
}

static void
test_scores(void **state)
{
	static const struct { const char *text; bool good; int64_t score; } scores[] = {
		{ "5", true, 5000 }, { "-2.5", true, -2500 }, { "+.25", true, 250 },
		{ "6.3149", true, 6315 }, { "6.3144", true, 6314 }, { "0.0005", true, 1 },
		{ "-0.0005", true, -1 }, { "-0.0004", true, 0 }, { "0.00049999", true, 0 },
		{ "0.9999", true, 1000 }, { "5.", true, 5000 }, { "-0", true, 0 },
		{ "1000000", true, 1000000000 }, { "1000000.0004", true, 1000000000 },
		{ "1000000.0005", false, 0 }, { "1000001", false, 0 },
		{ "-1000000", true, -1000000000 }, { "99999999999999999999999", false, 0 },
		{ "18446744073709551616", false, 0 }, { "0000000000000000000000007", true, 7000 },
		{ "0.00000000000000000000000000000000000000001", true, 0 },
		{ "", false, 0 }, { ".", false, 0 }, { "-", false, 0 }, { "-.", false, 0 },
		{ "--1", false, 0 }, { "1e3", false, 0 }, { "nan", false, 0 },
		{ "inf", false, 0 }, { " 1", false, 0 }, { "1 ", false, 0 }, { "1,5", false, 0 },
		{ "1.2.3", false, 0 }, { "0x10", false, 0 }, { "1.-5", false, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(scores); i++) {
		int64_t v = -77;

		print_message("# %s\n", scores[i].text);
		assert_int_equal(scan_score(span_text(scores[i].text), &v), scores[i].good);
		assert_int_equal(v, scores[i].good ? scores[i].score : -77);
	}
}

/* The same by shifting text: four digits behind the point, then half up. */
static bool
naive_score(const char *s, int64_t *out)
{
	char whole[16] = "", part[16] = "";
	bool minus = *s == '-';

	s += *s == '-' || *s == '+';
	size_t n = strspn(s, "0123456789");

	memcpy(whole, s, n);
	s += n;
	if (*s == '.') {
		size_t m = strspn(++s, "0123456789");

		memcpy(part, s, m);
		s += m;
		n += m;
	}
	if (*s != '\0' || n == 0)
		return false;
	strcat(part, "0000");
	part[4] = '\0';
	*out = (atoll(whole) * 10000 + atoll(part) + 5) / 10;
	if (*out > SCAN_SCORE_MAX)
		return false;
	if (minus)
		*out = -*out;
	return true;
}

static void
compare_score(const char *text, unsigned *good)
{
	int64_t fast = 0, slow = 0;
	bool is = naive_score(text, &slow);

	if (scan_score(span_text(text), &fast) != is || (is && fast != slow))
		fail_msg("%s", text);
	*good += is;
}

/* Every text of up to seven of these letters. */
static void
test_scores_all(void **state)
{
	static const char letters[] = "0459.-+";
	unsigned good = 0;

	for (unsigned long len = 0, texts = 1; len <= 7; len++, texts *= 7)
		for (unsigned long n = 0; n < texts; n++) {
			char text[8] = "";
			unsigned long left = n;

			for (size_t i = 0; i < len; i++, left /= 7)
				text[i] = letters[left % 7];
			compare_score(text, &good);
		}
	assert_true(good > 10000);
}

static void
test_viruses(void **state)
{
	struct scan s;
	char name[400];

	set_up(&s);
	scan_add_virus(s.client, SPAN_LIT("Eicar Test\t1"));
	scan_add_virus(s.client, SPAN_LIT("\xc3\xa4\x7f"));
	scan_add_virus(s.client, SPAN_LIT("Eicar_Test_1"));
	scan_add_virus(s.client, SPAN_NONE);
	memset(name, 'x', sizeof name);
	scan_add_virus(s.client, (struct span){ (uint8_t *)name, sizeof name });
	const struct scan_report *r = s.client->report;

	assert_int_equal(r->virus_count, 4);
	assert_text(r->viruses[0], "Eicar_Test_1");
	assert_text(r->viruses[1], "___");
	assert_text(r->viruses[2], "unnamed");
	assert_int_equal(r->viruses[3].len, SCAN_VIRUS_BYTES);
	for (int i = 0; i < 100; i++) {
		int n = snprintf(name, sizeof name, "v%d", i);

		scan_add_virus(s.client, (struct span){ (uint8_t *)name, (size_t)n });
	}
	assert_int_equal(r->virus_count, SCAN_VIRUSES);
	assert_text(r->viruses[SCAN_VIRUSES - 1], "v27");
	tear_down(&s);
}

static void
test_symbols(void **state)
{
	struct scan s;
	const struct scan_report *r;

	set_up(&s);
	r = s.client->report;
	for (int i = 0; i < SCAN_SYMBOLS; i++) {
		char name[16];

		snprintf(name, sizeof name, "S %d", i);
		scan_add_symbol(s.client, span_text(name), i % 2 != 0, i, SPAN_LIT("a\nb"));
	}
	assert_int_equal(r->symbol_count, SCAN_SYMBOLS);
	assert_false(r->symbols_cut);
	scan_add_symbol(s.client, SPAN_LIT("more"), false, 0, SPAN_NONE);
	assert_int_equal(r->symbol_count, SCAN_SYMBOLS);
	assert_true(r->symbols_cut);
	for (int i = 0; i < SCAN_SYMBOLS; i++) {
		char name[16];

		snprintf(name, sizeof name, "S_%d", i);
		assert_text(r->symbols[i].name, name);
		assert_int_equal(r->symbols[i].score, i);
		assert_int_equal(r->symbols[i].has_score, i % 2 != 0);
		assert_text(r->symbols[i].text, "a\\x0ab");
	}
	tear_down(&s);
}

static void
test_texts(void **state)
{
	static const struct { const char *in, *out; } texts[] = {
		{ "", "" }, { "a", "a\n" }, { "a\n", "a\n" }, { "a\r\nb\r\n", "a\nb\n" },
		{ "\n\n", "\n\n" }, { "a\tb", "a b\n" }, { "a\rb", "a\\x0db\n" },
		{ "\x1b[1m\x07", "\\x1b[1m\\x07\n" }, { "c\\d", "c\\d\n" },
		{ "\xc3\xa4\xff", "\xc3\xa4\\xff\n" },
	};

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct scan s;

		set_up(&s);
		scan_set_text(s.client, span_text(texts[i].in));
		assert_text(s.client->report->text, texts[i].out);
		tear_down(&s);
	}
}

/* Whole lines, as many as fit. */
static void
test_long_text(void **state)
{
	struct buf b = { 0 };
	struct scan s;

	set_up(&s);
	for (int i = 0; i < 1000; i++)
		buf_add(&b, SPAN_LIT("twelve bytes\n"));
	scan_set_text(s.client, buf_span(&b));
	assert_int_equal(s.client->report->text.len, SCAN_TEXT_BYTES / 13 * 13);
	buf_take(&b, buf_len(&b));
	for (int i = 0; i < SCAN_TEXT_BYTES; i++)
		buf_byte(&b, 0x80);
	scan_set_text(s.client, buf_span(&b));
	assert_int_equal(s.client->report->text.len, 0);
	buf_free(&b);
	tear_down(&s);
}

static void
test_line(void **state)
{
	struct scan s;
	char text[SCAN_LINE_BYTES + 1];

	set_up(&s);
	memset(text, 1, sizeof text);
	struct span line = scan_line(&s.arena, (struct span){ (uint8_t *)text, sizeof text });

	assert_int_equal(line.len, 4 * SCAN_LINE_BYTES + 3);
	/* The longest reason is not cut. */
	assert_int_equal(scan_break_with(s.client, "what",
	    (struct span){ (uint8_t *)text, sizeof text }), SCAN_BROKEN);
	assert_int_equal(scan_client_report(s.client)->why.len, line.len + 6);
	tear_down(&s);
}

/* Pieces: bytes together, the rest apart, in their order. */
static void
test_output(void **state)
{
	struct scan s;
	struct scan_output o;

	set_up(&s);
	scan_client_sent(s.client, scan_client_output(s.client).bytes.len);
	assert_true(scan_all_sent(s.client));
	scan_put_text(s.client, "ab");
	scan_put_number(s.client, UINT64_MAX);
	scan_put(s.client, SPAN_NONE);
	scan_put_body(s.client, 7, 0);
	scan_put_body(s.client, 7, 9);
	scan_put_text(s.client, "c");
	scan_put_descriptor(s.client, SPAN_LIT("fd"));
	scan_put_text(s.client, "d");
	assert_text(scan_client_output(s.client).bytes, "ab18446744073709551615");
	scan_client_sent(s.client, 21);
	assert_text(scan_client_output(s.client).bytes, "5");
	scan_client_sent(s.client, 1);
	scan_client_sent(s.client, 4);
	o = scan_client_output(s.client);
	assert_true(o.kind == SCAN_OUT_BODY && o.from == 11 && o.len == 5);
	scan_client_sent(s.client, 5);
	assert_text(scan_client_output(s.client).bytes, "c");
	scan_client_sent(s.client, 1);
	o = scan_client_output(s.client);
	assert_int_equal(o.kind, SCAN_OUT_DESCRIPTOR);
	assert_text(o.bytes, "fd");
	scan_client_sent(s.client, 2);
	assert_text(scan_client_output(s.client).bytes, "d");
	assert_false(scan_all_sent(s.client));
	scan_client_sent(s.client, 1);
	assert_int_equal(scan_client_output(s.client).kind, SCAN_OUT_NOTHING);
	tear_down(&s);
}

/* Nobody asked: bytes, and the end, are BROKEN with a report that says so. */
static void
test_idle(void **state)
{
	struct scan_options o = { .kind = SCANNER_CLAMD };

	for (int how = 0; how < 3; how++) {
		struct scan_client *c = scan_client_create(&o);
		enum scan_event e;

		assert_true(scan_client_may_be_reused(c));
		assert_int_equal(scan_client_feed(c, SPAN_NONE), SCAN_WAIT);
		assert_true(scan_client_may_be_reused(c));
		e = how == 0 ? scan_client_feed(c, SPAN_LIT("x")) :
		    how == 1 ? scan_client_lost(c, "late") : scan_client_closed(c);
		assert_int_equal(e, SCAN_BROKEN);
		assert_false(scan_client_may_be_reused(c));
		assert_int_equal(scan_client_report(c)->result, SCAN_FAILED);
		assert_text(scan_client_report(c)->why, "no scan was under way");
		assert_int_equal(scan_client_output(c).kind, SCAN_OUT_NOTHING);
		scan_client_destroy(&c);
	}
}

static void
test_kinds(void **state)
{
	for (unsigned k = 0; k < SCANNER_KINDS; k++) {
		struct scan_options o = { .kind = (enum scanner_kind)k };
		struct scan_client *c = scan_client_create(&o);

		assert_int_equal(c == NULL, k == SCANNER_COMMAND);
		if (c != NULL)
			assert_string_equal(c->dialect->name,
			    scanner_kind_name((enum scanner_kind)k));
		scan_client_destroy(&c);
	}
	assert_string_equal(scanner_kind_name(SCANNER_COMMAND), "command");
	assert_string_equal(scan_result_name(SCAN_FAILED), "failed");
	assert_string_equal(scan_result_name(SCAN_UNSCANNABLE), "unscannable");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scores), cmocka_unit_test(test_scores_all),
		cmocka_unit_test(test_viruses), cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_texts), cmocka_unit_test(test_long_text),
		cmocka_unit_test(test_line), cmocka_unit_test(test_output),
		cmocka_unit_test(test_idle), cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
