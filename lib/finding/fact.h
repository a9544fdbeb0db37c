/*
 * fact.h - the registry of facts: what can be known about a mail, and its values.
 *
 * One row a fact: name, type, the stage that can know it, a sentence for the
 * manual.  The registry feeds the rule checker, sallyport.conf(5), the record and
 * explain.  A fact's enum value travels between processes of one version only;
 * records hold names.
 *
 * A fact is known, absent (does not exist for this mail: every comparison with it
 * is false) or unknown (could not be had: comparisons are unknown), see policy.h.
 */
#ifndef LIB_FINDING_FACT_H
#define LIB_FINDING_FACT_H
#include "lib/base/address.h"
#include "lib/base/arena.h"
#include "lib/base/pack.h"

enum fact_type {
	TYPE_TRUTH = 0, /* value.truth                                          */
	TYPE_NUMBER,    /* value.number                                         */
	TYPE_SIZE,      /* value.number, bytes                                  */
	TYPE_TIME,      /* value.number, milliseconds                           */
	TYPE_TEXT,      /* value.text: compared without regard to ASCII case    */
	TYPE_ENUM,      /* value.number: index into words                       */
	TYPE_NETWORK,   /* value.address: an IP address                         */
	TYPE_MAILBOX,   /* value.text: local@domain, no angle brackets; "" null */
	TYPE_DOMAIN,    /* value.text: a host or domain name                    */
};
/* Who sets a mailbox gives it the normal form (address_normal): without it "joe"@a.example
   would pass a rule about joe@a.example.  Case and a domain's last dot do not matter. */

enum fact_stage {
	STAGE_ENVELOPE = 0,     /* the gateway, from session and envelope */
	STAGE_CONTENT,          /* the inspector                          */
};

enum fact {
	FACT_LISTENER = 0,
	FACT_CLIENT_ADDRESS,
	FACT_CLIENT_NAME,
	FACT_CLIENT_HELO,
	FACT_CLIENT_TRUSTED,
	FACT_CLIENT_LOCAL,
	FACT_CLIENT_AUTHENTICATED,
	FACT_SENDER,
	FACT_SENDER_DOMAIN,
	FACT_RECIPIENT,         /* differs per recipient */
	FACT_RECIPIENT_DOMAIN,  /* differs per recipient */
	FACT_RECIPIENT_LOCAL,   /* differs per recipient */
	FACT_RECIPIENT_COUNT,
	FACT_MESSAGE_SIZE,
	FACT_MESSAGE_UNSCANNABLE,
	FACT_HEADER_SUBJECT,
	FACT_HEADER_FROM,
	FACT_HEADER_MESSAGE_ID,
	FACT_RECEIVED_COUNT,
	FACT_COUNT,
};

struct fact_row {
	const char        *name;
	enum fact_type     type;
	enum fact_stage    stage;
	bool               per_recipient;
	const char *const *words;       /* TYPE_ENUM: NULL-terminated */
	const char        *sentence;
};

const struct fact_row *fact_row(enum fact);
/* By name; FACT_COUNT if there is none. */
enum fact fact_find(struct span name);
/* The nearest known name, for "did you mean"; NULL if none is near. */
const char *fact_nearest(struct span name);
const char *fact_type_name(enum fact_type);
/* All facts as a table in scdoc, for sallyport.conf(5). */
struct buf;
void facts_manual(struct buf *);

enum fact_state { FACT_ABSENT = 0, FACT_KNOWN, FACT_UNKNOWN };

struct value {
	enum fact_state state;
	union {
		bool           truth;
		int64_t        number;
		struct address address;
	};
	struct span     text;   /* text, mailbox, domain; when unknown: the reason */
};

/* All that is known of one mail, by fact; zeroed: all absent. */
struct findings { struct value values[FACT_COUNT]; };

void findings_set_truth(struct findings *, enum fact, bool);
void findings_set_number(struct findings *, enum fact, int64_t);
/* The text is borrowed: it lives in the message's arena. */
void findings_set_text(struct findings *, enum fact, struct span);
void findings_set_address(struct findings *, enum fact, const struct address *);
void findings_set_unknown(struct findings *, enum fact, const char *reason);

void findings_set_absent(struct findings *, enum fact);
/* Of `from` only what that stage can know: an inspector that has been taken over cannot
   say who the client is. */
void findings_take_stage(struct findings *to, const struct findings *from, enum fact_stage);

/* For log, record and explain: 'text', 12, true, 192.0.2.1, absent, unknown: reason.
   Texts are escaped and cut to 200 bytes. */
void value_print(struct buf *, enum fact, const struct value *);

/* Flat form between processes: only facts that are not absent.  Texts longer than
   FINDINGS_TEXT_BYTES are cut.  unpack checks every enum and length; texts go into
   the arena; false where the bytes are not a flat form, then nothing is known.  What
   follows the flat form stays in the unpack. */
#define FINDINGS_TEXT_BYTES 1000
void findings_pack(struct pack *, const struct findings *);
bool findings_unpack(struct unpack *, struct findings *, struct arena *);
#endif
