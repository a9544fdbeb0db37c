/*
 * hop.h - next hops: their connections, kept and reused, and one delivery at a time each.
 *
 * A delivery is one transaction with a next hop: a variant of a message for some of its
 * recipients.  It takes an idle connection or opens one (fail-over: each endpoint in its
 * turn, those that failed lately last); a kept connection that turns out dead before its
 * first reply is replaced by a fresh one, once.  The owner is told of three things:
 *
 *     begin -> may_go_ahead, then
 *              on_body    every recipient has its reply: send(last) or abort
 *                held     (after send(last = false)) all octets are there: commit or abort
 *                over     replies in d->recipients[].code and .text; or d->failed
 *
 *     IDLE -> CONNECTING -> TALKING -> BODY -> SENDING -> HELD -> ENDING -> OVER
 */
#ifndef SRC_GATEWAY_HOP_H
#define SRC_GATEWAY_HOP_H
#include "lib/smtp/client.h"
#include "lib/smtp/server.h"
#include "src/gateway/gateway.h"
#include "src/gateway/message.h"

struct hop_pool;
struct connection;

enum delivery_state {
	DELIVERY_IDLE = 0, DELIVERY_CONNECTING, DELIVERY_TALKING, DELIVERY_BODY,
	DELIVERY_SENDING, DELIVERY_HELD, DELIVERY_ENDING, DELIVERY_OVER, DELIVERY_STATES,
};

struct delivery {
	enum delivery_state state;
	struct gateway     *gateway;
	struct hop_pool    *pool;
	const struct listener *listener;        /* time-outs */
	struct client_transaction transaction;  /* filled by the owner */
	const struct message *message;
	const struct smtp_data *data;           /* where the dots are */
	struct edit_list    edits;              /* filled by the owner, freed by it */
	struct connection  *connection;
	unsigned            tries;
	uint32_t            tried;      /* endpoints, a bit each */
	bool                failed;             /* no replies of its own: see failure */
	bool                in_doubt;           /* the end was sent, the reply is missing */
	char                failure[256];       /* for log and reply */
	char                endpoint[128];      /* "[127.0.0.1]:10025", as last tried */
	/* May a small body go with the envelope, so that on_body is left out?  NULL: no. */
	bool              (*may_go_ahead)(struct delivery *);
	void              (*on_body)(struct delivery *);
	void              (*held)(struct delivery *);
	void              (*over)(struct delivery *);
};

/* The pool of a listener's next hop; the same text gives the same pool, for the life of
   the process.  peer: names the endpoint then. */
struct hop_pool *hop_pool_get(struct gateway *, const struct listener *,
    const struct endpoint *peer);
/* What it last offered; NULL before it was asked. */
const struct client_offers *hop_pool_offers(const struct hop_pool *);

void delivery_begin(struct delivery *);
/* On a connected socket, which it takes, instead of the pool's; in LMTP, with this name for
   LHLO.  The connection is closed at the end; `pool' is set here. */
void delivery_begin_on(struct delivery *, int fd, const char *helo);
void delivery_send(struct delivery *, bool last);
void delivery_commit(struct delivery *);
/* No callback follows.  Any state; nothing is delivered unless commit had begun. */
void delivery_abort(struct delivery *);

/* Time-outs and idle connections; once a second. */
void hop_tick(struct gateway *);
void hop_bury(struct gateway *);
/* Idle connections say QUIT: the process is leaving. */
void hop_close_idle(struct gateway *);
#endif
