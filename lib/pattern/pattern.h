/*
 * pattern.h - named patterns of the configuration, and which of them a message matches.
 *
 *     pattern invoice /overdue\s+invoice/i in text;
 *
 * gives the fact pattern.invoice.  The inspector, which has the texts, looks for all of
 * them; the policy knows them by name and id.  A hashed sieve over texts that a match
 * must hold (literal.h) decides which expressions are tried at all: a thousand patterns
 * cost little more than ten.
 */
#ifndef LIB_PATTERN_PATTERN_H
#define LIB_PATTERN_PATTERN_H
#include "lib/config/tree.h"
#include "lib/finding/fact.h"
#include "lib/pattern/regex.h"

#define PATTERNS PATTERN_HITS   /* statements */

enum pattern_subject {
	PATTERN_TEXT = 0,       /* visible text of plain and HTML parts */
	PATTERN_SUBJECT,        /* text of the Subject field            */
	PATTERN_URL,            /* each link                            */
	PATTERN_SUBJECTS,
};

struct pattern {
	struct span          name;
	uint64_t             id;        /* of name, expression, flags and subject */
	enum pattern_subject subject;
	struct span          text, flags;
	struct regex        *regex;
	struct place         place;
};

struct sieve;
struct pattern_set {
	struct pattern *list;
	size_t          count;
	uint64_t        digest;         /* of all; never 0 */
	struct sieve  *sieves[PATTERN_SUBJECTS];      /* after patterns_prepare */
};

/* All `pattern' statements of the tree (a list of nodes); NULL and complaints on errors.
   The tree and the arena must live, and stay, as long as the set. */
struct pattern_set *patterns_compile(const struct node *tree, struct arena *,
    struct complaints *);
/* For those who match: machine code and sieves.  Before memory that can be executed is
   forbidden, if it ever is. */
void patterns_prepare(struct pattern_set *, struct arena *);
void patterns_release(struct pattern_set *);
const struct pattern *patterns_find(const struct pattern_set *, struct span name);

/* One message: begin, feed each text whole (patterns do not match across two of them),
   then end, which puts hits and the set's digest into the findings. */
struct pattern_scan {
	const struct pattern_set *set;
	uint8_t  *states;               /* one a pattern: enum regex_result */
	uint8_t  *tried;                /* one a pattern: in this text */
	uint8_t  *seen;                 /* one a literal of the sieve */
	uint16_t *worth;                /* one a pattern: worth trying */
	unsigned  limits;               /* how often one gave up */
};
void pattern_scan_begin(struct pattern_scan *, const struct pattern_set *, struct arena *);
void pattern_scan_feed(struct pattern_scan *, enum pattern_subject, struct span text);
void pattern_scan_end(const struct pattern_scan *, struct findings *, struct arena *);
#endif
