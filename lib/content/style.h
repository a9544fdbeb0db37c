/*
 * style.h - as much of CSS as tells whether text can be seen.
 *
 * Inside lib/content only.  A style is what an element has; declarations change it.  Of a
 * style block rules for tag, .class, tag.class and #id are kept, at most STYLE_RULES, and
 * none inside @media and its like.
 */
#ifndef LIB_CONTENT_STYLE_H
#define LIB_CONTENT_STYLE_H
#include "lib/content/text.h"

#define STYLE_RULES 128u
#define STYLE_SHEET_BYTES 65536u        /* of all style blocks, the rest is not read */
#define STYLE_APPLIED (4u << 20)        /* of declarations, each time a rule is used      */
#define STYLE_CLEAR UINT32_MAX          /* colour: transparent                       */
#define STYLE_UNKNOWN (UINT32_MAX - 1)  /* background: an image                      */

struct style {
	uint32_t color, background;     /* 0xrrggbb */
	float    font, indent;          /* pixels   */
	uint16_t hides;                 /* kept by all that is inside: DISPLAY, OPACITY, BOX,
	                                   POSITION, ATTRIBUTE */
	bool     invisible;             /* visibility */
	/* The element's own, not its children's. */
	bool     clips, placed;         /* overflow; position                             */
	float    width, height;         /* also max-; below 0: not said                   */
	float    offset;                /* the farthest left or top outside, as > 0       */
	bool     gone;                  /* display: none                                  */
};

/* What a document begins with. */
struct style style_first(void);
/* What a child begins with. */
struct style style_child(const struct style *);
/* "color: red; ..." */
void style_apply(struct style *, struct span declarations);
/* A box of at most 1 pixel; both sides are. */
bool style_tiny(const struct style *);
bool style_dot(const struct style *);
/* Once all declarations are applied. */
void style_settle(struct style *);
/* HIDES_ bits; 0: seen. */
unsigned style_hides(const struct style *);
/* A colour of an attribute or a style; false if it is none. */
bool style_color(struct span, uint32_t *);
/* A number with a unit, as pixels; relative ones by `base`.  False if it is none. */
bool style_length(struct span, float base, float *);

/* What the declarations made of a style the last time is kept: it is mostly the same one. */
struct style_rule {
	struct span  selector, declarations;
	bool         used;
	struct style before, after;
};
struct style_sheet {
	size_t            bytes;        /* of the blocks so far                        */
	size_t            applied;      /* bytes of declarations, against STYLE_APPLIED */
	struct style_rule rules[STYLE_RULES];
	size_t            count;
	uint8_t           slots[256];   /* by hash of the selector's name: 1 + first rule */
	uint8_t           next[STYLE_RULES];
};

/* Adds the rules of a block; a copy of it lives in the arena. */
void style_sheet_add(struct style_sheet *, struct span block, struct arena *);
void style_sheet_apply(struct style_sheet *, const struct html_tag *, struct style *);
#endif
