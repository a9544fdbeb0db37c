/*
 * gateway.h - what all of the gateway shares: loop, snapshot, links, budgets.
 *
 * One process, one loop, no threads.  It owns the sessions, the next-hop connections,
 * the inspector slots and the link to the store; a transaction belongs to its session.
 * Nothing is freed inside its own callback: sessions and connections that are over are
 * put on a list and buried at the end of the loop's turn.
 */
#ifndef SRC_GATEWAY_GATEWAY_H
#define SRC_GATEWAY_GATEWAY_H
#include "lib/packet/counters.h"
#include "lib/packet/packet.h"
#include "lib/policy/policy.h"
#include "sys/log.h"
#include <event2/event.h>
#include <event2/event_struct.h>

#define READ_BYTES (256u << 10)         /* one read from a socket, at most */
#define BODY_BYTES (64u << 10)
#define GATHER_BYTES 65536
#define HASH_BYTES  32
#define POISON_KEPT 256

/* Intrusive doubly linked list: a head that is itself a node, so that an element can
   leave without knowing which list it is on. */
struct link { struct link *prev, *next; };
static inline void
link_init(struct link *l)
{
	l->prev = l->next = l;
}
static inline void
link_add(struct link *head, struct link *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}
static inline void
link_remove(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	link_init(l);
}
static inline bool link_empty(const struct link *l) { return l->next == l; }

/* What a listener is in one configuration. */
struct door {
	const struct listener *listener;
	const struct policy   *policy;
	unsigned               wishes;  /* what its rules need to know of messages */
	uint64_t               scanners;        /* that tell what its rules name, a bit each */
	bool                   per_recipient;   /* some rule of it differs per recipient */
	struct hop_pool       *pool;    /* NULL: peer: or maildir: */
};

/*
 * One configuration, never changed.  Sessions and transactions hold on to the one they
 * began with; the only reference count in the process.
 */
struct snapshot {
	unsigned           refs;
	uint32_t           generation;
	struct arena       arena;
	const char        *revision;    /* of the configuration */
	const struct settings   *settings;
	const struct policy_set *policies;
	struct door       *doors;       /* one a listener, in the settings' order */
	struct scanner_pool **pools;    /* one a scanner, likewise; held */
	struct command_rules *commands; /* likewise, for those that are commands */
	struct gateway    *gateway;
	struct counters   *counters;
	size_t             counters_bytes;
	void              *bundle;
	size_t             bundle_bytes;
};

/* A listening socket. */
struct port {
	struct link     link;
	struct gateway *gateway;
	struct event    event;
	int             fd;
	unsigned        listener;       /* index in the settings of `generation` */
	uint32_t        generation;
};

struct gateway {
	struct event_base *base;
	struct log         log;
	uint32_t           index, generation;
	const char        *hostname;
	char               name[24];    /* "gateway/0", for the log */
	struct snapshot   *snapshot;
	struct counters   *counters;    /* of the newest snapshot */
	bool               draining, started;
	uint64_t           memory_share, spool_share, sessions_share;

	int                master;
	struct event       master_event;
	struct link        ports;
	struct event       tick;        /* once a second: time-outs, pressure */
	struct event       accept_again;/* after running out of descriptors   */

	struct link        sessions, dead_sessions, dead_transactions;
	size_t             session_count, transaction_count;
	struct client_table *clients;   /* sessions an address */

	struct inspectors *inspectors;
	struct scanners   *scanners;
	struct runners    *runners;
	struct storelink  *store;
	struct held       *held;
	const struct ledger_page *ledger;

	struct link        pools;
	struct link        dead_connections;
	struct event       burial;      /* runs at the end of the turn */

	uint8_t            poison[POISON_KEPT][HASH_BYTES];     /* the oldest is forgotten */
	size_t             poison_next;
	uint64_t           memory_used, spool_used;
	/* Short runs of the message being read, on their way to its descriptor: message.c. */
	struct message    *gathering;
	size_t             gathered;
	uint8_t            gather[GATHER_BYTES];
	bool               disk_low;
	uint64_t           id_unique;   /* for record ids */
	uint8_t           *read_buffer; /* READ_BYTES */
	uint8_t           *body_buffer; /* BODY_BYTES: a small message on its way out */
	uint8_t           *record_buffer;       /* RECORD_BYTES */
};

static inline void
count(struct gateway *g, enum counter c)
{
	g->counters->values[c]++;
}

/* Milliseconds since the epoch, and of a clock that only goes forward. */
uint64_t now_unix(void);
uint64_t now_ms(void);
uint64_t now_us(void);

struct snapshot *snapshot_hold(struct snapshot *);
void snapshot_drop(struct snapshot *);
/* From the descriptors of SETUP or RELOAD, which it takes. */
struct snapshot *snapshot_load(struct gateway *, struct span revision, int bundle,
    int counters, struct error *);

/* Something is on a dead list: bury it when this turn is over. */
void gateway_bury_soon(struct gateway *);
/* Too little memory, disk or store: new mail gets 452 now. */
bool gateway_under_pressure(const struct gateway *);
/* The last transaction of a draining gateway may have ended. */
void gateway_check_drained(struct gateway *);
#endif
