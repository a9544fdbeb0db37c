/*
 * newline.h - the last stage before the sink: bare newlines, sizes, dotted lines.
 *
 * Stands behind the dot decoder and behind BDAT alike.  A bare LF (not after a CR)
 * becomes CR LF and a bare CR (not before an LF, or the last byte) a blank, so that what
 * leaves has no bare newline; all are counted.  With `repair` off they are only counted
 * and nothing more is written from the first one on: the message is to be refused.
 * Nothing is written beyond a limit either, but everything goes on being counted, so
 * that the verdict does not depend on how the bytes were cut.
 *
 * The one byte held back is a CR at the end of a piece.
 */
#ifndef LIB_SMTP_NEWLINE_H
#define LIB_SMTP_NEWLINE_H
#include "lib/base/base.h"

#define DOT_KEPT 32     /* few mails have more lines that begin with a dot */

/* What the data of a message was like.  `dotted` are the offsets, in what the sink
   got, of lines that begin with a dot: at offset 0 or after CR LF.  There a sender puts
   a dot in front, without looking at the rest. */
struct smtp_data {
	uint64_t size;                  /* bytes the sink got                       */
	unsigned bare_cr, bare_lf;      /* seen (and repaired)                      */
	uint64_t dotted[DOT_KEPT];      /* offsets of lines that begin with a dot   */
	size_t   dotted_count;          /* all of them; more than DOT_KEPT: search  */
	bool     ends_with_crlf;
	bool     chunked;
};

enum newline_state { NEWLINE_BOL = 0, NEWLINE_TEXT, NEWLINE_CR };

struct newline {
	enum newline_state state;
	bool     repair;
	bool     too_big, too_long;     /* a limit was passed */
	uint64_t size_limit;            /* bytes of the message, 0: none */
	uint64_t line_limit;            /* bytes of a line without its CR LF, 0: none */
	uint64_t line_bytes;            /* since the last LF, if there is a line limit */
	struct smtp_data data;
};

/* Zeroed, but for repair and the limits, it is ready.  Both return what the sink failed
   with; the sink's finish is the caller's to call. */
enum status newline_write(struct newline *, struct span, struct sink *out,
    struct error *);
enum status newline_finish(struct newline *, struct sink *out, struct error *);

/* Would the message be refused as it stands? */
bool newline_refuses(const struct newline *);
#endif
