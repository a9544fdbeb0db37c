/*
 * tree.h - configuration text as statements: words and values, perhaps a block, and
 * where each stands.
 *
 *     statement = token { token } ( ";" | "{" { statement } "}" )
 *
 * A word is a run of letters, digits and . - _ : / @ [ ] + * % $ ~ & ^ | ? # inside
 * (a # starts a comment only where a token could start); a text is in double quotes
 * with \" \\ \n \t, and ends on its line; an operator is one of = != < <= > >= ( ) ,
 * and stands without blanks too; after the words `matches` and `infected-pattern`, and
 * behind the name in `pattern NAME`, a token that begins with / is a regular expression
 * /.../flags, where \/ stands for a slash.  No recursion: blocks nest to a depth of
 * TREE_DEPTH.  `include "path";` at any place is replaced by
 * the file's statements (relative to the including file's folder; depth INCLUDE_DEPTH,
 * cycles are errors); an include without quotes is a statement like others.
 */
#ifndef LIB_CONFIG_TREE_H
#define LIB_CONFIG_TREE_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"

#define TREE_DEPTH      16
#define TREE_TOKENS     (1u << 20)      /* of all files together */
#define INCLUDE_DEPTH   16
#define CONFIG_FILES    1000
#define CONFIG_BYTES    (16u << 20)     /* of all files together */
#define CONFIG_PATH     4095

/* Lines and columns count from 1; a column is a byte. */
struct place { const char *file; unsigned line, column; };

enum token_kind { TOKEN_WORD = 0, TOKEN_TEXT, TOKEN_OPERATOR, TOKEN_REGEX };

struct token {
	enum token_kind kind;
	struct span     text;   /* without quotes, escapes undone; regex: between slashes */
	struct span     flags;  /* TOKEN_REGEX: letters */
	struct place    place;
};

struct node {
	struct node   *next;            /* the next statement of the same block */
	struct token  *tokens;
	size_t         token_count;     /* at least 1 */
	bool           has_block;
	struct node   *children;
	struct place   end;             /* of the ; or } */
};

/* Errors, gathered: "file:line:column: what was expected\n".  All are counted; after
   CONFIG_ERRORS one line says that there are more. */
#define CONFIG_ERRORS 20
struct complaints { struct buf text; unsigned count; };
void complain(struct complaints *, struct place, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Where files come from: the master reads them from disk and puts them into a
 * bundle; the other processes open no path and read the bundle.
 */
struct config_source {
	/* Bytes live as long as the source.  False: *why is filled in. */
	bool (*read)(struct config_source *, const char *path, struct span *bytes,
	    struct error *why);
};

/* All statements of `path`, copied into `arena`; NULL and complaints on errors (an
   empty file gives a node list that is empty: *ok tells). */
struct node *tree_parse(struct config_source *, const char *path, struct arena *,
    struct complaints *, bool *ok);

/* Helpers for those who read a tree. */
bool token_is(const struct token *, const char *word);  /* an unquoted word, exactly */

/* A part of a complaint: `nam\xe4', cut where it is long.  Used as shown.text. */
#define SHOWN_BYTES 176
struct shown { char text[SHOWN_BYTES]; };
struct shown token_shown(const struct token *);

/* The known name most like a word that is not known: start with { .word = w }. */
struct nearest { struct span word; const char *name; unsigned distance; };
void nearest_try(struct nearest *, const char *name);
/* ": did you mean `hostname'?", or nothing where none is near. */
struct shown nearest_hint(const struct nearest *);

/* A token, or a statement with its block, in the language; reading it gives the same. */
void token_print(const struct token *, struct buf *);
void statement_print(const struct node *, struct buf *);
/* As a word where it is one, else as a text; for bytes that a token held. */
void word_print(struct span, struct buf *);
#endif
