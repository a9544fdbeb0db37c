/*
 * scanner_private.h - inside scanner.c and scanlink.c: pools, servers, connections.
 */
#ifndef SRC_GATEWAY_SCANNER_PRIVATE_H
#define SRC_GATEWAY_SCANNER_PRIVATE_H
#include "src/gateway/clients.h"
#include "src/gateway/scanner.h"
#include "src/gateway/verdicts.h"

#define BREAK_AFTER     3
#define PAUSE_LEAST_MS  1000
#define PAUSE_MOST_MS   60000
#define PROBE_MS        30000           /* between probes of a server that is well */
#define IDLE_MS         10000           /* a connection is kept: clamd closes after 30 s */
#define BEAT_MS         100
#define VERSION_EVERY_MS 2500           /* asked so often, where there is a cache */
#define VERSION_LEAST_MS 100            /* and no more often than that */
#define VERSION_KNOWN_MS 5000           /* what it said counts for the cache so long */
#define CACHE_BUSY_MS   60000           /* after the last scan that had a key */
#define DENIED_MS       600000          /* no descriptors for a server that cannot read them */

struct server {
	struct scanner_pool *pool;
	size_t               index;
	struct endpoint      endpoint;
	char                 text[128], host[140];
	struct scan_options  options;   /* what it points to is the pool's, or ours */
	struct link          idle;      /* connections; the latest used comes last */
	enum server_health   health;
	unsigned             failures;  /* in a row */
	uint64_t             pause, open_until, down_since, denied_until;
	uint64_t             answered;  /* ms: the last dialogue that went well */
	uint64_t             probe_at;
	struct scan_link    *probe;
	bool                 told_denied;
	uint64_t             canary;    /* ms: when it found it; 0: not since it failed */
	bool                 takes_descriptors; /* so the last clean mail has come to it */
	struct scan_link    *asking;    /* the connection that asks for it */
	struct link          waiting;   /* those whose answer waits for that one's */
	uint64_t             since_unix, signatures;    /* as in struct server_row */
	char                 problem[200], version[COUNTER_TEXT_BYTES];
	uint32_t             era, eras; /* see verdicts.h; era 0: its version is not known */
	uint64_t             asking_us, asked_us;       /* for the version: the probe under
	                                   way, and the last one that was answered, began */
	bool                 version_wanted;    /* soon: there are new entries */
};

struct scanner_pool {
	struct link          link;
	struct scanners     *all;
	struct gateway      *gateway;
	unsigned             refs;      /* of snapshots */
	char                *key, *name;
	enum scanner_type    type;
	uint64_t             slots, queue_limit, timeout, connect_timeout;
	uint64_t             takes;     /* ms from slot to answer: of the last few */
	enum clamd_transfer  transfer;
	uint64_t             canary;
	char                *path, *password;
	struct server        servers[SCANNER_SERVERS];
	size_t               server_count;
	struct link          links;     /* all connections */
	struct link          queue;
	size_t               running, waiting;
	struct client_table *clients;   /* whose questions are under way */
	bool                 dispatching;
	struct scanner_row  *row;       /* &nowhere where no snapshot counts */
	struct scanner_row   nowhere;
	struct verdicts     *verdicts;  /* NULL: no cache */
	uint64_t             cache, cache_time, cache_used;     /* used: ms, by a key */
};

struct scanners {
	struct gateway *gateway;
	struct link     pools, answered, dead_links, dead_pools;
	struct event    turn;           /* those answered are told */
	struct event    beat;           /* time-outs, while somebody is asked */
	bool            beating;
	int             canary;         /* a memfd, sealed; -1 if there is none */
};

struct scan_link {
	struct link         link, idle;
	struct server      *server;
	struct scan_client *client;
	struct scan        *scan;       /* NULL: resting, or a probe */
	struct event        readable, writable;
	int                 fd;
	bool                connecting, resting, probing, dead;
	bool                deaf;       /* cannot be written to: what it said is still read */
	uint64_t            since;      /* ms: connecting, resting or probing */
	struct buf          rest;       /* what the socket did not take */
	struct arena        arena;      /* of a probe */
	bool                canary;     /* is what is asked now, behind `answer` */
	bool                waits;      /* with `answer`, in the server's `waiting` */
	const struct scan_report *answer;
};

/* --- scanlink.c --- */

/* NULL and the reason where the connection failed at once. */
struct scan_link *link_open(struct server *, struct error *);
/* Begins now, or when it is connected. */
void link_ask(struct scan_link *, struct scan *);
/* A new connection, or one that rests. */
void link_probe(struct scan_link *);
/* For another use, or closed. */
void link_rest(struct scan_link *);
void link_close(struct scan_link *);
/* A time-out, or another error of ours; not where it rests or is dead. */
void link_lost(struct scan_link *, const char *why);
void link_bury(struct scan_link *);

/* --- scanner.c: what a connection tells --- */

/* The dialogue came to its end; the connection is detached, and rests or is closed. */
void server_answered(struct server *, struct scan *, const struct scan_report *);
/* report: NULL where it was not reached, for this reason. */
void server_probed(struct server *, const struct scan_report *, const char *why);
void server_probe_again(struct server *);
void scan_unanswered(struct scan *, struct server *, const char *why);
/* A clean answer does not count without it. */
bool server_wants_canary(const struct server *);
void server_found_canary(struct server *);
/* A kept connection was dead, say: the same on a new one. */
void scan_again(struct scan *, struct server *);
/* It may not read the descriptor: it is asked again, without. */
void scan_denied(struct scan *, struct server *, const struct scan_report *);
#endif
