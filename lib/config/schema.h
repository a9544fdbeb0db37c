/*
 * schema.h - the rows of the settings and the kinds of their values; inside lib/config.
 *
 * A row says where in struct settings or struct listener its value is, as what kind,
 * and what it is when nothing is written: the default goes through the same parser.
 */
#ifndef LIB_CONFIG_SCHEMA_H
#define LIB_CONFIG_SCHEMA_H
#include "lib/config/settings.h"

enum kind {
	KIND_NAME = 0,  /* const char *: letters, digits . - _          */
	KIND_HOST,      /* const char *: a domain, lower-cased          */
	KIND_MAILBOX,   /* const char *: local-part@domain              */
	KIND_PATH,      /* const char *: absolute, at most max bytes    */
	KIND_NUMBER,    /* uint64_t, as the next two: min to max        */
	KIND_SIZE,
	KIND_TIME,
	KIND_DECIMAL,   /* uint64_t in thousandths: 1.5; min to max     */
	KIND_ENUM,      /* an enum: its value is the index in words     */
	KIND_TRUTH,     /* bool; words are no and yes                   */
	KIND_TEXT,      /* const char *: printable ASCII, at most max   */
	KIND_TARGET,    /* const char *: /path without blanks, of a URL */
	KIND_REGEX,     /* struct regex_text                            */
	KIND_STATUSES,  /* struct statuses                              */
	KIND_COMMAND,   /* struct words: an absolute path, arguments    */
	KIND_ENDPOINTS, /* struct endpoints                             */
	KIND_NETWORKS,  /* struct networks; `none' is the empty list    */
	KIND_DOMAINS,   /* struct words, lower-cased; `none' likewise   */
	KIND_HOP,       /* struct next_hop                              */
};

struct row {
	const char *name;
	enum kind   kind;
	size_t      offset;
	const char *initial;            /* NULL: unset, or see settings.c */
	const char *sentence;           /* for the manual */
	uint64_t    min, max;
	const char *const *words;       /* KIND_ENUM; ends with NULL; "" cannot be written */
	bool        required;
	unsigned    types;              /* of scanners that have it: bits; 0: all */
};

struct schema {
	const char       *block;        /* "listener"; NULL: outside of all blocks */
	const struct row *rows;
	size_t            count;        /* at most SCHEMA_ROWS: they are bits of `given` */
	size_t            given;        /* offset of the uint64_t `given` */
};

#define SCHEMA_ROWS 64
#define SCHEMA_LIST 10000       /* values of one list */
#define SCHEMA_ENDPOINTS 16     /* addresses of one listener or next hop */
#define SCHEMA_LISTENERS 256

extern const struct schema schema_global, schema_listener, schema_scanner;

static inline bool
row_serves(const struct row *r, enum scanner_type type)
{
	return r->types == 0 || (r->types >> type & 1) != 0;
}

static inline void *
row_member(const struct row *r, void *base)
{
	return (char *)base + r->offset;
}

/* What is read: the values of one statement for one row. */
struct reading {
	const struct row   *row;
	const struct token *values;
	size_t              count;
	struct place        end;        /* where a missing value was expected */
	struct arena       *arena;
	struct complaints  *complaints;
};

/* Fills the member; on complaints it is as it was. */
void kind_read(const struct reading *, void *member);
/* The value, or values with blanks between; "" where it is unset (NULL). */
void kind_print(const struct row *, const void *member, struct buf *);
void endpoint_print(const struct endpoint *, struct buf *);
bool endpoint_equal(const struct endpoint *, const struct endpoint *);

/* What a scanner's block says as a whole, after its settings are read: where each row was
   given (NULL: it was not).  Fills in what depends on its type. */
void scanner_check(struct scanner *, const struct node *const seen[SCHEMA_ROWS],
    struct complaints *);

/* For the manual: "time" and what a time is. */
const char *kind_name(enum kind);
const char *kind_sentence(enum kind);
#define KIND_COUNT (KIND_HOP + 1)
#endif
