/*
 * counters.h - the page of numbers that a process writes and the master reads.
 *
 * A memfd per process and generation, mapped by both; only its process writes it, so a
 * plain 64-bit store is enough.  It outlives the process: totals survive a crash.
 * Gauges go to zero with the process that owned them.
 */
#ifndef LIB_PACKET_COUNTERS_H
#define LIB_PACKET_COUNTERS_H
#include "lib/config/settings.h"

enum counter {
	COUNTER_SESSIONS = 0,           /* accepted                                    */
	COUNTER_SESSIONS_REFUSED,       /* 421: too many, pressure, draining           */
	COUNTER_SESSION_TIMEOUTS,
	COUNTER_MESSAGES,               /* read to their end                           */
	COUNTER_BYTES,
	COUNTER_DELIVERED, COUNTER_QUARANTINED, COUNTER_DISCARDED, COUNTER_REJECTED,
	COUNTER_DEFERRED, COUNTER_NOTIFIED, COUNTER_ALREADY,    /* recipients          */
	COUNTER_HELD,                   /* recipients quarantined for a failed scanner */
	COUNTER_HELD_TRIES,             /* mails examined again                        */
	COUNTER_HELD_RELEASED,          /* held mails that are held no longer          */
	COUNTER_UNSCANNED,              /* recipients accepted although one failed     */
	COUNTER_CLIENT_GONE,            /* left before the final dot went on           */
	COUNTER_SMUGGLING,              /* messages with bare newlines                 */
	COUNTER_PRESSURE,               /* 452 or 421 for memory, disk or queues       */
	COUNTER_INSPECTOR_FAULTS,       /* died or broke the protocol                  */
	COUNTER_NEXT_HOP_FAILURES,
	COUNTER_NEXT_HOP_CONNECTIONS,
	COUNTER_JOURNAL_DROPPED,        /* rows lost because the store was slow        */
	COUNTER_LOOPS,                  /* 554 5.4.6                                   */
	COUNTER_RECORDS,                /* store: journal rows written                 */
	COUNTER_STORED,                 /* store: bodies written                       */
	COUNTER_STORE_FAILURES,
	GAUGE_SESSIONS,                 /* open now                                    */
	GAUGE_TRANSACTIONS,
	GAUGE_MEMORY,                   /* bytes of messages held in memory            */
	GAUGE_SPOOL,
	GAUGE_INSPECTOR_QUEUE,
	GAUGE_STORE_QUEUE,
	GAUGE_HELD,                     /* store: mails that are held                  */
	GAUGE_HELD_SINCE,               /* store: Unix time in seconds of the oldest   */
	COUNTER_COUNT,
};
#define COUNTER_FIRST_GAUGE GAUGE_SESSIONS

struct counter_row { const char *name, *sentence; };
const struct counter_row *counter_row(enum counter);

enum rule_counter { RULE_HITS = 0, RULE_UNKNOWNS, RULE_COUNTERS };

enum scanner_counter {
	SCANNER_ASKED = 0,              /* all questions: those below, and the gauges  */
	SCANNER_CLEAN, SCANNER_INFECTED, SCANNER_SCORED, SCANNER_UNSCANNABLE,
	SCANNER_FAILED,                 /* whatever the reason; the next two are of it */
	SCANNER_BUSY,                   /* no slot: the queue was full, or for too long */
	SCANNER_SHUN,                   /* all its servers were down: not asked        */
	SCANNER_CALLED_OFF,             /* nobody wanted to know any more              */
	SCANNER_CACHED,                 /* answers out of the verdict cache: not asked */
	SCANNER_CACHE_MISSED,           /* not in it: asked, one of the above          */
	SCANNER_BYTES,                  /* of messages that it answered about          */
	SCANNER_TIME,                   /* microseconds, of those that were answered   */
	SCANNER_RUNNING,                /* gauges: asked now, and waiting for a slot   */
	SCANNER_WAITING,
	SCANNER_COUNTERS,
};
#define SCANNER_FIRST_GAUGE SCANNER_RUNNING
const struct counter_row *scanner_counter_row(enum scanner_counter);

/* A text that the other side can read at any moment, also after a crash in the middle of
   writing: the new one is written beside the old one, then named. */
#define COUNTER_TEXT_BYTES 160
struct counter_text { uint32_t current; char text[2][COUNTER_TEXT_BYTES]; };
/* Cut to COUNTER_TEXT_BYTES - 1 bytes. */
void counter_text_set(volatile struct counter_text *, struct span);
/* NUL-terminated; not to be trusted: to be escaped. */
void counter_text_get(const volatile struct counter_text *, char out[COUNTER_TEXT_BYTES]);

enum server_health { SERVER_IS_UNASKED = 0, SERVER_IS_UP, SERVER_IS_DOWN, SERVER_HEALTHS };

/* One endpoint of a scanner, in the order of the configuration. */
struct server_row {
	uint64_t health;                /* enum server_health, unchecked        */
	uint64_t since_ms;              /* Unix time: it has this health        */
	uint64_t signatures_ms;         /* Unix time; 0: not told               */
	struct counter_text problem;    /* the last one                         */
	struct counter_text version;    /* engine and signatures, as it says it */
};
struct scanner_row {
	uint64_t values[SCANNER_COUNTERS];
	struct server_row servers[SCANNER_SERVERS];
};

/* Behind the rules' counters stands a scanner_row a scanner. */
struct counters {
	uint64_t values[COUNTER_COUNT];
	uint64_t rule_count, scanner_count;
	uint64_t rules[][RULE_COUNTERS];        /* by struct rule's slot */
};
static inline size_t
counters_bytes(size_t rules, size_t scanners)
{
	return sizeof(struct counters) + rules * sizeof(uint64_t[RULE_COUNTERS]) +
	    scanners * sizeof(struct scanner_row);
}
/* By index in the configuration.  The master gives the number of rules that it knows,
   not the page's. */
static inline struct scanner_row *
counters_scanner(struct counters *c, size_t rules, size_t index)
{
	return (struct scanner_row *)(void *)c->rules[rules] + index;
}
#endif
