/*
 * mime.h - the structure of a message under one reading (RFC 2045, 2046, 2047, 2231).
 *
 * Iterative and zero-copy: one pass over the bytes for all open boundaries, whose lines
 * are found by hash, so that depth costs nothing.  Offsets are into the container: the
 * bytes given to mime_parse.  Memory is bounded by the limits; beyond them parts, fields
 * and flaws are counted, not kept, and parsing goes on.
 *
 * Mail that is not ambiguous means the same in every reading.  One that is has to be read
 * in all three, and the union examined:
 *     struct mime m;
 *     mime_parse(bytes, MIME_FIRST, &options, &m, arena);
 *     if (m.ambiguities != 0) ... MIME_LAST, MIME_LENIENT
 * Encoded leaves are the caller's to decode (decode_first, decode_others); an encoded
 * message (kind MIME_LEAF, `is_message`) is decoded and given to mime_parse again, with
 * options.depth = its depth + 1.
 */
#ifndef LIB_MIME_MIME_H
#define LIB_MIME_MIME_H
#include "lib/mime/charset.h"
#include "lib/mime/decode.h"
#include "lib/mime/flaw.h"
#include "lib/mime/header.h"
#include "lib/mime/parameter.h"

enum mime_reading {
	MIME_FIRST = 0,         /* of two fields, parameters, closes: the first  */
	MIME_LAST,              /* the last                                      */
	MIME_LENIENT,           /* as sloppy clients do: any boundary that might be meant,
	                           prefixes of it, bare CR, odd header lines, guesses */
	MIME_READINGS,
};

struct mime_options {
	unsigned depth;                 /* of the container: 0 for the mail itself       */
	unsigned max_depth;             /* deeper multiparts and messages are leaves     */
	unsigned max_parts;             /* further parts are counted                     */
	unsigned max_fields;            /* of a part, at most HEADER_FIELDS              */
	unsigned max_header;            /* bytes of a part's header; the rest is not read */
	unsigned max_flaws;
	bool     eai;                   /* it came with SMTPUTF8: fields may be UTF-8 (RFC 6532) */
	struct charsets *charsets;      /* may be NULL                                    */
	struct sink *body;              /* is given the container's body (all behind the
	                                   first empty line) in the same pass; may be NULL */
};
#define MIME_OPTIONS { .max_depth = 100, .max_parts = 10000, .max_fields = 2000, \
	.max_header = 1u << 20, .max_flaws = 100 }

enum mime_kind {
	MIME_LEAF = 0,
	MIME_MULTIPART,         /* its parts follow                                     */
	MIME_MESSAGE,           /* message/rfc822, /global, unencoded: the one part that
	                           follows is the message                               */
	MIME_PREAMBLE,          /* text before the first boundary, if there is more than
	                           blank lines; has no header                           */
	MIME_EPILOGUE,          /* text after the last one                              */
	MIME_EMBEDDED,          /* a uuencoded, yEnc or BinHex file inside a text leaf,
	                           preamble or epilogue that is not encoded             */
	MIME_KINDS,
};

/* What a client may show as the file's name. */
enum mime_name_source { MIME_FROM_DISPOSITION = 0, MIME_FROM_TYPE, MIME_FROM_OTHER,
	MIME_FROM_EMBEDDED };
struct mime_name {
	struct span text;       /* UTF-8, decoded                      */
	enum mime_name_source source;
};
#define MIME_NAMES 16           /* of one part; the rest is a flaw     */

#define MIME_NO_PART UINT32_MAX
struct mime_part {
	enum mime_kind kind;
	uint32_t    parent;             /* index; MIME_NO_PART: the container      */
	uint32_t    depth;              /* options.depth for the first             */
	uint64_t    at;                 /* header; the same as body if none        */
	uint64_t    body, end;          /* without the newline before the boundary */
	struct header header;           /* offsets are into the container          */
	struct span type, subtype;      /* lower case; text/plain where none is said */
	bool        typed;              /* a Content-Type was there, and readable  */
	struct span charset;            /* as it stands, empty if none             */
	struct span disposition;        /* lower case, empty if none               */
	enum encoding encoding;
	struct span encoding_text;      /* as it stands                            */
	struct span content_id;         /* without < >                             */
	struct mime_name *names;
	uint32_t    name_count;
	bool        is_message;         /* message/rfc822 or /global, whatever kind */
	bool        is_partial;         /* message/partial, message/external-body  */
	bool        truncated;          /* multipart without its last boundary     */
	unsigned    ambiguities;        /* of enum mime_ambiguity, of this part    */
};

/* Why clients may see different things; bits. */
enum mime_ambiguity {
	MIME_TWO_TYPES        = 1 << 0,  /* Content-Type fields that differ            */
	MIME_TWO_ENCODINGS    = 1 << 1,
	MIME_TWO_DISPOSITIONS = 1 << 2,
	MIME_TWO_IDS          = 1 << 3,
	MIME_TWO_PARAMETERS   = 1 << 4,  /* of one name, with different values         */
	MIME_TWO_BOUNDARIES   = 1 << 5,  /* what the boundary is depends on the reader */
	MIME_NO_BOUNDARY      = 1 << 6,  /* none, empty, or one that never comes       */
	MIME_BOUNDARY_CLASH   = 1 << 7,  /* of an inner one, equal to an outer one or its
	                                    beginning                                  */
	MIME_BOUNDARY_LINE    = 1 << 8,  /* a line that is a boundary to some only     */
	MIME_AFTER_CLOSE      = 1 << 9,  /* a boundary comes again after its close     */
	MIME_MISSING_CLOSE    = 1 << 10, /* of an inner multipart                      */
	MIME_BARE_CR          = 1 << 11, /* in a header, or before a boundary          */
	MIME_NUL              = 1 << 12, /* in a header that matters                   */
	MIME_ODD_SYNTAX       = 1 << 13, /* comments, backslashes, quotes in a value that
	                                    matters                                    */
	MIME_ODD_HEADER       = 1 << 14, /* lines that are a field, the end, or nothing,
	                                    depending on the reader                    */
	MIME_ODD_ENCODING     = 1 << 15, /* unknown, misspelt, or of a composite part  */
	MIME_ODD_TYPE         = 1 << 16, /* not type/subtype, or multipart by one reading
	                                    only                                       */
	MIME_DECODED          = 1 << 17, /* set by the caller: DECODE_AMBIGUOUS        */
	MIME_AMBIGUITIES      = 18,      /* how many bits                              */
};
/* "two-types", ...: the values of the fact mime.ambiguous. */
const char *mime_ambiguity_name(enum mime_ambiguity);

struct mime {
	struct span bytes;              /* the container                     */
	struct mime_part *parts;        /* in the order of their beginnings; [0] is the
	                                   container's own                   */
	uint32_t    count;
	uint64_t    seen;               /* parts in all, kept or not         */
	unsigned    ambiguities;        /* of enum mime_ambiguity            */
	struct mime_flaw *flaws;        /* the first max_flaws               */
	uint32_t    flaw_count;
	uint64_t    flaws_seen;
	unsigned    flaw_kinds;         /* bits 1 << enum mime_flaw_kind     */
};

void mime_parse(struct span bytes, enum mime_reading, const struct mime_options *,
    struct mime *, struct arena *);

static inline struct span
mime_body(const struct mime *m, const struct mime_part *p)
{
	return span_slice(m->bytes, (size_t)p->body, (size_t)p->end);
}
#endif
