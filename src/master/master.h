/*
 * master.h - the process that starts, wires and watches all others; sees no mail.
 *
 * It alone opens paths, binds sockets and forks.  One loop, which signals, timers, the
 * children's sockets and the control socket wake.
 *
 *     STARTING --> SERVING --> ENDING
 *         +----------------------^
 *
 *   master.c     the loop, signals, the tick, the end
 *   children.c   who runs when      wiring.c   what is sent to them
 *   reload.c     from one configuration to the next
 *   control.c    commands on the control socket      status.c   how we are
 */
#ifndef SRC_MASTER_MASTER_H
#define SRC_MASTER_MASTER_H
#include "src/master/accounts.h"
#include "src/master/configuration.h"
#include "src/master/notify.h"
#include "src/master/page.h"
#include "src/master/process.h"
#include "src/master/programs.h"
#include "src/master/sockets.h"
#include "sys/log.h"
#include <event2/event.h>

enum master_state { MASTER_STARTING = 0, MASTER_SERVING, MASTER_ENDING };

#define FIRST_INSPECTORS 2      /* a gateway: one at work, one spare */
#define HOSTNAME_BYTES   256

struct control;

struct master {
	enum master_state     state;
	int                   exit_status;
	struct event_base    *base;
	struct event         *signals[8], *tick;
	struct log            log;
	struct notify         notify;
	struct configuration *configuration;    /* held: in force */
	struct accounts       accounts;
	struct programs       programs;
	struct sockets        sockets;
	struct process       *processes;        /* owned */
	struct sums           past;             /* of pages that are no more */
	struct control       *control;          /* owned */
	int                   ledger, ledger_view;
	size_t                gateways;
	uint32_t              next_inspector, next_runner;
	char                  hostname[HOSTNAME_BYTES];
	uint64_t              start_ms, unix_start_ms;
	uint64_t              state_ms;         /* monotonic: since when in this state */
	/* What monitoring should hear of: lost records and failures of the store. */
	uint64_t              trouble_seen, trouble_ms;
};

/* Runs the daemon to its end; the status to exit with.  Holds the configuration. */
int master_run(struct configuration *, bool quiet);

/* children.c */
enum status children_start(struct master *, struct error *);
/* SIGCHLD: takes leave of those that ended, starts them again, or goes on ending. */
void children_reap(struct master *);
/* The tick: pings gateways, kills who does not answer. */
void children_check(struct master *);
/* Do all gateways answer? */
bool children_answer(const struct master *);
/* Every process that should run is ready. */
bool children_ready(const struct master *);
/* New generation: tells gateways and store, starts inspectors beside the old ones. */
enum status children_reload(struct master *, struct error *);
/* Ends the store in order; a new one takes its place. */
void children_renew_store(struct master *);
/* Gateways first; the rest follows when they have ended. */
void children_drain(struct master *);
void children_kill(struct master *);
struct process *children_find(const struct master *, enum process_kind, uint32_t index);

/* master.c */
void master_end(struct master *, const char *why);
void master_fail(struct master *, const char *why, const char *text);
/* A process got ready, or ended: look whether a state is reached. */
void master_look(struct master *);

/* reload.c: false and the complaints, and nothing has changed; or the new one is in
 * force. */
bool master_reload(struct master *, struct complaints *);

/* status.c */
enum health { HEALTH_OK = 0, HEALTH_DEGRADED };
enum status_form { STATUS_TEXT = 0, STATUS_JSON, STATUS_PROMETHEUS };
enum health status_print(const struct master *, enum status_form, struct buf *);
/* Sums of all pages.  Free with sums_free. */
void status_sums(const struct master *, struct sums *);
#define TROUBLE_SHOWN_MS (15u * 60 * 1000)
#endif
