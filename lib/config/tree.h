/*
 * tree.h - configuration text as statements: words and values, perhaps a block, and
 * where each stands.
 *
 *     statement = token { token } ( ";" | "{" { statement } "}" )
 *
 * A word is a run of letters, digits and . - _ : / @ [ ] + * % $ ~ & ^ | ? # inside
 * (a # starts a comment only where a token could start); a text is in double quotes
 * with \" \\ \n \t; an operator is one of = != < <= > >= ( ) , and stands without blanks
 * too; after the word `matches` a token that begins with / is a regular expression
 * /.../flags, where \/ stands for a slash.  No recursion: blocks nest to a depth of
 * TREE_DEPTH.  `include "path";` at any place is replaced by the file's statements
 * (relative to the including file's folder; depth INCLUDE_DEPTH, cycles are errors).
 */
#ifndef LIB_CONFIG_TREE_H
#define LIB_CONFIG_TREE_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"

#define TREE_DEPTH      16
#define INCLUDE_DEPTH   16
#define CONFIG_FILES    1000
#define CONFIG_BYTES    (16u << 20)     /* of all files together */

/* Lines and columns count from 1; a column is a byte. */
struct place { const char *file; unsigned line, column; };

enum token_kind { TOKEN_WORD = 0, TOKEN_TEXT, TOKEN_OPERATOR, TOKEN_REGEX };

struct token {
	enum token_kind kind;
	struct span     text;   /* without quotes, escapes undone; regex: between slashes */
	struct span     flags;  /* TOKEN_REGEX */
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

/* Errors, gathered: "file:line:column: what was expected\n", at most CONFIG_ERRORS. */
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

/* All statements of `path`, in `arena`; NULL and complaints on errors (an empty file
   gives a node list that is empty: *ok tells). */
struct node *tree_parse(struct config_source *, const char *path, struct arena *,
    struct complaints *, bool *ok);

/* Helpers for those who read a tree. */
bool token_is(const struct token *, const char *word);  /* an unquoted word, exactly */
#endif
