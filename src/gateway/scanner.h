/*
 * scanner.h - the configured scanners of this gateway: servers, slots, a queue, and one
 * question about one message at a time on each connection.
 *
 * A pool is one configured scanner.  At most `slots` of its questions are under way, `queue`
 * wait; both count from the beginning, so nobody waits longer than a scan may take.  Servers
 * are asked in their order; one that cannot be reached or breaks the dialogue gives way to
 * the next within the same time, and a kept connection that turns out dead is replaced once.
 * BREAK_AFTER failures in a row put a server out: it is not asked until, after a pause of
 * 1, 2, 4 ... 60 s, a probe was answered.  Where all servers are out, a question fails at
 * once.  So a server that hangs costs at most slots times the time-out.  A time-out counts
 * alone, not in a row, where the server has answered others meanwhile.
 *
 * One client outside has at most half of the slots and half of the queue, so that mails on
 * which a scan takes long do not keep all others waiting.
 *
 * What clamd calls clean counts only if it has found the canary within the scanner's
 * `canary` time; else it is asked for it on the same connection, behind the answer, and
 * what it says to that decides, also about the answers that came in meanwhile.  It is the
 * same with the answer to a probe.
 *
 * Verdict cache (setting `cache`, off by default; clamd and ICAP).  A mail whose content
 * key (src/inspector/key.c) was called clean before is not asked about again.  The answer
 * counts only between two questions for the version of the signatures that gave the same:
 * one that was answered before the scan began, one that was asked after its answer; and
 * only for VERSION_KNOWN_MS after the latest.  While scans with keys come in, the version is
 * asked for every VERSION_EVERY_MS, and soon after each new entry.  With what else is said
 * in verdicts.h, whatever goes wrong with a server makes all be forgotten that it said.
 *
 * A command has no servers: its runs go to the runner of the asker's configuration.
 *
 *     scan:   IDLE -> QUEUED -> ASKING -> ANSWERED -> IDLE (done)
 *
 *   scanner.c    pools, servers and their health, who is asked when
 *   scanlink.c   a connection: socket, time-outs, and the client core behind them
 */
#ifndef SRC_GATEWAY_SCANNER_H
#define SRC_GATEWAY_SCANNER_H
#include "lib/scanner/command.h"
#include "lib/scanner/scanner.h"
#include "src/gateway/gateway.h"
#include "src/gateway/message.h"
#include "src/gateway/runlink.h"

struct scanner_pool;
struct scan_link;

enum scan_step { SCAN_IS_IDLE = 0, SCAN_IS_QUEUED, SCAN_IS_ASKING, SCAN_IS_ANSWERED };

/* One question.  Owned by who asks, who fills the first part; zeroed before. */
struct scan {
	struct scanner_pool *pool;
	const struct scanner *scanner;          /* of the asker's snapshot */
	const struct message *message;
	const struct content_key *key;          /* NULL: never out of the cache */
	struct scan_request  request;           /* may_descriptor is ours */
	bool                 has_client;        /* there is one outside */
	struct address       client;
	uint64_t             deadline;          /* ms; the scanner's time-out counts besides */
	uint32_t             generation;        /* of that snapshot, and the scanner's index */
	uint32_t             index;
	const struct command_rules *rules;      /* of a command */
	/* From the loop, never inside scan_begin, exactly once unless cancelled: the answer is
	   in report and version, in the request's arena. */
	void               (*done)(struct scan *);

	struct scan_report   report;
	struct span          version;           /* of engine and signatures, if known */
	uint64_t             time_us;           /* from scan_begin to the answer */
	bool                 cached;            /* the answer is remembered, not new */

	enum scan_step       step;
	struct link          link;              /* in a queue, or among those answered */
	struct scan_link    *connection;
	struct run_job       job;
	uint32_t             tried;             /* servers, a bit each */
	bool                 fresh;             /* a stale connection was met: none is reused */
	bool                 by_stream;         /* its descriptor could not be read */
	uint32_t             era;               /* of the server asked, at that time */
	uint64_t             began_us, began;
	uint64_t             started;           /* ms: it has a slot */
	char                 problem[200];      /* of the server tried last */
};

struct scanners *scanners_create(struct gateway *);
/* The same scanner gives the same pool, whatever its limits, for as long as a snapshot
   holds it; row: where it counts from now on. */
struct scanner_pool *scanner_pool_hold(struct scanners *, const struct scanner *,
    struct scanner_row *row);
/* row: as given by whoever drops it. */
void scanner_pool_drop(struct scanner_pool *, const struct scanner_row *row);

void scan_begin(struct scan *);
/* No callback follows.  Any state. */
void scan_cancel(struct scan *);

/* Probes, and connections that have rested enough; once a second. */
void scanners_tick(struct scanners *);
void scanners_bury(struct scanners *);
/* The process is leaving. */
void scanners_close_idle(struct scanners *);
#endif
