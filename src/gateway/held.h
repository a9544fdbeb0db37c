/*
 * held.h - held mail comes again: through the front door, so that all is as the first time.
 *
 * The gateway of index 0 asks the store for a held mail that is due - at once when a scanner
 * is well again - and plays its client: a session of the listener that took it, on one end
 * of a socket pair; hop.c's client on the other end.  What became of each recipient the
 * transaction itself tells (held_settle); the store hears it when journal rows are on their
 * way (HELD_DONE), again and again until it says that it is on disk.  A few at a time,
 * hold-rate a second at most.
 *
 *     FREE -> EXAMINING -> REPORTING -> FREE
 *
 *   held.c          asking, examining, reporting
 *   held_notice.c   the administrator is told of those that have expired
 */
#ifndef SRC_GATEWAY_HELD_H
#define SRC_GATEWAY_HELD_H
#include "src/gateway/hop.h"
#include "src/gateway/session.h"
#include "src/gateway/storelink.h"

struct held *held_create(struct gateway *);
void held_tick(struct held *);
/* A check is healthy again, or the configuration is another: all held mail is due. */
void held_wake(struct held *);
/* Nothing is under way, and nothing waits to be told to the store. */
bool held_is_idle(const struct held *);
/* At the end of a transaction whose session brings a held mail. */
void held_settle(struct transaction *);
/* After that: is it worth a record?  A mail that stays for days as it is fills no journal. */
bool held_is_news(const struct transaction *);

/* --- held_notice.c --- */

struct notice {
	struct gateway     *gateway;
	bool                busy;
	uint64_t            not_before;         /* ms: after one that failed */
	struct snapshot    *snapshot;
	struct arena        arena;
	struct packet_held  what;               /* in the arena */
	struct message      message;
	struct envelope     envelope;
	struct client_recipient recipient;
	struct delivery     delivery;
	struct store_request request;
};
void notice_begin(struct notice *, const struct packet_held *);
#endif
