/*
 * counters.c - names of the counters, see counters.h.
 */
#include "lib/packet/counters.h"

static const struct counter_row rows[COUNTER_COUNT] = {
	[COUNTER_SESSIONS] = { "sessions", "sessions accepted" },
	[COUNTER_SESSIONS_REFUSED] = { "sessions-refused",
	    "sessions answered 421: too many, pressure or shutting down" },
	[COUNTER_SESSION_TIMEOUTS] = { "session-timeouts", "sessions ended for a timeout" },
	[COUNTER_MESSAGES] = { "messages", "messages read to their end" },
	[COUNTER_BYTES] = { "bytes", "bytes of these messages" },
	[COUNTER_DELIVERED] = { "delivered", "recipients that the next hop accepted" },
	[COUNTER_QUARANTINED] = { "quarantined", "recipients put into quarantine" },
	[COUNTER_DISCARDED] = { "discarded", "recipients discarded" },
	[COUNTER_REJECTED] = { "rejected", "recipients refused with 5xx" },
	[COUNTER_DEFERRED] = { "deferred", "recipients put off with 4xx" },
	[COUNTER_NOTIFIED] = { "notified", "recipients refused by a notice to the sender" },
	[COUNTER_ALREADY] = { "already-delivered",
	    "recipients skipped, as an earlier try had delivered them" },
	[COUNTER_CLIENT_GONE] = { "client-gone",
	    "messages dropped because the client had left" },
	[COUNTER_SMUGGLING] = { "bare-newlines", "messages with bare newlines" },
	[COUNTER_PRESSURE] = { "pressure",
	    "commands answered 452 or 421 for want of memory, disk or queue" },
	[COUNTER_INSPECTOR_FAULTS] = { "inspector-faults",
	    "inspectors that died or broke the protocol" },
	[COUNTER_NEXT_HOP_FAILURES] = { "next-hop-failures",
	    "connections to next hops that failed" },
	[COUNTER_NEXT_HOP_CONNECTIONS] = { "next-hop-connections",
	    "connections made to next hops" },
	[COUNTER_JOURNAL_DROPPED] = { "journal-dropped",
	    "records lost because the store was slow or down" },
	[COUNTER_LOOPS] = { "loops", "messages refused with 554 5.4.6 as looping" },
	[COUNTER_RECORDS] = { "records", "records written to the journal" },
	[COUNTER_STORED] = { "stored", "messages written to quarantine and Maildirs" },
	[COUNTER_STORE_FAILURES] = { "store-failures",
	    "messages and records that could not be written" },
	[GAUGE_SESSIONS] = { "sessions-open", "sessions open now" },
	[GAUGE_TRANSACTIONS] = { "transactions-open", "messages on their way now" },
	[GAUGE_MEMORY] = { "memory", "bytes of messages held in memory" },
	[GAUGE_SPOOL] = { "spool", "bytes of messages held in spool files" },
	[GAUGE_INSPECTOR_QUEUE] = { "inspector-queue", "messages waiting for an inspector" },
	[GAUGE_STORE_QUEUE] = { "store-queue", "requests waiting for the store" },
};

const struct counter_row *
counter_row(enum counter c)
{
	return &rows[(unsigned)c < COUNTER_COUNT ? c : 0];
}
