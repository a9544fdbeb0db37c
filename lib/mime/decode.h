/*
 * decode.h - content transfer encodings, as a stage of a push pipeline.
 *
 * Streaming: what comes out does not depend on the cuts.  Lenient as mail clients are:
 * nothing ends the decoding but the end, and what was odd is counted as a flaw.  Memory
 * is the struct's own.
 */
#ifndef LIB_MIME_DECODE_H
#define LIB_MIME_DECODE_H
#include "lib/base/buf.h"

enum encoding {
	ENCODING_NONE = 0,      /* 7bit, 8bit, binary, no field */
	ENCODING_BASE64,
	ENCODING_QUOTED,        /* quoted-printable             */
	ENCODING_UU,
	ENCODING_YENC,
	ENCODING_BINHEX,        /* BinHex 4.0: the data fork    */
	ENCODING_UNKNOWN,
};
/* "base64", ... for records. */
const char *encoding_name(enum encoding);
/* What a Content-Transfer-Encoding says: case does not count, comments and blanks around
   it neither.  Lenient also takes x-, misspelt and compound ones by what they contain. */
enum encoding encoding_parse(struct span value, bool lenient);

enum decode_flaw {              /* bits */
	DECODE_JUNK      = 1 << 0,      /* base64: bytes outside the alphabet, blanks aside */
	DECODE_PADDING   = 1 << 1,      /* base64: '=' before the end: clients disagree     */
	DECODE_UNPADDED  = 1 << 2,      /* base64: padding is missing                       */
	DECODE_ESCAPE    = 1 << 3,      /* quoted-printable: bad escape                     */
	DECODE_NO_END    = 1 << 4,      /* uu, yEnc, BinHex: the end line is missing        */
	DECODE_NO_BEGIN  = 1 << 5,      /* uu, yEnc, BinHex: the begin line is missing      */
	DECODE_LINE      = 1 << 6,      /* uu: a line of another length than it says        */
	DECODE_SUM       = 1 << 7,      /* yEnc, BinHex: size or checksum is wrong          */
	DECODE_CUT       = 1 << 8,      /* the limit of output was reached                  */
	DECODE_EIGHT_BIT = 1 << 9,      /* bytes above 127 in base64 or quoted-printable    */
};
/* Those that make a difference to what different clients see. */
#define DECODE_AMBIGUOUS (DECODE_PADDING | DECODE_ESCAPE)

/* Clients differ in what '=' inside base64 is. */
enum decode_manner {
	DECODE_GO_ON = 0,       /* it ends a group, and another begins (concatenated texts) */
	DECODE_STOP,            /* it ends the content                                      */
	DECODE_SKIP,            /* it is junk                                               */
	DECODE_ZERO,            /* it is an A                                               */
	DECODE_MANNERS,
};

struct decode_way { enum encoding encoding; enum decode_manner manner; };

struct decoder {
	struct sink       sink;         /* written to by the caller  */
	struct sink      *next;         /* written to by the decoder */
	struct decode_way way;
	unsigned          flaws;        /* of enum decode_flaw       */
	uint64_t          out, limit;
	/* The rest is the decoder's own. */
	uint32_t          bits;         /* of the group              */
	unsigned          held;         /* characters in the group   */
	unsigned          state;
	bool              begun, ended, padded;
	uint8_t           line[192];    /* the line so far: uu, yEnc; blanks: quoted-printable */
	size_t            line_len;
	uint8_t           last;         /* BinHex: byte to be repeated */
	uint64_t          left;         /* BinHex: bytes to come of the data fork */
	uint8_t           head[96];     /* BinHex: header */
	size_t            head_len, head_need;
	bool              quad;
};

/* At most `limit` bytes are passed on, the rest is counted as DECODE_CUT and dropped. */
void decoder_init(struct decoder *, struct decode_way, uint64_t limit, struct sink *next);
/* All at once, appended to out; the flaws. */
unsigned decode_all(struct decode_way, struct span, uint64_t limit, struct buf *out);

/*
 * In which ways to decode what a field (or a guess, see mime.h) calls `encoding`: always
 * one.  Only where the bytes are such that clients disagree, others follow (at most
 * DECODE_WAYS in all; additive, never a product): '=' inside base64; an encoding that is
 * declared but not there (uuencode or yEnc lines under a base64 label), or unknown.
 */
#define DECODE_WAYS 6
size_t decode_ways(enum encoding, struct span body, struct decode_way out[DECODE_WAYS]);

/*
 * Files inside text: uuencode ("begin 644 name"), yEnc ("=ybegin ... name="), BinHex
 * ("(This file must be converted with BinHex"), "begin-base64".  The next one at or after
 * *at; false if there is none.  *at is moved behind it.  `name` is borrowed from text.
 */
struct embedded { enum encoding encoding; struct span name; size_t from, to; bool ended; };
bool embedded_next(struct span text, size_t *at, struct embedded *);
#endif
