/*
 * child.h - the store as a child of the master: its set-up, its sandbox, its two ways to
 * serve.
 */
#ifndef SRC_STORE_CHILD_H
#define SRC_STORE_CHILD_H
#include "lib/config/settings.h"
#include "lib/packet/counters.h"
#include "lib/packet/packet.h"
#include "sys/log.h"

#define MASTER_FD       3
#define EXIT_PROMISE    70      /* the master broke its promise, or we ours    */
#define EXIT_REFUSED    78      /* cannot run with what is there: see the log  */

struct child {
	struct log          log;
	struct arena       *arena;      /* of the settings; a reload makes a new one */
	struct settings    *settings;
	struct counters    *counters;
	struct ledger_page *page;       /* writer only */
	bool                reader, required;
	char                hostname[256];
	struct buf          missing;    /* what is not locked down */
};

/* Settings of a bundle's descriptor, which is closed; NULL: it is none. */
struct settings *settings_of_bundle(int fd, struct arena *);

/* Creates the directories it may and locks the process down. */
enum status child_enter(struct child *, struct error *);

/* A packet of type and serial to the master; text: its one span, or NULL for none. */
void child_tell(enum packet_type, uint32_t serial, const char *text);

/* Serve until the end; the process's exit status. */
int writer_run(struct child *);
int reader_run(struct child *);

/* reader.c: the answer to one command line, from the database of this directory. */
void reader_answer(const char *directory, struct span line, struct buf *answer);
#endif
