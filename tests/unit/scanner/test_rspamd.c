/*
 * test_rspamd.c - dialogues with rspamd: replies at every cut, each cut off at every byte,
 * each replaced by nonsense; and what an envelope may do to the request.
 */
#include "tests/unit/scanner/show.h"
#include "tests/unit/scanner/talk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define DEEP10 "[[[[[[[[[["

/* status: "200 OK" and fields; the body gets its length. */
struct row { const char *name, *status, *body, *shown; };

#define MINE "\"score\":6.31,\"required_score\":15.0,\"action\":\"add header\""
#define SAYS(members) "{\"is_skipped\":false," members "}"
#define SCORED "DONE scored kept; score 6310 of 15000; answer add header, 6.31 of 15"
#define NOT_JSON "BROKEN failed over; why an answer that is no JSON object"
#define BAD(member) "BROKEN failed over; why an answer with a bad \"" member "\""
#define INCOMPLETE "BROKEN failed over; why an answer without score or action"

static const struct row rows[] = {
	{ "plain", "200 OK", SAYS(MINE), SCORED "; action add header" },
	{ "as rspamd 3.4 writes it", "200 OK\r\nConnection: close\r\nServer: rspamd/3.4\r\n"
	    "Content-Type: application/json",
	    "{\"is_skipped\":false,\"score\":-2.499996,\"required_score\":15.0,"
	    "\"action\":\"no action\",\"symbols\":{\"ODD\":{\"name\":\"ODD\",\"score\":0.000003,"
	    "\"metric_score\":0.333333,\"options\":[\"x\",\"b\xff\",\"q\\\"\\\\\"]},"
	    "\"GRADE\":{\"score\":-2.500000,\"description\":\"Graded\",\"options\":[\"-2.5\"]}},"
	    "\"messages\":{},\"message-id\":\"1@x\",\"time_real\":0.000231}",
	    "DONE scored over; score -2500 of 15000; answer no action, -2.5 of 15; "
	    "action no action; version rspamd/3.4; ODD=0[x, b\\xff, q\"\\\\]; GRADE=-2500[-2.5]" },
	{ "GTUBE", "200 OK", "{\"is_skipped\":true,\"score\":15.0,\"required_score\":15.0,"
	    "\"action\":\"reject\",\"symbols\":{\"GTUBE\":{\"name\":\"GTUBE\",\"score\":0.0}},"
	    "\"messages\":{\"smtp_message\":\"Gtube pattern\"}}",
	    "DONE scored kept; score 15000 of 15000; answer reject, 15 of 15, skipped: Gtube "
	    "pattern; action reject; GTUBE=0[]" },
	{ "whitelisted by its settings", "200 OK", "{\"is_skipped\":true,\"score\":0.0,"
	    "\"required_score\":15.0,\"action\":\"no action\",\"symbols\":{},\"messages\":{}}",
	    "DONE scored kept; score 0 of 15000; answer no action, 0 of 15, skipped; "
	    "action no action" },
	{ "reject by a module", "200 OK", SAYS("\"score\":0,\"action\":\"reject\","
	    "\"passthrough_module\":\"multimap\",\"messages\":{\"x\":[1],\"smtp_message\":\"go\"}"),
	    "DONE scored kept; score 0 of 0; answer reject by multimap, 0 of 0: go; "
	    "action reject" },
	{ "null scores of symbols", "200 OK", SAYS(MINE ",\"symbols\":{\"A\":{\"score\":null},"
	    "\"B\":{},\"C D\":{\"options\":{\"a\":1},\"score\":-0.5,\"x\":[{}]}}"),
	    SCORED "; action add header; A[]; B[]; C_D=-500[]" },
	{ "options that are no strings", "200 OK",
	    SAYS(MINE ",\"symbols\":{\"A\":{\"options\":[1,\"a\",{\"b\":\"c\"},[\"d\"],\"e\"]}}"),
	    SCORED "; action add header; A[a, e]" },
	{ "blanks, order, escapes", "200 OK", " { \"ac\\u0074ion\" : \"no\\taction\\u0000\\n\" ,\r\n"
	    "\t\"score\" : 1e0 } ",
	    "DONE scored kept; score 1000 of 0; answer no\\x09action\\x00\\x0a, 1 of 0; "
	    "action no\\x09action\\x00\\x0a" },

	{ "soft reject by score", "200 OK", SAYS("\"score\":4,\"action\":\"soft reject\""),
	    "DONE scored kept; score 4000 of 0; answer soft reject, 4 of 0; "
	    "action soft reject" },
	{ "greylisted", "200 OK", SAYS("\"score\":4,\"action\":\"soft reject\","
	    "\"passthrough_module\":\"greylist\",\"messages\":{\"smtp_message\":\"later\"}"),
	    "DONE scored kept; score 4000 of 0; answer soft reject by greylist, 4 of 0: later; "
	    "action soft reject" },
	{ "greylisted, module not named", "200 OK", SAYS("\"messages\":{\"smtp_message\":\"l\"},"
	    "\"score\":4,\"action\":\"soft reject\",\"symbols\":{\"GREYLIST\":{\"score\":0}}"),
	    "DONE scored kept; score 4000 of 0; answer soft reject, 4 of 0: l; "
	    "action soft reject; GREYLIST=0[]" },
	{ "its time-out", "200 OK", SAYS("\"score\":4,\"action\":\"soft reject\","
	    "\"symbols\":{\"GREYLISTED\":{\"score\":0}},"
	    "\"messages\":{\"smtp_message\":\"timeout processing message\"}"),
	    "DONE failed kept; why soft reject, 4 of 0: timeout processing message; "
	    "answer soft reject, 4 of 0: timeout processing message; action soft reject" },
	{ "rate limit", "200 OK", SAYS("\"score\":0,\"action\":\"soft reject\","
	    "\"passthrough_module\":\"ratelimit\",\"symbols\":{\"GREYLIST\":{\"score\":0}}"),
	    "DONE failed kept; why soft reject by ratelimit, 0 of 0; "
	    "answer soft reject by ratelimit, 0 of 0; action soft reject" },

	{ "error", "503 Busy", "{\"error\":\"no\\nroom\",\"error_domain\":\"d\"}",
	    "DONE failed kept; why answered: 503 no\\x0aroom" },
	{ "error and a score", "200 OK", SAYS(MINE ",\"error\":\"half\""),
	    "DONE failed kept; why answered: 200 half" },
	{ "score with an error code", "403 Forbidden", SAYS(MINE),
	    "DONE failed kept; why answered: 403 Forbidden" },
	{ "unauthorized", "401 \x1b[2J", "", "BROKEN failed over; why control characters in a "
	    "head" },
	{ "404 of somebody else", "404 Not Found\r\nServer: nginx\r\nConnection: close",
	    "<html>", "DONE failed over; why answered: 404 Not Found; version nginx" },
	{ "204", "204 No Content", "", "DONE failed kept; why answered: 204 No Content" },
	{ "redirect", "302 Over there", "x", "DONE failed kept; why answered: 302 Over there" },

	{ "no body", "200 OK", "", NOT_JSON },
	{ "pong", "200 OK", "pong\r\n", NOT_JSON },
	{ "an array", "200 OK", "[" SAYS(MINE) "]", NOT_JSON },
	{ "half", "200 OK", "{\"is_skipped\":false," MINE, NOT_JSON },
	{ "two objects", "200 OK", SAYS(MINE) SAYS(MINE), NOT_JSON },
	{ "too deep", "200 OK", SAYS(MINE ",\"x\":" DEEP10 DEEP10 DEEP10 DEEP10), NOT_JSON },
	{ "no score", "200 OK", SAYS("\"action\":\"no action\""), INCOMPLETE },
	{ "no action", "200 OK", SAYS("\"score\":1"), INCOMPLETE },
	{ "nothing", "200 OK", "{}", INCOMPLETE },
	{ "null score", "200 OK", SAYS("\"score\":null,\"action\":\"a\""), BAD("score") },
	{ "nan", "200 OK", SAYS("\"score\":nan,\"action\":\"a\""), NOT_JSON },
	{ "score of words", "200 OK", SAYS("\"score\":\"1\",\"action\":\"a\""), BAD("score") },
	{ "score beyond all", "200 OK", SAYS("\"score\":1e300,\"action\":\"a\""), BAD("score") },
	{ "symbol beyond all", "200 OK", SAYS(MINE ",\"symbols\":{\"A\":{\"score\":-1e7}}"),
	    BAD("symbols") },
	{ "symbols in an array", "200 OK", SAYS(MINE ",\"symbols\":[]"), BAD("symbols") },
	{ "a symbol that is a number", "200 OK", SAYS(MINE ",\"symbols\":{\"A\":1}"),
	    BAD("symbols") },
	{ "half of the symbols", "200 OK", SAYS(MINE ",\"symbols\":{\"A\":{\"score\":1},\"B\""),
	    BAD("symbols") },
	{ "two scores", "200 OK", SAYS(MINE ",\"score\":0"), BAD("score") },
	{ "two scores, one in disguise", "200 OK", SAYS(MINE ",\"\\u0073core\":0"),
	    BAD("score") },
	{ "two actions", "200 OK", SAYS(MINE ",\"action\":\"no action\""), BAD("action") },
	{ "skipped perhaps", "200 OK", "{\"is_skipped\":1," MINE "}", BAD("is_skipped") },
	{ "compressed", "200 OK\r\nContent-Encoding: zstd", SAYS(MINE),
	    "BROKEN failed over; why an answer in a coding nobody asked for" },
	{ "two lengths", "200 OK\r\nContent-Length: 3", SAYS(MINE),
	    "BROKEN failed over; why two different Content-Length" },
};

static const struct row probes[] = {
	{ "pong", "200 OK\r\nServer: rspamd/3.4", "pong\r\n",
	    "DONE clean kept; answer pong; version rspamd/3.4" },
	{ "pong, closed", "200 OK\r\nConnection: close", "pong",
	    "DONE clean over; answer pong" },
	{ "somebody else", "200 OK\r\nServer: nginx", "<html>",
	    "BROKEN failed over; why answer to ping: <html>; version nginx" },
	{ "nothing", "200 OK", "", "BROKEN failed over; why answer to ping: " },
	{ "404", "404 Not Found", "pong", "DONE failed kept; why answered: 404 Not Found" },
};

static const struct scan_options options = {
	.kind = SCANNER_RSPAMD, .host = { (const uint8_t *)"localhost", 9 },
};

static void
begin(struct talk *t, bool probe)
{
	if (probe) {
		if (t->client == NULL)
			t->client = scan_client_create(&options);
		scan_client_begin_probe(t->client, &t->arena);
	} else
		talk_begin(t, &options, &(struct scan_request){ .size = 5,
		    .prefix = SPAN_LIT("X: y\r\n") });
}

static void
build(struct buf *b, const struct row *row)
{
	buf_printf(b, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", row->status,
	    strlen(row->body), row->body);
}

static void
run(const struct row *row, bool probe, size_t step)
{
	struct talk t = { 0 };
	struct buf in = { 0 }, got = { 0 };

	build(&in, row);
	/* A kept connection says the same again. */
	for (int i = 0; i < 2; i++) {
		begin(&t, probe);
		talk_flush(&t, step);
		enum scan_event e = talk_feed(&t, buf_span(&in), step);

		if (strcmp(show(&got, t.client, e), row->shown) != 0)
			fail_msg("%s, pieces of %zu: %s", row->name, step, buf_text(&got));
		if (!scan_client_may_be_reused(t.client))
			break;
	}
	talk_end(&t);
	buf_free(&in);
	buf_free(&got);
}

static void
run_table(const struct row *table, size_t count, bool probe)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t step = 1; step < 40; step++)
			run(&table[i], probe, step);
		run(&table[i], probe, 100000);
	}
}

static void
test_replies(void **state)
{
	run_table(rows, COUNT_OF(rows), false);
}

static void
test_probes(void **state)
{
	run_table(probes, COUNT_OF(probes), true);
}

static void
cut_off(const struct row *row, bool probe, size_t n)
{
	struct talk t = { 0 };
	struct buf in = { 0 };

	build(&in, row);
	begin(&t, probe);
	talk_flush(&t, 100);
	enum scan_event e = talk_feed(&t, span_slice(buf_span(&in), 0, n), 50);

	if (n < buf_len(&in)) {
		assert_true(e != SCAN_DONE);
		e = e == SCAN_WAIT ? scan_client_closed(t.client) : e;
		assert_int_equal(e, SCAN_BROKEN);
		assert_int_equal(scan_client_report(t.client)->result, SCAN_FAILED);
		assert_true(scan_client_report(t.client)->why.len > 0);
		assert_false(scan_client_may_be_reused(t.client));
	}
	talk_end(&t);
	buf_free(&in);
}

static void
test_cut_off(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		for (size_t n = 0; n < strlen(rows[i].body) + 60; n++)
			if (strncmp(rows[i].status, "204", 3) != 0)
				cut_off(&rows[i], false, n);
	for (size_t n = 0; n < 60; n++)
		cut_off(&probes[0], true, n);
}

static void
test_nonsense(void **state)
{
	static const char *const texts[] = { "\r\n\r\n", "220 mx ESMTP\r\n\r\n",
		"SPAMD/1.1 0 EX_OK\r\n\r\n", "stream: OK\0", "ICAP/1.0 204 No\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n{\"score\":0,\"action\":\"no action\"}",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 204 No\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
		"{\"score\":0,\"action\":\"no action\"}", "\x16\x03\x01\x02" };

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct talk t = { 0 };

		begin(&t, i % 2 != 0);
		talk_flush(&t, 100);
		enum scan_event e = talk_feed(&t, span_text(texts[i]), 1000);

		if (e == SCAN_WAIT)
			e = scan_client_closed(t.client);
		assert_int_equal(scan_client_report(t.client)->result, SCAN_FAILED);
		talk_end(&t);
	}
}

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n{\"score\":1,\"action\":\"greylist\"}"

static void
test_too_much(void **state)
{
	struct talk t = { 0 };
	struct buf got = { 0 };

	begin(&t, false);
	talk_flush(&t, 100);
	enum scan_event e = talk_feed(&t, SPAN_LIT("HTTP/1.1 200 OK\r\n"
	    "Content-Length: 1048577\r\n\r\n"), 1000);

	assert_string_equal(show(&got, t.client, e),
	    "BROKEN failed over; why a body of more than 1048576 bytes");
	talk_end(&t);
	t = (struct talk){ 0 };
	begin(&t, false);
	talk_flush(&t, 100);
	e = talk_feed(&t, SPAN_LIT(ANSWER ANSWER), 1000);
	assert_string_equal(show(&got, t.client, e), "DONE scored over; score 1000 of 0; "
	    "answer greylist, 1 of 0; action greylist");
	assert_int_equal(scan_client_feed(t.client, SPAN_LIT("x")), SCAN_BROKEN);
	talk_end(&t);
	buf_free(&got);
}

/* Too early is no verdict; a refusal is one, for this connection's last time. */
static void
test_early(void **state)
{
	struct talk t = { 0 };
	struct buf got = { 0 };
	enum scan_event e;

	begin(&t, false);
	e = talk_feed(&t, SPAN_LIT(ANSWER), 1000);
	assert_int_equal(e, SCAN_BROKEN);
	assert_int_equal(scan_client_report(t.client)->result, SCAN_FAILED);
	assert_false(scan_client_report(t.client)->has_score);
	talk_end(&t);
	t = (struct talk){ 0 };
	begin(&t, false);
	e = talk_feed(&t, SPAN_LIT("HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n"), 9);
	assert_string_equal(show(&got, t.client, e),
	    "DONE failed over; why answered: 413 Large");
	talk_end(&t);
	buf_free(&got);
}

/* Many symbols: no more than SCAN_SYMBOLS are kept, and the report says so. */
static void
test_many_symbols(void **state)
{
	struct talk t = { 0 };
	struct buf body = { 0 }, in = { 0 };

	buf_printf(&body, "{\"score\":1,\"action\":\"reject\",\"symbols\":{");
	for (int i = 0; i <= SCAN_SYMBOLS; i++)
		buf_printf(&body, "%s\"S%d\":{\"score\":0.%d}", i > 0 ? "," : "", i, i);
	buf_printf(&body, "}}");
	buf_printf(&in, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", buf_len(&body));
	buf_add(&in, buf_span(&body));
	begin(&t, false);
	talk_flush(&t, 1000);
	assert_int_equal(talk_feed(&t, buf_span(&in), 1000), SCAN_DONE);
	assert_int_equal(scan_client_report(t.client)->symbol_count, SCAN_SYMBOLS);
	assert_true(scan_client_report(t.client)->symbols_cut);
	assert_int_equal(scan_client_report(t.client)->symbols[499].score, 499);
	talk_end(&t);
	buf_free(&body);
	buf_free(&in);
}

static void
expect_request(const struct scan_options *o, const struct scan_request *r, const char *want)
{
	struct talk t = { 0 };

	talk_begin(&t, o, r);
	talk_flush(&t, 3);
	assert_string_equal(buf_text(&t.said), want);
	talk_end(&t);
}

static void
test_requests(void **state)
{
	const struct span two[] = { SPAN_LIT("b@c.test"), SPAN_LIT("d@e.test") };
	const struct span evil[] = { SPAN_LIT("x@y>\r\nPassword: z\n\r\n\r\0z") };

	expect_request(&options, &(struct scan_request){ .size = 5 },
	    "POST /checkv2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nFrom: <>\r\n\r\n"
	    "<body 0 5>");
	expect_request(&options, &(struct scan_request){ .client_address = SPAN_LIT("unknown"),
	    .recipients = &two[0], .recipient_count = 1 },
	    "POST /checkv2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nFrom: <>\r\n"
	    "Rcpt: <b@c.test>\r\nDeliver-To: b@c.test\r\n\r\n");
	expect_request(&(struct scan_options){ .kind = SCANNER_RSPAMD, .host = SPAN_LIT("h:1"),
	    .path = SPAN_LIT("/a b"), .password = SPAN_LIT("q1\r\nX: y") },
	    &(struct scan_request){ .size = 1, .prefix = SPAN_LIT("P: q\r\n"),
	    .sender = SPAN_LIT("a@b.test"), .recipients = two, .recipient_count = 2,
	    .client_address = SPAN_LIT("2001:db8::1"), .client_name = SPAN_LIT("n.test"),
	    .helo = SPAN_LIT("h.test"), .user = SPAN_LIT("u"), .queue_id = SPAN_LIT("4X"),
	    .hostname = SPAN_LIT("mx") },
	    "POST /a%20b HTTP/1.1\r\nHost: h:1\r\nPassword: q1??X: y\r\nContent-Length: 7\r\n"
	    "From: <a@b.test>\r\nRcpt: <b@c.test>\r\nRcpt: <d@e.test>\r\nIP: 2001:db8::1\r\n"
	    "Hostname: n.test\r\nHelo: h.test\r\nUser: u\r\nQueue-Id: 4X\r\nMTA-Name: mx\r\n\r\n"
	    "P: q\r\n<body 0 1>");
	expect_request(&options, &(struct scan_request){ .sender = evil[0], .recipients = evil,
	    .recipient_count = 1, .client_address = evil[0], .client_name = evil[0],
	    .helo = evil[0], .user = evil[0], .queue_id = evil[0] },
	    "POST /checkv2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
	    "From: <x@y>??Password: z?????z>\r\nRcpt: <x@y>??Password: z?????z>\r\n"
	    "Deliver-To: x@y>??Password: z?????z\r\nHostname: x@y>??Password: z?????z\r\n"
	    "Helo: x@y>??Password: z?????z\r\nUser: x@y>??Password: z?????z\r\n"
	    "Queue-Id: x@y>??Password: z?????z\r\n\r\n");
}

/* rspamd reads 80 KiB of a head at most. */
static void
test_many_recipients(void **state)
{
	static const uint8_t letters[300] = { [0 ... 299] = 'a' };
	struct span many[1000];
	struct talk t = { 0 };

	for (size_t i = 0; i < COUNT_OF(many); i++)
		many[i] = (struct span){ letters, sizeof letters };
	talk_begin(&t, &options, &(struct scan_request){ .recipients = many,
	    .recipient_count = COUNT_OF(many) });
	talk_flush(&t, 1000);
	assert_in_range(buf_len(&t.said), 40000, 60000);
	talk_end(&t);
}

static void
expect_ping(const char *path, const char *want)
{
	struct scan_options o = options;
	struct talk t = { 0 };

	o.path = span_text(path);
	t.client = scan_client_create(&o);
	scan_client_begin_probe(t.client, &t.arena);
	assert_string_equal(scan_client_doing(t.client), "asking rspamd whether it is there");
	talk_flush(&t, 7);
	assert_string_equal(buf_text(&t.said), want);
	talk_end(&t);
}

static void
test_pings(void **state)
{
	expect_ping("", "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n");
	expect_ping("/a/checkv2", "GET /a/ping HTTP/1.1\r\nHost: localhost\r\n\r\n");
	expect_ping("checkv2", "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_many_symbols),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_many_recipients),
		cmocka_unit_test(test_pings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
