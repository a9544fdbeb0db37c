/*
 * html.c - see html.h.
 *
 * One function a state: it takes what belongs to it from the front of the piece and
 * returns the rest.  A state that leaves without taking anything goes to one that takes,
 * or that goes to S_TEXT, which always does.
 */
#include "lib/content/html.h"
#include "lib/content/letter.h"

#define WINDOW 512u

enum { S_TEXT = 0, S_REFERENCE, S_OPEN, S_CLOSE, S_NAME, S_BEFORE, S_ATTRIBUTE, S_AFTER,
	S_EQUALS, S_QUOTED, S_UNQUOTED, S_MARKUP, S_COMMENT, S_BOGUS, S_RAW_OPEN, S_RAW_NAME,
	STATES };

static const struct { const char *name; uint8_t len, flags; } elements[] = {
	{ "", 0, 0 },
#define ELEMENT(id, name, flags) { name, sizeof(name) - 1, flags },
#define ATTRIBUTE(id, name)
#include "lib/content/html_list.h"
};
static const struct { const char *name; uint8_t len; } attributes[] = {
	{ "", 0 },
#define ELEMENT(id, name, flags)
#define ATTRIBUTE(id, name) { name, sizeof(name) - 1 },
#include "lib/content/html_list.h"
};
static const struct { const char *name; uint32_t len, code; } references[] = {
#define REFERENCE(name, code) { name, sizeof(name) - 1, code },
#include "lib/content/html_entities.h"
};
/* Numbers 128 to 159 mean windows-1252. */
static const uint16_t windows[32] = {
	0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160,
	0x2039, 0x152, 0x8d, 0x17d, 0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013,
	0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178,
};

const char *
html_element_name(enum html_element e)
{
	return elements[e].name;
}

unsigned
html_element_flags(enum html_element e)
{
	return elements[e].flags;
}

/* --- names to numbers ------------------------------------------------------------ */

static size_t
hash(const uint8_t *p, size_t n, size_t slots)
{
	size_t h = n;

	for (size_t i = 0; i < n; i++)
		h = h * 31 + p[i];
	return (h ^ h >> 7) & (slots - 1);
}

static void
enter(uint8_t *slots, size_t n, const char *name, size_t number)
{
	size_t at = hash((const uint8_t *)name, strlen(name), n);

	while (slots[at] != 0)
		at = (at + 1) & (n - 1);
	slots[at] = (uint8_t)number;
}

static enum html_element
find_element(const struct html *h)
{
	size_t slots = COUNT_OF(h->elements);

	for (size_t at = hash(h->name, h->name_len, slots); h->elements[at] != 0;
	    at = (at + 1) & (slots - 1))
		if (elements[h->elements[at]].len == h->name_len &&
		    memcmp(elements[h->elements[at]].name, h->name, h->name_len) == 0)
			return (enum html_element)h->elements[at];
	return HTML_OTHER;
}

static enum html_attribute
find_attribute(const struct html *h)
{
	size_t slots = COUNT_OF(h->attributes);

	for (size_t at = hash(h->name, h->name_len, slots); h->attributes[at] != 0;
	    at = (at + 1) & (slots - 1))
		if (attributes[h->attributes[at]].len == h->name_len &&
		    memcmp(attributes[h->attributes[at]].name, h->name, h->name_len) == 0)
			return (enum html_attribute)h->attributes[at];
	return HTML_AT_NONE;
}

/* Bytes that end the name of a tag (1) or of an attribute (2). */
static const uint8_t name_ends[256] = {
	[' '] = 3, ['\t'] = 3, ['\n'] = 3, ['\v'] = 3, ['\f'] = 3, ['\r'] = 3, ['/'] = 3,
	['>'] = 3, ['='] = 2,
};

/* Up to the end of a name; kept lower case.  What does not fit makes it a name that
   nobody knows. */
static const uint8_t *
take_name(struct html *h, const uint8_t *p, const uint8_t *end, uint8_t ends)
{
	size_t n = h->name_len;

	for (; p < end && !(name_ends[*p] & ends); p++)
		if (n < sizeof h->name)
			h->name[n++] = to_lower(*p);
	h->name_len = n;
	return p;
}

/* --- character references -------------------------------------------------------- */

static size_t
encode(uint32_t c, uint8_t out[4])
{
	if (c < 0x80)
		return out[0] = (uint8_t)c, 1;
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		return out[1] = (uint8_t)(0x80 | (c & 0x3f)), 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xe0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		return out[2] = (uint8_t)(0x80 | (c & 0x3f)), 3;
	}
	out[0] = (uint8_t)(0xf0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	return out[3] = (uint8_t)(0x80 | (c & 0x3f)), 4;
}

/* "#65", "#x41": *used is how much of the name was the number; 0 if there is none. */
static uint32_t
number_reference(struct span name, size_t *used)
{
	bool hex = name.len > 1 && (name.ptr[1] | 0x20) == 'x';
	uint32_t c = 0;
	size_t start = hex ? 2 : 1, i = start;

	for (; i < name.len && hex_value(name.ptr[i]) < (hex ? 16 : 10); i++)
		c = c > 0x10ffff ? c : c * (hex ? 16 : 10) + hex_value(name.ptr[i]);
	*used = i > start ? i : 0;
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0xfffd;
	return c >= 0x80 && c < 0xa0 ? windows[c - 0x80] : c;
}

static uint32_t
named_reference(struct span name)
{
	size_t low = 0, high = COUNT_OF(references);

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		size_t len = references[mid].len;
		int order = (uint8_t)references[mid].name[0] - name.ptr[0];

		if (order == 0)
			order = memcmp(references[mid].name, name.ptr,
			    len < name.len ? len : name.len);
		if (order == 0 && len == name.len)
			return references[mid].code;
		if (order < 0 || (order == 0 && len < name.len))
			low = mid + 1;
		else
			high = mid;
	}
	return 0;
}

uint32_t
html_reference(struct span name)
{
	size_t used;

	if (name.len == 0)
		return 0;
	if (name.ptr[0] != '#')
		return named_reference(name);
	uint32_t c = number_reference(name, &used);

	return used == name.len ? c : 0;
}

/* The references of HTML 2 need no semicolon, and what follows may touch them. */
static uint32_t
old_reference(struct span name, size_t *used)
{
	for (size_t n = name.len < 6 ? name.len : 6; n >= 2; n--) {
		uint32_t c = named_reference(span_slice(name, 0, n));
		bool old = c == '&' || c == '<' || c == '>' || c == '"' ||
		    (c >= 0xa0 && c < 0x100);

		if (old)
			return *used = n, c;
	}
	return 0;
}

/* The character that the name begins with, and how much of the name that took. */
static uint32_t
resolve(struct span name, bool semicolon, bool value, uint8_t next, size_t *used)
{
	*used = 0;
	if (name.len == 0)
		return 0;
	if (name.ptr[0] == '#')
		return number_reference(name, used);
	uint32_t c = semicolon ? named_reference(name) : 0;

	if (c != 0)
		return *used = name.len, c;
	if (!value)
		return old_reference(name, used);
	c = semicolon || next == '=' ? 0 : old_reference(name, used);
	/* In values "&copy2=" is no reference: addresses are written so. */
	if (*used != name.len)
		*used = 0;
	return c;
}

static void
count_reference(struct html_oddities *odd, uint32_t c)
{
	odd->entities++;
	if (c < 0x80 && (is_alpha((uint8_t)c) || is_digit((uint8_t)c)))
		odd->ascii_entities++;
}

/* A byte of a reference's name: true if it was taken.  Leading zeros are not kept, so
   that any number of them fits. */
static bool
reference_byte(uint8_t *name, size_t *len, size_t cap, uint8_t c)
{
	if (!is_digit(c) && !is_alpha(c) && !(c == '#' && *len == 0))
		return false;
	bool zeros = *len >= 2 && name[0] == '#' && name[*len - 1] == '0' &&
	    (*len == 2 || (*len == 3 && (name[1] | 0x20) == 'x'));

	if (zeros && is_digit(c))
		--*len;
	if (*len == cap)
		return false;
	name[(*len)++] = c;
	return true;
}

size_t
html_decode(uint8_t *p, size_t len, struct html_oddities *odd)
{
	size_t to = 0, used;
	uint8_t name[32];

	for (size_t at = 0; at < len;) {
		size_t n = 0, i = at + 1;

		if (p[at] != '&') {
			p[to++] = p[at++];
			continue;
		}
		while (i < len && reference_byte(name, &n, sizeof name, p[i]))
			i++;
		bool semicolon = i < len && p[i] == ';';
		uint32_t c = resolve((struct span){ name, n }, semicolon, true,
		    i < len ? p[i] : 0, &used);

		if (used == 0) {
			p[to++] = p[at++];
			continue;
		}
		count_reference(odd, c);
		to += encode(c, p + to);
		/* What a number left over is text again. */
		at = i - (n - used) + (semicolon && used == n);
	}
	return to;
}

/* --- telling --------------------------------------------------------------------- */

static void
give_text(struct html *h, struct span text)
{
	if (text.len > 0)
		h->handler->text(h->handler, text);
}

static void
give_tag(struct html *h)
{
	struct html_tag *t = &h->tag;

	for (size_t i = 0; i < h->kept_count; i++) {
		enum html_attribute a = (enum html_attribute)h->kept[i];
		uint8_t *p = h->values.ptr + h->from[a];
		size_t n = h->to[a] - h->from[a];

		if (memchr(p, '&', n) != NULL)
			n = html_decode(p, n, &h->odd);
		t->value[a] = (struct span){ p, n };
	}
	if (!t->end && (elements[t->element].flags & HTML_IS_RAW))
		h->raw = t->element;
	h->handler->tag(h->handler, t);
}

static void
begin_tag(struct html *h, bool end)
{
	/* Only what was set: most tags have none of the attributes. */
	for (size_t i = 0; i < h->kept_count; i++) {
		h->from[h->kept[i]] = 0;
		h->tag.value[h->kept[i]] = SPAN_NONE;
	}
	h->kept_count = 0;
	h->tag.end = end;
	h->tag.cut = false;
	h->tag.attributes = 0;
	h->name_len = 0;
	/* Offset 0 stands for an absent value. */
	h->values.to = 1;
}

static void
end_tag(struct html *h)
{
	h->state = S_TEXT;
	give_tag(h);
}

/* --- states ---------------------------------------------------------------------- */

/* Text is looked through in windows: else a run of '&' would look for '<' each time. */
static const uint8_t *
s_text(struct html *h, const uint8_t *p, const uint8_t *end)
{
	bool decoded = h->raw == HTML_OTHER || (elements[h->raw].flags & HTML_IS_DECODED);
	size_t n = (size_t)(end - p) < WINDOW ? (size_t)(end - p) : WINDOW;
	const uint8_t *tag = memchr(p, '<', n);

	n = tag != NULL ? (size_t)(tag - p) : n;
	const uint8_t *amp = decoded ? memchr(p, '&', n) : NULL;

	n = amp != NULL ? (size_t)(amp - p) : n;
	give_text(h, (struct span){ p, n });
	if (amp == NULL && tag == NULL)
		return p + n;
	h->name_len = 0;
	h->state = amp != NULL ? S_REFERENCE : h->raw != HTML_OTHER ? S_RAW_OPEN : S_OPEN;
	return p + n + 1;
}

static void
end_reference(struct html *h, bool semicolon)
{
	size_t used;
	struct span name = { h->name, h->name_len };
	uint32_t c = resolve(name, semicolon, false, 0, &used);
	uint8_t out[4];

	h->state = S_TEXT;
	if (used == 0) {
		give_text(h, SPAN_LIT("&"));
	} else {
		count_reference(&h->odd, c);
		give_text(h, (struct span){ out, encode(c, out) });
	}
	give_text(h, span_slice(name, used, name.len));
	if (semicolon && (used == 0 || used < name.len))
		give_text(h, SPAN_LIT(";"));
}

static const uint8_t *
s_reference(struct html *h, const uint8_t *p, const uint8_t *end)
{
	while (p < end && reference_byte(h->name, &h->name_len, sizeof h->name, *p))
		p++;
	if (p == end)
		return p;
	bool semicolon = *p == ';';

	end_reference(h, semicolon);
	return p + semicolon;
}

static const uint8_t *
s_open(struct html *h, const uint8_t *p, const uint8_t *end)
{
	if (is_alpha(*p)) {
		begin_tag(h, false);
		h->state = S_NAME;
	} else if (*p == '/') {
		h->state = S_CLOSE;
		return p + 1;
	} else if (*p == '!') {
		h->state = S_MARKUP;
		return p + 1;
	} else if (*p == '?') {
		h->odd.declarations++;
		h->state = S_BOGUS;
	} else {
		h->state = S_TEXT;
		give_text(h, SPAN_LIT("<"));
	}
	return p;
}

static const uint8_t *
s_close(struct html *h, const uint8_t *p, const uint8_t *end)
{
	if (is_alpha(*p)) {
		begin_tag(h, true);
		h->state = S_NAME;
	} else if (*p == '>') {
		h->odd.declarations++;
		h->state = S_TEXT;
		return p + 1;
	} else {
		h->odd.declarations++;
		h->state = S_BOGUS;
	}
	return p;
}

static const uint8_t *
s_name(struct html *h, const uint8_t *p, const uint8_t *end)
{
	p = take_name(h, p, end, 1);
	if (p == end)
		return p;
	h->tag.element = find_element(h);
	h->state = S_BEFORE;
	return p;
}

static const uint8_t *
s_before(struct html *h, const uint8_t *p, const uint8_t *end)
{
	while (p < end && (is_white(*p) || *p == '/'))
		p++;
	if (p == end)
		return p;
	if (*p == '>') {
		end_tag(h);
		return p + 1;
	}
	h->tag.attributes++;
	h->name_len = 0;
	h->state = S_ATTRIBUTE;
	/* A name may begin with '=', and then goes on. */
	if (*p == '=')
		h->name[h->name_len++] = *p++;
	return p;
}

static const uint8_t *
s_attribute(struct html *h, const uint8_t *p, const uint8_t *end)
{
	p = take_name(h, p, end, 2);
	if (p == end)
		return p;
	h->attribute = find_attribute(h);
	if (h->from[h->attribute] != 0)
		h->attribute = HTML_AT_NONE;
	if (h->attribute != HTML_AT_NONE) {
		h->from[h->attribute] = h->to[h->attribute] = h->values.to;
		h->kept[h->kept_count++] = (uint8_t)h->attribute;
	}
	h->state = S_AFTER;
	return p;
}

static const uint8_t *
s_after(struct html *h, const uint8_t *p, const uint8_t *end)
{
	while (p < end && is_white(*p))
		p++;
	if (p == end)
		return p;
	h->state = *p == '=' ? S_EQUALS : S_BEFORE;
	return p + (*p == '=');
}

static const uint8_t *
s_equals(struct html *h, const uint8_t *p, const uint8_t *end)
{
	while (p < end && is_white(*p))
		p++;
	if (p == end)
		return p;
	if (*p == '"' || *p == '\'') {
		h->quote = *p;
		h->state = S_QUOTED;
		return p + 1;
	}
	/* "<a href=>" */
	h->state = *p == '>' ? S_BEFORE : S_UNQUOTED;
	return p;
}

static void
keep_value(struct html *h, struct span bytes)
{
	size_t *to = &h->to[h->attribute];
	size_t room = HTML_VALUE_BYTES - (*to - h->from[h->attribute]);

	if (h->attribute == HTML_AT_NONE)
		return;
	if (bytes.len > room)
		h->tag.cut = true;
	buf_add(&h->values, span_slice(bytes, 0, bytes.len < room ? bytes.len : room));
	*to = h->values.to;
}

static const uint8_t *
s_quoted(struct html *h, const uint8_t *p, const uint8_t *end)
{
	const uint8_t *stop = memchr(p, h->quote, (size_t)(end - p));

	keep_value(h, (struct span){ p, (size_t)((stop != NULL ? stop : end) - p) });
	if (stop == NULL)
		return end;
	h->state = S_BEFORE;
	return stop + 1;
}

static const uint8_t *
s_unquoted(struct html *h, const uint8_t *p, const uint8_t *end)
{
	const uint8_t *stop = p;

	while (stop < end && !is_white(*stop) && *stop != '>')
		stop++;
	keep_value(h, (struct span){ p, (size_t)(stop - p) });
	if (stop < end)
		h->state = S_BEFORE;
	return stop;
}

/* After "<!": only "--" makes a comment. */
static const uint8_t *
s_markup(struct html *h, const uint8_t *p, const uint8_t *end)
{
	if (*p == '-' && h->name_len == 0) {
		h->name_len = 1;
		return p + 1;
	}
	if (*p == '-') {
		h->odd.comments++;
		h->name_len = 0;
		/* "<!-->" and "<!--->" are whole comments. */
		h->dashes = 2;
		h->state = S_COMMENT;
		return p + 1;
	}
	h->odd.declarations++;
	h->state = S_BOGUS;
	return p;
}

/* `dashes` counts those just before, at most 2; 3 is "--!". */
static const uint8_t *
s_comment(struct html *h, const uint8_t *p, const uint8_t *end)
{
	uint8_t c = *p;

	if (h->name_len < 3)
		h->name[h->name_len++] = to_lower(c);
	if (h->name_len == 3 && memcmp(h->name, "[if", 3) == 0)
		h->odd.conditional++, h->name[0] = 0;
	if (c == '>' && h->dashes >= 2) {
		h->state = S_TEXT;
		return p + 1;
	}
	h->odd.comment_bytes++;
	if (c == '-')
		h->dashes = h->dashes >= 3 ? 1 : (uint8_t)(h->dashes < 2 ? h->dashes + 1 : 2);
	else
		h->dashes = c == '!' && h->dashes == 2 && h->name_len > 1 ? 3 : 0;
	if (h->dashes > 0 || h->name_len < 3)
		return p + 1;
	const uint8_t *stop = memchr(p + 1, '-', (size_t)(end - p - 1));

	stop = stop != NULL ? stop : end;
	h->odd.comment_bytes += (uint64_t)(stop - p - 1);
	return stop;
}

static const uint8_t *
s_bogus(struct html *h, const uint8_t *p, const uint8_t *end)
{
	const uint8_t *stop = memchr(p, '>', (size_t)(end - p));

	if (stop == NULL)
		return end;
	h->state = S_TEXT;
	return stop + 1;
}

static const uint8_t *
s_raw_open(struct html *h, const uint8_t *p, const uint8_t *end)
{
	if (*p == '/') {
		h->name_len = 0;
		h->state = S_RAW_NAME;
		return p + 1;
	}
	h->state = S_TEXT;
	give_text(h, SPAN_LIT("<"));
	return p;
}

static void
give_raw_name(struct html *h)
{
	h->state = S_TEXT;
	give_text(h, SPAN_LIT("</"));
	give_text(h, (struct span){ h->name, h->name_len });
}

/* The name is compared lower case but given as it came. */
static const uint8_t *
s_raw_name(struct html *h, const uint8_t *p, const uint8_t *end)
{
	const char *raw = elements[h->raw].name;

	while (p < end && h->name_len < strlen(raw) &&
	    to_lower(*p) == (uint8_t)raw[h->name_len])
		h->name[h->name_len++] = *p++;
	if (p == end)
		return p;
	if (h->name_len < strlen(raw) || !(is_white(*p) || *p == '/' || *p == '>')) {
		give_raw_name(h);
		return p;
	}
	begin_tag(h, true);
	h->tag.element = h->raw;
	h->raw = HTML_OTHER;
	h->state = S_BEFORE;
	return p;
}

static const uint8_t *(*const states[STATES])(struct html *, const uint8_t *,
    const uint8_t *) = {
	[S_TEXT] = s_text, [S_REFERENCE] = s_reference, [S_OPEN] = s_open, [S_CLOSE] = s_close,
	[S_NAME] = s_name, [S_BEFORE] = s_before, [S_ATTRIBUTE] = s_attribute,
	[S_AFTER] = s_after, [S_EQUALS] = s_equals, [S_QUOTED] = s_quoted,
	[S_UNQUOTED] = s_unquoted, [S_MARKUP] = s_markup, [S_COMMENT] = s_comment,
	[S_BOGUS] = s_bogus, [S_RAW_OPEN] = s_raw_open, [S_RAW_NAME] = s_raw_name,
};

void
html_init(struct html *h, struct html_handler *handler)
{
	memset(h, 0, sizeof *h);
	h->handler = handler;
	buf_byte(&h->values, 0);
	for (size_t i = 1; i < HTML_ELEMENTS; i++)
		enter(h->elements, COUNT_OF(h->elements), elements[i].name, i);
	for (size_t i = 1; i < HTML_ATTRIBUTES; i++)
		enter(h->attributes, COUNT_OF(h->attributes), attributes[i].name, i);
}

void
html_feed(struct html *h, struct span in)
{
	const uint8_t *p = in.ptr, *end = in.ptr == NULL ? NULL : in.ptr + in.len;

	while (p < end)
		p = states[h->state](h, p, end);
}

void
html_finish(struct html *h)
{
	unsigned state = h->state;

	if (state == S_REFERENCE)
		end_reference(h, false);
	else if (state == S_OPEN || state == S_RAW_OPEN)
		give_text(h, SPAN_LIT("<"));
	else if (state == S_CLOSE)
		give_text(h, SPAN_LIT("</"));
	else if (state == S_RAW_NAME)
		give_raw_name(h);
	else
		h->odd.unfinished = state != S_TEXT;
	buf_free(&h->values);
}
