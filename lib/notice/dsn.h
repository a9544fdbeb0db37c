/*
 * dsn.h - delivery status notifications (RFC 3461 section 6, 3464, 6522; 6533 where an
 * address is not ASCII).
 *
 * Only for failures.  The caller never asks for one to the null sender, and not for
 * recipients whose NOTIFY forbids it (dsn_wanted).
 */
#ifndef LIB_NOTICE_DSN_H
#define LIB_NOTICE_DSN_H
#include "lib/base/buf.h"
#include "lib/smtp/envelope.h"

struct dsn_recipient {
	const struct recipient *recipient;
	struct span reply;              /* "550 5.1.1 unknown", ours or the next hop's */
	struct span remote;             /* "127.0.0.1" of the next hop; empty: it was us */
	struct span rule;               /* the rule that refused it, for the text; or empty */
};

struct dsn {
	const struct envelope *envelope;
	const struct dsn_recipient *recipients;
	size_t       recipient_count;
	const char  *hostname;          /* Reporting-MTA */
	const char  *postmaster;        /* From */
	struct span  client;            /* Received-From-MTA, or empty */
	struct span  id;                /* ours: Message-ID, boundary, Final-Log-ID */
	uint64_t     arrived, now;      /* Unix time, milliseconds */
	struct span  header;            /* the original's header section, as far as at hand */
	struct span  subject;
};

bool dsn_wanted(const struct recipient *);
/* 5.1.1 of "550 5.1.1 unknown"; made from the code where it has none. */
void dsn_status(struct span reply, char out[16]);
/* The whole message, CRLF lines, no dot stuffing, none longer than 998. */
void dsn_write(struct buf *, const struct dsn *);
#endif
