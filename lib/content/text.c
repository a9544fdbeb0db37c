/*
 * text.c - see text.h.
 *
 * The reader is the tokenizer's handler.  Its stack has the style of each open element;
 * what is deeper than the stack has the style of its top, but may be hidden as well.
 */
#include "lib/content/text.h"
#include "lib/content/letter.h"
#include "lib/content/style.h"
#include "lib/mime/charset.h"
#include "lib/mime/lane.h"

#define DEPTH 256u
#define ALT_BYTES 256u
#define ANCHOR_BYTES 512u
#define RUN_BYTES 4096u         /* of words put at once */

enum gap { GAP_NONE = 0, GAP_BLANK, GAP_LINE };

/* One of the texts that are made. */
struct paper {
	struct buf buf;
	size_t     max;
	uint64_t   seen;
	enum gap   gap;         /* before what comes next */
};

struct open { uint8_t element; struct style style; };
/* Where the text of a link stands. */
struct place { size_t from, to, hidden_from, hidden_to; };

struct reader {
	struct html_handler handler;
	struct content_text *out;
	const struct content_limits *limits;
	const struct suffixes *suffixes;
	struct arena *arena;
	struct paper visible, hidden, title;
	struct open *stack;                     /* of DEPTH; only HTML has it         */
	size_t   depth;                         /* of the stack, at least 1           */
	uint32_t over, over_hidden;             /* elements beyond; where hidden began */
	unsigned over_hides;
	uint32_t open[HTML_ELEMENTS];
	unsigned hides;
	enum html_element raw;
	struct buf sheet_text;
	struct style_sheet *sheet;
	struct link *links;
	struct place *places;
	size_t   count, cap;
	size_t   anchor, form;                  /* 1 + index; 0: none                 */
	struct link base;
	bool     has_base;
};

/* --- paper ------------------------------------------------------------------------ */

/* What of s there is room for. */
static struct span
fitting(struct paper *p, struct span s)
{
	size_t room = p->max - buf_len(&p->buf);

	p->seen += s.len;
	if (s.len > room) {
		/* Not half a character. */
		while (room > 0 && (s.ptr[room] & 0xc0) == 0x80)
			room--;
		s.len = room;
		p->max = buf_len(&p->buf) + room;
	}
	return s;
}

static void
put(struct paper *p, struct span s)
{
	buf_add(&p->buf, fitting(p, s));
}

static void
put_run(struct paper *p, struct span s)
{
	if (p->gap != GAP_NONE && buf_len(&p->buf) > 0)
		put(p, p->gap == GAP_LINE ? SPAN_LIT("\n") : SPAN_LIT(" "));
	p->gap = GAP_NONE;
	put(p, s);
}

static void
widen(enum gap *gap, enum gap least)
{
	*gap = *gap < least ? least : *gap;
}

/* Bytes that a run of text stops at: white space, and what may begin a special character. */
static const bool stops[256] = {
	[0 ... ' '] = true, [0x7f] = true, [0xc2] = true, [0xcd] = true, [0xe1] = true,
	[0xe2] = true, [0xe3] = true, [0xef] = true, [0xf3] = true,
};

/* The length of a character that is a blank (*blank) or is not seen; 0 for others. */
static size_t
special(struct span s, bool *blank)
{
	static const struct { char bytes[4]; uint8_t len, last; bool blank; } rows[] = {
		{ "\xc2\xa0", 2, 0xa0, true }, { "\xc2\xad", 2, 0xad, false },
		{ "\xcd\x8f", 2, 0x8f, false }, { "\xe1\xa0\x8e", 3, 0x8e, false },
		{ "\xe2\x80\x80", 3, 0x8a, true }, { "\xe2\x80\x8b", 3, 0x8f, false },
		{ "\xe2\x80\xa8", 3, 0xa9, true }, { "\xe2\x80\xaa", 3, 0xae, false },
		{ "\xe2\x80\xaf", 3, 0xaf, true }, { "\xe2\x81\x9f", 3, 0x9f, true },
		{ "\xe2\x81\xa0", 3, 0xaf, false }, { "\xe3\x80\x80", 3, 0x80, true },
		{ "\xe3\x85\xa4", 3, 0xa4, true }, { "\xef\xb8\x80", 3, 0x8f, false },
		{ "\xef\xbb\xbf", 3, 0xbf, false }, { "\xf3\xa0\x80", 3, 0xbf, false },
		{ "\xf3\xa0\x81", 3, 0xbf, false },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		size_t n = rows[i].len;
		bool tag = (uint8_t)rows[i].bytes[0] == 0xf3;

		if (s.len < n || memcmp(s.ptr, rows[i].bytes, n - 1) != 0)
			continue;
		uint8_t last = s.ptr[n - 1];

		if (tag ? last != (uint8_t)rows[i].bytes[2] || s.len < 4 :
		    last < (uint8_t)rows[i].bytes[n - 1] || last > rows[i].last)
			continue;
		*blank = rows[i].blank;
		return n + tag;
	}
	return 0;
}

static bool
is_space(uint8_t c)
{
	return c <= ' ' || c == 0x7f;
}

/* Is the byte at n, not the first, of a run: no stop, or a blank between two words? */
static bool
is_of_run(struct span s, size_t n)
{
	return !stops[s.ptr[n]] ||
	    (s.ptr[n] == ' ' && n + 1 < s.len && !stops[s.ptr[n + 1]]);
}

/* The run that the first byte begins; ASCII goes by in lanes. */
static size_t
run_length(struct span s)
{
	size_t n = 1;

	while (n < s.len) {
		size_t hit = LANE_BYTES;

		for (; hit == LANE_BYTES && s.len - n > LANE_BYTES; n += hit) {
			lane v = lane_load(s.ptr + n), next = lane_load(s.ptr + n + 1);

			hit = lane_first((lane)((v < ' ') | (v > '~') |
			    ((v == ' ') & ((next <= ' ') | (next > '~')))));
		}
		if (!is_of_run(s, n))
			break;
		for (n++; n < s.len && (s.ptr[n] >= 0x80 || s.len - n <= LANE_BYTES) &&
		    is_of_run(s, n); n++)
			;
	}
	return n;
}

static size_t
word_length(struct span s)
{
	size_t n = 1;

	while (n < s.len && !stops[s.ptr[n]])
		n++;
	return n;
}

/* As many words of the run as fit; one that may not fit stands alone, to be cut. */
static size_t
words_length(struct span s, size_t room)
{
	size_t most = s.len < RUN_BYTES ? s.len : RUN_BYTES, n;

	most = most < room ? most : room;
	n = most > 0 ? run_length(span_slice(s, 0, most)) : 0;
	if (n < most || n == s.len)
		return n > 0 ? n : word_length(s);
	while (n > 0 && s.ptr[n - 1] != ' ')
		n--;
	return n > 0 ? n - 1 : word_length(s);
}

/* Folds white space; `lines`: newlines stay. */
static void
fold(struct paper *p, struct span s, bool lines, uint32_t *invisible)
{
	for (size_t i = 0; i < s.len;) {
		struct span rest = span_slice(s, i, s.len);
		size_t n = 0, room;
		bool blank = false;

		if (is_space(s.ptr[i])) {
			widen(&p->gap, lines && s.ptr[i] == '\n' ? GAP_LINE : GAP_BLANK);
			i++;
			continue;
		}
		if (stops[s.ptr[i]] && (n = special(rest, &blank)) > 0) {
			if (blank)
				widen(&p->gap, GAP_BLANK);
			else
				++*invisible;
			i += n;
			continue;
		}
		room = p->max - buf_len(&p->buf);
		n = words_length(rest, room > 0 ? room - 1 : 0);  /* a gap first */
		put_run(p, span_slice(rest, 0, n));
		i += n;
	}
}

/* --- the stack -------------------------------------------------------------------- */

static struct style *
top(struct reader *r)
{
	return &r->stack[r->depth - 1].style;
}

static void
look(struct reader *r)
{
	unsigned before = r->hides;

	r->hides = style_hides(top(r)) | (r->over_hidden > 0 ? r->over_hides : 0);
	if (r->hides != 0 && before == 0)
		widen(&r->hidden.gap, GAP_BLANK);
}

static void
push(struct reader *r, enum html_element e, const struct style *s)
{
	if (r->depth == DEPTH || r->over > 0) {
		r->over++;
		if (r->over_hidden == 0 && style_hides(s) != 0) {
			r->over_hidden = r->over;
			r->over_hides = style_hides(s);
		}
	} else {
		r->stack[r->depth++] = (struct open){ (uint8_t)e, *s };
		r->open[e]++;
	}
	if (r->depth + r->over > r->out->counts.deep + 1)
		r->out->counts.deep = (uint32_t)r->depth + r->over - 1;
	look(r);
}

static void
pop_to(struct reader *r, size_t depth)
{
	while (r->depth > depth)
		r->open[r->stack[--r->depth].element]--;
	r->over = 0;
	r->over_hidden = 0;
	look(r);
}

/* The index of the innermost open `e`, 0 if there is none.  What is in a table cannot end
   what is around it. */
static size_t
find_open(const struct reader *r, enum html_element e)
{
	if (r->open[e] == 0)
		return 0;
	for (size_t i = r->depth - 1; i > 0; i--) {
		enum html_element at = (enum html_element)r->stack[i].element;

		if (at == e)
			return i;
		if (at == HTML_TABLE)
			return 0;
	}
	return 0;
}

static void
close_element(struct reader *r, enum html_element e)
{
	if (r->over > 0) {
		r->over--;
		if (r->over < r->over_hidden)
			r->over_hidden = 0;
		look(r);
		return;
	}
	size_t at = find_open(r, e);

	if (at > 0)
		pop_to(r, at);
}

/* The end tags that a start tag stands for. */
static const struct { uint8_t starts, ends, within; } implied[] = {
	{ HTML_LI, HTML_LI, HTML_UL }, { HTML_LI, HTML_LI, HTML_OL },
	{ HTML_TD, HTML_TD, HTML_TR }, { HTML_TD, HTML_TH, HTML_TR },
	{ HTML_TH, HTML_TD, HTML_TR }, { HTML_TH, HTML_TH, HTML_TR },
	{ HTML_TR, HTML_TR, HTML_TABLE }, { HTML_DT, HTML_DT, HTML_DL },
	{ HTML_DT, HTML_DD, HTML_DL }, { HTML_DD, HTML_DD, HTML_DL },
	{ HTML_DD, HTML_DT, HTML_DL }, { HTML_OPTION, HTML_OPTION, HTML_SELECT },
	{ HTML_A, HTML_A, HTML_OTHER },
};

static void
close_implied(struct reader *r, enum html_element e)
{
	if ((html_element_flags(e) & HTML_IS_BLOCK) && r->open[HTML_P] > 0 && r->over == 0) {
		size_t p = find_open(r, HTML_P);

		if (p > 0)
			pop_to(r, p);
	}
	for (size_t i = 0; i < COUNT_OF(implied); i++) {
		if (implied[i].starts != (uint8_t)e || r->open[implied[i].ends] == 0)
			continue;
		size_t at = find_open(r, (enum html_element)implied[i].ends);
		size_t around = find_open(r, (enum html_element)implied[i].within);

		if (at > 0 && (implied[i].within == HTML_OTHER || at > around))
			pop_to(r, at);
	}
}

/* --- links ------------------------------------------------------------------------ */

static void
make_room(struct reader *r)
{
	if (r->count < r->cap)
		return;
	r->cap = r->cap == 0 ? 32 : r->cap * 2;
	r->links = must_realloc(r->links, r->cap * sizeof *r->links);
	r->places = must_realloc(r->places, r->cap * sizeof *r->places);
}

/* The link, valid until the next one; NULL if it is not kept. */
static struct link *
add_link(struct reader *r, enum link_kind kind, struct span url)
{
	struct content_counts *c = &r->out->counts;

	url = trim_white(url);
	if (url.len == 0 || url.ptr[0] == '#')
		return NULL;
	if (++r->out->links_seen > r->limits->links) {
		r->out->cut |= CONTENT_CUT_LINKS;
		return NULL;
	}
	make_room(r);
	struct link *l = &r->links[r->count];

	*l = (struct link){ .kind = kind };
	r->places[r->count++] = (struct place){ 0 };
	link_read(l, url, r->limits->url, r->has_base ? &r->base : NULL, r->suffixes, r->arena);
	if (r->hides & ~HIDES_COLOR & ~HIDES_SIZE)
		l->flags |= LINK_HIDDEN;
	if (kind == LINK_IMAGE) {
		c->data_images += (l->flags & LINK_DATA) != 0;
		c->external_images += l->host.len > 0;
	}
	c->handlers += (l->flags & LINK_SCRIPT) != 0;
	return l;
}

static size_t
index_of(const struct reader *r, const struct link *l)
{
	return l == NULL ? 0 : (size_t)(l - r->links) + 1;
}

static void
end_anchor(struct reader *r)
{
	if (r->anchor == 0)
		return;
	struct place *p = &r->places[r->anchor - 1];

	p->to = buf_len(&r->visible.buf);
	p->hidden_to = buf_len(&r->hidden.buf);
	r->anchor = 0;
}

static void
begin_anchor(struct reader *r, struct span href)
{
	end_anchor(r);
	if (href.ptr == NULL)
		return;
	r->out->counts.anchors++;
	r->anchor = index_of(r, add_link(r, LINK_ANCHOR, href));
	if (r->anchor == 0)
		return;
	struct place *p = &r->places[r->anchor - 1];

	p->from = buf_len(&r->visible.buf);
	p->hidden_from = buf_len(&r->hidden.buf);
}

static struct span
shorter(struct span s, size_t max)
{
	if (s.len <= max)
		return s;
	while (max > 0 && (s.ptr[max] & 0xc0) == 0x80)
		max--;
	return span_slice(s, 0, max);
}

/* An image's alternative text stands for it in its anchor. */
static void
keep_alt(struct reader *r, struct span alt, struct link *own)
{
	struct link *anchor = r->anchor > 0 ? &r->links[r->anchor - 1] : NULL;

	if (alt.len == 0)
		return;
	if (own != NULL)
		own->text = arena_span(r->arena, shorter(alt, ALT_BYTES));
	if (anchor != NULL && anchor->text.len == 0)
		anchor->text = arena_span(r->arena, shorter(alt, ALT_BYTES));
}

/* url(...) in a style; and @import "..." */
static void
add_style_links(struct reader *r, struct span style)
{
	for (size_t at = 0; at < style.len;) {
		struct span rest = span_slice(style, at, style.len);
		size_t open = span_find(rest, '(');

		at += open + 1;
		if (open < 3 || open == rest.len ||
		    !span_equal_nocase(span_slice(rest, open - 3, open), SPAN_LIT("url")))
			continue;
		struct span url = span_slice(rest, open + 1, rest.len);

		url = span_trim(span_slice(url, 0, span_find(url, ')')));
		at += url.len;
		if (url.len >= 2 && (url.ptr[0] == '"' || url.ptr[0] == '\''))
			url = span_slice(url, 1,
			    url.len - (url.ptr[url.len - 1] == url.ptr[0]));
		add_link(r, LINK_BACKGROUND, url);
	}
}

/* "a.png 1x, b.png 2x" */
static void
add_srcset(struct reader *r, struct span set)
{
	while (set.len > 0) {
		size_t i = 0, from;

		while (i < set.len && (is_space(set.ptr[i]) || set.ptr[i] == ','))
			i++;
		from = i;
		while (i < set.len && !is_space(set.ptr[i]))
			i++;
		size_t to = i > from && set.ptr[i - 1] == ',' ? i - 1 : i;

		add_link(r, LINK_IMAGE, span_slice(set, from, to));
		if (to == i)
			i += span_find(span_slice(set, i, set.len), ',');
		set = span_slice(set, i, set.len);
	}
}

/* "5; url=..." */
static void
add_refresh(struct reader *r, const struct html_tag *t, struct style *style)
{
	struct span s = t->value[HTML_AT_CONTENT];

	if (!span_equal_nocase(span_trim(t->value[HTML_AT_HTTP_EQUIV]), SPAN_LIT("refresh")))
		return;
	r->out->counts.refreshes++;
	while (s.len > 0 && (is_digit(s.ptr[0]) || s.ptr[0] == '.' || s.ptr[0] == ';' ||
	    s.ptr[0] == ',' || is_space(s.ptr[0])))
		s = span_slice(s, 1, s.len);
	if (span_starts_nocase(s, SPAN_LIT("url")))
		s = span_slice(s, 3, s.len);
	while (s.len > 0 && (s.ptr[0] == '=' || s.ptr[0] == '\'' || s.ptr[0] == '"' ||
	    is_space(s.ptr[0])))
		s = span_slice(s, 1, s.len);
	if (s.len > 0 && (s.ptr[s.len - 1] == '\'' || s.ptr[s.len - 1] == '"'))
		s.len--;
	add_link(r, LINK_REFRESH, s);
}

/* --- elements --------------------------------------------------------------------- */

static void
take_side(struct span value, float *side)
{
	float number;

	if (value.len > 0 && style_length(value, 600, &number) && number >= 0 &&
	    (*side < 0 || number < *side))
		*side = number;
}

/* At most 1x1, hidden, or at most 3x3 with a query that could name the reader. */
static bool
is_tracking(const struct link *l, const struct style *s)
{
	bool web = l->host.len > 0 && span_starts_nocase(l->scheme, SPAN_LIT("http"));
	bool dwarf = s->width >= 0 && s->width <= 3 && s->height >= 0 && s->height <= 3;
	size_t query = span_find(l->url, '?');

	return web && (style_dot(s) || (style_hides(s) & (HIDES_DISPLAY | HIDES_VISIBILITY |
	    HIDES_OPACITY | HIDES_BOX | HIDES_ATTRIBUTE)) != 0 ||
	    (dwarf && l->url.len - query > 16));
}

static void
on_image(struct reader *r, const struct html_tag *t, struct style *s)
{
	take_side(t->value[HTML_AT_WIDTH], &s->width);
	take_side(t->value[HTML_AT_HEIGHT], &s->height);
	struct link *l = add_link(r, LINK_IMAGE, t->value[HTML_AT_SRC]);

	if (l != NULL && is_tracking(l, s)) {
		l->flags |= LINK_TRACKING;
		r->out->counts.tracking++;
	}
	keep_alt(r, t->value[HTML_AT_ALT], l);
	add_srcset(r, t->value[HTML_AT_SRCSET]);
}

static void
on_form(struct reader *r, const struct html_tag *t, struct style *s)
{
	r->form = index_of(r, add_link(r, LINK_FORM, t->value[HTML_AT_ACTION]));
}

static void
on_input(struct reader *r, const struct html_tag *t, struct style *s)
{
	struct span type = span_trim(t->value[HTML_AT_TYPE]);
	struct content_counts *c = &r->out->counts;
	bool password = span_equal_nocase(type, SPAN_LIT("password"));

	c->hidden_inputs += span_equal_nocase(type, SPAN_LIT("hidden"));
	c->passwords += password;
	if (password && r->form > 0 && r->links[r->form - 1].host.len > 0)
		r->links[r->form - 1].flags |= LINK_CREDENTIALS;
	if (span_equal_nocase(type, SPAN_LIT("image")))
		add_link(r, LINK_IMAGE, t->value[HTML_AT_SRC]);
	add_link(r, LINK_FORM, t->value[HTML_AT_FORMACTION]);
}

static void
on_base(struct reader *r, const struct html_tag *t, struct style *s)
{
	struct link *l = add_link(r, LINK_BASE, t->value[HTML_AT_HREF]);

	if (l == NULL || r->has_base)
		return;
	r->base = *l;
	r->has_base = true;
}

static void
on_area(struct reader *r, const struct html_tag *t, struct style *s)
{
	struct link *l = add_link(r, LINK_ANCHOR, t->value[HTML_AT_HREF]);

	if (l != NULL && t->value[HTML_AT_ALT].len > 0)
		l->text = arena_span(r->arena, shorter(t->value[HTML_AT_ALT], ALT_BYTES));
}

static void
on_anchor(struct reader *r, const struct html_tag *t, struct style *s)
{
	const struct span *v = t->value;

	begin_anchor(r, v[HTML_AT_HREF].ptr != NULL ? v[HTML_AT_HREF] : v[HTML_AT_XLINK]);
}

static void
on_media(struct reader *r, const struct html_tag *t, struct style *s)
{
	add_link(r, LINK_IMAGE, t->value[HTML_AT_POSTER]);
	add_srcset(r, t->value[HTML_AT_SRCSET]);
}

static void
on_font(struct reader *r, const struct html_tag *t, struct style *s)
{
	r->out->counts.font_colors += t->value[HTML_AT_COLOR].ptr != NULL;
}

static void
on_unknown(struct reader *r, const struct html_tag *t, struct style *s)
{
	add_link(r, LINK_IMAGE, t->value[HTML_AT_XLINK]);
}

/* What a start tag counts as (an offset), its link, what else it does. */
#define COUNTS(field) 1 + offsetof(struct content_counts, field)
static const struct start {
	size_t              counter;    /* 1 + offset; 0: none */
	enum html_attribute link;
	enum link_kind      kind;
	void (*does)(struct reader *, const struct html_tag *, struct style *);
} starts[HTML_ELEMENTS] = {
	[HTML_OTHER] = { COUNTS(unknown), .does = on_unknown },
	[HTML_A] = { .does = on_anchor },
	[HTML_AREA] = { .does = on_area },
	[HTML_AUDIO] = { 0, HTML_AT_SRC, LINK_RESOURCE, on_media },
	[HTML_BASE] = { COUNTS(bases), .does = on_base },
	[HTML_BUTTON] = { COUNTS(inputs), .does = on_input },
	[HTML_EMBED] = { COUNTS(objects), HTML_AT_SRC, LINK_RESOURCE, NULL },
	[HTML_FONT] = { COUNTS(fonts), .does = on_font },
	[HTML_FORM] = { COUNTS(forms), .does = on_form },
	[HTML_FRAME] = { COUNTS(frames), HTML_AT_SRC, LINK_FRAME, NULL },
	[HTML_H1] = { .counter = COUNTS(headings) },
	[HTML_H2] = { .counter = COUNTS(headings) },
	[HTML_H3] = { .counter = COUNTS(headings) },
	[HTML_H4] = { .counter = COUNTS(headings) },
	[HTML_H5] = { .counter = COUNTS(headings) },
	[HTML_H6] = { .counter = COUNTS(headings) },
	[HTML_IFRAME] = { COUNTS(frames), HTML_AT_SRC, LINK_FRAME, NULL },
	[HTML_IMG] = { COUNTS(images), .does = on_image },
	[HTML_INPUT] = { COUNTS(inputs), .does = on_input },
	[HTML_LINK] = { 0, HTML_AT_HREF, LINK_RESOURCE, NULL },
	[HTML_META] = { .does = add_refresh },
	[HTML_OBJECT] = { COUNTS(objects), HTML_AT_DATA, LINK_RESOURCE, NULL },
	[HTML_OL] = { .counter = COUNTS(lists) },
	[HTML_P] = { .counter = COUNTS(paragraphs) },
	[HTML_SCRIPT] = { COUNTS(scripts), HTML_AT_SRC, LINK_RESOURCE, NULL },
	[HTML_SOURCE] = { 0, HTML_AT_SRC, LINK_RESOURCE, on_media },
	[HTML_STYLE] = { .counter = COUNTS(styles) },
	[HTML_TABLE] = { .counter = COUNTS(tables) },
	[HTML_TD] = { .counter = COUNTS(cells) },
	[HTML_TH] = { .counter = COUNTS(cells) },
	[HTML_TRACK] = { 0, HTML_AT_SRC, LINK_RESOURCE, NULL },
	[HTML_UL] = { .counter = COUNTS(lists) },
	[HTML_VIDEO] = { 0, HTML_AT_SRC, LINK_RESOURCE, on_media },
};

/* Counts and links of a start tag. */
static void
on_start(struct reader *r, const struct html_tag *t, struct style *s)
{
	const struct start *start = &starts[t->element];
	struct content_counts *c = &r->out->counts;
	uint32_t *counter = (uint32_t *)(void *)((char *)c + start->counter - 1);

	if (start->counter > 0)
		++*counter;
	if (start->link != HTML_AT_NONE)
		add_link(r, start->kind, t->value[start->link]);
	if (start->does != NULL)
		start->does(r, t, s);
	add_link(r, LINK_BACKGROUND, t->value[HTML_AT_BACKGROUND]);
	if (t->value[HTML_AT_STYLE].ptr != NULL) {
		c->style_attributes++;
		add_style_links(r, t->value[HTML_AT_STYLE]);
	}
}

/* <font size=1>: 10 pixels, and so on. */
static void
font_size(struct span size, struct style *s)
{
	static const uint8_t pixels[8] = { 10, 10, 13, 16, 18, 24, 32, 48 };
	struct span t = span_trim(size);

	if (t.len == 1 && t.ptr[0] >= '0' && t.ptr[0] <= '7')
		s->font = pixels[t.ptr[0] - '0'];
}

static struct style
style_of(struct reader *r, const struct html_tag *t)
{
	struct style s = style_child(top(r));
	const struct span *v = t->value;

	if (t->element == HTML_A && v[HTML_AT_HREF].ptr != NULL)
		s.color = 0x0000ee;
	if (t->attributes > 0) {
		style_color(v[HTML_AT_BGCOLOR], &s.background);
		if (v[HTML_AT_BACKGROUND].len > 0)
			s.background = STYLE_UNKNOWN;
		if (t->element == HTML_FONT) {
			style_color(v[HTML_AT_COLOR], &s.color);
			font_size(v[HTML_AT_SIZE], &s);
		}
		if (t->element == HTML_BODY)
			style_color(v[HTML_AT_TEXT], &s.color);
	}
	style_sheet_apply(r->sheet, t, &s);
	style_apply(&s, v[HTML_AT_STYLE]);
	style_settle(&s);
	if (v[HTML_AT_HIDDEN].ptr != NULL)
		s.hides |= HIDES_ATTRIBUTE;
	if (t->element == HTML_TEMPLATE)
		s.hides |= HIDES_DISPLAY;
	return s;
}

static void
part(struct reader *r, enum html_element e)
{
	unsigned flags = html_element_flags(e);
	enum gap gap = flags & HTML_IS_BLOCK ? GAP_LINE : flags & HTML_IS_CELL ? GAP_BLANK :
	    GAP_NONE;

	/* What is not displayed parts nothing. */
	if (!(r->hides & (HIDES_DISPLAY | HIDES_ATTRIBUTE)))
		widen(&r->visible.gap, gap);
	widen(&r->hidden.gap, gap);
}

static void
start_tag(struct reader *r, const struct html_tag *t)
{
	enum html_element e = t->element;
	unsigned flags = html_element_flags(e);

	r->out->counts.tags++;
	r->out->counts.attributes += t->attributes;
	close_implied(r, e);
	struct style s = style_of(r, t);

	if (e == HTML_BODY || e == HTML_HTML) {
		/* They stay open to the end. */
		if (r->depth == 1)
			*top(r) = s;
		look(r);
	} else if (flags & HTML_IS_RAW) {
		r->raw = e;
	} else if (!(flags & HTML_IS_VOID) && e != HTML_HEAD) {
		push(r, e, &s);
	}
	part(r, e);
	on_start(r, t, &s);
}

static void
end_raw(struct reader *r)
{
	if (r->raw == HTML_STYLE) {
		struct span block = buf_span(&r->sheet_text);

		add_style_links(r, block);
		style_sheet_add(r->sheet, block, r->arena);
		buf_take(&r->sheet_text, block.len);
	}
	r->raw = HTML_OTHER;
}

static void
end_tag(struct reader *r, const struct html_tag *t)
{
	enum html_element e = t->element;

	r->out->counts.ends++;
	part(r, e);
	if (r->raw != HTML_OTHER) {
		end_raw(r);
		return;
	}
	if (e == HTML_A)
		end_anchor(r);
	if (e == HTML_FORM)
		r->form = 0;
	if (e != HTML_BODY && e != HTML_HTML && e != HTML_HEAD)
		close_element(r, e);
}

static void
on_tag(struct html_handler *h, const struct html_tag *t)
{
	struct reader *r = container_of(h, struct reader, handler);

	if (t->end)
		end_tag(r, t);
	else
		start_tag(r, t);
}

static void
shown_text(struct reader *r, struct span s)
{
	struct paper *p = r->hides != 0 ? &r->hidden : &r->visible;
	uint64_t before = p->seen;

	fold(p, s, r->open[HTML_PRE] > 0 || r->raw == HTML_XMP, &r->out->counts.invisible);
	if (r->hides != 0 && p->seen > before)
		r->out->hides |= r->hides;
}

static void
on_text(struct html_handler *h, struct span s)
{
	struct reader *r = container_of(h, struct reader, handler);
	uint32_t ignored = 0;

	if (r->raw == HTML_TITLE) {
		fold(&r->title, s, false, &ignored);
	} else if (r->raw == HTML_STYLE) {
		size_t room = STYLE_SHEET_BYTES - buf_len(&r->sheet_text);

		buf_add(&r->sheet_text, span_slice(s, 0, s.len < room ? s.len : room));
	} else if (!(html_element_flags(r->raw) & HTML_IS_UNSEEN)) {
		shown_text(r, s);
	}
}

/* --- the whole -------------------------------------------------------------------- */

static struct reader *
reader_create(struct content_text *out, const struct content_limits *limits,
    const struct content_tools *tools, struct arena *arena)
{
	struct reader *r = must_alloc(sizeof *r);

	r->handler = (struct html_handler){ on_text, on_tag };
	r->out = out;
	r->limits = limits;
	r->suffixes = tools->suffixes;
	r->arena = arena;
	r->visible.max = limits->text;
	r->hidden.max = limits->hidden;
	r->title.max = limits->title;
	return r;
}

static void
reader_destroy(struct reader *r)
{
	buf_free(&r->visible.buf);
	buf_free(&r->hidden.buf);
	buf_free(&r->title.buf);
	buf_free(&r->sheet_text);
	free(r->sheet);
	free(r->stack);
	free(r->links);
	free(r->places);
	free(r);
}

static struct span
anchor_text(struct span paper, size_t from, size_t to)
{
	return shorter(trim_white(span_slice(paper, from, to)), ANCHOR_BYTES);
}

static void
finish_link(struct reader *r, size_t i)
{
	struct link *l = &r->links[i];
	const struct place *p = &r->places[i];

	if (l->kind == LINK_ANCHOR && p->to > p->from) {
		l->text = anchor_text(r->out->visible, p->from, p->to);
	} else if (l->kind == LINK_ANCHOR && p->hidden_to > p->hidden_from &&
	    l->text.len == 0) {
		l->text = anchor_text(r->out->hidden, p->hidden_from, p->hidden_to);
		l->flags |= LINK_HIDDEN;
	}
	if (l->kind == LINK_ANCHOR)
		link_compare(l, r->suffixes, r->arena);
}

/* Bare addresses in the range of the visible text. */
static void
find_links(struct reader *r, size_t from, size_t to)
{
	struct link_find f = { .text = span_slice(r->out->visible, from, to) };

	while (link_next(&f, r->suffixes)) {
		struct span found = span_slice(f.text, f.from, f.to);
		const char *before = f.kind == LINK_MAIL ? "mailto:" : f.bare ? "http://" : "";
		struct span url = shorter(found, r->limits->url);

		if (before[0] != '\0' && r->out->links_seen < r->limits->links)
			url = span_text(arena_printf(r->arena, "%s%.*s", before, (int)url.len,
			    (const char *)url.ptr));
		struct link *l = add_link(r, f.kind, url);

		if (l != NULL)
			l->text = shorter(found, ANCHOR_BYTES);
	}
}

static void
finish(struct reader *r)
{
	struct content_text *out = r->out;
	size_t at = 0, anchors = r->count;

	out->hidden = arena_span(r->arena, buf_span(&r->hidden.buf));
	out->title = arena_span(r->arena, buf_span(&r->title.buf));
	out->visible_bytes = r->visible.seen;
	out->hidden_bytes = r->hidden.seen;
	out->cut |= r->visible.seen > out->visible.len ? CONTENT_CUT_TEXT : 0;
	out->cut |= r->hidden.seen > out->hidden.len ? CONTENT_CUT_HIDDEN : 0;
	r->hides = 0;
	/* A link over a bank's address is not a link to the bank. */
	for (size_t i = 0; i < anchors; i++) {
		size_t from = r->places[i].from, to = r->places[i].to;

		finish_link(r, i);
		if (to <= from)
			continue;
		find_links(r, at, from);
		at = to;
	}
	find_links(r, at, out->visible.len);
	out->link_count = r->count;
	out->links = arena_array(r->arena, struct link, r->count + 1);
	if (r->count > 0)
		memcpy(out->links, r->links, r->count * sizeof *r->links);
}

static void
read_html(struct reader *r, struct span text)
{
	struct html *html = must_alloc(sizeof *html);

	r->stack = must_realloc(NULL, DEPTH * sizeof *r->stack);
	r->stack[0] = (struct open){ HTML_OTHER, style_first() };
	r->depth = 1;
	r->sheet = must_alloc(sizeof *r->sheet);
	html_init(html, &r->handler);
	html_feed(html, text);
	html_finish(html);
	end_anchor(r);
	if (r->raw == HTML_STYLE)
		end_raw(r);
	r->out->counts.odd = html->odd;
	r->out->visible = arena_span(r->arena, buf_span(&r->visible.buf));
	free(html);
}

/* The charset that a byte order mark tells of. */
static struct span
marked_charset(struct span b)
{
	if (b.len >= 3 && memcmp(b.ptr, "\xef\xbb\xbf", 3) == 0)
		return SPAN_LIT("utf-8");
	if (b.len >= 2 && memcmp(b.ptr, "\xff\xfe", 2) == 0)
		return SPAN_LIT("utf-16le");
	if (b.len >= 2 && memcmp(b.ptr, "\xfe\xff", 2) == 0)
		return SPAN_LIT("utf-16be");
	return SPAN_NONE;
}

/* <meta charset=x>, <meta content="text/html; charset=x">: in the first 1024 bytes. */
static struct span
html_charset(struct span b)
{
	b.len = b.len < 1024 ? b.len : 1024;
	for (size_t i = 0; i + 8 < b.len; i++) {
		struct span rest = span_slice(b, i, b.len);
		size_t n = 8, to;

		if (!span_starts_nocase(rest, SPAN_LIT("charset=")))
			continue;
		while (n < rest.len && (rest.ptr[n] == '"' || rest.ptr[n] == '\'' ||
		    is_space(rest.ptr[n])))
			n++;
		for (to = n; to < rest.len && to < n + 40 && (is_alpha(rest.ptr[to]) ||
		    is_digit(rest.ptr[to]) || rest.ptr[to] == '-' || rest.ptr[to] == '_'); to++)
			;
		rest = span_slice(rest, n, to);
		/* It could be read as ASCII, so it is neither of these. */
		return span_starts_nocase(rest, SPAN_LIT("utf-16")) ||
		    span_starts_nocase(rest, SPAN_LIT("utf-32")) ? SPAN_LIT("utf-8") : rest;
	}
	return SPAN_NONE;
}

static bool
is_utf8_already(struct span bytes, struct span charset)
{
	return (charset.len == 0 || span_equal_nocase(charset, SPAN_LIT("utf-8")) ||
	    span_equal_nocase(charset, SPAN_LIT("utf8")) ||
	    span_equal_nocase(charset, SPAN_LIT("us-ascii"))) && utf8_valid(bytes) == bytes.len;
}

/* `kept`: the caller keeps the text, so that it can be lent. */
static void
read_text(struct reader *r, struct span text, bool is_html, bool kept)
{
	struct content_text *out = r->out;

	if (text.len >= 3 && memcmp(text.ptr, "\xef\xbb\xbf", 3) == 0)
		text = span_slice(text, 3, text.len);
	if (text.len > r->limits->bytes) {
		text = shorter(text, r->limits->bytes);
		out->cut |= CONTENT_CUT_BYTES;
	}
	if (is_html)
		read_html(r, text);
	else
		out->visible = fitting(&r->visible, text);
	if (!is_html && (!kept || text.len == 0))
		out->visible = arena_span(r->arena, out->visible);
	finish(r);
}

void
content_text(struct content_text *out, struct span bytes, struct span charset, bool is_html,
    const struct content_limits *limits, const struct content_tools *tools,
    struct arena *arena)
{
	struct span marked = marked_charset(bytes);
	struct buf converted = { 0 };

	*out = (struct content_text){ 0 };
	if (marked.len > 0)
		charset = marked;
	if (charset.len == 0 && is_html)
		charset = html_charset(bytes);
	struct reader *r = reader_create(out, limits, tools, arena);

	if (is_utf8_already(bytes, charset)) {
		read_text(r, bytes, is_html, true);
	} else {
		out->bad_charset = !charset_convert(tools->charsets, charset, bytes,
		    limits->bytes, &converted);
		read_text(r, buf_span(&converted), is_html, false);
	}
	reader_destroy(r);
	buf_free(&converted);
}
