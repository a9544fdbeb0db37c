/*
 * test_expired.c - the notice about held mail that has expired.
 */
#include "lib/notice/expired.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_text(void **state)
{
	static const char want[] =
	    "Date: Sat, 21 Nov 2026 22:17:57 +0000\r\n"
	    "From: Mail filter <root@example.com>\r\nTo: <root@example.com>\r\n"
	    "Subject: Held mail was not examined in time: 2 messages\r\n"
	    "Message-ID: <held.0123456789abcdef@mx.example.com>\r\n"
	    "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n"
	    "This is the mail filter at mx.example.com.\r\n\r\n"
	    "The following mail was held, as a check had failed, and could not be examined "
	    "within\r\nthe time that hold-lifetime sets.  It was not delivered, its senders "
	    "were told that it\r\nwas taken, and it is not tried again.  It is kept in "
	    "quarantine, in the class\r\nhold-expired:\r\n\r\n"
	    "    1m80htq254vkh9nc\r\n    1m80htq254vkh9nd\r\n\r\n"
	    "The files are below /q/hold-expired.\r\n"
	    "`sallyport explain ID' tells why each was held.\r\n";
	const struct span ids[] = { SPAN_LIT("1m80htq254vkh9nc"), SPAN_LIT("1m80htq254vkh9nd") };
	struct buf b = { 0 };

	expired_write(&b, &(struct expired_notice){ "mx.example.com", "root@example.com",
	    SPAN_LIT("0123456789abcdef"), 1795299477123, "/q/hold-expired", ids, 2 });
	assert_string_equal(buf_text(&b), want);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_text) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
