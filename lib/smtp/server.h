/*
 * server.h - the server's side of an SMTP or LMTP session, without a socket.
 *
 * RFC 5321, 2033 (LMTP), 2920 (PIPELINING), 1870 (SIZE), 6152 (8BITMIME), 6531
 * (SMTPUTF8), 2034 (ENHANCEDSTATUSCODES), 3461 (DSN), 3030 (CHUNKING), Postfix's
 * XFORWARD.  LHLO makes a session LMTP, EHLO or HELO SMTP, unless the protocol is fixed.
 *
 * The driver feeds bytes and gets one event at a time:
 *
 *     WAIT      all input that makes sense was used: flush output, wait for more
 *     MAIL      s->envelope has a sender: answer with go or refuse
 *     RCPT      the last recipient is new: answer with go or refuse
 *     BODY      DATA or the first BDAT: answer with collect(sink) or refuse
 *     MESSAGE   the message is in the sink, which has been finished: answer once, or
 *               (LMTP) once for each recipient in order; feed no more before that
 *     ABORT     the transaction that had begun with MAIL is gone: free what belongs to it
 *     CLOSE     flush output, then close
 *
 * Every MAIL ends in exactly one of: its own refuse, ABORT, or the last answer to
 * MESSAGE (an answer of 421 is the last).  ABORT comes for RSET, EHLO, QUIT, hangup and a
 * 421 inside a transaction, for data that was refused or that the sink failed on, and
 * after a BODY that the driver refused; its reply is queued before it.
 *
 * The driver calls feed again with the bytes not used, until WAIT, MESSAGE or CLOSE;
 * until an answer that is owed was given, feed uses nothing and says WAIT.  The next
 * command is not parsed before this one's reply is queued; output is for the driver to
 * send when feed says WAIT, MESSAGE or CLOSE, or at the 354 (feed returns WAIT there when
 * the input is used up), so that a pipelined group is answered in one write.
 *
 * After a chunk that failed the session is READY at once; chunks that are still on their
 * way are read, dropped and answered with the same reply.
 *
 *     START --> READY --> MAIL --> RCPT --> DATA ----> WAITING --> READY
 *                 ^                  \--> CHUNKS --/
 *                 +---- RSET, EHLO, refusals ----+        all: CLOSED
 */
#ifndef LIB_SMTP_SERVER_H
#define LIB_SMTP_SERVER_H
#include "lib/base/buf.h"
#include "lib/smtp/envelope.h"
#include "lib/smtp/newline.h"

enum server_protocol { SERVER_AUTO = 0, SERVER_SMTP, SERVER_LMTP };

/* Borrowed by the session; may be exchanged between transactions. */
struct smtp_server_config {
	const char *hostname;
	enum server_protocol protocol;
	bool     repair;                /* bare newlines: repair, else reject 550 5.5.2 */
	bool     xforward;              /* this client may say it */
	bool     dsn, smtputf8;         /* offer them */
	uint64_t size_offer;            /* what SIZE says; 0: "SIZE" without a number */
	bool     size;                  /* offer SIZE at all */
	uint64_t size_limit;            /* 552 5.3.4 beyond; 0 none */
	uint64_t recipient_limit;       /* 452 4.5.3 beyond; 0 none */
	/* Bytes of a command line, its CR LF too: 500 5.5.2 beyond; 0: 4096. */
	uint64_t command_limit;
	/* Bytes of a message line without its CR LF (far fewer than 2^64): 554 5.6.0
	   beyond; 0: none. */
	uint64_t line_limit;
	/* Commands refused with 5yz, by the session or the driver, since the last message
	   that was accepted: 421 4.7.0 beyond; 0: none.  After 100 of NOOP, RSET, VRFY,
	   HELP and EHLO without a message each more is one, too. */
	uint64_t error_limit;
};

enum server_state {
	SERVER_START = 0, SERVER_READY, SERVER_IN_MAIL, SERVER_IN_RCPT, SERVER_IN_DATA,
	SERVER_IN_CHUNKS, SERVER_WAITING, SERVER_CLOSED, SERVER_STATES,
};

enum server_event {
	SERVER_WAIT = 0, SERVER_MAIL, SERVER_RCPT, SERVER_BODY, SERVER_MESSAGE,
	SERVER_ABORT, SERVER_CLOSE,
};

struct smtp_server;

/* Heap; small, since ten thousand may be idle (a test bounds it at 2 KiB with its
   buffers empty).  Queues the 220 greeting. */
struct smtp_server *smtp_server_create(const struct smtp_server_config *);
void smtp_server_destroy(struct smtp_server **);
void smtp_server_configure(struct smtp_server *, const struct smtp_server_config *);

enum server_event smtp_server_feed(struct smtp_server *, struct span in, size_t *used);

/* Answers.  A reply is "code enhanced text" without CR LF; controls, backslashes and
   bytes outside ASCII are escaped, and it is cut to 512 bytes.  Code 421 also closes.
   After CLOSED all of them do nothing.  A refused MAIL leaves XFORWARD as it is. */
void smtp_server_go(struct smtp_server *);
void smtp_server_refuse(struct smtp_server *, const char *reply);
/* The sink takes the message; its write may fail: ST_TEMP becomes 452 4.3.1, ST_PERM
   554 5.6.0, with the error's text, when the data has been read to its end. */
void smtp_server_collect(struct smtp_server *, struct sink *);
void smtp_server_answer(struct smtp_server *, const char *reply);
/* 421 at once, whatever the state (time-out, shutdown).  In the middle of data the
   reply still is only queued.  Then feed (of nothing) says ABORT if a transaction was
   open, even one that waits for an answer, and CLOSE: flush and close. */
void smtp_server_hangup(struct smtp_server *, const char *reply);

/* What there is to send; the driver takes from its front (buf_take).  To be asked for
   anew at each use: when it is empty, its memory is given back.  What one feed can queue
   is bounded by its piece (about 30 times), so feed nothing while output is stuck. */
struct buf *smtp_server_output(struct smtp_server *);

enum server_state smtp_server_state(const struct smtp_server *);
bool smtp_server_is_lmtp(const struct smtp_server *);
/* No transaction, and no half command: may be closed for a shutdown with 421. */
bool smtp_server_is_idle(const struct smtp_server *);
const char *smtp_server_doing(const struct smtp_server *);      /* "waiting for MAIL" ... */
/* From MAIL to the end of the transaction; its XFORWARD from that command on.  All of
   its memory is the session's transaction arena.  Both are reset inside the last answer
   (after the reply was copied), inside the refuse of MAIL (XFORWARD moves to a new
   arena), and after ABORT inside the next feed.  recipients moves as it grows: keep
   indices.  The bytes of a refused recipient are used again for the next one. */
struct envelope *smtp_server_envelope(struct smtp_server *);
struct arena *smtp_server_arena(struct smtp_server *);
struct span smtp_server_helo(const struct smtp_server *);       /* as said, not escaped */
/* ESMTP, SMTP, LMTP, UTF8SMTP, UTF8LMTP, for Received (RFC 3848, 6531). */
const char *smtp_server_with(const struct smtp_server *);

/* At MESSAGE, until the last answer: what the data was like. */
const struct smtp_data *smtp_server_data(const struct smtp_server *);
/* Bytes of memory that the session holds, all its buffers included. */
size_t smtp_server_memory(const struct smtp_server *);
#endif
