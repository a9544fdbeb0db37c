/*
 * test_dsn.c - the notification's parts by string, its lines, its limits.
 */
#include "lib/notice/dsn.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const struct { const char *reply, *status; } statuses[] = {
	{ "550 5.1.1 unknown", "5.1.1" }, { "550-5.7.26 x", "5.7.26" }, { "550 no", "5.0.0" },
	{ "450 no", "4.0.0" }, { "450 4.2.1", "4.2.1" }, { "550", "5.0.0" }, { "450", "4.0.0" },
	{ "5.1.1 unknown", "5.1.1" }, { "4.4.7 old", "4.4.7" }, { "", "5.0.0" },
	{ "what", "5.0.0" }, { "550 5.1.1: x", "5.0.0" }, { "550 4.1.1 x", "5.0.0" },
	{ "450 5.1.1 x", "4.0.0" }, { "550 5.01.1 x", "5.0.0" }, { "550 5.1.1111 x", "5.0.0" },
	{ "550 55.1.1 x", "5.0.0" }, { "550 5.1", "5.0.0" }, { "550 5.1.", "5.0.0" },
	{ "550 5..1 x", "5.0.0" }, { "250 2.0.0 Ok", "5.0.0" }, { "550 5.100.200 x", "5.100.200" },
	{ "5501 5.1.1 x", "5.0.0" },
};

static void
test_status(void **state)
{
	char got[16];

	for (size_t i = 0; i < COUNT_OF(statuses); i++) {
		dsn_status(span_text(statuses[i].reply), got);
		if (strcmp(got, statuses[i].status) != 0)
			fail_msg("%s: '%s'", statuses[i].reply, got);
	}
}

static void
test_wanted(void **state)
{
	for (unsigned notify = 0; notify < 16; notify++) {
		struct recipient r = { .notify = notify };

		assert_int_equal(dsn_wanted(&r), notify == 0 || (notify & NOTIFY_FAILURE));
	}
}

/* A notice of two recipients; the caller changes what it is about. */
struct notice {
	struct recipient     to[2];
	struct dsn_recipient failed[2];
	struct envelope      envelope;
	struct dsn           dsn;
	struct buf           out;
};

static void
notice_init(struct notice *n)
{
	*n = (struct notice){ .to = {
		{ .address = SPAN_LIT("bob@b.test"), .orcpt = SPAN_LIT("rfc822;b+2Bx@b.test") },
		{ .address = SPAN_LIT("eve@b.test") } } };
	n->failed[0] = (struct dsn_recipient){ &n->to[0], SPAN_LIT("550 5.1.1 unknown user"),
	    SPAN_LIT("127.0.0.1"), SPAN_NONE };
	n->failed[1] = (struct dsn_recipient){ &n->to[1], SPAN_LIT("554 5.7.0 no executables"),
	    SPAN_NONE, SPAN_LIT("banned") };
	n->envelope = (struct envelope){ .sender = SPAN_LIT("ann@a.test"),
	    .envid = SPAN_LIT("e+2B1"), .recipients = n->to, .recipient_count = 2 };
	n->dsn = (struct dsn){ .envelope = &n->envelope, .recipients = n->failed,
	    .recipient_count = 2, .hostname = "mx.b.test", .postmaster = "postmaster@b.test",
	    .client = SPAN_LIT("2001:db8::1"), .id = SPAN_LIT("4Xyz-1"),
	    .arrived = 1795299477000, .now = 1795299480000,
	    .header = SPAN_LIT("From: ann@a.test\nSubject: hi\n there\n\nbody"),
	    .subject = SPAN_LIT("hi there") };
}

/* Lines end in CR LF and have at most 998 bytes; returns the text. */
static const char *
notice_text(struct notice *n)
{
	dsn_write(&n->out, &n->dsn);
	struct span s = buf_span(&n->out);

	for (size_t i = 0, column = 0; i < s.len; i++, column++) {
		assert_true(s.ptr[i] != '\0' && (s.ptr[i] != '\r' || s.ptr[i + 1] == '\n'));
		assert_true(column <= 999);
		if (s.ptr[i] != '\n')
			continue;
		assert_true(i > 0 && s.ptr[i - 1] == '\r');
		column = SIZE_MAX;
	}
	assert_true(s.len > 0 && s.ptr[s.len - 1] == '\n');
	return buf_text(&n->out);
}

static void
notice_finish(struct notice *n)
{
	buf_free(&n->out);
}

static const char expected[] =
    "From: Mail filter <postmaster@b.test>\r\n"
    "To: <ann@a.test>\r\n"
    "Date: Sat, 21 Nov 2026 22:18:00 +0000\r\n"
    "Message-ID: <dsn.4Xyz-1@mx.b.test>\r\n"
    "Subject: Your mail could not be delivered\r\n"
    "Auto-Submitted: auto-replied\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
    " boundary=\"=_4Xyz-1_0\"\r\n"
    "Content-Transfer-Encoding: 7bit\r\n"
    "\r\n"
    "--=_4Xyz-1_0\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Description: Notification\r\n"
    "Content-Transfer-Encoding: 7bit\r\n"
    "\r\n"
    "This is the mail filter at mx.b.test.\r\n"
    "\r\n"
    "Your mail could not be delivered to these recipients:\r\n"
    "\r\n"
    "<bob@b.test>\r\n"
    "    The next mail server, 127.0.0.1, refused it and said:\r\n"
    "        550 5.1.1 unknown user\r\n"
    "    Check how the address is written, and send the mail again.\r\n"
    "\r\n"
    "<eve@b.test>\r\n"
    "    It was refused here:\r\n"
    "        554 5.7.0 no executables\r\n"
    "    The rule that refused it is \"banned\".\r\n"
    "    What the mail holds, or where it comes from, is not accepted there:\r\n"
    "    change that, or ask the recipient's postmaster.\r\n"
    "\r\n"
    "The mail came in on Sat, 21 Nov 2026 22:17:57 +0000.\r\n"
    "\r\n"
    "Its subject: hi there\r\n"
    "\r\n"
    "It will not be tried again for the recipients above. If you have questions,\r\n"
    "write to the address below and give this id:\r\n"
    "\r\n"
    "    4Xyz-1\r\n"
    "    postmaster@b.test\r\n"
    "\r\n"
    "--=_4Xyz-1_0\r\n"
    "Content-Type: message/delivery-status\r\n"
    "Content-Description: Delivery report\r\n"
    "Content-Transfer-Encoding: 7bit\r\n"
    "\r\n"
    "Original-Envelope-Id: e+1\r\n"
    "Reporting-MTA: dns; mx.b.test\r\n"
    "Received-From-MTA: dns; [IPv6:2001:db8::1]\r\n"
    "Arrival-Date: Sat, 21 Nov 2026 22:17:57 +0000\r\n"
    "\r\n"
    "Original-Recipient: rfc822;b+x@b.test\r\n"
    "Final-Recipient: rfc822;bob@b.test\r\n"
    "Action: failed\r\n"
    "Status: 5.1.1\r\n"
    "Remote-MTA: dns; [127.0.0.1]\r\n"
    "Diagnostic-Code: smtp; 550 5.1.1 unknown user\r\n"
    "Last-Attempt-Date: Sat, 21 Nov 2026 22:18:00 +0000\r\n"
    "Final-Log-ID: 4Xyz-1\r\n"
    "\r\n"
    "Final-Recipient: rfc822;eve@b.test\r\n"
    "Action: failed\r\n"
    "Status: 5.7.0\r\n"
    "Diagnostic-Code: smtp; 554 5.7.0 no executables\r\n"
    "Last-Attempt-Date: Sat, 21 Nov 2026 22:18:00 +0000\r\n"
    "Final-Log-ID: 4Xyz-1\r\n"
    "\r\n"
    "--=_4Xyz-1_0\r\n"
    "Content-Type: text/rfc822-headers\r\n"
    "Content-Description: Header of the undelivered mail\r\n"
    "Content-Transfer-Encoding: 7bit\r\n"
    "\r\n"
    "From: ann@a.test\r\n"
    "Subject: hi\r\n"
    " there\r\n"
    "\r\n"
    "--=_4Xyz-1_0--\r\n";

static void
test_whole(void **state)
{
	struct notice n;

	notice_init(&n);
	assert_string_equal(notice_text(&n), expected);
	notice_finish(&n);
}

#define HAS(n, text) assert_non_null(strstr(buf_text(&(n).out), text))
#define HAS_NOT(n, text) assert_null(strstr(buf_text(&(n).out), text))

/* RFC 6533: only where an address needs it, and only that address is of its type. */
static void
test_global(void **state)
{
	struct notice n;

	notice_init(&n);
	n.to[1].address = SPAN_LIT("\xc3\xa9ve@b.test");
	notice_text(&n);
	HAS(n, "report-type=global-delivery-status;");
	HAS(n, "Content-Type: message/global-delivery-status\r\n"
	    "Content-Description: Delivery report\r\nContent-Transfer-Encoding: 8bit\r\n");
	HAS(n, "Content-Type: message/global-headers\r\n");
	HAS(n, "Final-Recipient: rfc822;bob@b.test\r\n");
	HAS(n, "Final-Recipient: utf-8;\xc3\xa9ve@b.test\r\n");
	HAS(n, "<\xc3\xa9ve@b.test>\r\n");
	notice_finish(&n);
	notice_init(&n);
	n.envelope.sender = SPAN_LIT("\xc3\xa9@a.test");
	notice_text(&n);
	HAS(n, "To: <\xc3\xa9@a.test>\r\n");
	HAS(n, "Content-Type: message/global-delivery-status\r\n"
	    "Content-Description: Delivery report\r\nContent-Transfer-Encoding: 7bit\r\n");
	notice_finish(&n);
}

/* Nothing from outside starts a line, ends a part or stays outside ASCII unseen. */
static void
test_hostile(void **state)
{
	struct notice n;

	notice_init(&n);
	n.failed[0].reply = SPAN_LIT("550 a\r\nAction: delivered\r\n\r\n--=_4Xyz-1_1\xff");
	n.failed[0].remote = SPAN_LIT("x\r\ny\xff");
	n.failed[1].rule = SPAN_LIT("a\nb");
	n.to[0].address = SPAN_LIT("a\r\nb@c.test");
	n.to[0].orcpt = SPAN_LIT("x\r\n;+0A\r\n+ZZ");
	n.to[1].orcpt = SPAN_LIT("rfc822;+C3+A9@b.test");
	n.envelope.envid = SPAN_LIT("a+FFb");
	n.dsn.subject = SPAN_LIT("s\r\n--=_4Xyz-1_2\r\n");
	n.dsn.client = SPAN_LIT("c\r\nd");
	n.dsn.header = SPAN_LIT("A: \xff\0\rb\r\n--=_4Xyz-1_0--\r\n\r\nX: no\r\n");
	notice_text(&n);
	HAS(n, "boundary=\"=_4Xyz-1_3\"");
	HAS_NOT(n, "\r\nAction: delivered");
	HAS_NOT(n, "\r\nb@c.test");
	HAS_NOT(n, "X: no");
	HAS(n, "A: \xff  b\r\n--=_4Xyz-1_0--\r\n\r\n--=_4Xyz-1_3--\r\n");
	HAS(n, "Original-Recipient: rfc822;+C3+A9@b.test\r\n");
	HAS(n, "Content-Description: Header of the undelivered mail\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n");
	HAS(n, "Content-Description: Delivery report\r\nContent-Transfer-Encoding: 7bit\r\n");
	HAS(n, "Content-Transfer-Encoding: 8bit\r\n\r\n--=_");
	notice_finish(&n);
	notice_init(&n);
	n.dsn.id = SPAN_LIT("a\"\r\nb");
	notice_text(&n);
	HAS(n, "boundary=\"=_a___b_0\"");
	notice_finish(&n);
}

static struct span
many(const char *text, size_t bytes)
{
	size_t n = strlen(text);
	char *out = malloc(bytes + n);

	for (size_t i = 0; i < bytes; i += n)
		memcpy(out + i, text, n);
	return (struct span){ (uint8_t *)out, bytes };
}

/* Long values are cut, long lines folded by force, a long header ends at a line. */
static void
test_limits(void **state)
{
	struct span word = many("x", 5000), lines = many("A: 0123456789\r\n", 150000);
	struct notice n;

	notice_init(&n);
	n.failed[0].reply = n.failed[0].remote = n.failed[0].rule = word;
	n.to[0].address = n.to[1].orcpt = n.envelope.sender = word;
	n.dsn.header = n.dsn.client = n.dsn.subject = n.dsn.id = word;
	notice_text(&n);
	assert_true(buf_len(&n.out) < 20000);
	notice_finish(&n);
	notice_init(&n);
	n.dsn.header = lines;
	const char *text = notice_text(&n);
	const char *part = strstr(text, "Header of the undelivered mail");

	assert_true(strlen(part) > 65536 - 15 && strlen(part) < 65536 + 200);
	HAS(n, "A: 0123456789\r\n\r\n--=_");
	notice_finish(&n);
	notice_init(&n);
	n.dsn.header = SPAN_NONE;
	n.dsn.client = n.dsn.subject = n.envelope.envid = SPAN_NONE;
	notice_text(&n);
	HAS_NOT(n, "Received-From-MTA");
	HAS_NOT(n, "Original-Envelope-Id");
	HAS_NOT(n, "subject");
	notice_finish(&n);
	free((void *)(uintptr_t)word.ptr);
	free((void *)(uintptr_t)lines.ptr);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status), cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_whole), cmocka_unit_test(test_global),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("dsn", tests, NULL, NULL);
}
