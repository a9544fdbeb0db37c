/*
 * lexer.h - the bytes of one configuration file as tokens and marks; used by tree.c.
 */
#ifndef LIB_CONFIG_LEXER_H
#define LIB_CONFIG_LEXER_H
#include "lib/config/tree.h"

enum lexeme {
	LEX_END = 0,
	LEX_TOKEN,
	LEX_SEMICOLON,
	LEX_OPEN,
	LEX_CLOSE,
	LEX_BROKEN,     /* text or regex without end: the rest of its line is lost */
};

struct lexer {
	struct span        text;        /* as long as the tokens are used */
	const char        *file;
	struct arena      *arena;       /* for texts whose escapes were undone */
	struct complaints *complaints;
	size_t             at, line_start;
	unsigned           line;
	bool               after_matches;
	unsigned           in_pattern;  /* tokens of a `pattern' statement so far */
	bool               inside;      /* a statement has begun */
};

void lexer_init(struct lexer *, const char *file, struct span text, struct arena *,
    struct complaints *);
/* Complaints are made and what they are about is skipped.  The token's place is set
   whatever comes. */
enum lexeme lexer_next(struct lexer *, struct token *);
/* Could the byte stand in a word?  A # could not at its beginning. */
bool lexer_word_byte(uint8_t);
#endif
