/*
 * test_client.c - transcripts against scripted servers, each at every cut.
 *
 * A line of a script: "S: " the server says, "C: " the client must have queued,
 * "A: " the driver does (see act), "E: " the event that must have come, "R: index code
 * text" a recipient's reply, "F: " the failure, "D: yes" in doubt, "W: " what is done.
 */
#include "lib/smtp/client.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define RECIPIENTS 3

enum setup { PLAIN = 0, LMTP = 1, XFORWARD = 2, PARAMETERS = 4, UTF8_ADDRESS = 8,
	UTF8_HEADER = 16, INJECTION = 32, ONE = 64 };

struct script { const char *name; unsigned setup; const char *lines[64]; };

#define HELLO "S: 220 mx ESMTP", "C: EHLO me", "S: 250-mx", "S: 250-ENHANCEDSTATUSCODES"
#define READY "E: READY", "A: begin"
#define ONE_BY_ONE HELLO, "S: 250 8BITMIME", READY
#define PIPELINED HELLO, "S: 250-8BITMIME", "S: 250 PIPELINING", READY
#define CHUNKED HELLO, "S: 250-CHUNKING", "S: 250-8BITMIME", "S: 250 PIPELINING", READY
#define LHLO "S: 220 mx LMTP", "C: LHLO me", "S: 250-mx", "S: 250-CHUNKING"
#define LMTP_READY "S: 220 mx LMTP", "C: LHLO me", "S: 250-mx", "S: 250 PIPELINING", READY
#define LMTP_CHUNKED LHLO, "S: 250 PIPELINING", READY
#define MAIL "C: MAIL FROM:<s@a.test>"
#define RCPTS "C: RCPT TO:<r0@b.test>", "C: RCPT TO:<r1@b.test>", "C: RCPT TO:<r2@b.test>"
#define GROUP MAIL, RCPTS, "C: DATA"
#define OK "S: 250 2.1.0 Ok"
#define GO "S: 354 go"
#define TO_BODY PIPELINED, GROUP, OK, OK, OK, OK, GO, "E: BODY"
#define TO_FINAL TO_BODY, "A: body 9 last", "A: sent", "C: ."
#define TO_CHUNK CHUNKED, MAIL, RCPTS, OK, OK, OK, OK, "E: BODY"
#define AHEAD CHUNKED, MAIL, "C: RCPT TO:<r2@b.test>", "A: ahead 9", "C: BDAT 9 LAST", "A: sent"
#define ALL(reply) "R: 0 " reply, "R: 1 " reply, "R: 2 " reply

static const struct script scripts[] = {
	{ "one by one", PLAIN, { ONE_BY_ONE, MAIL, OK, "C: RCPT TO:<r0@b.test>", OK,
	    "C: RCPT TO:<r1@b.test>", "S: 550 5.1.1 no", "C: RCPT TO:<r2@b.test>", OK,
	    "W: sending DATA", "C: DATA", GO, "E: BODY", "A: body 9 last", "A: sent", "C: .",
	    "W: waiting for the reply to end of data", "S: 250 2.0.0 Ok: queued as 4X",
	    "E: DONE", "R: 0 250 2.0.0 Ok: queued as 4X", "R: 1 550 5.1.1 no",
	    "R: 2 250 2.0.0 Ok: queued as 4X", "A: reusable", "A: quit", "C: QUIT",
	    "S: 221 Bye" } },
	{ "pipelined, one refused", PLAIN, { PIPELINED, GROUP, OK, OK, "S: 450 4.2.0 later",
	    OK, GO, "E: BODY", "R: 0 0 ", "R: 1 450 4.2.0 later", "A: body 9 last", "A: sent",
	    "C: .", "S: 250 2.0.0 Ok", "E: DONE", "R: 0 250 2.0.0 Ok", "R: 1 450 4.2.0 later",
	    "D: no" } },
	{ "held, then committed", PLAIN, { TO_BODY, "A: body 9", "A: sent", "E: HELD",
	    "A: commit", "C: .", "S: 250 2.0.0 Ok", "E: DONE", ALL("250 2.0.0 Ok") } },
	{ "two transactions", PLAIN, { TO_FINAL, "S: 250 2.0.0 Ok", "E: DONE", "A: begin", GROUP,
	    OK, OK, OK, OK, GO, "E: BODY", "A: body 1 last", "A: sent", "C: .",
	    "S: 554 5.7.1 spam", "E: DONE", ALL("554 5.7.1 spam"), "A: reusable" } },
	{ "chunks", PLAIN, { TO_CHUNK, "A: body 70000 last", "C: BDAT 70000 LAST", "A: sent",
	    "S: 250 2.0.0 Ok", "E: DONE", ALL("250 2.0.0 Ok") } },
	{ "chunks, held", PLAIN, { TO_CHUNK, "A: body 7", "C: BDAT 7", "A: sent",
	    "W: waiting for the reply to BDAT", "S: 250 2.0.0 7", "E: HELD", "A: commit",
	    "C: BDAT 0 LAST", "S: 250 2.0.0 Ok", "E: DONE", ALL("250 2.0.0 Ok") } },
	{ "chunk refused", PLAIN, { TO_CHUNK, "A: body 7", "C: BDAT 7", "A: sent",
	    "S: 452 4.3.1 full", "C: RSET", "S: 250 Ok", "E: REFUSED", ALL("452 4.3.1 full"),
	    "A: reusable" } },
	{ "last chunk refused", PLAIN, { TO_CHUNK, "A: body 7 last", "C: BDAT 7 LAST",
	    "A: sent", "S: 554 5.7.1 no", "C: RSET", "S: 250 Ok", "E: DONE",
	    ALL("554 5.7.1 no"), "A: reusable" } },
	{ "refused in the middle of a chunk", PLAIN, { TO_CHUNK, "A: body 7", "C: BDAT 7",
	    "S: 552 5.3.4 large", "E: FAILED", ALL("552 5.3.4 large"), "D: no" } },
	{ "taken in the middle of a chunk", PLAIN, { TO_CHUNK, "A: body 7", "C: BDAT 7",
	    "S: 250 what?", "E: FAILED", ALL("0 ") } },
	{ "sent ahead", ONE, { AHEAD, OK, OK, "W: waiting for the reply to end of data",
	    "S: 250 2.0.0 Ok", "E: DONE", "R: 0 250 2.0.0 Ok", "A: reusable" } },
	{ "sent ahead, refused at the end", ONE, { AHEAD, OK, OK, "S: 554 5.7.1 no",
	    "C: RSET", "S: 250 Ok", "E: DONE", "R: 0 554 5.7.1 no", "D: no" } },
	{ "sent ahead, recipient refused", ONE, { AHEAD, OK, "S: 550 5.1.1 no", "C: RSET",
	    "S: 503 5.5.1 nobody", "S: 250 Ok", "E: REFUSED", "R: 0 550 5.1.1 no",
	    "A: reusable" } },
	{ "sent ahead, sender refused", ONE, { AHEAD, "S: 450 4.1.8 who?", "S: 503 a",
	    "C: RSET", "S: 503 b", "S: 250 Ok", "E: REFUSED", "R: 0 450 4.1.8 who?",
	    "D: no" } },
	{ "sent ahead, lost", ONE, { AHEAD, OK, "A: lost closed", "E: FAILED", "R: 0 0 ",
	    "D: yes" } },
	{ "sent ahead, lost after a refusal", ONE, { AHEAD, OK, "S: 550 5.1.1 no", "C: RSET",
	    "A: lost closed", "E: FAILED", "R: 0 550 5.1.1 no", "D: no" } },
	{ "sent ahead, given up", ONE, { AHEAD, "A: abort no" } },
	{ "chunks, nobody taken", PLAIN, { CHUNKED, MAIL, RCPTS, OK, "S: 550 a", "S: 551 b",
	    "S: 450 c", "C: RSET", "S: 250 Ok", "E: REFUSED", "R: 0 550 a", "R: 1 551 b",
	    "R: 2 450 c" } },
	{ "LMTP, mixed", LMTP, { LMTP_READY, GROUP, OK, OK, "S: 550 5.1.1 no", OK, GO,
	    "E: BODY", "A: body 9 last", "A: sent", "C: .", "S: 250 2.0.0 first",
	    "S: 452-4.2.2 over", "S: 452 4.2.2 quota", "E: DONE", "R: 0 250 2.0.0 first",
	    "R: 1 550 5.1.1 no", "R: 2 452 4.2.2 over quota", "A: reusable" } },
	{ "LMTP, chunks", LMTP, { LMTP_CHUNKED, MAIL, RCPTS, OK, OK, OK, OK, "E: BODY",
	    "A: body 9", "C: BDAT 9", "A: sent", "S: 250 9", "E: HELD", "A: commit",
	    "C: BDAT 0 LAST", "S: 250 a", "S: 550 b", "S: 250 c", "E: DONE", "R: 0 250 a",
	    "R: 1 550 b", "R: 2 250 c", "A: reusable" } },
	{ "LMTP, chunks, last reply a refusal", LMTP, { LMTP_CHUNKED, MAIL, RCPTS, OK, OK, OK, OK,
	    "E: BODY", "A: body 9 last", "C: BDAT 9 LAST", "A: sent", "S: 250 a", "S: 250 b",
	    "S: 550 c", "E: DONE", "R: 1 250 b", "R: 2 550 c", "A: reusable" } },
	{ "LMTP, one reply missing", LMTP, { LMTP_READY, GROUP, OK, OK, OK, OK, GO, "E: BODY",
	    "A: body 9 last", "A: sent", "C: .", "S: 250 a", "S: 451 b", "A: lost closed",
	    "E: FAILED", "R: 0 250 a", "R: 1 451 b", "R: 2 0 ", "D: yes",
	    "F: closed (while waiting for the reply to end of data)" } },
	{ "LMTP, 421 between", LMTP, { LMTP_READY, GROUP, OK, OK, OK, OK, GO, "E: BODY",
	    "A: body 9 last", "A: sent", "C: .", "S: 250 a", "S: 421 4.3.2 bye", "E: FAILED",
	    "R: 0 250 a", "R: 1 421 4.3.2 bye", "R: 2 0 ", "D: yes" } },
	{ "LMTP, 354 for nobody", LMTP, { LMTP_READY, GROUP, OK, "S: 550 a", "S: 550 a",
	    "S: 550 a", GO, "E: FAILED", ALL("550 a"), "D: no" } },
	{ "LMTP, LHLO refused", LMTP, { "S: 220 mx", "C: LHLO me", "S: 500 5.5.1 what",
	    "E: FAILED", "F: 500 5.5.1 what (while sending LHLO)" } },
	{ "HELO instead", PLAIN, { "S: 220 old", "C: EHLO me", "S: 502-what",
	    "S: 502-PIPELINING", "S: 502-CHUNKING", "S: 502 SIZE 1", "W: sending HELO", "C: HELO me",
	    "S: 250-old", "S: 250-PIPELINING", "S: 250 CHUNKING", READY, MAIL,
	    "A: abort yes", OK, "C: RSET", OK, "E: READY" } },
	{ "HELO refused", PLAIN, { "S: 220 old", "C: EHLO me", "S: 502 no", "C: HELO me",
	    "S: 554 no", "E: FAILED", "F: 554 no (while sending HELO)" } },
	{ "EHLO put off", PLAIN, { "S: 220 mx", "C: EHLO me", "S: 450 4.3.2 busy", "E: FAILED",
	    "F: 450 4.3.2 busy (while sending EHLO)" } },
	{ "EHLO 421", PLAIN, { "S: 220 mx", "C: EHLO me", "S: 421 busy", "E: FAILED" } },
	{ "first line of EHLO offers nothing", PLAIN, { "S: 220 mx", "C: EHLO me",
	    "S: 250-PIPELINING", "S: 250-CHUNKINGS", "S: 250 X-CHUNKING", READY, MAIL } },
	{ "greeting 554", PLAIN, { "S: 554-5.7.1 go", "S: 554 5.7.1 away", "E: FAILED",
	    "F: 554 5.7.1 go away (while waiting for the greeting)", "D: no",
	    "A: lost closed", "E: FAILED",
	    "F: 554 5.7.1 go away (while waiting for the greeting)", "A: begin", "E: FAILED" } },
	{ "greeting 421", PLAIN, { "S: 421 4.3.2 later", "E: FAILED" } },
	{ "greeting 354", PLAIN, { "S: 354 hm", "E: FAILED" } },
	{ "greeting of HTTP", PLAIN, { "S: HTTP/1.1 400 Bad Request", "S: 220 mx", "E: FAILED",
	    "F: not a reply: HTTP/1.1 400 Bad Request (while waiting for the greeting)" } },
	{ "codes differ", PLAIN, { "S: 220-mx", "S: 250 mx", "E: FAILED" } },
	{ "closed before the greeting", PLAIN, { "A: lost timed out", "E: FAILED",
	    "F: timed out (while waiting for the greeting)" } },
	{ "MAIL refused, pipelined", PLAIN, { PIPELINED, GROUP, "S: 550 5.7.1 not you",
	    "S: 503 a", "S: 503 b", "S: 503 c", "S: 503 d", "C: RSET", OK, "E: REFUSED",
	    ALL("550 5.7.1 not you"), "A: reusable" } },
	{ "MAIL refused, one by one", PLAIN, { ONE_BY_ONE, MAIL, "S: 451 4.7.1 greylisted",
	    "C: RSET", OK, "E: REFUSED", ALL("451 4.7.1 greylisted") } },
	{ "MAIL refused and data wanted", PLAIN, { PIPELINED, GROUP, "S: 550 a", "S: 503 b",
	    "S: 503 b", "S: 503 b", GO, "C: .", "S: 554 no valid recipients", "E: REFUSED",
	    ALL("550 a"), "A: reusable" } },
	{ "MAIL refused, RCPT taken, data wanted", PLAIN, { PIPELINED, GROUP, "S: 550 a", OK,
	    OK, OK, GO, "E: FAILED", ALL("550 a"), "D: no" } },
	{ "MAIL refused, RCPT taken", PLAIN, { PIPELINED, GROUP, "S: 550 a", OK, OK, OK,
	    "S: 503 no", "C: RSET", OK, "E: REFUSED", ALL("550 a") } },
	{ "MAIL 421", PLAIN, { PIPELINED, GROUP, "S: 421 4.3.2 bye", "E: FAILED",
	    ALL("421 4.3.2 bye"), "F: 421 4.3.2 bye (while sending MAIL FROM)" } },
	{ "MAIL 354", PLAIN, { PIPELINED, GROUP, GO, "E: FAILED", ALL("0 ") } },
	{ "MAIL, garbage", PLAIN, { PIPELINED, GROUP, "S: 99 what", "E: FAILED", ALL("0 ") } },
	{ "MAIL, closed", PLAIN, { ONE_BY_ONE, MAIL, "A: lost closed", "E: FAILED", ALL("0 "),
	    "F: closed (while sending MAIL FROM)", "D: no" } },
	{ "nobody taken, 354 all the same", PLAIN, { PIPELINED, GROUP, OK, "S: 550 a",
	    "S: 450 b", "S: 550 c", GO, "W: ending data without a recipient", "C: .",
	    "S: 250 2.0.0 taken!", "E: REFUSED", "R: 0 550 a", "R: 1 450 b", "R: 2 550 c",
	    "D: no", "A: reusable" } },
	{ "nobody taken, 354, 421", PLAIN, { PIPELINED, GROUP, OK, "S: 550 a", "S: 450 b",
	    "S: 550 c", GO, "C: .", "S: 421 bye", "E: FAILED", "R: 1 450 b", "D: no" } },
	{ "nobody taken, 503", PLAIN, { PIPELINED, GROUP, OK, "S: 550 a", "S: 450 b",
	    "S: 550 c", "S: 503 no", "C: RSET", OK, "E: REFUSED", "R: 1 450 b" } },
	{ "nobody taken, one by one", PLAIN, { ONE_BY_ONE, MAIL, OK, "C: RCPT TO:<r0@b.test>",
	    "S: 550 a", "C: RCPT TO:<r1@b.test>", "S: 550 a", "C: RCPT TO:<r2@b.test>",
	    "S: 550 a", "C: RSET", OK, "E: REFUSED", ALL("550 a") } },
	{ "RCPT 421", PLAIN, { PIPELINED, GROUP, OK, OK, "S: 421 4.3.2 bye", "E: FAILED",
	    "R: 0 0 ", "R: 1 421 4.3.2 bye", "R: 2 0 ", "D: no" } },
	{ "RCPT 354", PLAIN, { PIPELINED, GROUP, OK, GO, "E: FAILED", ALL("0 ") } },
	{ "DATA refused", PLAIN, { PIPELINED, GROUP, OK, OK, "S: 550 a", OK, "S: 451 4.3.0 no",
	    "C: RSET", OK, "E: REFUSED", "R: 0 451 4.3.0 no", "R: 1 550 a",
	    "R: 2 451 4.3.0 no" } },
	{ "DATA 421", PLAIN, { PIPELINED, GROUP, OK, OK, "S: 550 a", OK, "S: 421 4.3.0 no",
	    "E: FAILED", "R: 0 421 4.3.0 no", "R: 1 550 a" } },
	{ "DATA 250", PLAIN, { PIPELINED, GROUP, OK, OK, OK, OK, OK, "E: FAILED", ALL("0 ") } },
	{ "a reply too many", PLAIN, { PIPELINED, GROUP, OK, OK, OK, OK, GO, "E: BODY",
	    "S: 250 more", "E: FAILED", ALL("0 ") } },
	{ "421 between", PLAIN, { HELLO, "S: 250 8BITMIME", "E: READY", "S: 421 4.4.2 idle",
	    "E: FAILED", "F: 421 4.4.2 idle (while idle)", "A: begin", "E: FAILED" } },
	{ "end of data 421", PLAIN, { TO_FINAL, "S: 421 4.3.2 bye", "E: FAILED",
	    ALL("421 4.3.2 bye"), "D: no" } },
	{ "end of data 354", PLAIN, { TO_FINAL, GO, "E: FAILED", ALL("0 "), "D: yes" } },
	{ "end of data, garbage", PLAIN, { TO_FINAL, "S: ok", "E: FAILED", "D: yes" } },
	{ "end of data, closed", PLAIN, { TO_FINAL, "S: 250-half", "A: lost closed", "E: FAILED",
	    ALL("0 "), "D: yes" } },
	{ "data, closed", PLAIN, { TO_BODY, "A: body 9", "A: lost closed", "E: FAILED",
	    "D: no", "F: closed (while sending the message)", "A: sent", "E: FAILED" } },
	{ "held, closed", PLAIN, { TO_BODY, "A: body 9", "A: sent", "E: HELD",
	    "S: 451 4.4.2 too slow", "E: FAILED", ALL("0 "), "D: no" } },
	{ "RSET refused", PLAIN, { ONE_BY_ONE, MAIL, "S: 550 a", "C: RSET", "S: 500 b",
	    "E: FAILED", ALL("550 a"), "F: 500 b (while sending RSET)" } },
	{ "abort before data", PLAIN, { TO_CHUNK, "A: abort yes", "C: RSET", OK, "E: READY",
	    "A: abort yes", "A: reusable" } },
	{ "abort in a pipelined envelope", PLAIN, { CHUNKED, MAIL, RCPTS, OK, "A: abort yes",
	    "C: RSET", "S: 550 a", OK, OK, "S: 250 Ok", "E: READY", "A: reusable" } },
	{ "abort with DATA under way", PLAIN, { PIPELINED, GROUP, OK, "A: abort no" } },
	{ "abort after 354", PLAIN, { TO_BODY, "A: abort no" } },
	{ "abort in the body", PLAIN, { TO_CHUNK, "A: body 9", "C: BDAT 9", "A: abort no" } },
	{ "abort after a chunk", PLAIN, { TO_CHUNK, "A: body 9", "C: BDAT 9", "A: sent",
	    "A: abort yes", "C: RSET", "S: 250 9", OK, "E: READY" } },
	{ "abort while held", PLAIN, { TO_CHUNK, "A: body 9", "C: BDAT 9", "A: sent", OK,
	    "E: HELD", "A: abort yes", "C: RSET", OK, "E: READY" } },
	{ "abort while held, DATA", PLAIN, { TO_BODY, "A: body 9", "A: sent", "E: HELD",
	    "A: abort no" } },
	{ "abort after the end", PLAIN, { TO_FINAL, "A: abort no" } },
	{ "parameters not offered", PARAMETERS, { HELLO, "S: 250 PIPELINING", READY, GROUP } },
	{ "parameters offered", PARAMETERS, { HELLO, "S: 250-size", "S: 250-8bitmime",
	    "S: 250-dsn", "S: 250 smtputf8", READY,
	    "C: MAIL FROM:<s@a.test> SIZE=1234 BODY=8BITMIME RET=HDRS ENVID=id+2B1", OK,
	    "C: RCPT TO:<r0@b.test> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;r+2B0@b.test",
	    OK, "C: RCPT TO:<r1@b.test> NOTIFY=NEVER", OK, "C: RCPT TO:<r2@b.test>" } },
	{ "size over the limit", PARAMETERS, { HELLO, "S: 250 SIZE 1233", "E: READY",
	    "A: begin", "E: REFUSED",
	    ALL("552 5.3.4 Message of 1234 bytes is over the next hop's limit of 1233"),
	    "A: reusable" } },
	{ "size at the limit", PARAMETERS, { HELLO, "S: 250 SIZE 1234", READY,
	    "C: MAIL FROM:<s@a.test> SIZE=1234" } },
	{ "size without a limit", PARAMETERS, { HELLO, "S: 250 SIZE 0", READY,
	    "C: MAIL FROM:<s@a.test> SIZE=1234" } },
	{ "address not ASCII, not offered", UTF8_ADDRESS, { HELLO, "S: 250 8BITMIME", "E: READY",
	    "A: begin", "E: REFUSED", ALL("550 5.6.7 Next hop takes no address outside ASCII") } },
	{ "address not ASCII, offered", UTF8_ADDRESS, { HELLO, "S: 250 SMTPUTF8", READY,
	    "C: MAIL FROM:<s@a.test> SMTPUTF8", OK, "C: RCPT TO:<r0@b.test>", OK,
	    "C: RCPT TO:<r\xc3\xa9@b.test>" } },
	{ "header not ASCII, not offered", UTF8_HEADER, { HELLO, "S: 250 8BITMIME", "E: READY",
	    "A: begin", "E: REFUSED", ALL("554 5.6.9 Next hop takes no header outside ASCII") } },
	{ "header not ASCII, offered", UTF8_HEADER, { HELLO, "S: 250 SMTPUTF8", READY,
	    "C: MAIL FROM:<s@a.test> SMTPUTF8" } },
	{ "a command inside an address", INJECTION, { HELLO, "S: 250 DSN", "E: READY",
	    "A: begin", "E: REFUSED", ALL("553 5.1.3 Address with control characters") } },
	{ "XFORWARD", XFORWARD, { HELLO, "S: 250-XFORWARD NAME ADDR PROTO helo SOURCE BOGUS",
	    "S: 250 PIPELINING", READY, "C: XFORWARD NAME=n.test ADDR=IPV6:2001:db8::1 "
	    "PROTO=ESMTP HELO=+2B+3D SOURCE=[UNAVAILABLE]", GROUP,
	    "S: 501 5.5.4 no", OK, OK, OK, OK, GO, "E: BODY" } },
	{ "XFORWARD not offered", XFORWARD, { PIPELINED, GROUP } },
	{ "XFORWARD without attributes", XFORWARD, { HELLO, "S: 250 XFORWARD", READY, MAIL } },
	{ "XFORWARD 421", XFORWARD, { HELLO, "S: 250 XFORWARD PORT", READY,
	    "C: XFORWARD PORT=[UNAVAILABLE]", "S: 421 bye", "E: FAILED", ALL("0 "),
	    "F: 421 bye (while sending XFORWARD)" } },
	{ "one recipient", ONE, { ONE_BY_ONE, MAIL, OK, "C: RCPT TO:<r2@b.test>", OK, "C: DATA",
	    GO, "E: BODY" } },
};

/* One run of a script. */
struct run {
	struct smtp_client       *c;
	struct client_transaction t;
	struct client_recipient   recipients[RECIPIENTS];
	struct recipient          addresses[RECIPIENTS];
	struct envelope           envelope;
	struct arena              arena;
	size_t                    step;
	char                      events[200];      /* " BODY", not yet expected */
	char                      said[4096];       /* output, not yet expected  */
	const char               *name, *line;
};

static void
check(const struct run *r, bool good, const char *got)
{
	if (!good)
		fail_msg("%s, pieces of %zu: %s: got '%s'", r->name, r->step, r->line, got);
}

static void
set_parameters(struct run *r)
{
	r->t.size = 1234;
	r->envelope.body = BODY_8BITMIME;
	r->envelope.ret = RETURN_HEADERS;
	r->envelope.envid = SPAN_LIT("id+2B1");
	r->addresses[0].notify = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY;
	r->addresses[0].orcpt = SPAN_LIT("rfc822;r+2B0@b.test");
	r->addresses[1].notify = NOTIFY_NEVER;
}

static void
set_transaction(struct run *r, unsigned setup)
{
	static const char *const names[] = { "r0@b.test", "r1@b.test", "r2@b.test" };

	for (size_t i = 0; i < RECIPIENTS; i++) {
		r->addresses[i].address = span_text(names[i]);
		r->recipients[i].index = i;
	}
	r->envelope = (struct envelope){ .sender = SPAN_LIT("s@a.test"),
	    .recipients = r->addresses, .recipient_count = RECIPIENTS };
	r->t = (struct client_transaction){ .envelope = &r->envelope,
	    .recipients = r->recipients, .recipient_count = RECIPIENTS, .arena = &r->arena };
	if (setup & PARAMETERS)
		set_parameters(r);
	if (setup & XFORWARD)
		r->t.xforward = (struct xforward){ .given = true, .name = SPAN_LIT("n.test"),
		    .addr = SPAN_LIT("2001:db8::1"), .proto = SPAN_LIT("ESMTP"),
		    .helo = SPAN_LIT("+=") , .source = SPAN_LIT("two words") };
	if (setup & UTF8_ADDRESS)
		r->addresses[1].address = SPAN_LIT("r\xc3\xa9@b.test");
	if (setup & INJECTION)
		r->addresses[1].address = SPAN_LIT("r1@b.test>\r\nRCPT TO:<x@y.test");
	if (setup & ONE) {
		r->recipients[0].index = 2;
		r->t.recipient_count = 1;
	}
	r->t.smtputf8 = (setup & UTF8_HEADER) != 0;
}

static void
take_event(struct run *r, enum client_event e)
{
	static const char *const names[] = { "", " READY", " BODY", " HELD", " DONE",
	    " REFUSED", " FAILED" };

	strcat(r->events, names[e]);
}

static void
take_output(struct run *r)
{
	struct buf *out = smtp_client_output(r->c);

	if (buf_len(out) == 0)
		return;
	assert_true(buf_len(out) < sizeof r->said - strlen(r->said));
	strncat(r->said, (const char *)buf_span(out).ptr, buf_len(out));
	buf_take(out, buf_len(out));
}

static void
server_says(struct run *r, const char *text)
{
	char bytes[256];
	size_t len = (size_t)snprintf(bytes, sizeof bytes, "%s\r\n", text), used;

	/* After a failure the rest is swallowed; the event is told each time. */
	if (strstr(r->events, "FAILED") != NULL)
		return;
	for (size_t from = 0, to = 0; to < len;) {
		to = len - to < r->step ? len : to + r->step;
		for (; from < to; from += used) {
			enum client_event e = smtp_client_feed(r->c,
			    (struct span){ (const uint8_t *)bytes + from, to - from }, &used);

			take_event(r, e);
			check(r, used > 0 && used <= to - from, "nothing used");
			if (e == CLIENT_FAILED)
				return;
		}
	}
}

static void
act(struct run *r, const char *what)
{
	unsigned long bytes;
	char last[8] = "";

	if (strcmp(what, "begin") == 0)
		take_event(r, smtp_client_begin(r->c, &r->t));
	else if (sscanf(what, "body %lu %7s", &bytes, last) >= 1)
		smtp_client_send_body(r->c, bytes, strcmp(last, "last") == 0);
	else if (sscanf(what, "ahead %lu", &bytes) == 1) {
		if (smtp_client_may_send_ahead(r->c))
			smtp_client_send_ahead(r->c, bytes);
	} else if (strcmp(what, "sent") == 0)
		take_event(r, smtp_client_body_sent(r->c));
	else if (strcmp(what, "commit") == 0)
		smtp_client_commit(r->c);
	else if (strncmp(what, "abort ", 6) == 0)
		check(r, smtp_client_abort(r->c) == (what[6] == 'y'), "the contrary");
	else if (strncmp(what, "lost ", 5) == 0)
		take_event(r, smtp_client_lost(r->c, what + 5));
	else if (strcmp(what, "quit") == 0)
		smtp_client_quit(r->c);
	else
		check(r, strcmp(what, "reusable") == 0 && smtp_client_may_be_reused(r->c) &&
		    smtp_client_is_idle(r->c), "not reusable");
}

static void
expect_front(struct run *r, char *have, const char *want)
{
	size_t n = strlen(want);

	check(r, strncmp(have, want, n) == 0, have);
	memmove(have, have + n, strlen(have + n) + 1);
}

static void
expect_reply(struct run *r, const char *want)
{
	const struct client_recipient *to = &r->recipients[want[0] - '0'];
	char got[300];

	snprintf(got, sizeof got, "%d %.*s", to->code, (int)to->text.len,
	    (const char *)to->text.ptr);
	check(r, strcmp(got, want + 2) == 0, got);
}

static void
expect(struct run *r, char kind, const char *want)
{
	char text[300];

	if (kind == 'C') {
		snprintf(text, sizeof text, "%s\r\n", want);
		expect_front(r, r->said, text);
	} else if (kind == 'E') {
		snprintf(text, sizeof text, " %s", want);
		expect_front(r, r->events, text);
	} else if (kind == 'R')
		expect_reply(r, want);
	else if (kind == 'F')
		check(r, strcmp(smtp_client_failure(r->c), want) == 0,
		    smtp_client_failure(r->c));
	else if (kind == 'W')
		check(r, strcmp(smtp_client_doing(r->c), want) == 0, smtp_client_doing(r->c));
	else
		check(r, kind == 'D' && smtp_client_in_doubt(r->c) == (want[0] == 'y'),
		    "the contrary");
}

static void
run_line(struct run *r, const char *line)
{
	r->line = line;
	if (line[0] == 'A') {
		check(r, r->events[0] == '\0', r->events);
		check(r, r->said[0] == '\0', r->said);
		act(r, line + 3);
	} else if (line[0] == 'S') {
		check(r, r->said[0] == '\0', r->said);
		server_says(r, line + 3);
	} else
		expect(r, line[0], line + 3);
	take_output(r);
}

static void
run_script(const struct script *s, size_t step)
{
	struct run r = { .step = step, .name = s->name };

	r.c = smtp_client_create("me", s->setup & LMTP);
	set_transaction(&r, s->setup);
	for (size_t i = 0; i < COUNT_OF(s->lines) && s->lines[i] != NULL; i++)
		run_line(&r, s->lines[i]);
	check(&r, r.events[0] == '\0', r.events);
	check(&r, r.said[0] == '\0', r.said);
	smtp_client_destroy(&r.c);
	assert_null(r.c);
	arena_free(&r.arena);
}

static void
test_scripts(void **state)
{
	for (size_t i = 0; i < COUNT_OF(scripts); i++)
		for (size_t step = 1; step <= 80; step++)
			run_script(&scripts[i], step);
}

/* Server text in one piece, up to the first event. */
static enum client_event
say(struct smtp_client *c, const char *text)
{
	enum client_event e = CLIENT_WAIT;
	size_t used;

	for (struct span in = span_text(text); in.len > 0 && e == CLIENT_WAIT;
	    in = span_slice(in, used, in.len))
		e = smtp_client_feed(c, in, &used);
	return e;
}

/* Replies of a whole group come in one piece, and nothing is lost between events. */
static void
test_group_in_one_piece(void **state)
{
	struct run r = { .name = "group", .step = 1, .line = "" };
	static const char replies[] = "250 a\r\n250 b\r\n550 c\r\n250 d\r\n354 e\r\n421 f\r\n";
	size_t used;

	r.c = smtp_client_create("me", false);
	set_transaction(&r, 0);
	assert_int_equal(say(r.c, "220 mx\r\n250-mx\r\n250 PIPELINING\r\n"), CLIENT_READY);
	assert_int_equal(smtp_client_begin(r.c, &r.t), CLIENT_WAIT);
	assert_int_equal(smtp_client_feed(r.c, span_text(replies), &used), CLIENT_BODY);
	assert_int_equal(used, strlen(replies) - 7);
	assert_int_equal(say(r.c, "421 f\r\n"), CLIENT_FAILED);
	assert_int_equal(smtp_client_patience(r.c), PATIENCE_COMMAND);
	smtp_client_destroy(&r.c);
	arena_free(&r.arena);
}

/* A hundred thousand recipients, of which every third is refused. */
#define MANY 100000u
static void
test_many_recipients(void **state)
{
	struct arena arena = { 0 };
	struct recipient *to = arena_array(&arena, struct recipient, MANY);
	struct client_recipient *list = arena_array(&arena, struct client_recipient, MANY);
	struct envelope e = { .recipients = to, .recipient_count = MANY };
	struct client_transaction t = { .envelope = &e, .recipients = list,
	    .recipient_count = MANY, .arena = &arena };
	struct smtp_client *c = smtp_client_create("me", false);

	for (size_t i = 0; i < MANY; i++) {
		to[i].address = SPAN_LIT("someone@example.com");
		list[i].index = i;
	}
	assert_int_equal(say(c, "220 mx\r\n250-mx\r\n250 PIPELINING\r\n"), CLIENT_READY);
	assert_int_equal(smtp_client_begin(c, &t), CLIENT_WAIT);
	assert_true(buf_len(smtp_client_output(c)) > MANY * strlen("someone@example.com"));
	assert_int_equal(say(c, "250 Ok\r\n"), CLIENT_WAIT);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(say(c, i % 3 == 0 ? "550 no\r\n" : "250 Ok\r\n"), CLIENT_WAIT);
	assert_int_equal(smtp_client_patience(c), PATIENCE_DATA);
	assert_int_equal(say(c, "354 go\r\n"), CLIENT_BODY);
	for (size_t i = 0; i < MANY; i++)
		assert_true(list[i].taken == (i % 3 != 0) && list[i].code == (i % 3 ? 0 : 550));
	smtp_client_destroy(&c);
	arena_free(&arena);
}

/* Lines of at most 512 bytes, all attributes, each once, those too long left out. */
static void
check_xforward(size_t len, bool pipelining)
{
	struct run r = { .name = "long", .step = 1, .line = "" };
	char value[600];
	size_t lines = 0, items = 0;

	memset(value, '+', sizeof value);
	struct span v = { (const uint8_t *)value, len };

	r.c = smtp_client_create("me", false);
	set_transaction(&r, 0);
	r.t.xforward = (struct xforward){ true, v, v, v, v, v, v, v };
	say(r.c, "220 mx\r\n250-mx\r\n");
	if (pipelining)
		say(r.c, "250-PIPELINING\r\n");
	say(r.c, "250 XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n");
	buf_take(smtp_client_output(r.c), buf_len(smtp_client_output(r.c)));
	assert_int_equal(smtp_client_begin(r.c, &r.t), CLIENT_WAIT);
	for (struct span out = buf_span(smtp_client_output(r.c)); span_starts_nocase(out,
	    SPAN_LIT("XFORWARD ")); out = buf_span(smtp_client_output(r.c))) {
		size_t n = span_find(out, '\n') + 1;

		assert_true(n <= 512);
		for (size_t i = 0; i < n; i++)
			items += out.ptr[i] == '=';
		buf_take(smtp_client_output(r.c), n);
		lines++;
		if (!pipelining)
			assert_int_equal(buf_len(smtp_client_output(r.c)), 0);
		say(r.c, "250 Ok\r\n");
	}
	assert_int_equal(items, 7);
	assert_true(lines <= 7);
	take_output(&r);
	assert_int_equal(strncmp(r.said, "MAIL FROM:<s@a.test>\r\n", 22), 0);
	smtp_client_destroy(&r.c);
	arena_free(&r.arena);
}

static void
test_xforward_lines(void **state)
{
	for (size_t len = 0; len < 600; len++) {
		check_xforward(len, true);
		check_xforward(len, false);
	}
}

/* A server that never ends its reply costs a bounded number of bytes. */
static void
test_endless(void **state)
{
	struct smtp_client *c = smtp_client_create("me", false);
	unsigned lines = 0;

	while (say(c, "220-mx\r\n") == CLIENT_WAIT)
		lines++;
	assert_true(lines == REPLY_LINES - 1);
	assert_non_null(strstr(smtp_client_failure(c), "more than 200 lines"));
	smtp_client_destroy(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts), cmocka_unit_test(test_group_in_one_piece),
		cmocka_unit_test(test_many_recipients), cmocka_unit_test(test_xforward_lines),
		cmocka_unit_test(test_endless),
	};

	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
