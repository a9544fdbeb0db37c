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
	DECODE_INSIDE    = 1 << 10,     /* base64: junk with more of the alphabet behind it
	                                   on its line                                      */
	DECODE_BROKEN    = 1 << 11,     /* base64: a line ends inside a group               */
};
/* Those that make a difference to what different clients see. */
#define DECODE_AMBIGUOUS (DECODE_PADDING | DECODE_INSIDE | DECODE_BROKEN | \
	DECODE_ESCAPE)

/* Clients differ in what odd bytes mean. */
enum decode_manner {
	DECODE_GO_ON = 0,       /* '=' in base64 ends a group, and another begins          */
	DECODE_STOP,            /* '=' ends the content                                    */
	DECODE_SKIP,            /* '=' is junk; quoted-printable: so is that of a bad escape */
	DECODE_ZERO,            /* '=' is an A                                             */
	DECODE_GROUP,           /* groups are of four characters, '=' among them           */
	DECODE_LINE_JUNK,       /* base64: junk makes junk of the rest of its line         */
	DECODE_RESET,           /* base64: a line's end drops a group that is not whole    */
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
	uint32_t          bits;         /* of the group                           */
	unsigned          held, places; /* characters in the group, with '='      */
	unsigned          state;
	bool              begun, ended, padded, junk;
	unsigned          newlines;     /* since the last character               */
	uint8_t           line[192];    /* the line so far; quoted-printable: its last blanks */
	size_t            line_len;
	uint64_t          size;         /* yEnc: as the first line says           */
	uint8_t           repeat;       /* BinHex: byte to be repeated            */
	uint64_t          left;         /* BinHex: bytes to come of header or fork */
	uint8_t           head[96];     /* BinHex: header                         */
	size_t            head_len;
	uint8_t           made[1024];   /* on their way to next                   */
	size_t            made_len;
};

/* At most `limit` bytes are passed on, the rest is counted as DECODE_CUT and dropped. */
void decoder_init(struct decoder *, struct decode_way, uint64_t limit, struct sink *next);
/* All at once, appended to out; the flaws. */
unsigned decode_all(struct decode_way, struct span, uint64_t limit, struct buf *out);

/*
 * In which ways to decode what a field calls `encoding`: first this one (an unknown
 * encoding is guessed from the bytes) ...
 */
struct decode_way decode_first(enum encoding, struct span body);
/*
 * ... and then, only where `flaws` says that clients may disagree, the others: at most
 * DECODE_OTHERS, additive, never a product.  Most mail has none.
 */
#define DECODE_OTHERS 6
size_t decode_others(enum encoding, unsigned flaws, struct span body,
    struct decode_way out[DECODE_OTHERS]);

/*
 * Files inside text: uuencode ("begin 644 name"), yEnc ("=ybegin ... name="), BinHex
 * ("(This file must be converted with BinHex"), "begin-base64".  The next one at or after
 * *at; false if there is none.  *at is moved behind it.  `name` is borrowed from text.
 */
struct embedded { enum encoding encoding; struct span name; size_t from, to; bool ended; };
bool embedded_next(struct span text, size_t *at, struct embedded *);
#endif
