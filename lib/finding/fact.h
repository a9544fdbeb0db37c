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
 *
 * A message has each message fact once.  Of a group (attachments, links ...) it has
 * many items, and each item has each of the group's facts once.
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
	TYPE_WORDS,     /* value.text: words with one blank between; see below  */
	TYPE_SCORE,     /* value.number, thousandths: 6310 is 6.31; see score.h */
};
/* Words are compared one by one: = and `in' ask whether one of them fits. */
/* Who sets a mailbox gives it the normal form (address_normal): without it "joe"@a.example
   would pass a rule about joe@a.example.  Case and a domain's last dot do not matter. */

enum fact_stage {
	STAGE_ENVELOPE = 0,     /* the gateway, from session and envelope */
	STAGE_CONTENT,          /* the inspector                          */
	STAGE_SCANNER,          /* the gateway, from the scanners' answers */
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
	FACT_MIME_AMBIGUOUS,
	FACT_MIME_READING,
	FACT_MIME_FLAW_COUNT,
	FACT_MIME_PARTS,
	FACT_MIME_DEPTH,
	FACT_MIME_BROKEN,
	FACT_BAD_HEADER,
	FACT_BAD_HEADER_FIELD,
	FACT_BAD_HEADER_OFFSET,
	FACT_ARCHIVE_LIMIT,
	FACT_ARCHIVE_ENCRYPTED,
	FACT_TEXT_HIDDEN,
	FACT_TEXT_SIZE,
	FACT_PATTERN,           /* all of pattern.NAME: see struct pattern_hits */
	FACT_VIRUS_FOUND,       /* one says so; else unknown if one failed or could not look */
	FACT_VIRUS_NAME,        /* of all scanners; no blanks inside one */
	FACT_VIRUS_UNSCANNABLE, /* one that could be asked cannot look: too large ... */
	FACT_SPAM_SCORE,        /* sum of weight * score; unknown if one failed; absent is 0 */
	FACT_MESSAGE_COUNT,

	/* Item facts: the facts of a group stand together, in the order of the groups. */
	FACT_ATTACHMENT_NAME = FACT_MESSAGE_COUNT,
	FACT_ATTACHMENT_EXTENSION,
	FACT_ATTACHMENT_EXTENSIONS,
	FACT_ATTACHMENT_TYPE,
	FACT_ATTACHMENT_CLASS,          /* enum attachment_class */
	FACT_ATTACHMENT_MEDIA_TYPE,
	FACT_ATTACHMENT_SIZE,
	FACT_ATTACHMENT_DEPTH,
	FACT_ATTACHMENT_ARCHIVE,
	FACT_ATTACHMENT_SHA256,
	FACT_ATTACHMENT_ENCRYPTED,
	FACT_ATTACHMENT_INLINE,
	FACT_ATTACHMENT_DOUBLE_EXTENSION,
	FACT_ATTACHMENT_RIGHT_TO_LEFT,
	FACT_ATTACHMENT_DISAGREES,
	FACT_ATTACHMENT_BROKEN,
	FACT_ATTACHMENT_UNSCANNABLE,
	FACT_HEADER_FIELD_NAME,         /* header.name  */
	FACT_HEADER_FIELD_VALUE,        /* header.value */
	FACT_RECEIVED_HELO,
	FACT_RECEIVED_NAME,
	FACT_RECEIVED_ADDRESS,
	FACT_RECEIVED_BY,
	FACT_RECEIVED_WITH,
	FACT_RECEIVED_ID,
	FACT_LINK_URL,
	FACT_LINK_SCHEME,
	FACT_LINK_HOST,
	FACT_LINK_DOMAIN,
	FACT_LINK_TEXT,
	FACT_LINK_DIFFERS,
	FACT_LINK_PUNYCODE,
	FACT_LINK_MIXED_SCRIPT,
	FACT_LINK_IP_HOST,
	FACT_LINK_IN_IMAGE,
	FACT_LINK_CREDENTIAL_FORM,
	FACT_LINK_TRACKING,
	FACT_SIGNATURE_NAME,
	FACT_SIGNATURE_KIND,            /* enum signature_kind */
	FACT_SIGNATURE_PART,
	FACT_SCANNER_NAME,
	FACT_SCANNER_KIND,              /* enum scanner_type */
	FACT_SCANNER_RESULT,            /* enum scanner_result */
	FACT_SCANNER_ANSWER,
	FACT_SCANNER_TIME,
	FACT_SCANNER_VERSION,
	FACT_SCANNER_CACHED,
	FACT_SYMBOL_NAME,
	FACT_SYMBOL_SCORE,
	FACT_SYMBOL_SCANNER,
	FACT_SYMBOL_TEXT,
	FACT_COUNT,
};

/* Words of attachment.class, signature.kind, scanner.kind and scanner.result; the last two
   in the order of lib/scanner. */
enum attachment_class {
	ATTACHMENT_CLASS_UNKNOWN = 0, ATTACHMENT_CLASS_EXECUTABLE, ATTACHMENT_CLASS_SCRIPT,
	ATTACHMENT_CLASS_ARCHIVE, ATTACHMENT_CLASS_DOCUMENT, ATTACHMENT_CLASS_IMAGE,
	ATTACHMENT_CLASS_AUDIO, ATTACHMENT_CLASS_VIDEO, ATTACHMENT_CLASS_TEXT,
	ATTACHMENT_CLASS_MAIL, ATTACHMENT_CLASS_CERTIFICATE, ATTACHMENT_CLASS_DATA,
};
enum signature_kind {
	SIGNATURE_KIND_TEST = 0, SIGNATURE_KIND_SPAM_TEST, SIGNATURE_KIND_LIST,
};
enum scanner_type {
	SCANNER_TYPE_CLAMD = 0, SCANNER_TYPE_SPAMD, SCANNER_TYPE_RSPAMD, SCANNER_TYPE_ICAP,
	SCANNER_TYPE_COMMAND, SCANNER_TYPES,
};
enum scanner_result {
	SCANNER_RESULT_FAILED = 0, SCANNER_RESULT_CLEAN, SCANNER_RESULT_INFECTED,
	SCANNER_RESULT_SCORED, SCANNER_RESULT_UNSCANNABLE,
};
const char *scanner_type_name(enum scanner_type);       /* "clamd" ... */

enum fact_group {
	GROUP_NONE = 0,         /* message facts */
	GROUP_ATTACHMENT,
	GROUP_HEADER,
	GROUP_RECEIVED,
	GROUP_LINK,
	GROUP_SIGNATURE,
	GROUP_SCANNER,
	GROUP_SYMBOL,
	GROUP_COUNT,
};
struct group_row {
	const char *name;
	enum fact   first, end;         /* its facts: first, up to but without end */
	size_t      limit;              /* items of one message */
	const char *sentence;
};
const struct group_row *group_row(enum fact_group);
/* By name; GROUP_COUNT if there is none. */
enum fact_group group_find(struct span name);
enum fact_group fact_group(enum fact);
/* By its short name, `type' of attachment; FACT_COUNT if there is none. */
enum fact fact_find_in(enum fact_group, struct span name);

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

/* What an inspector has to do so that facts can be known: bits.  It does what some rule's
   facts need, and the facts of what it has not done are absent. */
enum wish {
	WISH_HEADER     = 1 << 0,       /* all fields as items                        */
	WISH_STRUCTURE  = 1 << 1,       /* the message's own structure and its flaws  */
	WISH_PARTS      = 1 << 2,       /* every part is decoded, every archive opened */
	WISH_TYPES      = 1 << 3,       /* more than our own table knows of types     */
	WISH_DIGESTS    = 1 << 4,
	WISH_SIGNATURES = 1 << 5,
	WISH_TEXT       = 1 << 6,       /* what a reader sees is worked out           */
	WISH_LINKS      = 1 << 7,
	WISH_PATTERNS   = 1 << 8,
	WISH_KEY        = 1 << 9,       /* the content key; with all that WISH_PARTS needs */
	WISH_ALL        = (1 << 10) - 1,
};

/* SHA-256 over what a scanner for viruses sees of a message; src/inspector/key.c says what
   that is.  Not known: the message has none, or it was not wished. */
#define CONTENT_KEY_BYTES 32
struct content_key { bool known; uint8_t bytes[CONTENT_KEY_BYTES]; };
/* With all that they need themselves; 0: the fact needs no look at the content.  The
   header's own facts and the received group are such. */
unsigned fact_wishes(enum fact);
/* The nearest known name, for "did you mean"; NULL if none is near. */
const char *fact_nearest(struct span name);
const char *fact_type_name(enum fact_type);
/* All facts as a table in scdoc, for sallyport.conf(5). */
struct buf;
void facts_manual(struct buf *);

/* A set of facts.  An item fact stands for itself, not for its group. */
struct fact_set { uint64_t bits[(FACT_COUNT + 63) / 64]; };
static inline void
fact_set_add(struct fact_set *s, enum fact f)
{
	s->bits[f / 64] |= 1ull << f % 64;
}
static inline bool
fact_set_has(const struct fact_set *s, enum fact f)
{
	return s->bits[f / 64] >> f % 64 & 1;
}
void fact_set_join(struct fact_set *, const struct fact_set *with);
void fact_set_take(struct fact_set *, const struct fact_set *away);
bool fact_set_meets(const struct fact_set *, const struct fact_set *);
bool fact_set_is_empty(const struct fact_set *);
/* All facts of that stage, items' facts among them. */
struct fact_set fact_stage_set(enum fact_stage);
/* What a scanner of that type gives: virus.*, or spam.score and symbol.*; and scanner.*. */
struct fact_set scanner_type_gives(enum scanner_type);
/* A spam scanner; else it is one for viruses. */
bool scanner_type_scores(enum scanner_type);

enum fact_state { FACT_ABSENT = 0, FACT_KNOWN, FACT_UNKNOWN };

struct value {
	enum fact_state state;
	bool            pending;        /* unknown, but who knows it may still be asked */
	union {
		bool           truth;
		int64_t        number;
		struct address address;
	};
	struct span     text;   /* text, mailbox, domain; when unknown: the reason */
};

/* One attachment, link ...: values by fact, the group's first one at 0. */
struct item { enum fact_group group; struct value values[]; };

/* Partly unknown (cut): there are more than the items listed, so that what none of them
   has may still be.  Unknown as a whole: cut, no items, and a reason.  Pending: cut, and
   who knows more items may still be asked. */
struct items {
	struct item **list;
	size_t        count, cap;
	bool          cut, pending;
	struct span   reason;
};

/* Named patterns that matched, or may have (unknown: a limit was hit).  The ids and the
   set's digest are those of lib/pattern: a hit is known by what the pattern is, and what
   is not among the hits is known not to match where the set is the same. */
struct pattern_hit { uint64_t id; struct span name; bool unknown; };
struct pattern_hits { uint64_t set; struct pattern_hit *list; size_t count, cap; };
#define PATTERN_HITS       1000         /* of one message; also patterns of a set */
#define PATTERN_NAME_BYTES 64

/* All that is known of one mail; zeroed: message facts absent, groups empty, no pattern
   was looked for. */
struct findings {
	struct value        values[FACT_MESSAGE_COUNT];
	struct items        groups[GROUP_COUNT];
	struct pattern_hits patterns;
};

void findings_set_truth(struct findings *, enum fact, bool);
void findings_set_number(struct findings *, enum fact, int64_t);
/* The text is borrowed: it lives in the message's arena. */
void findings_set_text(struct findings *, enum fact, struct span);
void findings_set_address(struct findings *, enum fact, const struct address *);
/* Of an item fact: its whole group; of FACT_PATTERN: all patterns that did not match. */
void findings_set_unknown(struct findings *, enum fact, const char *reason);

/* Unknown so far: who knows it may still be asked (policy_wanted).  Of an item fact: its
   whole group may have more items than it has.  To set the fact, or to empty the group,
   ends it.  Does not travel: packed, it is just unknown. */
void findings_set_pending(struct findings *, enum fact);
/* All facts of that stage. */
void findings_set_stage_pending(struct findings *, enum fact_stage);
/* Known, and without items. */
void findings_empty_group(struct findings *, enum fact_group);

/* A new item, all its facts absent; it stays where it is.  At the group's limit there is
   none: NULL, and the group is cut.  Setting facts of NULL does nothing. */
struct item *findings_add(struct findings *, enum fact_group, struct arena *);
/* There is more than could be looked at: limits, damage, encrypted members. */
void findings_cut(struct findings *, enum fact_group);
void item_set_truth(struct item *, enum fact, bool);
void item_set_number(struct item *, enum fact, int64_t);
/* Borrowed, as above; at most FINDINGS_TEXT_BYTES of it travel. */
void item_set_text(struct item *, enum fact, struct span);
void item_set_address(struct item *, enum fact, const struct address *);
void item_set_unknown(struct item *, enum fact, const char *reason);
const struct value *item_value(const struct item *, enum fact);

/* All patterns of that set were looked for, and those not added did not match. */
void findings_set_patterns(struct findings *, uint64_t set);
/* Name borrowed.  Beyond PATTERN_HITS the set becomes 0: the others are unknown. */
void findings_add_pattern(struct findings *, uint64_t id, struct span name, bool unknown,
    struct arena *);
/* The hit with that id, or NULL. */
const struct pattern_hit *findings_pattern(const struct findings *, uint64_t id);

void findings_set_absent(struct findings *, enum fact);
/* Of `from` only what that stage can know: an inspector that has been taken over cannot
   say who the client is, nor that there is no virus.  Patterns are content. */
void findings_take_stage(struct findings *to, const struct findings *from, enum fact_stage);

/* For log, record and explain: 'text', 12, 6.31, true, 192.0.2.1, absent, unknown: reason.
   Texts are escaped and cut to 200 bytes. */
void value_print(struct buf *, enum fact, const struct value *);

/* The first facts of an item that people know it by: "'a.pdf.exe' type = 'exe', size = 9,
   encrypted".  Truths that are false, absent and unknown facts are left out. */
void item_print(struct buf *, const struct item *);

/* Flat form between processes: only facts that are not absent.  Texts longer than
   FINDINGS_TEXT_BYTES are cut.  Message facts always go (the pack is full where they do
   not fit); items go as far as there is room, each group sure of a share of it, and a
   group that does not fit is cut, as are patterns.  So whoever has a bigger buffer
   (PACKET_LARGE) loses nothing.  unpack checks every enum and length; texts stay in the
   packet, which has to live as long; false where the bytes are not a flat form, then nothing
   is known.  What follows the flat form stays in the unpack. */
#define FINDINGS_TEXT_BYTES 1000
void findings_pack(struct pack *, const struct findings *);
bool findings_unpack(struct unpack *, struct findings *, struct arena *);
#endif
