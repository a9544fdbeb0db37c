/*
 * store.h - the writing store: what it holds, and one function a request.
 *
 * store_packet is the whole protocol without its sockets: a packet in, an answer out.
 * Bodies are durable before they are answered; journal rows are batched; ledger entries
 * are durable before they are answered.
 */
#ifndef SRC_STORE_STORE_H
#define SRC_STORE_STORE_H
#include "lib/config/settings.h"
#include "lib/packet/counters.h"
#include "lib/packet/packet.h"
#include "src/store/database.h"

#define LEDGER_KEEP_MS  (7ull * 24 * 3600 * 1000)

struct store {
	const struct settings *settings;        /* borrowed, replaced by a reload */
	struct log            *log;             /* borrowed */
	struct counters       *counters;        /* borrowed; shared memory */
	struct ledger_page    *page;            /* borrowed; shared memory */
	const char            *hostname;
	struct database        database;
	struct arena           arena;           /* of the packet under way */
	struct folder_cache {   /* the last directory used: its parents are synced */
		int  fd;        /* -1: none */
		char root[4096], class[65], day[9];
	}                      folder;
	unsigned               stale;           /* ledger bits without a key, at most */
	uint64_t               broken_records;
	uint64_t               lost_told;       /* of database.lost, in the counters */
	uint64_t next_checkpoint, next_slice, next_hourly, next_rebuild, next_renew;
	uint64_t               next_hold_count;
	bool                   hold_changed;    /* the gauges are not true any more */
	int                    answer_fd;       /* to go with the answer, then closed; -1 */
};

/* ST_PERM: cannot start (a database of a newer version).  A database that cannot be
   opened now is tried again by store_tick. */
enum status store_open(struct store *, struct error *);
void store_close(struct store *);

/* One packet of a gateway, its descriptors borrowed.  False: not a packet of ours, the
   link is to be dropped.  answer->len is 0 where there is none. */
bool store_packet(struct store *, struct span packet, const int *fds, size_t fd_count,
    uint8_t answer_bytes[PACKET_BYTES], struct pack *answer);

/* Commits, checkpoints and expires as the time has come.  idle: nothing is waiting. */
void store_tick(struct store *, uint64_t mono_ms, bool idle);
/* When store_tick wants to be called again, at the latest: milliseconds from now. */
int store_wait(const struct store *, uint64_t mono_ms);

uint64_t clock_unix_ms(void);
uint64_t clock_mono_ms(void);
void store_count(struct store *, enum counter, uint64_t);

/* journal.c: false where the bytes are no record, or the row could not be written. */
bool journal_add(struct store *, struct span packed, uint64_t mono_ms);
/* Removes up to `most` records older than journal-keep; false: there were none. */
bool journal_expire(struct store *, uint64_t unix_ms, uint64_t most);

/* ledger.c */
void ledger_ask(struct store *, const struct packet_ledger *, struct pack *answer);
bool ledger_add(struct store *, const struct packet_ledger *);
bool ledger_remove(struct store *, const struct packet_ledger *);
/* The page anew from the table; no key that has entries is ever missing meanwhile. */
void ledger_rebuild(struct store *);
void ledger_expire(struct store *, uint64_t unix_ms);

/* quarantine.c: *path is in the store's arena. */
enum status quarantine_add(struct store *, const struct packet_quarantine *,
    int message_fd, struct span *path, struct error *);
/* The same with the message at `from` in the file; over what is there. */
enum status quarantine_copy(struct store *, const struct packet_quarantine *, int fd,
    uint64_t from, struct span *path, struct error *);
struct span quarantine_path(struct store *, struct span class, struct span id);
/* To another class, as it is. */
enum status quarantine_move(struct store *, struct span from, const char *to,
    struct span id, struct error *);
/* Read-only; -1 and errno. */
int quarantine_open(struct store *, struct span class, struct span id);
/* File and row; ST_OK also where there is none. */
enum status quarantine_remove(struct store *, struct span class, struct span id,
    struct error *);
/* What the file says of itself; *head: where its message begins. */
enum status quarantine_head(struct store *, int fd, struct packet_quarantine *, size_t *head,
    struct error *);
void quarantine_row(struct store *, const struct packet_quarantine *, struct span path);

/* hold.c: class "hold", whose mails are examined again. */
#define HOLD_CLASS    "hold"
#define HOLD_EXPIRED  "hold-expired"
void hold_enter(struct store *, struct span id);
/* Packs HELD; the file of a mail is in store->answer_fd. */
void hold_ask(struct store *, const struct packet_held_ask *, struct pack *answer);
enum status hold_done(struct store *, const struct packet_held_done *, struct error *);
void hold_told(struct store *, const struct packet_held_told *);
/* Rows for files that have none, and an end to what was nearly over. */
void hold_rebuild(struct store *);
void hold_tick(struct store *, uint64_t mono_ms);

/* maildir.c */
enum status maildir_add(struct store *, const struct packet_maildir *, int message_fd,
    struct span *path, struct error *);
/* The directory itself, before the sandbox closes: new, cur and tmp come later. */
enum status maildir_prepare(const char *path, struct error *);
#endif
