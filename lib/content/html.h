/*
 * html.h - an HTML tokenizer: tags with the attributes that matter, and decoded text.
 *
 * No tree is built.  Input comes in pieces of any size; what the handler is told does not
 * depend on the cuts, but for where a run of text is divided.  Time is linear in the input,
 * memory bounded by HTML_VALUE_BYTES for each attribute that is kept.  Tags are read as
 * browsers do (WHATWG HTML section 13.2.5); input is expected to be UTF-8, and bytes that
 * are not go through as they are.
 *
 * Of unknown elements and attributes only their presence is told.  An attribute that comes
 * twice counts the first time.  Character references are decoded in text and in values.
 */
#ifndef LIB_CONTENT_HTML_H
#define LIB_CONTENT_HTML_H
#include "lib/base/buf.h"

#define HTML_VALUE_BYTES 4096u          /* of one attribute; the rest is dropped */
#define HTML_NAME_BYTES  16u

/* HTML_DIV ... ; the list with what each element is stands in html_list.h. */
enum html_element {
	HTML_OTHER = 0,
#define ELEMENT(id, name, flags) HTML_##id,
#define ATTRIBUTE(id, name)
#include "lib/content/html_list.h"
	HTML_ELEMENTS
};

/* HTML_AT_HREF ... */
enum html_attribute {
	HTML_AT_NONE = 0,
#define ELEMENT(id, name, flags)
#define ATTRIBUTE(id, name) HTML_AT_##id,
#include "lib/content/html_list.h"
	HTML_ATTRIBUTES
};

/* What an element is. */
#define HTML_IS_VOID     0x01u  /* never has content                        */
#define HTML_IS_BLOCK    0x02u  /* begins and ends a line                   */
#define HTML_IS_RAW      0x04u  /* content is text up to its end tag        */
#define HTML_IS_DECODED  0x08u  /* such text with character references      */
#define HTML_IS_CELL     0x10u  /* parted from the next one by a blank      */
#define HTML_IS_UNSEEN   0x20u  /* content is not shown                     */

struct html_tag {
	enum html_element element;
	bool     end;                   /* </x>                                     */
	bool     cut;                   /* a value was longer than HTML_VALUE_BYTES */
	unsigned attributes;            /* how many there were, kept or not         */
	/* Values; ptr is NULL where the attribute is absent.  Borrowed for the call. */
	struct span value[HTML_ATTRIBUTES];
};

struct html_handler {
	/* Decoded text; after the start tag of a raw element its content. */
	void (*text)(struct html_handler *, struct span);
	void (*tag)(struct html_handler *, const struct html_tag *);
};

/* What else was in the input. */
struct html_oddities {
	uint32_t comments, conditional; /* conditional: <!--[if ...                 */
	uint32_t declarations;          /* <!x, <?x, </ x                           */
	uint32_t entities;              /* character references                     */
	uint32_t ascii_entities;        /* of these, for letters and digits         */
	uint64_t comment_bytes;
	bool     unfinished;            /* ended inside a tag or comment            */
};

struct html {
	struct html_handler *handler;
	struct html_oddities odd;
	/* private */
	unsigned  state;
	uint8_t   name[32];             /* of a tag, attribute or reference         */
	size_t    name_len;
	uint8_t   dashes;               /* the end of a comment, so far             */
	uint8_t   quote;
	enum html_element   raw;
	enum html_attribute attribute;
	struct buf values;
	size_t    from[HTML_ATTRIBUTES], to[HTML_ATTRIBUTES];
	uint8_t   kept[HTML_ATTRIBUTES];        /* those of this tag         */
	size_t    kept_count;
	struct html_tag tag;
	uint8_t   elements[512], attributes[256];
};

void html_init(struct html *, struct html_handler *);
void html_feed(struct html *, struct span);
/* The end of the input: text that was held back is given; memory is freed. */
void html_finish(struct html *);

const char *html_element_name(enum html_element);       /* "" for HTML_OTHER */
unsigned html_element_flags(enum html_element);
/* Decodes the character references of a value in place; the new length. */
size_t html_decode(uint8_t *, size_t, struct html_oddities *);
/* The character of a reference: what stands between '&' and ';', with `#` for numbers;
   0 if there is none of this name. */
uint32_t html_reference(struct span name);
#endif
