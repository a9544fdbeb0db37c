/*
 * test_track.c - questions taken apart, and the answers of track and explain.
 */
#include "tests/unit/store/site.h"
#include "src/store/question.h"

#define T(s) SPAN_LIT(s)
#define NOW 1795299477123u              /* 2026-11-21T22:17:57.123Z */

static void
test_since(void **state)
{
	static const struct { const char *in; uint64_t want; bool ok; } table[] = {
		{ "10s", NOW - 10000, true }, { "1m", NOW - 60000, true },
		{ "2h", NOW - 7200000, true }, { "7d", NOW - 604800000, true },
		{ "1W", NOW - 604800000, true }, { "999999w", 0, true },
		{ "2026-11-21", 1795219200000, true }, { "2026-11-21T01:00", 1795222800000, true },
		{ "2026-11-21T01:00:01Z", 1795222801000, true }, { "1960-01-01", 0, true },
		{ "", 0, false }, { "d", 0, false }, { "7", 0, false }, { "7x", 0, false },
		{ "-7d", 0, false }, { "7 d", 0, false }, { "yesterday", 0, false },
		{ "2026-11", 0, false }, { "2026-13-01", 0, false }, { "z", 0, false },
		{ "2026-11-21T01:00:01Zz", 0, false }, { "10000000d", 0, false },
		{ "2026-11-21T01:00:01.12345678901234567890", 0, false },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		uint64_t since = 1;
		bool ok = question_since(span_text(table[i].in), NOW, &since);

		if (ok != table[i].ok || (ok && since != table[i].want))
			fail_msg("%s: %d %llu", table[i].in, ok, (unsigned long long)since);
	}
}

static void
test_questions(void **state)
{
	static const struct { const char *in, *error; } table[] = {
		{ "track", NULL }, { "  track  ", NULL }, { "track x@y", NULL },
		{ "track --json --since 7d --sender a@b --recipient c@d --limit 5", NULL },
		{ "track --id " ID " --queue-id Q --message-id <a@b> --outcome Delivered", NULL },
		{ "track --sender \"a b\"@x", "a closing quote is missing, or a blank after "
		    "it: \"a b\"@x" },
		{ "track --sender \"\\\"a b\\\"@x\"", NULL },
		{ "track \"a", "a closing quote is missing, or a blank after it: \"a" },
		{ "track \"a\\", "a closing quote is missing, or a blank after it: \"a\\\\" },
		{ "track a b", "one word only, or options: b" },
		{ "track --nonsense x", "unknown option: --nonsense" },
		{ "track --sender", "--sender expects an address: --sender" },
		{ "track --limit 0", "--limit expects a number from 1 to 100000: 0" },
		{ "track --limit 100001", "--limit expects a number from 1 to 100000: 100001" },
		{ "track --since \x1b[31m", "--since expects 7d, 2h, 30m or a date such as "
		    "2026-11-21: \\x1b[31m" },
		{ "explain " ID, NULL }, { "explain --json 0123456789ABCDEF", NULL },
		{ "explain", "explain expects an id; track finds it" },
		{ "explain x", "not an id, which has 16 letters and digits; track finds it: x" },
		{ "explain --limit 5", "explain knows --json only: --limit" },
		{ "", "track or explain expected" }, { "status", "track or explain expected" },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct arena arena = { 0 };
		struct question q;
		struct error err = { 0 };
		enum status st = question_parse(span_text(table[i].in), NOW, &q, &arena, &err);

		if (st != (table[i].error == NULL ? ST_OK : ST_PERM))
			fail_msg("%s: %s", table[i].in, err.text);
		if (table[i].error != NULL)
			assert_string_equal(err.text, table[i].error);
		arena_free(&arena);
	}
}

static void
test_question_values(void **state)
{
	struct arena arena = { 0 };
	struct question q;
	struct error err;

	assert_int_equal(question_parse(T("track --json --since 1s --sender <> --recipient "
	    "\"\\\"a b\\\"@x\" --limit 5 --outcome rejected --outcome deferred --id ABC"), NOW,
	    &q, &arena, &err), ST_OK);
	assert_true(q.json && q.since == NOW - 1000 && q.limit == 5);
	assert_non_null(q.sender.ptr);
	assert_int_equal(q.sender.len, 0);
	assert_true(span_equal(q.recipient, T("\"a b\"@x")));
	assert_true(span_equal(q.id, T("abc")));
	assert_int_equal(q.outcomes, 1u << OUTCOME_REJECTED | 1u << OUTCOME_DEFERRED);
	assert_null(q.queue_id.ptr);
	arena_free(&arena);
}

/* --- answers --------------------------------------------------------------------------- */

static void
add(struct site *p, const struct record *r)
{
	static uint8_t bytes[RECORD_BYTES];
	struct pack row = { bytes, 0, sizeof bytes, false };

	record_pack(&row, r);
	assert_true(journal_add(&p->store, (struct span){ bytes, row.len }, clock_mono_ms()));
}

static void
add_samples(struct site *p)
{
	struct record_recipient one = { T("R@Example.com"), OUTCOME_DELIVERED, T("otherwise"),
		T("250 Ok"), T("HOPQ1"), SPAN_NONE, 0 };
	struct record_recipient five[] = {
		{ T("a@x.example"), OUTCOME_QUARANTINED, T("spam"), T("250 Ok"), T(""), T("junk"), 0 },
		{ T("b@x.example"), OUTCOME_QUARANTINED, T("spam"), T("250 Ok"), T(""), T("junk"), 0 },
		{ T("\x1b[2J@x"), OUTCOME_REJECTED, T("virus"), T("554 no"), T(""), T(""), 0 },
		{ T("d@x.example"), OUTCOME_DELIVERED, T("otherwise"), T("250"), T("H2"), T(""), 0 },
		{ T("e@x.example"), OUTCOME_DELIVERED, T("otherwise"), T("250"), T("H2"), T(""), 0 },
	};
	struct record r = { .id = T("0123456789abcde0"), .arrived = NOW - 5000,
		.listener = T("in"), .client_address = T("192.0.2.1"),
		.client_queue_id = T("CLIENTQ"), .sender = T("Sender@y.example"),
		.message_id = T("<m1@y.example>"), .subject = T("\x1b]0;owned\a \"q\""),
		.size = 1234, .recipients = &one, .recipient_count = 1 };

	add(p, &r);
	r.id = T("0123456789ABCDE1");
	r.arrived = NOW - 1000;
	r.sender = SPAN_NONE;
	r.message_id = T("m2@y.example");
	r.client_queue_id = T("CLIENTR");
	r.recipients = five;
	r.recipient_count = 5;
	add(p, &r);
	r.id = T("0123456789abcde2");
	r.arrived = NOW - 3000;
	r.sender = T("other@z.example");
	r.message_id = SPAN_NONE;
	r.client_queue_id = SPAN_NONE;
	r.recipient_count = 0;
	add(p, &r);
	database_commit(&p->store.database);
}

static char *
ask(struct site *p, const char *line, struct buf *b)
{
	buf_free(b);
	reader_answer(p->root, span_text(line), b);
	return buf_text(b);
}

#define LINE_0 "2026-11-21T22:17:52.123Z 0123456789abcde0 delivered <Sender@y.example> -> " \
	"R@Example.com rule otherwise\n"
#define LINE_1 "2026-11-21T22:17:56.123Z 0123456789abcde1 delivered,quarantined,rejected <> -> " \
	"a@x.example,b@x.example,\\x1b[2J@x and 2 more rule spam,virus\n"
#define LINE_2 "2026-11-21T22:17:54.123Z 0123456789abcde2 none <other@z.example> ->\n"

static void
test_track(void **state)
{
	static const struct { const char *in, *want; } table[] = {
		{ "track", "ok\n" LINE_1 LINE_2 LINE_0 },
		{ "track --limit 2", "ok\n" LINE_1 LINE_2 },
		{ "track --sender sender@Y.example", "ok\n" LINE_0 },
		{ "track --sender <>", "ok\n" LINE_1 },
		{ "track --sender @y.EXAMPLE", "ok\n" LINE_0 },
		{ "track --recipient r@example.com", "ok\n" LINE_0 },
		{ "track --recipient @x.example", "ok\n" LINE_1 },
		{ "track --id 0123456789ABCDE2", "ok\n" LINE_2 },
		{ "track --queue-id CLIENTR", "ok\n" LINE_1 },
		{ "track --queue-id HOPQ1", "ok\n" LINE_0 },
		{ "track --message-id <m2@y.example>", "ok\n" LINE_1 },
		{ "track --message-id m1@y.example", "ok\n" LINE_0 },
		{ "track --outcome delivered", "ok\n" LINE_1 LINE_0 },
		{ "track --outcome none --outcome rejected", "ok\n" LINE_1 LINE_2 },
		{ "track --since 2026-11-21T22:17:54", "ok\n" LINE_1 LINE_2 },
		{ "track --since 2026-11-21T22:17:54 --outcome delivered", "ok\n" LINE_1 },
		{ "track 0123456789ABCDE0", "ok\n" LINE_0 }, { "track CLIENTQ", "ok\n" LINE_0 },
		{ "track H2", "ok\n" LINE_1 }, { "track <m1@y.example>", "ok\n" LINE_0 },
		{ "track SENDER@y.example", "ok\n" LINE_0 },
		{ "track B@x.example", "ok\n" LINE_1 },
		{ "track nobody@x.example", "ok\nnothing found\n" },
		{ "track --json nobody@x.example", "ok\n[\n]\n" },
		{ "track \"x' OR '1'='1\"", "ok\nnothing found\n" },
		{ "track --nonsense", "error\nunknown option: --nonsense\n" },
	};
	struct buf b = { 0 };
	struct site p;

	site_start(&p);
	add_samples(&p);
	for (size_t i = 0; i < COUNT_OF(table); i++)
		if (strcmp(ask(&p, table[i].in, &b), table[i].want) != 0)
			fail_msg("%s:\n%s", table[i].in, buf_text(&b));
	assert_string_equal(ask(&p, "track --json --id 0123456789abcde0", &b), "ok\n[\n"
	    "{\"time\": \"2026-11-21T22:17:52.123Z\", \"id\": \"0123456789abcde0\", "
	    "\"outcome\": \"delivered\", \"listener\": \"in\", "
	    "\"client_address\": \"192.0.2.1\", \"client_queue_id\": \"CLIENTQ\", "
	    "\"sender\": \"Sender@y.example\", \"message_id\": \"m1@y.example\", "
	    "\"subject\": \"\\u001b]0;owned\\u0007 \\\"q\\\"\", \"held_as\": \"\", \"size\": 1234, "
	    "\"recipients\": [{\"address\": \"R@Example.com\", \"outcome\": \"delivered\", "
	    "\"rule\": \"otherwise\", \"queue_id\": \"HOPQ1\", \"quarantine\": \"\"}]}\n]\n");
	buf_free(&b);
	site_end(&p);
}

static void
add_explained(struct site *p)
{
	struct record_trace first[] = {
		{ T("big"), false, 1, T("message.size"), SPAN_NONE },
		{ T("phish"), true, 2, T("header.subject"), T("quarantine phish") },
		{ T("mine"), false, 3, T("header.from"), SPAN_NONE },
		{ T("otherwise"), false, 2, SPAN_NONE, SPAN_NONE },
	};
	struct record_trace second[] = { { T("big"), false, 2, T("recipient.local"), SPAN_NONE },
		{ T("otherwise"), false, 0, SPAN_NONE, SPAN_NONE } };
	struct record_walk walks[] = { { first, 4 }, { second, 2 } };
	struct record_finding findings[] = { { T("message.size"), T("1.2 KiB"), FACT_KNOWN },
		{ T("header.subject"), T("'\\x1b[2J'"), FACT_KNOWN },
		{ T("header.from"), T("no\nanswer"), FACT_UNKNOWN } };
	struct span changes[] = { T("header add X-A: b") };
	struct record_recipient both[] = {
		{ T("a@x.example"), OUTCOME_DELIVERED, T("otherwise"), T("250 Ok\x1b[2J"), T("HQ"),
		    T(""), 0 },
		{ T("b@x.example"), OUTCOME_QUARANTINED, T("big"), T("250 kept"), T(""), T("junk"),
		    1 },
	};
	struct record r = { .id = T(ID), .arrived = NOW, .listener = T("in"), .policy = T("pol"),
		.revision = T("0011223344556677"), .next_hop = T("127.0.0.1:10025"),
		.client_address = T("192.0.2.1"), .client_name = T("mx.example.org"),
		.client_helo = T("mx"), .client_queue_id = T("CQ"), .protocol = T("ESMTP"),
		.sender = T("s@y.example"), .message_id = T("<m@y>"), .subject = T("hello"),
		.size = 1234, .reply = T("250 2.0.0 Ok"), .stage_us = { 1500, 250, 40000, 0, 3000 },
		.recipients = both, .recipient_count = 2, .findings = findings,
		.finding_count = 3, .walks = walks, .walk_count = 2, .changes = changes,
		.change_count = 1, .recipients_cut = 3 };

	add(p, &r);
	database_commit(&p->store.database);
}

static const char explained[] = "ok\n"
    "Mail " ID "\n"
    "  arrived     2026-11-21T22:17:57.123Z\n"
    "  listener    in\n"
    "  client      192.0.2.1, name mx.example.org, HELO mx, by ESMTP, its queue id CQ\n"
    "  sender      <s@y.example>\n"
    "  message-id  <m@y>\n"
    "  subject     hello\n"
    "  size        1.2 KiB\n"
    "  policy      pol\n"
    "  revision    0011223344556677\n"
    "  next hop    127.0.0.1:10025\n"
    "\nFacts\n"
    "  message.size = 1.2 KiB\n"
    "  header.subject = '\\x1b[2J'\n"
    "  header.from is unknown: no\\x0aanswer\n"
    "\nRules for a@x.example\n"
    "  rule big: no (message.size = 1.2 KiB)\n"
    "  monitor rule phish: yes (header.subject = '\\x1b[2J'), would have given: "
    "quarantine phish\n"
    "  rule mine: unknown (header.from is unknown: no\\x0aanswer)\n"
    "  rule otherwise: yes\n"
    "\nRules for b@x.example\n"
    "  rule big: yes (recipient.local)\n"
    "  rule otherwise: not reached\n"
    "\nRecipients\n"
    "  a@x.example: delivered by rule otherwise; answer: 250 Ok\\x1b[2J; "
    "next hop's queue id HQ\n"
    "  b@x.example: quarantined in class junk by rule big; answer: 250 kept\n"
    "  and 3 more, for which the record has no room\n"
    "\nReply to the client\n"
    "  250 2.0.0 Ok\n"
    "\nChanges\n"
    "  header add X-A: b\n"
    "\nTime\n"
    "  collect     1.500 ms\n"
    "  examine     0.250 ms\n"
    "  scan        40.000 ms\n"
    "  decide      0.000 ms\n"
    "  deliver     3.000 ms\n"
    "  in all      44.750 ms\n";

static void
test_explain(void **state)
{
	struct buf b = { 0 };
	struct site p;

	site_start(&p);
	add_explained(&p);
	assert_string_equal(ask(&p, "explain 0123456789ABCDEF", &b), explained);
	assert_string_equal(ask(&p, "explain 0123456789abcdee", &b),
	    "error\nthe journal has no mail with the id 0123456789abcdee\n");
	ask(&p, "explain --json " ID, &b);
	assert_non_null(strstr(buf_text(&b), "\"walks\": [[{\"rule\": \"big\", "
	    "\"monitor\": false, \"result\": \"no\", \"fact\": \"message.size\", "
	    "\"would\": \"\"}, "));
	assert_non_null(strstr(buf_text(&b), "\"times_us\": {\"collect\": 1500, "
	    "\"examine\": 250, \"scan\": 40000, \"decide\": 0, \"deliver\": 3000}}\n"));
	buf_free(&b);
	site_end(&p);
}

/* JSON is for programs: another reader must take it, whatever bytes were recorded. */
static void
test_json(void **state)
{
	struct buf b = { 0 };
	struct site p;
	char command[256];

	site_start(&p);
	add_explained(&p);
	add_samples(&p);
	snprintf(command, sizeof command, "%s/json", p.root);
	static const char *const lines[] = { "explain --json " ID, "track --json" };

	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		FILE *f = fopen(command, "w");

		fputs(ask(&p, lines[i], &b) + strlen("ok\n"), f);
		fclose(f);
		assert_int_equal(count_lines("python3 -m json.tool --compact < %s/json",
		    p.root), 1);
	}
	buf_free(&b);
	site_end(&p);
}

/* Hostile bytes in a record that unpacks: nothing raw comes out. */
static void
test_controls(void **state)
{
	static uint8_t all[256];
	struct buf b = { 0 };
	struct site p;

	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (uint8_t)i;
	struct span s = { all, sizeof all };
	struct record_recipient r = { s, 99, s, s, s, s, 77 };
	struct record_trace t = { s, true, 3, s, s };
	struct record_walk w = { &t, 1 };
	struct record_finding f = { s, s, FACT_KNOWN };
	struct record record = { .id = T(ID), .listener = s, .policy = s, .revision = s,
		.next_hop = s, .client_address = s, .client_name = s, .client_helo = s,
		.client_queue_id = s, .protocol = s, .sender = s, .message_id = s, .subject = s,
		.reply = s, .recipients = &r, .recipient_count = 1, .findings = &f,
		.finding_count = 1, .walks = &w, .walk_count = 1, .changes = &s,
		.change_count = 1 };

	site_start(&p);
	add(&p, &record);
	database_commit(&p.store.database);
	static const char *const lines[] = { "track", "track --json", "explain " ID,
		"explain --json " ID };

	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		ask(&p, lines[i], &b);
		assert_memory_equal(b.ptr + b.from, "ok\n", 3);
		for (size_t k = b.from; k < b.to; k++)
			assert_true(b.ptr[k] == '\n' || (b.ptr[k] >= 0x20 && b.ptr[k] != 0x7f));
	}
	buf_free(&b);
	site_end(&p);
}

static void
test_no_database(void **state)
{
	struct buf b = { 0 };
	struct site p;

	site_make(&p);
	ask(&p, "track", &b);
	assert_memory_equal(buf_text(&b), "error\nthe journal cannot be opened", 34);
	buf_free(&b);
	site_remove(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_since), cmocka_unit_test(test_questions),
		cmocka_unit_test(test_question_values), cmocka_unit_test(test_track),
		cmocka_unit_test(test_explain), cmocka_unit_test(test_json),
		cmocka_unit_test(test_controls), cmocka_unit_test(test_no_database),
	};

	return cmocka_run_group_tests_name("track", tests, NULL, NULL);
}
