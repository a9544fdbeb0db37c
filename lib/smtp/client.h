/*
 * client.h - the client's side of an SMTP or LMTP session, without a socket.
 *
 * One connection, one transaction after the other.  The driver connects, moves bytes,
 * keeps the time-outs (smtp_client_doing names what is waited for) and sends the body
 * itself, since bodies are descriptors:
 *
 *     create            the greeting is awaited, then EHLO (HELO if refused) or LHLO
 *     READY             idle: begin a transaction, or quit
 *     begin             XFORWARD as offered, MAIL, RCPT ..., and DATA where BDAT is not
 *                       offered: in one group with PIPELINING, else one by one; what the
 *                       server cannot take is REFUSED at once
 *     BODY              every recipient has its reply, one at least was taken (and 354
 *                       has come): send_body, or abort
 *     send_body(n,last) queues "BDAT n [LAST]" (nothing with DATA): flush, then write the
 *                       n bytes (DATA: dots doubled, ending in CR LF), then body_sent
 *     send_ahead(n)     instead of waiting for BODY: queues "BDAT n LAST" behind the envelope
 *                       that is on its way; then as send_body, and DONE or REFUSED follow
 *     HELD              (last = false) all octets are there, the end mark is not: commit,
 *                       or abort
 *     commit            queues "BDAT 0 LAST" or ".": from here on a lost reply is in doubt
 *     DONE              final replies are in: one, or one a taken recipient (LMTP); idle
 *     REFUSED           the transaction failed before the body: connection idle again (after
 *                       RSET where needed); every recipient has a reply that says why
 *     FAILED            the connection is of no further use: see failure and in_doubt;
 *                       recipients that have a code keep it, that was decided
 *
 *     GREETING -> EHLO -> [HELO] -> READY
 *     READY -> ENVELOPE -> BODY -> SENDING -> [CHUNK] -> HELD -> FINAL -> READY
 *                 |          |                   |         |       |
 *                 +-> EMPTY -+-------------------+---------+-------+-> RESET -> READY
 *     all -> QUIT, FAILED
 */
#ifndef LIB_SMTP_CLIENT_H
#define LIB_SMTP_CLIENT_H
#include "lib/base/buf.h"
#include "lib/smtp/envelope.h"
#include "lib/smtp/reply.h"

enum client_event {
	CLIENT_WAIT = 0, CLIENT_READY, CLIENT_BODY, CLIENT_HELD, CLIENT_DONE,
	CLIENT_REFUSED, CLIENT_FAILED,
};

/* Attributes of XFORWARD, as bits. */
enum client_xforward {
	CLIENT_XFORWARD_NAME = 1, CLIENT_XFORWARD_ADDR = 2, CLIENT_XFORWARD_PORT = 4,
	CLIENT_XFORWARD_PROTO = 8, CLIENT_XFORWARD_HELO = 16, CLIENT_XFORWARD_IDENT = 32,
	CLIENT_XFORWARD_SOURCE = 64,
};

/* What EHLO said. */
struct client_offers {
	bool pipelining, chunking, eightbit, smtputf8, dsn, size;
	uint64_t size_limit;            /* 0: none said */
	unsigned xforward;              /* client_xforward */
};

/* One recipient of this transaction: which of the envelope's, and what became of it. */
struct client_recipient {
	size_t index;                   /* in the envelope */
	int    code;                    /* that decided: of MAIL, RCPT, DATA or the end; 0 none
	                                   yet, also where RCPT had 2xx */
	struct span text;               /* of that reply, without the code; in the arena given
	                                   to begin, recipients may share it */
	bool   taken;                   /* RCPT had 2xx */
};

struct client_transaction {
	const struct envelope   *envelope;
	struct client_recipient *recipients;
	size_t   recipient_count;
	uint64_t size;                  /* as it will be sent (SIZE=) */
	bool     smtputf8;              /* needed; where it is not offered, 550 5.6.7 if an
	                                   address is not ASCII, else 554 5.6.9 */
	struct xforward xforward;       /* passed on where offered */
	struct arena *arena;
};

struct smtp_client;

struct smtp_client *smtp_client_create(const char *helo_name, bool lmtp);
void smtp_client_destroy(struct smtp_client **);

/* Uses all of `in` up to the first event; call again with the rest until WAIT. */
enum client_event smtp_client_feed(struct smtp_client *, struct span in, size_t *used);
struct buf *smtp_client_output(struct smtp_client *);

/* At READY.  The transaction has a recipient at least, and is borrowed until DONE,
   REFUSED, FAILED or abort; code, text and taken are set anew.  Returns WAIT; REFUSED
   where nothing need be asked (too large, SMTPUTF8 missing, an address that cannot be
   sent); or FAILED on a connection that had failed. */
enum client_event smtp_client_begin(struct smtp_client *, struct client_transaction *)
    __attribute__((warn_unused_result));
void smtp_client_send_body(struct smtp_client *, uint64_t bytes, bool last);
/* May body and envelope go together?  Directly after begin, with PIPELINING and CHUNKING,
   for one recipient of SMTP: if it is refused the server drops the chunk (RFC 3030 section
   2) and nothing is half done.  What the driver then writes must follow the queued output
   without anything between: it must be at hand as a whole. */
bool smtp_client_may_send_ahead(const struct smtp_client *);
void smtp_client_send_ahead(struct smtp_client *, uint64_t bytes);
/* Tell that the driver has written the body; the event that follows (HELD with DATA comes
   at once) is returned here: WAIT or HELD. */
enum client_event smtp_client_body_sent(struct smtp_client *);
void smtp_client_commit(struct smtp_client *);
/* Give the transaction up, which is no longer touched: true if the connection stays usable
   (RSET is queued and READY follows), false if it must be closed (data without its end is
   open, or would be).  Between transactions: true, and nothing follows. */
bool smtp_client_abort(struct smtp_client *);
/* Queues QUIT; no event but FAILED (by lost) follows. */
void smtp_client_quit(struct smtp_client *);
/* The peer closed, or a time-out: gives FAILED; `why` is kept for failure. */
enum client_event smtp_client_lost(struct smtp_client *, const char *why);

const struct client_offers *smtp_client_offers(const struct smtp_client *);
bool smtp_client_uses_chunks(const struct smtp_client *);       /* offers CHUNKING */
bool smtp_client_is_idle(const struct smtp_client *);
bool smtp_client_may_be_reused(const struct smtp_client *);     /* idle, no 421 seen */
/* "sending MAIL FROM", "waiting for the reply to end of data" ... */
const char *smtp_client_doing(const struct smtp_client *);
/* After FAILED: "421 4.3.2 ... (while sending MAIL FROM)" */
const char *smtp_client_failure(const struct smtp_client *);
/* The end mark was sent and a reply to it is missing: with LMTP, those of the taken
   recipients without a code. */
bool smtp_client_in_doubt(const struct smtp_client *);
/* Which time-out applies now. */
enum client_patience { PATIENCE_COMMAND = 0, PATIENCE_DATA, PATIENCE_END };
enum client_patience smtp_client_patience(const struct smtp_client *);
#endif
