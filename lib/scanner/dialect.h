/*
 * dialect.h - inside lib/scanner: what the client cores share, and what each brings.
 *
 * scanner.c owns the life of a client: it queues output, hands out and counts it, makes
 * the report and decides what a client is good for afterwards.  A dialect (clamd.c,
 * spamd.c, rspamd.c, icap.c) says things with scan_put_*, reads what comes in, and ends a
 * scan by returning scan_done(), scan_refuse() or scan_break().
 *
 *     IDLE -> TALKING -> IDLE                     DONE, and may be used again
 *                     -> OVER                     DONE, but not again; BROKEN; lost
 */
#ifndef LIB_SCANNER_DIALECT_H
#define LIB_SCANNER_DIALECT_H
#include "lib/scanner/scanner.h"

enum scan_state { SCAN_IDLE = 0, SCAN_TALKING, SCAN_OVER };

/* One thing to write; bytes are in client->out, in the order of the pieces. */
#define SCAN_PIECES 16u
struct scan_piece { enum scan_output_kind kind; uint64_t from, len; };

struct scan_client;

/* Functions that may be NULL say so.  begin and begin_probe find a zeroed report in the
   arena, request copied (empty but for the arena for a probe), `in` and output empty. */
struct scan_dialect {
	const char *name;               /* of the kind */
	size_t      own_bytes;          /* of client->own, zeroed at create; not 0 */
	void (*begin)(struct scan_client *);
	void (*begin_probe)(struct scan_client *);
	void (*begin_canary)(struct scan_client *);     /* clamd only; else NULL */
	/* All that was put is sent: put more, or leave it.  May be NULL. */
	void (*more)(struct scan_client *);
	/* Bytes came while TALKING; *used (0 before) says how many were taken: all, or up
	   to the end of the answer where it returns DONE or BROKEN. */
	enum scan_event (*feed)(struct scan_client *, struct span in, size_t *used);
	/* No more will come while TALKING: scan_done() where what came is enough, else
	   scan_break().  NULL: always broken. */
	enum scan_event (*lost)(struct scan_client *, const char *why);
	const char *(*doing)(const struct scan_client *);
	void (*finish)(struct scan_client *);   /* frees what `own` holds; may be NULL */
};

struct scan_client {
	const struct scan_dialect *dialect;
	const struct scan_options *options;     /* borrowed */
	enum scan_state     state;
	struct scan_request request;            /* what it points to is borrowed */
	bool                probe, canary;
	struct scan_report *report;             /* in the request's arena */
	const struct scan_report *shown;        /* what scan_client_report gives */
	struct buf          out;                /* bytes not yet written */
	struct scan_piece   pieces[SCAN_PIECES];
	size_t              piece_first, piece_count;
	struct buf          in;                 /* for the dialect: an answer in parts;
	                                           emptied at begin */
	uint64_t            scans;              /* begun on this connection */
	bool                heard;              /* a byte came in this scan */
	bool                closes;             /* dialect: no further scan after this */
	bool                denied;             /* dialect: see scan_client_was_denied */
	bool                version_denied;     /* dialect */
	bool                stale;              /* see scan_client_is_stale */
	bool                peer_closed;        /* for lost: it was scan_client_closed */
	void               *own;
};

extern const struct scan_dialect clamd_dialect, spamd_dialect;
extern const struct scan_dialect rspamd_dialect, icap_dialect;

/* Output, queued in this order (a client holds at most SCAN_PIECES at once). */
void scan_put(struct scan_client *, struct span bytes);
void scan_put_text(struct scan_client *, const char *);
void scan_put_number(struct scan_client *, uint64_t);   /* decimal */
void scan_put_body(struct scan_client *, uint64_t from, uint64_t len);
void scan_put_descriptor(struct scan_client *, struct span bytes);
bool scan_all_sent(const struct scan_client *);

/* Ends.  scan_done is for a verdict; CLEAN and SCORED before all was sent become a break.
   scan_refuse: DONE with FAILED, the connection may be kept (the answer was whole and
   well formed, but no verdict); scan_break: BROKEN.  Bytes of the peer are in the text
   only after scan_line. */
enum scan_event scan_done(struct scan_client *, enum scan_result);
enum scan_event scan_refuse(struct scan_client *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
enum scan_event scan_break(struct scan_client *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, with bytes of the peer behind the text: "unexpected answer: 1: OK". */
enum scan_event scan_refuse_with(struct scan_client *, const char *what, struct span);
enum scan_event scan_break_with(struct scan_client *, const char *what, struct span);

/* Report.  All that comes from the peer is made fit here. */

/* One printable line, at most SCAN_LINE_BYTES of the input, in the arena. */
#define SCAN_LINE_BYTES 400
struct span scan_line(struct arena *, struct span);
void scan_set_why(struct scan_client *, struct span);
void scan_set_answer(struct scan_client *, struct span);        /* whichever came last */
/* What is not printable ASCII, and blanks, become `_`; cut at SCAN_VIRUS_BYTES; doubles
   and those beyond SCAN_VIRUSES are left out.  An empty name is "unnamed". */
void scan_add_virus(struct scan_client *, struct span name);
void scan_report_virus(struct scan_report *, struct arena *, struct span name);
/* Name as a virus's; text as scan_line.  Beyond SCAN_SYMBOLS: symbols_cut. */
void scan_add_symbol(struct scan_client *, struct span name, bool has_score,
    int64_t score, struct span text);
/* Lines stay lines (LF), tabs are blanks, backslashes stay, all else as scan_line; whole
   lines up to SCAN_TEXT_BYTES. */
void scan_set_text(struct scan_client *, struct span);

/* "5", "-2.5", "+.25", "6.3149" to thousandths, rounded half away from zero, without
   floating point.  False for anything else, blanks too, and beyond SCAN_SCORE_MAX (a
   score of a million). */
#define SCAN_SCORE_MAX 1000000000
bool scan_score(struct span, int64_t *thousandths);
#endif
