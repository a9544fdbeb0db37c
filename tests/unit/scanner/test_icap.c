/*
 * test_icap.c - dialogues with ICAP services: answers at every cut, each cut off at every
 * byte, each replaced by nonsense.
 */
#include "tests/unit/scanner/show.h"
#include "tests/unit/scanner/talk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define CLEAN_204 "ICAP/1.0 204 Unmodified\r\n"
#define CHANGED   "ICAP/1.0 200 OK\r\n"
#define TAG       "ISTag: \"CI0001-X\"\r\n"
#define FOUND     "X-Infection-Found: Type=0; Resolution=2; Threat=Eicar;\r\n"
#define RES_HDR   "HTTP/1.0 403 Forbidden\r\n\r\n"       /* 26 bytes */
#define REQ_HDR   "GET / HTTP/1.1\r\n\r\n"               /* 18 bytes */
#define PAGE      "Encapsulated: res-hdr=0, res-body=26\r\n\r\n" RES_HDR
#define BODY      "5\r\nhello\r\n0\r\n\r\n"
#define BROKEN(why) "BROKEN failed over; why " why
#define INFECTED  "DONE infected kept; answer ICAP/1.0 200 OK; virus "
#define HALF      "DONE infected over; answer ICAP/1.0 200 OK; virus "

struct row { const char *name, *says, *shown; };

static const struct row rows[] = {
	{ "clean", CLEAN_204 TAG "\r\n",
	    "DONE clean kept; answer ICAP/1.0 204 Unmodified; version CI0001-X" },
	{ "clean, null body", CLEAN_204 "Encapsulated: null-body=0\r\n\r\n",
	    "DONE clean kept; answer ICAP/1.0 204 Unmodified" },
	{ "clean, closing", CLEAN_204 "Connection: close\r\n\r\n",
	    "DONE clean over; answer ICAP/1.0 204 Unmodified" },
	{ "clean, no threats", CLEAN_204 "X-Virus-ID: no threats\r\nX-Violations-Found: 0\r\n\r\n",
	    "DONE clean kept; answer ICAP/1.0 204 Unmodified" },
	{ "204 and a threat", CLEAN_204 FOUND "\r\n",
	    "DONE infected kept; answer ICAP/1.0 204 Unmodified; virus Eicar" },
	{ "204 with a message", CLEAN_204 PAGE BODY,
	    "BROKEN failed over; why 204 with a message; answer ICAP/1.0 204 Unmodified" },
	{ "infected, as c-icap writes it", CHANGED "Server: C-ICAP/0.5.10\r\n"
	    "Connection: keep-alive\r\n" TAG FOUND
	    "X-Violations-Found: 1\r\n\t-\r\n\tEicar\r\n\t0\r\n\t0\r\n" PAGE BODY,
	    "DONE infected kept; answer ICAP/1.0 200 OK; version CI0001-X; virus Eicar" },
	{ "violations only", CHANGED "X-Violations-Found: 2\r\n\ta.zip\r\n\tWorm A\r\n\t7\r\n"
	    "\t2\r\n b\r\n Worm.B\r\n 8\r\n 2\r\n" PAGE BODY,
	    INFECTED "Worm_A; virus Worm.B" },
	{ "violations without names", CHANGED "X-Violations-Found: 1\r\n" PAGE BODY,
	    INFECTED "unnamed" },
	{ "X-Virus-ID", CHANGED "X-Virus-ID: \"Worm\"\r\n" PAGE BODY, INFECTED "Worm" },
	{ "in the page's head", CHANGED "Encapsulated: res-hdr=0, null-body=42\r\n\r\n"
	    "HTTP/1.1 403 No\r\nx-virus-name: Worm.C \r\n\r\n", INFECTED "Worm.C" },
	{ "two threats", CHANGED FOUND "X-Infection-Found: type=0;threat=B;\r\n" PAGE BODY,
	    INFECTED "Eicar; virus B" },
	{ "threat without parameters", CHANGED "X-Infection-Found: Bad one\r\n" PAGE BODY,
	    INFECTED "Bad_one" },
	{ "threat without a name", CHANGED "X-Infection-Found:\r\n" PAGE BODY,
	    INFECTED "unnamed" },
	{ "container", CHANGED "X-Infection-Found: Type=2; Resolution=0; Threat=Too deep;\r\n"
	    PAGE BODY, "DONE unscannable kept; why Too deep; answer ICAP/1.0 200 OK" },
	{ "container without a name", CHANGED "X-Infection-Found: Type=2; Threat=\r\n" PAGE BODY,
	    "DONE unscannable kept; why container; answer ICAP/1.0 200 OK" },
	{ "container and threat", CHANGED "X-Infection-Found: Type=2; Threat=Deep;\r\n" FOUND
	    PAGE BODY, INFECTED "Eicar" },
	{ "changed", CHANGED PAGE BODY, INFECTED "ICAP.Modified" },
	{ "changed, no body", CHANGED "Encapsulated: res-hdr=0, null-body=26\r\n\r\n" RES_HDR,
	    INFECTED "ICAP.Modified" },
	{ "changed, two heads", CHANGED "Encapsulated: req-hdr=0,res-hdr=18,res-body=44\r\n\r\n"
	    REQ_HDR RES_HDR BODY, INFECTED "ICAP.Modified" },
	{ "changed, nothing inside", CHANGED "\r\n", INFECTED "ICAP.Modified" },

	{ "head inside is longer", CHANGED "Encapsulated: res-hdr=0, res-body=25\r\n\r\n"
	    RES_HDR BODY, "BROKEN failed over; why heads inside do not end where Encapsulated "
	    "says; answer ICAP/1.0 200 OK" },
	{ "head inside is shorter", CHANGED "Encapsulated: res-hdr=0, res-body=27\r\n\r\n"
	    RES_HDR BODY, "BROKEN failed over; why heads inside do not end where Encapsulated "
	    "says; answer ICAP/1.0 200 OK" },
	{ "no head inside", CHANGED "Encapsulated: res-hdr=0, res-body=26\r\n\r\n"
	    "nonsense\nnonsense\nnonsense\n", "BROKEN failed over; why a line without CR LF; "
	    "answer ICAP/1.0 200 OK" },
	{ "bad chunk", CHANGED PAGE "x\r\n", "BROKEN failed over; why a bad chunk size; "
	    "answer ICAP/1.0 200 OK" },
	{ "threat, then a bad chunk", CHANGED FOUND PAGE "x\r\n", HALF "Eicar" },
	{ "threat, bad Encapsulated", CHANGED FOUND "Encapsulated: x\r\n\r\n", HALF "Eicar" },

	{ "400", "ICAP/1.0 400 Bad request\r\n\r\n",
	    "DONE failed over; why answered: ICAP/1.0 400 Bad request" },
	{ "404", "ICAP/1.0 404 Service not found\r\nServer: C-ICAP/0.5.10\r\n"
	    "Connection: close\r\n\r\n",
	    "DONE failed over; why answered: ICAP/1.0 404 Service not found" },
	{ "500 with a threat", "ICAP/1.0 500 Server error\r\n" FOUND "\r\n",
	    "DONE failed over; why answered: ICAP/1.0 500 Server error" },
	{ "206", "ICAP/1.0 206 Partial\r\n\r\n",
	    "DONE failed over; why answered: ICAP/1.0 206 Partial" },
	{ "100", "ICAP/1.0 100 Continue\r\n\r\n", BROKEN("100 Continue without a preview") },
	{ "HTTP", "HTTP/1.1 204 No Content\r\n\r\n",
	    BROKEN("no ICAP status line: HTTP/1.1 204 No Content") },
	{ "ICAP/2", "ICAP/2.0 204 No\r\n\r\n", BROKEN("no ICAP status line: ICAP/2.0 204 No") },
	{ "code of words", "ICAP/1.0 OK\r\n\r\n", BROKEN("no ICAP status line: ICAP/1.0 OK") },
	{ "LF alone", "ICAP/1.0 204 No\n\n", BROKEN("a line without CR LF") },
	{ "NUL", "ICAP/1.0 204\x01\r\n\r\n", BROKEN("control characters in a head") },
	{ "not ICAP at all", "stream: OK\r\n\r\n", BROKEN("no ICAP status line: stream: OK") },
};

#define OFFERS "ICAP/1.0 200 OK\r\nMethods: RESPMOD, REQMOD\r\n"

static const struct row probes[] = {
	{ "c-icap", OFFERS "Service: C-ICAP/0.5.10 server\r\n" TAG "Preview: 1024\r\n"
	    "Allow: 204\r\nEncapsulated: null-body=0\r\n\r\n",
	    "DONE clean kept; answer C-ICAP/0.5.10 server; version CI0001-X" },
	{ "little said", OFFERS "\r\n", "DONE clean kept; answer ICAP/1.0 200 OK" },
	{ "with a body", OFFERS "Encapsulated: opt-body=0\r\n\r\n" BODY,
	    "DONE clean kept; answer ICAP/1.0 200 OK" },
	{ "REQMOD only", "ICAP/1.0 200 OK\r\nMethods: REQMOD\r\n\r\n", "DONE failed kept; "
	    "why the service does not offer RESPMOD; answer ICAP/1.0 200 OK" },
	{ "no methods", "ICAP/1.0 200 OK\r\n\r\n", "DONE failed kept; "
	    "why the service does not offer RESPMOD; answer ICAP/1.0 200 OK" },
	{ "no 204", OFFERS "Allow: 206\r\n\r\n", "DONE failed kept; why the service has no "
	    "204: nothing would be clean; answer ICAP/1.0 200 OK" },
	{ "204", CLEAN_204 "Methods: RESPMOD\r\n\r\n",
	    "DONE failed over; why answered: ICAP/1.0 204 Unmodified" },
	{ "404", "ICAP/1.0 404 No\r\n\r\n", "DONE failed over; why answered: ICAP/1.0 404 No" },
};

static const char *const bad_parts[] = { "", ",", "res-hdr", "res-hdr=", "res-hdr=0",
	"res-hdr=x, res-body=26", "res-hdr=1, res-body=26", "res-hdr=0, res-body=0",
	"res-hdr=0, res-body=-1", "res-hdr=0, x=26", "res-hdr=0, res-body=26, res-body=27",
	"body=26", "res-body=26", "res-body=0, res-hdr=26", "=0", "x=0, res-body=26",
	"req-hdr=0, res-hdr=30, res-body=26", "req-hdr=0, res-hdr=0, res-body=26",
	"req-hdr=0, res-hdr=18, res-hdr=20, res-body=26", "res-hdr=0, res-body=4294967296",
	"res-hdr=0 res-body=26", "res-hdr=0, res-body=26," };

static const struct scan_options options = {
	.kind = SCANNER_ICAP, .host = { (const uint8_t *)"h:1344", 6 },
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
expect(const struct row *row, bool probe, size_t step)
{
	struct talk t = { 0 };
	struct buf got = { 0 };

	/* A kept connection says the same again. */
	for (int i = 0; i < 2; i++) {
		begin(&t, probe);
		talk_flush(&t, step);
		enum scan_event e = talk_feed(&t, span_text(row->says), step);

		if (strcmp(show(&got, t.client, e), row->shown) != 0)
			fail_msg("%s, pieces of %zu: %s", row->name, step, buf_text(&got));
		if (!scan_client_may_be_reused(t.client))
			break;
	}
	talk_end(&t);
	buf_free(&got);
}

static void
expect_all(const struct row *table, size_t count, bool probe)
{
	for (size_t i = 0; i < count; i++)
		for (size_t step = 1; step <= strlen(table[i].says); step++)
			expect(&table[i], probe, step);
}

static void
test_answers(void **state)
{
	expect_all(rows, COUNT_OF(rows), false);
}

static void
test_probes(void **state)
{
	expect_all(probes, COUNT_OF(probes), true);
}

static void
test_bad_parts(void **state)
{
	char says[300];

	for (size_t i = 0; i < COUNT_OF(bad_parts); i++) {
		snprintf(says, sizeof says, CHANGED "Encapsulated: %s\r\n\r\n" RES_HDR BODY,
		    bad_parts[i]);
		expect(&(struct row){ bad_parts[i], says, "BROKEN failed over; why a bad field "
		    "Encapsulated; answer ICAP/1.0 200 OK" }, false, 1000);
	}
}

/* Cut off, nothing is clean; infected is what had been named by then. */
static void
cut_off(const struct row *row, bool probe, size_t n)
{
	struct talk t = { 0 };
	const char *threat = strstr(row->says, FOUND);

	begin(&t, probe);
	talk_flush(&t, 100);
	enum scan_event e = talk_feed(&t, (struct span){ (const uint8_t *)row->says, n }, 50);

	if (e != SCAN_DONE) {
		e = e == SCAN_WAIT ? scan_client_closed(t.client) : e;
		if (scan_client_report(t.client)->result == SCAN_INFECTED)
			assert_true(e == SCAN_DONE && strstr(row->shown, "infected") != NULL &&
			    (threat == NULL || threat + strlen(FOUND) < row->says + n));
		else
			assert_true(e == SCAN_BROKEN &&
			    scan_client_report(t.client)->result == SCAN_FAILED &&
			    scan_client_report(t.client)->why.len > 0);
		assert_false(scan_client_may_be_reused(t.client));
	} else if (strstr(row->shown, "DONE clean") == row->shown)
		assert_int_equal(n, strlen(row->says));
	talk_end(&t);
}

static void
test_cut_off(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		for (size_t n = 0; n <= strlen(rows[i].says); n++)
			cut_off(&rows[i], false, n);
	for (size_t i = 0; i < COUNT_OF(probes); i++)
		for (size_t n = 0; n <= strlen(probes[i].says); n++)
			cut_off(&probes[i], true, n);
}

/* A threat that was named stays one when the connection breaks, and only then. */
static void
test_half_a_page(void **state)
{
	static const struct { const char *says, *shown; } halves[] = {
		{ CHANGED FOUND PAGE "5\r\nhel", HALF "Eicar" },
		{ CHANGED FOUND "Encapsulated: res-hdr=0, res-body=26\r\n\r\n", HALF "Eicar" },
		{ CHANGED PAGE "5\r\nhel", "BROKEN failed over; why closed the connection "
		    "(while waiting for the ICAP service's answer); answer ICAP/1.0 200 OK" },
		{ CHANGED FOUND "Encapsulated: res-hdr=0", "BROKEN failed over; why closed the "
		    "connection (while waiting for the ICAP service's answer)" },
	};
	struct buf got = { 0 };

	for (size_t i = 0; i < COUNT_OF(halves); i++) {
		struct talk t = { 0 };

		begin(&t, false);
		talk_flush(&t, 100);
		assert_int_equal(talk_feed(&t, span_text(halves[i].says), 9), SCAN_WAIT);
		assert_string_equal(show(&got, t.client, scan_client_closed(t.client)),
		    halves[i].shown);
		talk_end(&t);
	}
	buf_free(&got);
}

static void
test_early(void **state)
{
	struct talk t = { 0 };
	struct buf got = { 0 };

	begin(&t, false);
	enum scan_event e = talk_feed(&t, SPAN_LIT(CLEAN_204 "\r\n"), 1000);

	assert_string_equal(show(&got, t.client, e), "BROKEN failed over; why answered before "
	    "the message was sent; answer ICAP/1.0 204 Unmodified");
	talk_end(&t);
	t = (struct talk){ 0 };
	begin(&t, false);
	e = talk_feed(&t, SPAN_LIT(CHANGED FOUND PAGE BODY), 1000);
	assert_string_equal(show(&got, t.client, e), HALF "Eicar");
	talk_end(&t);
	buf_free(&got);
}

static void
test_second_answer(void **state)
{
	struct talk t = { 0 };
	struct buf got = { 0 };

	begin(&t, false);
	talk_flush(&t, 100);
	enum scan_event e = talk_feed(&t, SPAN_LIT(CLEAN_204 "\r\n" CLEAN_204 "\r\n"), 1000);

	assert_string_equal(show(&got, t.client, e),
	    "DONE clean over; answer ICAP/1.0 204 Unmodified");
	assert_int_equal(scan_client_feed(t.client, SPAN_LIT("x")), SCAN_BROKEN);
	talk_end(&t);
	t = (struct talk){ 0 };
	begin(&t, false);
	talk_flush(&t, 100);
	assert_int_equal(talk_feed(&t, SPAN_LIT(CLEAN_204 "\r\n"), 1000), SCAN_DONE);
	assert_true(scan_client_may_be_reused(t.client));
	assert_int_equal(scan_client_feed(t.client, SPAN_LIT(CLEAN_204)), SCAN_BROKEN);
	assert_false(scan_client_may_be_reused(t.client));
	talk_end(&t);
	buf_free(&got);
}

/* A changed message of any size is the same answer; it is not read to its end. */
static void
test_large_body(void **state)
{
	static const uint8_t piece[65536];
	struct talk t = { 0 };
	struct buf got = { 0 };
	enum scan_event e;
	size_t n = 0;

	begin(&t, false);
	talk_flush(&t, 100);
	e = talk_feed(&t, SPAN_LIT(CHANGED PAGE "10000000\r\n"), 1000);
	for (; e == SCAN_WAIT && n < 100; n++)
		e = scan_client_feed(t.client, (struct span){ piece, sizeof piece });
	assert_string_equal(show(&got, t.client, e), HALF "ICAP.Modified");
	assert_int_equal(n, SCAN_REPLY_BYTES / sizeof piece + 1);
	talk_end(&t);
	buf_free(&got);
}

static void
expect_request(const struct scan_options *o, const struct scan_request *r, uint64_t step,
    const char *want)
{
	struct talk t = { 0 };

	talk_begin(&t, o, r);
	assert_string_equal(scan_client_doing(t.client), "sending the message to the ICAP "
	    "service");
	talk_flush(&t, step);
	assert_string_equal(scan_client_doing(t.client), "waiting for the ICAP service's answer");
	assert_string_equal(buf_text(&t.said), want);
	talk_end(&t);
}

#define REQUEST(uri, host, length) \
	"RESPMOD " uri " ICAP/1.0\r\nHost: " host "\r\nAllow: 204\r\n" \
	"Encapsulated: req-hdr=0, res-hdr=64, res-body=" length "\r\n\r\n" \
	"GET http://mail.invalid/message HTTP/1.1\r\nHost: mail.invalid\r\n\r\n" \
	"HTTP/1.1 200 OK\r\nContent-Type: message/rfc822\r\nContent-Length: "

static void
test_requests(void **state)
{
	struct scan_options o = options;

	expect_request(&o, &(struct scan_request){ .size = 26, .prefix = SPAN_LIT("X: y\r\n") },
	    3, REQUEST("icap://h:1344/avscan", "h:1344", "133") "32\r\n\r\n"
	    "20\r\nX: y\r\n<body 0 26>\r\n0\r\n\r\n");
	expect_request(&o, &(struct scan_request){ 0 }, 1,
	    REQUEST("icap://h:1344/avscan", "h:1344", "132") "0\r\n\r\n0\r\n\r\n");
	o.path = SPAN_LIT("virus scan\r\nX: y");
	o.host = SPAN_LIT("h\r\nX: y");
	expect_request(&o, &(struct scan_request){ .size = 5000000000 }, 1u << 20,
	    REQUEST("icap://h%0D%0AX:%20y/virus%20scan%0D%0AX:%20y", "h??X: y", "141")
	    "5000000000\r\n\r\n12a05f200\r\n<body 0 5000000000>\r\n0\r\n\r\n");
}

static void
test_options(void **state)
{
	struct talk t = { 0 };

	begin(&t, true);
	assert_string_equal(scan_client_doing(t.client),
	    "asking the ICAP service for its options");
	talk_flush(&t, 3);
	assert_string_equal(buf_text(&t.said), "OPTIONS icap://h:1344/avscan ICAP/1.0\r\n"
	    "Host: h:1344\r\nAllow: 204\r\nEncapsulated: null-body=0\r\n\r\n");
	talk_end(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_bad_parts),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_half_a_page),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_second_answer),
		cmocka_unit_test(test_large_body),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
