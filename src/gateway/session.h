/*
 * session.h - one client connection: socket, time-outs, and the smtp_server behind them.
 *
 * While a transaction waits for its outcome the session goes on reading, up to
 * PENDING_BYTES, so that it sees the client leave; those bytes are fed when the answer
 * is out.  A session whose client has gone lives until its transaction is over.
 */
#ifndef SRC_GATEWAY_SESSION_H
#define SRC_GATEWAY_SESSION_H
#include "lib/smtp/server.h"
#include "src/gateway/gateway.h"

#define PENDING_BYTES 65536

struct transaction;

/* The session in which a held mail comes again: what the first one was like. */
struct origin {
	const char     *id;             /* of the record of the first try */
	uint64_t        arrived;
	struct span     helo, with;
	bool            has_peer;
	struct address  peer;
	uint16_t        peer_port;
	void          (*over)(struct origin *);         /* the session is closed */
};

struct session {
	struct link         link;
	struct gateway     *gateway;
	struct snapshot    *snapshot;           /* of the moment it was accepted, or of its
	                                           last transaction's end */
	unsigned            listener;           /* index in the snapshot's doors */
	int                 fd;
	struct event        readable, writable;
	struct smtp_server *server;
	struct smtp_server_config config;
	struct address      peer, local;
	uint16_t            peer_port, local_port;
	bool                has_peer, trusted;  /* trusted: in the listener's clients */
	bool                gone;               /* the client has left */
	bool                closing, dead, feeding, blocked;
	struct buf          pending;
	struct transaction *transaction;
	struct origin      *held;               /* NULL: it is a client's own */
	uint64_t            began, since;       /* ms: accepted; last byte in or out */
	uint64_t            data_began, data_bytes;
};

void port_open(struct gateway *, const struct packet_listen *, int fd);
/* Accept again after a pause, all ports. */
void ports_resume(struct gateway *);
void ports_close(struct gateway *, uint32_t before_generation);

static inline struct door *
session_door(const struct session *s)
{
	return &s->snapshot->doors[s->listener];
}

/* On a connected socket, which it takes; listener: index in the newest snapshot's doors. */
void session_begin_held(struct gateway *, int fd, unsigned listener, struct origin *);
/* As the client said it, and what it spoke: ESMTP, LMTP ... */
struct span session_helo(const struct session *);
struct span session_with(const struct session *);

/* The replies of a transaction: one, or (LMTP) one a recipient in order. */
void session_answer(struct session *, const char *const *replies, size_t count);
/* 421 and close; idle or not. */
void session_hangup(struct session *, const char *reply);
void session_tick(struct gateway *);
/* Idle sessions leave with 421; the others when their transaction is over. */
void sessions_drain(struct gateway *);
void session_bury(struct gateway *);
/* For log lines: "[127.0.0.1]:2525", or "unix". */
void session_peer_text(const struct session *, char out[ENDPOINT_TEXT_BYTES]);
#endif
