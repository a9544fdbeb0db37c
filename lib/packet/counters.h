/*
 * counters.h - the page of numbers that a process writes and the master reads.
 *
 * A memfd per process and generation, mapped by both; only its process writes it, so a
 * plain 64-bit store is enough.  It outlives the process: totals survive a crash.
 * Gauges go to zero with the process that owned them.
 */
#ifndef LIB_PACKET_COUNTERS_H
#define LIB_PACKET_COUNTERS_H
#include "lib/base/base.h"

enum counter {
	COUNTER_SESSIONS = 0,           /* accepted                                    */
	COUNTER_SESSIONS_REFUSED,       /* 421: too many, pressure, draining           */
	COUNTER_SESSION_TIMEOUTS,
	COUNTER_MESSAGES,               /* read to their end                           */
	COUNTER_BYTES,
	COUNTER_DELIVERED, COUNTER_QUARANTINED, COUNTER_DISCARDED, COUNTER_REJECTED,
	COUNTER_DEFERRED, COUNTER_NOTIFIED, COUNTER_ALREADY,    /* recipients          */
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
	COUNTER_COUNT,
};
#define COUNTER_FIRST_GAUGE GAUGE_SESSIONS

struct counter_row { const char *name, *sentence; };
const struct counter_row *counter_row(enum counter);

enum rule_counter { RULE_HITS = 0, RULE_UNKNOWNS, RULE_COUNTERS };

struct counters {
	uint64_t values[COUNTER_COUNT];
	uint64_t rule_count;
	uint64_t rules[][RULE_COUNTERS];        /* by struct rule's slot */
};
static inline size_t
counters_bytes(size_t rules)
{
	return sizeof(struct counters) + rules * sizeof(uint64_t[RULE_COUNTERS]);
}
#endif
