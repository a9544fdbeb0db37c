/*
 * expired.c - see expired.h.
 */
#include "lib/notice/expired.h"
#include "lib/base/text.h"

static void
header(struct buf *b, const struct expired_notice *n)
{
	char date[TEXT_DATE_BYTES];

	text_date(date, n->now);
	buf_printf(b, "Date: %s\r\nFrom: Mail filter <%s>\r\nTo: <%s>\r\n", date,
	    n->postmaster, n->postmaster);
	buf_printf(b, "Subject: Held mail was not examined in time: %zu message%s\r\n",
	    n->count, n->count == 1 ? "" : "s");
	buf_printf(b, "Message-ID: <held.%.*s@%s>\r\n", (int)n->id.len,
	    (const char *)n->id.ptr, n->hostname);
	buf_add(b, SPAN_LIT("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n"));
}

void
expired_write(struct buf *b, const struct expired_notice *n)
{
	header(b, n);
	buf_printf(b, "This is the mail filter at %s.\r\n\r\n", n->hostname);
	buf_add(b, SPAN_LIT("The following mail was held, as a check had failed, and could "
	    "not be examined within\r\nthe time that hold-lifetime sets.  It was not "
	    "delivered, its senders were told that it\r\nwas taken, and it is not tried "
	    "again.  It is kept in quarantine, in the class\r\nhold-expired:\r\n\r\n"));
	for (size_t i = 0; i < n->count; i++)
		buf_printf(b, "    %.*s\r\n", (int)n->ids[i].len,
		    (const char *)n->ids[i].ptr);
	buf_printf(b, "\r\nThe files are below %s.\r\n`sallyport explain ID' tells why each "
	    "was held.\r\n", n->folder);
}
