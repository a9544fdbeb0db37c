/*
 * flaw.h - what is wrong with a message, with field and offset.
 *
 * Flaws are findings: policy judges them, parsing goes on.  The texts of the first ones
 * are those of amavisd-new, so that rules and people find them again.
 */
#ifndef LIB_MIME_FLAW_H
#define LIB_MIME_FLAW_H
#include "lib/mime/header.h"

enum mime_flaw_kind {
	FLAW_FIELD_SYNTAX = 0,  /* Invalid header field syntax                             */
	FLAW_FIELD_NAME,        /* Invalid header field name, contains non-ASCII char      */
	FLAW_FIELD_BLANK,       /* Improper folded header field made up entirely of whitespace */
	FLAW_FIELD_LONG,        /* Header line longer than 998 characters                  */
	FLAW_FIELD_CONTROL,     /* Improper use of control character (NUL, CR)             */
	FLAW_FIELD_EIGHT_BIT,   /* Non-encoded non-ASCII data (and not UTF-8)              */
	FLAW_FIELD_C0,          /* UTF-8 string contains C0 Controls                       */
	FLAW_FIELD_C1,          /* UTF-8 string contains C1 Controls                       */
	FLAW_FIELD_UTF8,        /* Non-encoded UTF-8 string in non-EAI mail                */
	FLAW_FIELD_MISSING,     /* Missing required header field: "Date|From"              */
	FLAW_FIELD_TWICE,       /* Header field occurs more than once: "X"                 */
	FLAW_NUL,               /* NUL in a header                                         */
	FLAW_NO_END,            /* header section without an empty line                    */
	FLAW_HEADER_CUT,        /* a header over max_header or max_fields                  */
	FLAW_TOO_DEEP,
	FLAW_TOO_MANY,
	FLAW_TOO_MANY_NAMES,
	FLAW_TRUNCATED,         /* multipart without its last boundary                     */
	FLAW_NO_BOUNDARY,
	FLAW_BOUNDARY,          /* boundary that RFC 2046 does not allow                   */
	FLAW_TYPE,              /* Content-Type that cannot be read                        */
	FLAW_PARAMETER,         /* parameters that cannot be read                          */
	FLAW_ENCODING,          /* Content-Transfer-Encoding that nobody knows, or that a
	                           composite part must not have                            */
	FLAW_KINDS,
};

struct mime_flaw {
	enum mime_flaw_kind kind;
	uint32_t    part;               /* index, MIME_NO_PART if the part is not kept */
	uint64_t    at;                 /* offset in the container                     */
	struct span field;              /* its name, or the missing one's; may be empty */
};
const char *mime_flaw_text(enum mime_flaw_kind);
/* "header-syntax", ...: for records and rules. */
const char *mime_flaw_name(enum mime_flaw_kind);

/* The first FLAWs of a mail's header section; each field has at most one of each kind.
   `add` is called with each; `eai`: the mail came with SMTPUTF8. */
struct flaw_sink { void (*add)(struct flaw_sink *, const struct mime_flaw *); };
void flaw_check_header(struct span bytes, const struct header *, bool mail, bool eai,
    struct flaw_sink *);
#endif
