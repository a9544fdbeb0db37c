/*
 * record.h - the record of one mail: what was found, which rules were considered, what
 * became of each recipient, and why.
 *
 * Made by the gateway when the reply is known, kept by the store in the journal, read by
 * track and explain.  The packed form begins with its version; a reader takes every
 * version up to its own.  Facts, rules and fates stand in it by name, so that a record
 * outlives changes of the registry.  Version 1 did not have the time of scanners.
 */
#ifndef LIB_FINDING_RECORD_H
#define LIB_FINDING_RECORD_H
#include "lib/finding/fact.h"

#define RECORD_VERSION  2
#define RECORD_BYTES    (48u << 10)     /* packed; recipients beyond are cut and counted */
#define RECORD_ID_BYTES 16              /* 9 characters of time, 7 of node, all base32   */

/* What became of a recipient; numbers are kept in databases: never reuse one. */
enum outcome {
	OUTCOME_NONE = 0,       /* client went away, or nothing was decided             */
	OUTCOME_DELIVERED = 1,  /* the next hop said 2xx                                */
	OUTCOME_QUARANTINED = 2,
	OUTCOME_DISCARDED = 3,
	OUTCOME_REJECTED = 4,   /* the client was told 5xx                              */
	OUTCOME_DEFERRED = 5,   /* the client was told 4xx                              */
	OUTCOME_NOTIFIED = 6,   /* refused, and the sender was sent a DSN               */
	OUTCOME_ALREADY = 7,    /* skipped: in the delivered ledger from an earlier try */
	OUTCOME_COUNT,
};
const char *outcome_name(enum outcome);         /* "delivered" ... */

struct record_recipient {
	struct span  address;
	uint8_t      outcome;           /* enum outcome, unchecked when unpacked */
	struct span  rule;              /* that gave the fate; "otherwise" */
	struct span  reply;             /* what decided: next hop's or our reply */
	struct span  queue_id;          /* the next hop's, if its reply named one */
	struct span  quarantine;        /* class, when quarantined */
	uint16_t     walk;              /* which of the walks below; check: may have been cut */
};

struct record_trace {
	struct span  rule;
	bool         monitor;
	uint8_t      result;            /* 0 skipped, 1 no, 2 fired, 3 unknown */
	struct span  fact;              /* what decided (trace_text), or empty */
	struct span  would;             /* monitor rule that fired: fate it would have given */
};
struct record_walk { struct record_trace *traces; size_t count; };

/* A finding of this name in the record of a held mail that was examined again: its value is
   the id of the first try. */
#define RECORD_HELD_AS "held-as"
struct record_finding { struct span name, value; uint8_t state; /* enum fact_state */ };

enum record_stage {
	RECORD_COLLECT = 0, RECORD_EXAMINE, RECORD_SCAN, RECORD_DECIDE, RECORD_DELIVER,
	RECORD_STAGES,
};

struct record {
	struct span id, listener, policy, revision, next_hop;
	uint64_t    arrived;                    /* Unix time, milliseconds: MAIL          */
	struct span client_address, client_name, client_helo, client_queue_id, protocol;
	struct span sender, message_id, subject;
	uint64_t    size;
	struct span reply;                      /* told to the client (SMTP: the one reply) */
	uint32_t    stage_us[RECORD_STAGES];    /* microseconds                           */
	struct record_recipient *recipients; size_t recipient_count;
	struct record_finding   *findings;   size_t finding_count;
	struct record_walk      *walks;      size_t walk_count;
	struct span             *changes;    size_t change_count;   /* "header add X-A: b" */
	uint32_t    recipients_cut;             /* not listed for want of room            */
	bool        cut;                        /* findings, changes or walks, likewise   */
};

/* The packed record is at most RECORD_BYTES: long texts are shortened, recipients, findings,
   changes and traces beyond their share are left out, and the record says so. */
void record_pack(struct pack *, const struct record *);
/* Spans point into the packet; arrays are in the arena.  False: not a record, or one of a
   newer version. */
bool record_unpack(struct span packed, struct record *, struct arena *);

/* Findings as record_finding rows, absent ones left out, values printed; in the arena.
   Of a group how many items there are ("attachment", "2"), and of all but header and
   received the first ones ("attachment 1", "'a.pdf' type = 'pdf'"). */
void record_findings(struct record *, const struct findings *, struct arena *);

/* 16 characters, ordered by time: ms since the epoch (45 bits), then 35 bits that the
   caller makes unique (node, process, counter).  Digits and lower case letters without
   i, l, o, u, as people mistake them. */
void record_id(char out[RECORD_ID_BYTES + 1], uint64_t unix_ms, uint64_t unique);
/* In either case of letters. */
bool record_id_is(struct span);
/* The time that an id was made from, milliseconds since the epoch; 0: not an id. */
uint64_t record_id_time(struct span);
#endif
