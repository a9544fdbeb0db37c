/*
 * reader.h - the tokens of one statement, read from the left, and what reading needs.
 */
#ifndef LIB_POLICY_READER_H
#define LIB_POLICY_READER_H
#include "lib/policy/list.h"
#include "lib/policy/policy.h"

struct lists { struct list *items; size_t count; };

struct reader {
	const struct token  *tokens;
	size_t               at, count;
	struct place         end;       /* of the statement */
	const struct lists  *lists;
	struct arena        *arena;
	struct complaints   *complaints;
	enum fact_group           group;     /* inside its parentheses */
	const struct pattern_set *patterns;     /* NULL: there are none */
	const struct settings *settings;        /* whose scanners tell facts; NULL: all do */
	struct matcher     **matchers;  /* the policy set's, to be added to; may be NULL */
};

/* The next token, not taken; NULL at the end. */
const struct token *reader_peek(const struct reader *);
/* Where the next token stands, or the statement ends. */
struct place reader_place(const struct reader *);
/* Take the next token if it is this unquoted word or operator. */
bool reader_takes(struct reader *, const char *word);
bool token_operator(const struct token *, const char *);
/* Complains "expected WHAT, not `x'" at the next token; always false. */
bool reader_expected(struct reader *, const char *what);
/* The same at a token that was taken. */
bool reader_not(struct reader *, const struct token *, const char *what);
#endif
