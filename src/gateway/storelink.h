/*
 * storelink.h - the gateway's side of its conversation with the store.
 *
 * Requests wait for their answers; when the link breaks or PATIENCE runs out, each
 * is over with ST_TEMP.  Journal rows want no answer: they are gathered for a few
 * milliseconds, so that the store is not woken for each; while it is slow or away they
 * wait in a bounded buffer, then they are dropped and counted; the log line is the record.
 */
#ifndef SRC_GATEWAY_STORELINK_H
#define SRC_GATEWAY_STORELINK_H
#include "src/gateway/gateway.h"

#define STORE_QUEUE     1000            /* requests under way          */
#define STORE_PATIENCE  60000           /* ms                          */
#define JOURNAL_BUFFER  (4u << 20)      /* bytes of rows that may wait */

/* Owned by the transaction.  `done` comes exactly once, unless cancelled; the body is
   that of STORED, LEDGER or HELD and borrowed. */
struct store_request {
	struct link link;
	bool        pending;
	uint32_t    serial;
	uint64_t    began;
	void      (*done)(struct store_request *, enum status, struct unpack body,
	    struct error *);
};

struct storelink *storelink_create(struct gateway *);
/* A new link from the master; takes the descriptor. */
void storelink_connect(struct storelink *, int fd);
/* The packet that storelink_begin started, with a body put behind; fd -1: none.  When
   ST_TEMP is returned nothing was sent and done does not come. */
struct pack storelink_begin(struct storelink *, enum packet_type);
enum status storelink_send(struct storelink *, const struct pack *, int fd,
    struct store_request *, struct error *);
/* Within `done`: the descriptor that came with the answer, now the caller's; -1: none. */
int storelink_descriptor(struct storelink *);
void storelink_cancel(struct storelink *, struct store_request *);
void storelink_journal(struct storelink *, struct span record);
/* What was given to the journal is on its way, before any request that follows.  False: it
   waits for the store. */
bool storelink_flush(struct storelink *);
/* Time-outs; once a second. */
void storelink_tick(struct storelink *);
bool storelink_is_up(const struct storelink *);
/* Bytes of journal rows that wait to be sent. */
size_t storelink_waiting(const struct storelink *);
#endif
