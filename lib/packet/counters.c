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
	[COUNTER_HELD] = { "held",
	    "recipients whose mail was put aside, as a scanner failed" },
	[COUNTER_HELD_TRIES] = { "held-tries", "held mails examined again" },
	[COUNTER_HELD_RELEASED] = { "held-released",
	    "held mails that were then delivered, or kept or refused by a rule" },
	[COUNTER_UNSCANNED] = { "unscanned",
	    "recipients whose mail was accepted, although a scanner failed" },
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
	[GAUGE_HELD] = { "held-now", "mails held until a check is well again" },
	[GAUGE_HELD_SINCE] = { "held-since",
	    "Unix time at which the oldest of them came in; 0: there is none" },
};

const struct counter_row *
counter_row(enum counter c)
{
	return &rows[(unsigned)c < COUNTER_COUNT ? c : 0];
}

static const struct counter_row scanner_rows[SCANNER_COUNTERS] = {
	[SCANNER_ASKED] = { "asked", "messages that the scanner was asked about" },
	[SCANNER_CLEAN] = { "clean", "messages in which it found nothing" },
	[SCANNER_INFECTED] = { "infected", "messages that it said are infected" },
	[SCANNER_SCORED] = { "scored", "messages that it gave a score" },
	[SCANNER_UNSCANNABLE] = { "unscannable",
	    "messages that are too large for it, or that it could not look at" },
	[SCANNER_FAILED] = { "failed", "messages about which there was no answer that counts" },
	[SCANNER_BUSY] = { "busy", "of the failed: no slot was free, in time or at all" },
	[SCANNER_SHUN] = { "not-asked", "of the failed: its servers were known to be down" },
	[SCANNER_CALLED_OFF] = { "called-off",
	    "messages whose fate was decided before it answered" },
	[SCANNER_CACHED] = { "cached", "messages of which the verdict cache knew the content" },
	[SCANNER_CACHE_MISSED] = { "cache-missed",
	    "messages that it did not know, and which could be put there" },
	[SCANNER_BYTES] = { "bytes", "bytes of the messages that it answered about" },
	[SCANNER_TIME] = { "microseconds", "time that its answers took, waiting included" },
	[SCANNER_RUNNING] = { "running", "messages that it looks at now" },
	[SCANNER_WAITING] = { "waiting", "messages that wait for a slot" },
};

const struct counter_row *
scanner_counter_row(enum scanner_counter c)
{
	return &scanner_rows[(unsigned)c < SCANNER_COUNTERS ? c : 0];
}

void
counter_text_set(volatile struct counter_text *t, struct span text)
{
	uint32_t other = (t->current & 1) ^ 1;
	size_t len = text.len < COUNTER_TEXT_BYTES - 1 ? text.len : COUNTER_TEXT_BYTES - 1;

	for (size_t i = 0; i < len; i++)
		t->text[other][i] = (char)text.ptr[i];
	t->text[other][len] = '\0';
	__atomic_store_n(&t->current, other, __ATOMIC_RELEASE);
}

void
counter_text_get(const volatile struct counter_text *t, char out[COUNTER_TEXT_BYTES])
{
	uint32_t current = __atomic_load_n(&t->current, __ATOMIC_ACQUIRE) & 1;

	for (size_t i = 0; i < COUNTER_TEXT_BYTES; i++)
		out[i] = t->text[current][i];
	out[COUNTER_TEXT_BYTES - 1] = '\0';
}
