/*
 * question.h - what track and explain are asked: one line of text, taken apart.
 *
 * Words are separated by blanks; a word in double quotes may hold blanks, with \" and \\.
 */
#ifndef SRC_STORE_QUESTION_H
#define SRC_STORE_QUESTION_H
#include "lib/base/arena.h"

enum question_kind { QUESTION_TRACK = 0, QUESTION_EXPLAIN };

#define QUESTION_LIMIT          100             /* mails listed unless told */
#define QUESTION_LIMIT_MOST     100000

struct question {
	enum question_kind kind;
	bool        json;
	uint64_t    since, limit;       /* since: Unix ms, 0 always */
	/* Empty ptr: not asked for. */
	struct span sender, recipient, id, queue_id, message_id;
	struct span any;                /* bare word: any of them */
	uint64_t    outcomes;           /* bits; 0: any outcome */
};

/* Texts are in the arena.  ST_PERM: *err says what was expected. */
enum status question_parse(struct span line, uint64_t unix_ms, struct question *,
    struct arena *, struct error *);

/* "90s" "30m" "2h" "7d" "2w" before now, or 2026-11-21[T10:00[:00][Z]] in UTC. */
bool question_since(struct span, uint64_t unix_ms, uint64_t *since);
#endif
