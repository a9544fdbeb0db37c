/*
 * text.h - what a reader sees of a text part: visible text, hidden text, links.
 *
 * Plain text is given as it is; HTML without its tags: white space folded, a newline where
 * a block begins or ends, characters without width left out.  Text that styles hide goes
 * to a text of its own.  Styles are read from attributes and from simple rules (tag, .class,
 * #id) of style blocks; a bounded stack of them stands for the tree.
 *
 * Everything kept is bounded by the limits; what is beyond is counted.  Time is linear in
 * the bytes.
 */
#ifndef LIB_CONTENT_TEXT_H
#define LIB_CONTENT_TEXT_H
#include "lib/content/html.h"
#include "lib/content/link.h"

struct charsets;

/* Why text is hidden: bits of content_text.hides. */
#define HIDES_DISPLAY    0x001u /* display: none                                     */
#define HIDES_VISIBILITY 0x002u /* visibility: hidden, collapse                      */
#define HIDES_SIZE       0x004u /* font size of at most 1 pixel or point             */
#define HIDES_OPACITY    0x008u
#define HIDES_COLOR      0x010u /* as the background, nearly so, or transparent      */
#define HIDES_BOX        0x020u /* a box of at most 1 pixel that hides what overflows */
#define HIDES_INDENT     0x040u /* text-indent far outside                           */
#define HIDES_POSITION   0x080u /* placed outside                                    */
#define HIDES_ATTRIBUTE  0x100u /* hidden                                            */

/* How the HTML is built; all zero for plain text. */
struct content_counts {
	uint32_t tags, ends, unknown;   /* start tags, end tags, of unknown elements */
	uint32_t attributes;
	uint32_t deep;                  /* deepest nesting                           */
	uint32_t anchors, images, external_images, data_images;
	uint32_t tracking;              /* images                                    */
	uint32_t tables, cells;
	uint32_t fonts, font_colors;
	uint32_t forms, inputs, passwords, hidden_inputs;
	uint32_t scripts, handlers;     /* handlers: javascript: in links            */
	uint32_t styles;                /* style blocks                              */
	uint32_t style_attributes;
	uint32_t frames, objects;       /* objects: object, embed                    */
	uint32_t refreshes, bases;
	uint32_t headings, paragraphs, lists;
	uint32_t invisible;             /* characters without width left out         */
	struct html_oddities odd;
};

struct content_limits {
	size_t   bytes;                 /* of UTF-8 looked at                        */
	size_t   text, hidden, title;   /* bytes of each kept                        */
	size_t   url;                   /* bytes of a link                           */
	unsigned links;
};
#define CONTENT_LIMITS_DEFAULT ((struct content_limits){ .bytes = 4u << 20, \
	.text = 1u << 20, .hidden = 256u << 10, .title = 1024, .url = 2048, .links = 1000 })

/* Opened before the sandbox; either may be NULL (then: only ASCII and UTF-8; two labels). */
struct content_tools {
	struct charsets       *charsets;
	const struct suffixes *suffixes;
};

/* Bits of content_text.cut: what the limits kept out. */
#define CONTENT_CUT_BYTES  0x1u /* the part is longer than was looked at */
#define CONTENT_CUT_TEXT   0x2u
#define CONTENT_CUT_HIDDEN 0x4u
#define CONTENT_CUT_LINKS  0x8u

struct content_text {
	struct span  visible, hidden, title;    /* UTF-8                          */
	uint64_t     visible_bytes, hidden_bytes;       /* also those not kept    */
	unsigned     hides;                     /* why                            */
	unsigned     cut;
	bool         bad_charset;               /* bytes that are not of the charset */
	struct link *links;                     /* those of tags, then bare ones */
	size_t       link_count;
	uint64_t     links_seen;                /* also those not kept            */
	struct content_counts counts;
};

/* Reads the decoded bytes of a text part.  `charset` is what the part declares; if that is
   empty, a byte order mark or the HTML's own word counts.  What is kept lives in the arena,
   but the visible text of plain UTF-8 is a piece of `bytes`. */
void content_text(struct content_text *, struct span bytes, struct span charset, bool is_html,
    const struct content_limits *, const struct content_tools *, struct arena *);
#endif
