/*
 * scanner.h - what the client cores of all scanners have in common: a request, a dialogue
 * without a socket, and a report.
 *
 * One scan_client a connection.  The driver connects, moves bytes and keeps the time-outs:
 *
 *     create      nothing is said yet
 *     begin       a scan is queued; requests and reports are in the arena given with it
 *     output      what to write now, in this order; sent() tells how much of it went out
 *     feed        bytes that came in; DONE: the report is in.  The client is idle again if
 *                 scan_client_may_be_reused, else it is to be destroyed
 *     closed      the peer closed: DONE where what came is enough for a verdict, else
 *                 BROKEN
 *     lost        a time-out, or whatever else ends the connection here: the same
 *
 * A message is never inside a client: its bytes are named by offset, and go from their
 * descriptor to the socket, or the descriptor itself does (FILDES).
 *
 * Whatever is no clear answer is SCAN_FAILED with the reason: nonsense, half a reply, an
 * answer about something else, a scanner without signatures.  Nothing but the scanner's
 * own word for it, after all of the message was sent, is SCAN_CLEAN.
 *
 * What clamd can and cannot tell (1.5 by its source, 1.4.6 seen).  It does not start with
 * a database directory that holds no database, and keeps the old signatures when a reload
 * fails; with ConcurrentDatabaseReload off it then has none, refuses every scan, and gives
 * 4294967295 as version of its signatures: that is FAILED here.  VERSION names signatures
 * only where the official daily database is loaded; with private databases alone it is
 * "ClamAV 1.4.3", which is legitimate.  A database without the signatures that one would
 * expect cannot be told from it: only a test mail can.  And it says OK, without looking, to
 * what is larger than its MaxFileSize, unless AlertExceedsMax is on: our own size limit must
 * not be above MaxFileSize.
 *
 * The canary is such a test mail: the EICAR test file as an attachment in base64, which has
 * to be unpacked to a temporary file to be found.  With its temporary directory full, gone
 * or not writable clamd says OK to every attachment.  Seen (1.4.6, a tmpfs), answers to a
 * mail with EICAR in base64, and to a canary behind it:
 *
 *                      mail FILDES   canary FILDES   canary INSTREAM     mail INSTREAM
 *     full             OK            OK              error, or OK        error, or OK
 *     gone             OK            OK              closes              closes
 *     room again       OK            OK              FOUND               FOUND
 *     and reloaded     FOUND         FOUND           FOUND               FOUND
 *
 * The third line is the reason for two rules: clamd remembers contents that it took for
 * clean, by their digest, until its signatures are loaded anew.  So the canary goes the way
 * that the mail went, and its bytes are always the same: if clamd has come to believe that
 * mails are clean which it could not unpack, then it believes so of the canary, which stays
 * in that memory for as long as it is asked for.
 *
 * It is asked for behind the mail's answer, not beside it: clamd answers several questions
 * of a session at the same time and in any order, and what fills its disk may be the mail.
 * What the canary cannot show: that there is room for it, but not for a larger attachment.
 *
 * spamd reads the message by lines and waits for the end of the last one: it gets a CR LF
 * more than the message has.
 */
#ifndef LIB_SCANNER_SCANNER_H
#define LIB_SCANNER_SCANNER_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"

enum scanner_kind {
	SCANNER_CLAMD = 0, SCANNER_SPAMD, SCANNER_RSPAMD, SCANNER_ICAP, SCANNER_COMMAND,
	SCANNER_KINDS,
};

enum scan_result {
	SCAN_FAILED = 0,        /* no answer that counts; see why                      */
	SCAN_CLEAN,             /* looked at, nothing found                            */
	SCAN_INFECTED,          /* see viruses                                         */
	SCAN_SCORED,            /* see score and symbols                               */
	SCAN_UNSCANNABLE,       /* it said itself that it cannot look: too large ...   */
	SCAN_RESULTS,
};

#define SCAN_VIRUSES      32
#define SCAN_VIRUS_BYTES  200
#define SCAN_SYMBOLS      500
#define SCAN_SYMBOL_BYTES 200
#define SCAN_TEXT_BYTES   8192
#define SCAN_REPLY_BYTES  (1u << 20)    /* of one answer, whole; more is SCAN_FAILED */

/* Scores are thousandths: 6310 is 6.31. */
struct scan_symbol { struct span name; int64_t score; bool has_score; struct span text; };

struct scan_report {
	enum scan_result result;
	struct span  why;               /* FAILED, UNSCANNABLE: one line for people         */
	struct span  answer;            /* its answer in one line, cut: for log and explain */
	struct span *viruses;           /* printable ASCII, no blanks, no duplicates        */
	size_t       virus_count;
	bool         has_score;
	int64_t      score, required;   /* required: its own threshold, 0 none told         */
	struct span  action;            /* rspamd: "add header" ...                         */
	struct scan_symbol *symbols;    /* at most SCAN_SYMBOLS; more: symbols_cut          */
	size_t       symbol_count;
	bool         symbols_cut;
	struct span  text;              /* spamd's report for people, at most SCAN_TEXT_BYTES */
	struct span  version;           /* where this dialogue asked: engine and signatures */
};

/* Borrowed until DONE or FAILED. */
struct scan_request {
	uint64_t     size;              /* of the message, without prefix                   */
	struct span  prefix;            /* fields put before it, each with CR LF; not for
	                                   FILDES                                           */
	struct span  sender;            /* without angle brackets; "" null                  */
	const struct span *recipients;
	size_t       recipient_count;
	struct span  client_address, client_name, helo, queue_id, user, hostname;
	                                /* user: spamd's; left out if it has a control      */
	bool         may_descriptor;    /* a local socket: FILDES may be tried              */
	struct arena *arena;            /* of the report                                    */
};

/* How one configured scanner wants it; outlives its clients. */
struct scan_options {
	enum scanner_kind kind;
	bool         no_descriptor;     /* clamd: INSTREAM only                             */
	bool         no_version;        /* clamd: do not ask VERSION (1.5: EnableVersionCommand) */
	struct span  host;              /* HTTP and ICAP: Host, and the URL's authority     */
	struct span  path;              /* ICAP service, rspamd "/checkv2"                  */
	struct span  password;          /* rspamd                                           */
};

enum scan_event { SCAN_WAIT = 0, SCAN_DONE, SCAN_BROKEN };
enum scan_output_kind { SCAN_OUT_NOTHING = 0, SCAN_OUT_BYTES, SCAN_OUT_BODY, SCAN_OUT_DESCRIPTOR };

struct scan_output {
	enum scan_output_kind kind;
	struct span  bytes;             /* BYTES, and for DESCRIPTOR those it goes with     */
	uint64_t     from, len;         /* BODY: of the message                             */
};

struct scan_client;

/* NULL for SCANNER_COMMAND, which has no dialogue. */
struct scan_client *scan_client_create(const struct scan_options *);
void scan_client_destroy(struct scan_client **);
/* Idle clients only: may_be_reused, which a new one is.  The request itself is copied, what
   it points to is not. */
void scan_client_begin(struct scan_client *, const struct scan_request *);
/* clamd: asks VERSION, so that a report comes with version and result SCAN_CLEAN; spamd
   PING, rspamd /ping, ICAP OPTIONS: is it there, and who?  Idle clients only. */
void scan_client_begin_probe(struct scan_client *, struct arena *);
/* clamd, idle clients only: SCAN_CLEAN if the canary was found, under whatever name; else
   SCAN_FAILED.  Of the request may_descriptor and arena count: with may_descriptor the
   descriptor that DESCRIPTOR asks for holds scan_canary's bytes; without, they are in
   BYTES.  It is never stale, denied or version_denied. */
void scan_client_begin_canary(struct scan_client *, const struct scan_request *);
/* Adds the canary. */
void scan_canary(struct buf *);
struct scan_output scan_client_output(const struct scan_client *);
/* Bytes of the present output that were written (DESCRIPTOR: all of its bytes, with it). */
void scan_client_sent(struct scan_client *, uint64_t bytes);
/* Uses all of `in` up to the first event; bytes behind it mean that the client cannot be
   used again.  BROKEN: the report has result SCAN_FAILED, and the client is of no more use;
   DONE may come before all was sent (an early refusal): then it is not reusable either.  So
   where writing fails, what can still be read is fed first.
   While no scan is under way, bytes and the end of the connection are BROKEN too. */
enum scan_event scan_client_feed(struct scan_client *, struct span in);
enum scan_event scan_client_lost(struct scan_client *, const char *why);
/* As lost, where the peer closed or reset the connection: only then can was_denied by
   silence, and is_stale, be told. */
enum scan_event scan_client_closed(struct scan_client *);
/* After DONE or BROKEN, until the next call that changes the client: in the request's
   arena. */
const struct scan_report *scan_client_report(const struct scan_client *);
bool scan_client_may_be_reused(const struct scan_client *);
/* "sending the message to clamd", "waiting for clamd's answer": for log lines. */
const char *scan_client_doing(const struct scan_client *);
/* FAILED because the scanner may not read the descriptor: the same scan may be begun again
   with no_descriptor (the driver remembers that for this server).  Where AppArmor forbids
   clamd the descriptor, it closes without a word. */
bool scan_client_was_denied(const struct scan_client *);
/* FAILED because clamd refuses VERSION, and with it the session: the same, with no_version. */
bool scan_client_version_denied(const struct scan_client *);
/* BROKEN on a connection that had served before, and the peer had closed it (idle too long)
   before it saw this scan: begin it again on a new connection. */
bool scan_client_is_stale(const struct scan_client *);

const char *scanner_kind_name(enum scanner_kind);       /* "clamd" ... */
const char *scan_result_name(enum scan_result);         /* failed clean infected scored unscannable */
#endif
