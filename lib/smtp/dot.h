/*
 * dot.h - undo SMTP transparency (RFC 5321 section 4.5.2), incrementally.
 *
 * The body of a DATA command ends at CRLF "." CRLF and nowhere else.  A
 * decoder takes the bytes as they come off the wire, in pieces of any size,
 * removes the stuffed dots and hands the rest to a sink.  Bare CR and bare
 * LF are content, not line ends; newline.h is the stage that looks at them.
 *
 * (states without their DOT_ prefix)
 *
 *          .              CR                LF
 *   BOL ------> DOT ------------> DOT_CR ------> END
 *    ^  \         \ other           \ other
 *    |   \ other   v (dot dropped)   v (CR given back)
 *    |    +-----> TEXT <----------- CR
 *    |             | CR             ^ | LF
 *    |             +----------------+ |
 *    +--------------------------------+
 */
#ifndef LIB_SMTP_DOT_H
#define LIB_SMTP_DOT_H
#include "lib/base/base.h"

enum dot_state { DOT_BOL = 0, DOT_TEXT, DOT_CR, DOT_DOT, DOT_DOT_CR, DOT_END };

struct dot_decoder { enum dot_state state; };

/*
 * Decode from `in` into `out`.  Sets *used to the bytes consumed; what
 * follows the end mark is left for the next command.  Returns ST_OK at the
 * end of the message, ST_MORE before it, or whatever the sink failed with;
 * after a failure the decoder is of no further use.
 */
enum status dot_decode(struct dot_decoder *, struct span in, size_t *used,
    struct sink *out, struct error *);
#endif
