/*
 * style.c - see style.h.
 */
#include "lib/content/style.h"
#include "lib/content/letter.h"

#define OUTSIDE 500.0f          /* pixels that no reader scrolls */
#define SMALL 1.34f             /* a point is 4/3 pixels         */

#define IS(s, literal) span_equal_nocase((s), SPAN_LIT(literal))
#define STARTS(s, literal) span_starts_nocase((s), SPAN_LIT(literal))

/* The first word of *s, taken off; parentheses hold a word together. */
static struct span
next_word(struct span *s)
{
	unsigned depth = 0;
	size_t i = 0;

	*s = trim_white(*s);
	for (; i < s->len && (depth > 0 || !is_white(s->ptr[i])); i++) {
		depth += s->ptr[i] == '(';
		depth -= s->ptr[i] == ')' && depth > 0;
	}
	struct span word = span_slice(*s, 0, i);

	*s = span_slice(*s, i, s->len);
	return word;
}

/* --- numbers and colours --------------------------------------------------------- */

/* Taken off the front. */
static bool
take_number(struct span *s, float *out)
{
	bool minus = s->len > 0 && s->ptr[0] == '-';
	size_t i = minus || (s->len > 0 && s->ptr[0] == '+'), digits = 0;
	float value = 0, place = 1;

	for (; i < s->len && is_digit(s->ptr[i]); i++, digits++)
		value = value > 1e6f ? value : value * 10 + (float)(s->ptr[i] - '0');
	if (i < s->len && s->ptr[i] == '.')
		for (i++; i < s->len && is_digit(s->ptr[i]); i++, digits++)
			value += (float)(s->ptr[i] - '0') * (place /= 10);
	*out = minus ? -value : value;
	*s = span_slice(*s, i, s->len);
	return digits > 0;
}

static const struct { const char *name; float pixels; } units[] = {
	{ "px", 1 }, { "pt", 4.0f / 3 }, { "pc", 16 }, { "in", 96 }, { "cm", 37.8f },
	{ "mm", 3.78f }, { "rem", 16 }, { "vw", 8 }, { "vh", 6 },
};

bool
style_length(struct span s, float base, float *out)
{
	s = trim_white(s);
	if (!take_number(&s, out))
		return false;
	if (s.len == 0 || IS(s, "!important"))
		return true;
	if (s.ptr[0] == '%')
		*out *= base / 100;
	else if (STARTS(s, "em"))
		*out *= base;
	else if (STARTS(s, "ex") || STARTS(s, "ch"))
		*out *= base / 2;
	for (size_t i = 0; i < COUNT_OF(units); i++)
		if (to_lower(s.ptr[0]) == (uint8_t)units[i].name[0] &&
		    span_starts_nocase(s, span_text(units[i].name)))
			*out *= units[i].pixels;
	return true;
}

static const struct { const char *name; uint32_t value; } colors[] = {
	{ "white", 0xffffff }, { "black", 0 }, { "red", 0xff0000 }, { "green", 0x8000 },
	{ "lime", 0xff00 }, { "blue", 0xff }, { "yellow", 0xffff00 }, { "aqua", 0xffff },
	{ "cyan", 0xffff }, { "fuchsia", 0xff00ff }, { "magenta", 0xff00ff },
	{ "gray", 0x808080 }, { "grey", 0x808080 }, { "silver", 0xc0c0c0 },
	{ "maroon", 0x800000 }, { "navy", 0x80 }, { "olive", 0x808000 },
	{ "purple", 0x800080 }, { "teal", 0x8080 }, { "orange", 0xffa500 },
	{ "snow", 0xfffafa }, { "ivory", 0xfffff0 }, { "azure", 0xf0ffff },
	{ "beige", 0xf5f5dc }, { "linen", 0xfaf0e6 }, { "whitesmoke", 0xf5f5f5 },
	{ "ghostwhite", 0xf8f8ff }, { "floralwhite", 0xfffaf0 }, { "aliceblue", 0xf0f8ff },
	{ "mintcream", 0xf5fffa }, { "honeydew", 0xf0fff0 }, { "seashell", 0xfff5ee },
	{ "gainsboro", 0xdcdcdc }, { "lightgray", 0xd3d3d3 }, { "lightgrey", 0xd3d3d3 },
	{ "darkgray", 0xa9a9a9 }, { "darkgrey", 0xa9a9a9 }, { "dimgray", 0x696969 },
	{ "darkblue", 0x8b }, { "darkred", 0x8b0000 }, { "darkgreen", 0x6400 },
	{ "transparent", STYLE_CLEAR },
};

static bool
hex_color(struct span s, uint32_t *out)
{
	uint32_t value = 0;

	if (s.len != 3 && s.len != 4 && s.len != 6 && s.len != 8)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (hex_value(s.ptr[i]) > 15)
			return false;
		value = value << 4 | hex_value(s.ptr[i]);
		if (s.len < 6)
			value = value << 4 | hex_value(s.ptr[i]);
	}
	if (s.len == 4 || s.len == 8) {
		*out = (value & 0xff) < 16 ? STYLE_CLEAR : value >> 8;
		return true;
	}
	*out = value;
	return true;
}

/* "rgb(1, 2, 3)", "rgba(1 2 3 / 0.5)"; percent too. */
static bool
function_color(struct span s, uint32_t *out)
{
	float part[4] = { 0, 0, 0, 1 };
	size_t n = 0;

	s = span_slice(s, span_find(s, '('), s.len);
	while (s.len > 0 && n < 4) {
		float number;

		if (!take_number(&s, &number)) {
			s = span_slice(s, s.len > 0, s.len);
			continue;
		}
		part[n] = number;
		if (s.len > 0 && s.ptr[0] == '%')
			part[n] *= n < 3 ? 2.55f : 0.01f;
		n++;
	}
	*out = 0;
	for (size_t i = 0; i < 3; i++) {
		float c = part[i] < 0 ? 0 : part[i] > 255 ? 255 : part[i];

		*out = *out << 8 | (uint32_t)c;
	}
	if (part[3] <= 0.05f)
		*out = STYLE_CLEAR;
	return n >= 3;
}

bool
style_color(struct span s, uint32_t *out)
{
	s = trim_white(s);
	if (s.len == 0 || s.len > 64)
		return false;
	if (s.ptr[0] == '#')
		return hex_color(span_slice(s, 1, s.len), out);
	if (STARTS(s, "rgb"))
		return function_color(s, out);
	for (size_t i = 0; i < COUNT_OF(colors); i++)
		if (span_equal_nocase(s, span_text(colors[i].name)))
			return *out = colors[i].value, true;
	/* Attributes know "ffffff" too. */
	return s.len == 6 && hex_color(s, out);
}

/* --- properties ------------------------------------------------------------------ */

static void
set_display(struct style *s, struct span value, struct span name)
{
	s->gone = STARTS(value, "none");
}

static void
set_visibility(struct style *s, struct span value, struct span name)
{
	s->invisible = STARTS(value, "hidden") || STARTS(value, "collapse");
}

static void
set_font_size(struct style *s, struct span value, struct span name)
{
	style_length(value, s->font, &s->font);
}

/* "bold 12px/14px Arial": the size is the first word that is a length with a unit or 0. */
static void
set_font(struct style *s, struct span value, struct span name)
{
	for (struct span word = next_word(&value); word.len > 0; word = next_word(&value)) {
		struct span rest = span_slice(word, 0, span_find(word, '/'));
		struct span size = rest;
		float number;

		if (take_number(&rest, &number) && (rest.len > 0 || number < 50)) {
			style_length(size, s->font, &s->font);
			return;
		}
	}
}

static void
set_color(struct style *s, struct span value, struct span name)
{
	style_color(next_word(&value), &s->color);
}

static void
set_background(struct style *s, struct span value, struct span name)
{
	bool image = false;
	uint32_t color = STYLE_CLEAR;

	for (struct span word = next_word(&value); word.len > 0; word = next_word(&value)) {
		uint32_t found;

		image |= STARTS(word, "url(") ||
		    memmem(word.ptr, word.len, "gradient", 8) != NULL;
		if (color == STYLE_CLEAR && style_color(word, &found))
			color = found;
	}
	if (image)
		s->background = STYLE_UNKNOWN;
	else if (color != STYLE_CLEAR)
		s->background = color;
}

static void
set_opacity(struct style *s, struct span value, struct span name)
{
	float number;

	if (style_length(value, 1, &number) && number <= 0.05f)
		s->hides |= HIDES_OPACITY;
}

/* width, height and their max-: the least counts. */
static void
set_box(struct style *s, struct span value, struct span name)
{
	bool wide = to_lower(name.ptr[name.len - 2]) == 't' &&
	    to_lower(name.ptr[name.len - 3]) == 'd';
	float *side = wide ? &s->width : &s->height, number;

	if (style_length(value, 600, &number) && number >= 0 &&
	    (*side < 0 || number < *side))
		*side = number;
}

static void
set_overflow(struct style *s, struct span value, struct span name)
{
	s->clips = !STARTS(value, "visible");
}

static void
set_indent(struct style *s, struct span value, struct span name)
{
	style_length(value, 600, &s->indent);
}

static void
set_position(struct style *s, struct span value, struct span name)
{
	s->placed = STARTS(value, "absolute") || STARTS(value, "fixed") ||
	    STARTS(value, "relative");
}

static void
set_offset(struct style *s, struct span value, struct span name)
{
	float number;

	if (!style_length(value, 600, &number))
		return;
	if (to_lower(name.ptr[0]) == 'm') {
		if (number < -OUTSIDE)
			s->hides |= HIDES_POSITION;
		return;
	}
	number = number < 0 ? -number : number / 8;
	s->offset = number > s->offset ? number : s->offset;
}

/* clip: rect(0, 0, 0, 0), rect(1px ...); clip-path: inset(50%...) */
static void
set_clip(struct style *s, struct span value, struct span name)
{
	float number, edge = 0;
	size_t zeros = 0, n = 0;

	if (STARTS(value, "inset")) {
		value = span_slice(value, span_find(value, '('), value.len);
		value = span_slice(value, value.len > 0, value.len);
		if (style_length(value, 100, &edge) && edge >= 50)
			s->hides |= HIDES_BOX;
		return;
	}
	while (value.len > 0 && n < 4) {
		if (take_number(&value, &number)) {
			n++;
			zeros += number >= 0 && number <= 1;
		} else {
			value = span_slice(value, value.len > 0, value.len);
		}
	}
	if (n == 4 && zeros == 4)
		s->hides |= HIDES_BOX;
}

static void
set_transform(struct style *s, struct span value, struct span name)
{
	float number;
	struct span inside = span_slice(value, span_find(value, '('), value.len);

	inside = span_slice(inside, inside.len > 0, inside.len);
	if (!take_number(&inside, &number))
		return;
	if (STARTS(value, "scale") && number <= 0.05f && number >= -0.05f)
		s->hides |= HIDES_BOX;
	if (STARTS(value, "translate") && (number < -OUTSIDE || number > 5000))
		s->hides |= HIDES_POSITION;
}

static const struct property {
	const char *name;
	void (*set)(struct style *, struct span value, struct span name);
} properties[] = {
	{ "background", set_background }, { "background-color", set_background },
	{ "background-image", set_background },
	{ "clip", set_clip }, { "clip-path", set_clip }, { "color", set_color },
	{ "display", set_display },
	{ "font", set_font }, { "font-size", set_font_size },
	{ "height", set_box },
	{ "left", set_offset },
	{ "margin-left", set_offset }, { "margin-top", set_offset },
	{ "max-height", set_box }, { "max-width", set_box },
	{ "opacity", set_opacity }, { "overflow", set_overflow },
	{ "position", set_position },
	{ "right", set_offset },
	{ "text-indent", set_indent }, { "top", set_offset }, { "transform", set_transform },
	{ "visibility", set_visibility },
	{ "width", set_box },
};

static void
set_property(struct style *s, struct span name, struct span value)
{
	name = trim_white(name);
	if (name.len < 3)
		return;
	uint8_t first = to_lower(name.ptr[0]);

	for (size_t i = 0; i < COUNT_OF(properties); i++)
		if ((uint8_t)properties[i].name[0] == first &&
		    span_equal_nocase(name, span_text(properties[i].name))) {
			properties[i].set(s, trim_white(value), name);
			return;
		}
}

/* Where the declaration that begins at `at` ends; the offset of its colon in *colon. */
static size_t
declaration_end(struct span d, size_t at, size_t *colon)
{
	unsigned depth = 0;
	uint8_t quote = 0;

	*colon = d.len;
	for (size_t i = at; i < d.len; i++) {
		uint8_t c = d.ptr[i];

		if (c > ';')
			continue;
		if (quote != 0)
			quote = c == quote ? 0 : quote;
		else if (c == '"' || c == '\'')
			quote = c;
		else if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == ':' && *colon == d.len)
			*colon = i;
		else if (c == ';' && depth == 0)
			return i;
	}
	return d.len;
}

static void
apply_plain(struct style *s, struct span d)
{
	size_t colon;

	for (size_t at = 0; at < d.len;) {
		size_t end = declaration_end(d, at, &colon);

		if (colon < end)
			set_property(s, span_slice(d, at, colon),
			    span_slice(d, colon + 1, end));
		at = end + 1;
	}
}

/* Without comments and escapes: "dis\70lay" is display. */
static size_t
clean(struct span d, uint8_t out[HTML_VALUE_BYTES])
{
	size_t to = 0;

	for (size_t i = 0; i < d.len && to < HTML_VALUE_BYTES; i++) {
		if (d.ptr[i] == '/' && i + 1 < d.len && d.ptr[i + 1] == '*') {
			const uint8_t *end = memmem(d.ptr + i + 2, d.len - i - 2, "*/", 2);

			if (end == NULL)
				break;
			i = (size_t)(end + 1 - d.ptr);
			continue;
		}
		if (d.ptr[i] != '\\' || i + 1 == d.len) {
			out[to++] = d.ptr[i];
			continue;
		}
		unsigned c = 0;
		size_t digits = 0;

		while (digits < 6 && i + 1 < d.len && hex_value(d.ptr[i + 1]) < 16) {
			c = c << 4 | hex_value(d.ptr[++i]);
			digits++;
		}
		if (digits == 0)
			c = d.ptr[++i];
		else if (i + 1 < d.len && is_white(d.ptr[i + 1]))
			i++;
		out[to++] = c < 0x80 ? (uint8_t)c : '?';
	}
	return to;
}

void
style_apply(struct style *s, struct span d)
{
	uint8_t plain[HTML_VALUE_BYTES];

	if (d.len == 0)
		return;
	if (memchr(d.ptr, '\\', d.len) != NULL || (memchr(d.ptr, '/', d.len) != NULL &&
	    memmem(d.ptr, d.len, "/*", 2) != NULL))
		d = (struct span){ plain, clean(d, plain) };
	apply_plain(s, d);
}

/* --- styles ---------------------------------------------------------------------- */

struct style
style_first(void)
{
	return (struct style){ .color = 0, .background = 0xffffff, .font = 16,
	    .width = -1, .height = -1 };
}

struct style
style_child(const struct style *parent)
{
	struct style s = *parent;

	s.clips = s.placed = s.gone = false;
	s.offset = 0;
	s.width = s.height = -1;
	return s;
}

static bool
small(float side)
{
	return side >= 0 && side <= SMALL;
}

bool
style_tiny(const struct style *s)
{
	return small(s->width) || small(s->height);
}

bool
style_dot(const struct style *s)
{
	return small(s->width) && small(s->height);
}

void
style_settle(struct style *s)
{
	if (s->gone)
		s->hides |= HIDES_DISPLAY;
	if (style_tiny(s) && s->clips)
		s->hides |= HIDES_BOX;
	if (s->placed && s->offset > OUTSIDE)
		s->hides |= HIDES_POSITION;
}

static bool
colors_near(uint32_t a, uint32_t b)
{
	int distance = 0;

	for (unsigned shift = 0; shift < 24; shift += 8)
		distance += abs((int)(a >> shift & 0xff) - (int)(b >> shift & 0xff));
	return distance <= 48;
}

unsigned
style_hides(const struct style *s)
{
	unsigned hides = s->hides;

	if (s->invisible)
		hides |= HIDES_VISIBILITY;
	if (s->font <= SMALL)
		hides |= HIDES_SIZE;
	if (s->indent < -OUTSIDE || s->indent > 5000)
		hides |= HIDES_INDENT;
	if (s->color == STYLE_CLEAR ||
	    (s->background != STYLE_UNKNOWN && colors_near(s->color, s->background)))
		hides |= HIDES_COLOR;
	return hides;
}

/* --- style blocks ---------------------------------------------------------------- */

static size_t
hash_name(struct span name)
{
	size_t h = 0;

	for (size_t i = 0; i < name.len; i++)
		h = h * 31 + to_lower(name.ptr[i]);
	return (h ^ h >> 8) & 0xff;
}

/* tag, .class, tag.class, #id: nothing else. */
static bool
simple(struct span selector)
{
	size_t marks = 0;

	for (size_t i = 0; i < selector.len; i++) {
		uint8_t c = selector.ptr[i];

		if (c == '.' || c == '#')
			marks++;
		else if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '_')
			return false;
	}
	return selector.len > 0 && selector.len < 64 && marks <= 1;
}

/* The part that rules are found by: what stands behind '.' or '#', else the tag. */
static struct span
key(struct span selector)
{
	size_t mark = span_find(selector, '.');

	if (mark == selector.len)
		mark = span_find(selector, '#');
	return mark == selector.len ? selector : span_slice(selector, mark + 1, selector.len);
}

static void
add_rule(struct style_sheet *sheet, struct span selector, struct span declarations)
{
	if (!simple(selector) || sheet->count == STYLE_RULES)
		return;
	size_t slot = hash_name(key(selector)), n = sheet->count++;

	sheet->rules[n] = (struct style_rule){ .selector = selector,
	    .declarations = declarations };
	sheet->next[n] = 0;
	/* Behind those of its name: later rules win. */
	uint8_t *link = &sheet->slots[slot];

	while (*link != 0)
		link = &sheet->next[*link - 1];
	*link = (uint8_t)(n + 1);
}

static void
add_rules(struct style_sheet *sheet, struct span selectors, struct span declarations)
{
	while (selectors.len > 0) {
		size_t comma = span_find(selectors, ',');

		add_rule(sheet, trim_white(span_slice(selectors, 0, comma)), declarations);
		selectors = span_slice(selectors, comma + (comma < selectors.len),
		    selectors.len);
	}
}

/* Behind the bracket that closes the one before `at`. */
static size_t
skip_braces(struct span b, size_t at)
{
	for (unsigned depth = 1; at < b.len && depth > 0; at++) {
		depth += b.ptr[at] == '{';
		depth -= b.ptr[at] == '}';
	}
	return at;
}

/* "<!--" and "-->" around a sheet mean nothing; comments go. */
static struct span
strip_sheet(struct span b, struct arena *arena)
{
	uint8_t *p = arena_alloc(arena, b.len + 1);
	size_t to = 0;

	for (size_t i = 0; i < b.len; i++) {
		struct span rest = span_slice(b, i, b.len);

		if (b.ptr[i] == '/' && STARTS(rest, "/*")) {
			const uint8_t *end = rest.len < 4 ? NULL :
			    memmem(rest.ptr + 2, rest.len - 2, "*/", 2);

			if (end == NULL)
				break;
			i = (size_t)(end + 1 - b.ptr);
		} else if (b.ptr[i] == '<' && STARTS(rest, "<!--")) {
			i += 3;
		} else if (b.ptr[i] == '-' && STARTS(rest, "-->")) {
			i += 2;
		} else {
			p[to++] = b.ptr[i];
		}
	}
	return (struct span){ p, to };
}

void
style_sheet_add(struct style_sheet *sheet, struct span b, struct arena *arena)
{
	size_t room = STYLE_SHEET_BYTES - sheet->bytes;

	b = strip_sheet(span_slice(b, 0, b.len < room ? b.len : room), arena);
	sheet->bytes += b.len;
	for (size_t at = 0; at < b.len;) {
		struct span rest = span_slice(b, at, b.len);
		size_t open = span_find(rest, '{'), semicolon = span_find(rest, ';');
		struct span selectors = trim_white(span_slice(rest, 0, open));
		bool special = selectors.len > 0 && selectors.ptr[0] == '@';

		if (special && semicolon < open) {
			at += semicolon + 1;
			continue;
		}
		if (open == rest.len)
			return;
		size_t close = skip_braces(b, at + open + 1);

		if (!special)
			add_rules(sheet, selectors, span_slice(b, at + open + 1, close));
		at = close;
	}
}

/* Does the selector's tag, if it names one, fit? */
static bool
fits_tag(struct span selector, char mark, const struct html_tag *tag)
{
	size_t at = mark != 0 ? span_find(selector, (uint8_t)mark) : selector.len;

	if (at == selector.len && mark != 0)
		return false;
	return (at == 0 && mark != 0) || span_equal_nocase(span_slice(selector, 0, at),
	    span_text(html_element_name(tag->element)));
}

static bool
same_style(const struct style *a, const struct style *b)
{
	return a->color == b->color && a->background == b->background &&
	    a->font == b->font && a->indent == b->indent && a->hides == b->hides &&
	    a->invisible == b->invisible && a->clips == b->clips &&
	    a->placed == b->placed && a->width == b->width && a->height == b->height &&
	    a->offset == b->offset && a->gone == b->gone;
}

static void
apply_rule(struct style_rule *r, struct style *s)
{
	if (!r->used || !same_style(&r->before, s)) {
		r->used = true;
		r->before = *s;
		style_apply(s, r->declarations);
		r->after = *s;
	}
	*s = r->after;
}

/* Many long rules on many tags would cost their product: what is applied is counted. */
static void
apply_named(struct style_sheet *sheet, struct span name, char mark,
    const struct html_tag *tag, struct style *s)
{
	for (size_t i = sheet->slots[hash_name(name)]; i != 0; i = sheet->next[i - 1]) {
		struct style_rule *r = &sheet->rules[i - 1];

		sheet->applied += 16;
		if (sheet->applied > STYLE_APPLIED)
			return;
		if (!span_equal_nocase(key(r->selector), name) ||
		    !fits_tag(r->selector, mark, tag))
			continue;
		sheet->applied += r->declarations.len;
		apply_rule(r, s);
	}
}

void
style_sheet_apply(struct style_sheet *sheet, const struct html_tag *tag,
    struct style *s)
{
	struct span classes = tag->value[HTML_AT_CLASS], id = tag->value[HTML_AT_ID];

	if (sheet->count == 0)
		return;
	apply_named(sheet, span_text(html_element_name(tag->element)), 0, tag, s);
	/* Many classes on one element are not worth more. */
	for (unsigned n = 0; n < 8; n++) {
		struct span word = next_word(&classes);

		if (word.len == 0)
			break;
		apply_named(sheet, word, '.', tag, s);
	}
	if (id.len > 0)
		apply_named(sheet, trim_white(id), '#', tag, s);
}
