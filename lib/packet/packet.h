/*
 * packet.h - requests and answers between the processes, as packets of at most 64 KiB.
 *
 * Sockets are SOCK_SEQPACKET pairs that the master makes (sys/ipc.h).  A packet is a
 * header - type (u8), serial (u32) - and a body of packed values (lib/base/pack.h);
 * descriptors travel beside it.  An answer has the serial of its request.  Every take_
 * function checks what it takes, for the other side may have been taken over; it
 * returns false for bytes that are not such a packet.
 *
 *   master -> all       SETUP (bundle, counters, log, ledger page), LINK (socket), START,
 *                       DRAIN, PING
 *   master -> gateway   LISTEN (socket), RELOAD (bundle, counters)
 *   master -> store     RELOAD (bundle), CONTROL (connection; to the reading process)
 *   all -> master       READY, PONG;  gateway: WANT_INSPECTOR;  gateway, store: DRAINED
 *   gateway -> inspector  EXAMINE, REWRITE (message)      -> EXAMINED, REWRITTEN
 *   gateway -> store      JOURNAL (no answer), QUARANTINE, MAILDIR (message),
 *                         LEDGER_ASK, LEDGER_ADD, LEDGER_REMOVE  -> STORED, LEDGER;
 *                         HELD_ASK -> HELD (file);  HELD_DONE, HELD_TOLD -> STORED
 *   gateway -> runner     RUN (message) -> RAN;  CEASE (no answer)
 *
 * What is longer than a packet (an envelope of thousands of recipients) goes as LARGE: its
 * last descriptor is a sealed memfd (ipc_memory) that holds the whole packet, header and
 * all; the descriptors before it are those of the packet inside.  The store takes it.
 */
#ifndef LIB_PACKET_PACKET_H
#define LIB_PACKET_PACKET_H
#include "lib/base/edit.h"
#include "lib/finding/record.h"
#include "lib/mime/header.h"
#include "lib/scanner/command.h"
#include "lib/smtp/envelope.h"

#define PACKET_BYTES   65536u
#define PACKET_FDS     4
#define PACKET_LARGE_BYTES (4u << 20)

enum packet_type {
	PACKET_NONE = 0,
	PACKET_SETUP, PACKET_LINK, PACKET_LISTEN, PACKET_START, PACKET_RELOAD, PACKET_DRAIN,
	PACKET_PING, PACKET_CONTROL,
	PACKET_READY, PACKET_PONG, PACKET_WANT_INSPECTOR, PACKET_DRAINED,
	PACKET_EXAMINE, PACKET_EXAMINED, PACKET_REWRITE, PACKET_REWRITTEN,
	PACKET_JOURNAL, PACKET_QUARANTINE, PACKET_MAILDIR, PACKET_STORED,
	PACKET_LEDGER_ASK, PACKET_LEDGER_ADD, PACKET_LEDGER_REMOVE, PACKET_LEDGER,
	PACKET_LARGE,
	PACKET_RUN, PACKET_RAN, PACKET_CEASE,
	PACKET_HELD_ASK, PACKET_HELD, PACKET_HELD_DONE, PACKET_HELD_TOLD,
	PACKET_TYPES,
};

/* Start a packet in `bytes` (PACKET_BYTES of room). */
struct pack packet_begin(uint8_t *bytes, enum packet_type, uint32_t serial);
/* The same with `cap` bytes of room, for one that may have to go as LARGE. */
struct pack packet_begin_large(uint8_t *bytes, size_t cap, enum packet_type, uint32_t serial);
/* Split a packet: the body is left in *body.  PACKET_NONE: not one of ours.  A packet that
   did not fit (pack.full) is never to be sent: what it lacks is not told. */
enum packet_type packet_open(struct span packet, uint32_t *serial, struct unpack *body);

/* SETUP.  Descriptors: bundle, counters, log, ledger page (read-only but for the store). */
/* RELOAD has the same body; descriptors: bundle, and for a gateway its new counters. */
/* READY has a span: what is not locked down.  CONTROL has a span: the command line. */
struct packet_setup {
	uint32_t    index;              /* which gateway, which inspector     */
	uint32_t    generation;
	uint8_t     log_target;         /* enum log_target, resolved          */
	uint8_t     sandbox;            /* enum sandbox_mode                  */
	bool        reader;             /* store: the read-only process       */
	uint64_t    start_ms;           /* when the master started            */
	struct span hostname;           /* resolved                           */
	uint64_t    memory_share;       /* gateway: its part of memory-budget */
	uint64_t    spool_share;
	uint64_t    sessions_share;
	struct span revision;           /* of the configuration: 16 hex digits */
};
void packet_put_setup(struct pack *, const struct packet_setup *);
bool packet_take_setup(struct unpack *, struct packet_setup *);

/* LINK: one end of a socket pair to another process. */
enum process_kind { PROCESS_MASTER = 0, PROCESS_GATEWAY, PROCESS_INSPECTOR, PROCESS_STORE,
	PROCESS_READER, PROCESS_RUNNER, PROCESS_KINDS };
const char *process_name(enum process_kind);
struct packet_link { enum process_kind kind; uint32_t index, generation; uint64_t pid; };
void packet_put_link(struct pack *, const struct packet_link *);
bool packet_take_link(struct unpack *, struct packet_link *);

/* LISTEN: a listening socket of listener `listener` (index in the settings). */
struct packet_listen { uint32_t listener, address; };
void packet_put_listen(struct pack *, const struct packet_listen *);
bool packet_take_listen(struct unpack *, struct packet_listen *);

/* EXAMINE: fd is the message, read-only. */
/* wishes: what to look for beside the header's own facts, bits of enum wish. */
struct packet_examine { uint64_t size; uint32_t header_limit, wishes; bool smtputf8; };
void packet_put_examine(struct pack *, const struct packet_examine *);
bool packet_take_examine(struct unpack *, struct packet_examine *);

#define PACKET_HOPS 120                 /* Received fields listed */

/* EXAMINED: what the inspector found.  Items of groups that do not fit are left out and
   their group is cut; with packet_begin_large there is more room, and the packet goes as
   LARGE if it is longer than PACKET_BYTES. */
struct packet_examined {
	enum status     status;         /* ST_TEMP: could not, see why */
	struct span     why;
	uint64_t        header_size;    /* bytes up to the body        */
	bool            header_eight_bit;       /* needs SMTPUTF8      */
	bool            body_eight_bit; /* not looked for yet: false   */
	bool            marked;         /* fields as filters write them: X-Spam-Flag ... */
	uint64_t        received_count;
	struct received *hops;          /* the topmost PACKET_HOPS, or as many as there is
	                                   room for; texts cut at 200 bytes */
	size_t          hop_count;
	struct findings findings;       /* content stage only: others are dropped when taken */
	struct content_key key;
};
void packet_put_examined(struct pack *, const struct packet_examined *);
bool packet_take_examined(struct unpack *, struct packet_examined *, struct arena *);

/* REWRITE: header changes to a message.  unmark: what made it `marked' is removed as well.
   subject: to stand before the subject; empty: nothing. */
struct packet_change { bool remove; struct span name, value; };
struct packet_rewrite { uint64_t size; uint32_t header_limit;
	struct packet_change *changes; size_t change_count;
	bool unmark; struct span subject; };
void packet_put_rewrite(struct pack *, const struct packet_rewrite *);
bool packet_take_rewrite(struct unpack *, struct packet_rewrite *, struct arena *);

/* REWRITTEN: edits, checked against the size by take (order, bounds, no overlap). */
struct packet_rewritten { enum status status; struct span why; struct edit_list edits; };
void packet_put_rewritten(struct pack *, const struct packet_rewritten *);
bool packet_take_rewritten(struct unpack *, struct packet_rewritten *, uint64_t size);
void packet_put_edits(struct pack *, const struct edit_list *);
/* The inserted bytes point into the packet; the list is the caller's to edit_free, and
   empty after false. */
bool packet_take_edits(struct unpack *, struct edit_list *, uint64_t size);

/*
 * RUN: run the command of a scanner; fd is the message, an open file of its own, at its
 * start.  RAN says how it ended.  CEASE, with the serial of a RUN, has no body and no
 * answer: nobody wants to know any more; nor is that RUN answered after it, unless its
 * answer was under way.
 */
struct packet_run {
	uint32_t    scanner;            /* index in the runner's configuration */
	uint64_t    timeout;            /* ms that are left; the scanner's own counts besides */
	struct span id, sender, client; /* for its environment; cut when put */
};
void packet_put_run(struct pack *, const struct packet_run *);
bool packet_take_run(struct unpack *, struct packet_run *);
/* why is cut at 1000 bytes and output at COMMAND_OUTPUT_BYTES. */
void packet_put_ran(struct pack *, const struct command_end *);
bool packet_take_ran(struct unpack *, struct command_end *);

/* JOURNAL: packed records (record.h), each as a span, to the packet's end. */

/* QUARANTINE: fd is the message as received; durable when STORED says ST_OK. */
struct packet_quarantine {
	struct span     id;             /* record id; may come twice: the same file then */
	struct span     class;          /* letters, digits, - and _ only */
	struct span     listener, rule, reason, client;
	uint64_t        arrived, size;
	struct envelope envelope;       /* with the quarantined recipients only */
	struct span     peer, port;     /* of the session: empty for a Unix socket */
	struct span     helo, with;     /* as said; ESMTP, LMTP ...                */
};
void packet_put_quarantine(struct pack *, const struct packet_quarantine *);
bool packet_take_quarantine(struct unpack *, struct packet_quarantine *, struct arena *);

/* MAILDIR: deliver the edited message durably into a Maildir. */
struct packet_maildir {
	struct span      id, path;
	uint64_t         size;
	uint32_t         variant;
	struct envelope  envelope;
	struct edit_list edits;
};
void packet_put_maildir(struct pack *, const struct packet_maildir *);
bool packet_take_maildir(struct unpack *, struct packet_maildir *, struct arena *);

/* STORED: answer to QUARANTINE and MAILDIR: where it is, or why not. */
struct packet_stored { enum status status; struct span text; };
void packet_put_stored(struct pack *, const struct packet_stored *);
bool packet_take_stored(struct unpack *, struct packet_stored *);

/*
 * The delivered ledger (design, section 4).  key: "m<message-id>" or "q<queue id>".
 * ASK names key and sender; LEDGER answers with the entries; ADD and REMOVE name
 * entries and are answered by STORED.
 */
#define LEDGER_HASH_BYTES 32
struct ledger_entry { struct span recipient; uint8_t hash[LEDGER_HASH_BYTES]; };
struct packet_ledger {
	struct span key, sender;
	struct ledger_entry *entries; size_t count;
};
void packet_put_ledger(struct pack *, const struct packet_ledger *);
bool packet_take_ledger(struct unpack *, struct packet_ledger *, struct arena *);

/*
 * Mail that is held: class "hold" of the quarantine, examined again by one gateway.  ASK
 * names the mails that it works on, which are not given out; HELD answers with one that is
 * due (the descriptor is its file: kept.h, then the message, read-only), with those that
 * have expired and nobody was told of yet, or says when to ask again.  DONE says what became
 * of the recipients; TOLD, that the administrator knows.  Both are durable when STORED says
 * ST_OK, and may come twice.
 */
#define HELD_BUSY   16
#define HELD_LISTED 50
struct packet_held_ask {
	bool        wake;               /* a check is healthy again: all are due now */
	bool        may_tell;           /* HELD_EXPIRED can be taken now              */
	struct span busy[HELD_BUSY];
	size_t      busy_count;
};
void packet_put_held_ask(struct pack *, const struct packet_held_ask *);
bool packet_take_held_ask(struct unpack *, struct packet_held_ask *);

enum held_kind { HELD_NONE = 0, HELD_MAIL, HELD_EXPIRED, HELD_KINDS };
struct packet_held {
	enum held_kind kind;
	uint64_t       wait_ms;         /* HELD_NONE: nothing is due before that      */
	uint64_t       tries;           /* HELD_MAIL: this one counted                */
	struct span    ids[HELD_LISTED];/* HELD_MAIL: one; HELD_EXPIRED: the first    */
	size_t         id_count;
	struct span    listener;        /* HELD_EXPIRED: of the first one             */
};
void packet_put_held(struct pack *, const struct packet_held *);
bool packet_take_held(struct unpack *, struct packet_held *);

/* What became of a recipient.  STAYS: is held on; OVER: delivered, discarded, or kept by
   another rule; REFUSED: goes to quarantine, with class, rule and reason. */
enum held_result { HELD_STAYS = 0, HELD_OVER, HELD_REFUSED, HELD_RESULTS };
struct held_row { struct span address, class, rule, reason; enum held_result result; };
struct packet_held_done {
	struct span      id;
	struct held_row *rows;          /* recipients that are not named stay */
	size_t           count;
};
void packet_put_held_done(struct pack *, const struct packet_held_done *);
bool packet_take_held_done(struct unpack *, struct packet_held_done *, struct arena *);

/* TOLD: ids as in HELD_EXPIRED. */
struct packet_held_told { struct span ids[HELD_LISTED]; size_t id_count; };
void packet_put_held_told(struct pack *, const struct packet_held_told *);
bool packet_take_held_told(struct unpack *, struct packet_held_told *);

/*
 * The ledger page: a filter of the keys that have entries, written by the store, mapped
 * read-only by gateways, so that a mail without an entry costs no question.  A bit that
 * is set may be set for another key.  The store sets bits before it answers ADD.
 */
#define LEDGER_PAGE_BITS  32768u
struct ledger_page { uint64_t bits[LEDGER_PAGE_BITS / 64]; };
uint32_t ledger_bit(struct span key);
bool ledger_page_has(const struct ledger_page *, struct span key);
void ledger_page_set(struct ledger_page *, struct span key);
#endif
