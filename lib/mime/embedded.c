/*
 * embedded.c - what encodings are called, which to try, and files in plain text.
 * See decode.h.
 */
#include "lib/mime/comment.h"
#include "lib/mime/decode.h"

#define GUESS_BYTES 4096u

static const struct { const char *name; enum encoding encoding; } names[] = {
	{ "7bit", ENCODING_NONE }, { "8bit", ENCODING_NONE }, { "binary", ENCODING_NONE },
	{ "base64", ENCODING_BASE64 }, { "quoted-printable", ENCODING_QUOTED },
	{ "x-uuencode", ENCODING_UU }, { "uuencode", ENCODING_UU }, { "x-uue", ENCODING_UU },
	{ "uue", ENCODING_UU }, { "x-uu", ENCODING_UU }, { "uu", ENCODING_UU },
	{ "x-uuencoded", ENCODING_UU }, { "yenc", ENCODING_YENC }, { "x-yenc", ENCODING_YENC },
	{ "x-yencode", ENCODING_YENC }, { "binhex", ENCODING_BINHEX },
	{ "x-binhex", ENCODING_BINHEX }, { "binhex40", ENCODING_BINHEX },
	{ "x-binhex40", ENCODING_BINHEX }, { "mac-binhex40", ENCODING_BINHEX },
	{ "mac-binhex", ENCODING_BINHEX },
};

const char *
encoding_name(enum encoding e)
{
	static const char *const words[] = {
		"none", "base64", "quoted-printable", "uuencode", "yenc", "binhex", "unknown",
	};

	return words[e];
}

/* Into out, which is large enough for every known name: lower case, no comments. */
static struct span
strip(struct span s, uint8_t out[64], bool lenient)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len && n < 64; i++) {
		uint8_t c = s.ptr[i];

		if (c == '(')
			i += comment_length(span_slice(s, i, s.len)) - 1;
		else if (c > ' ' && (!lenient || (c != '"' && c != '\'' && c != '\\')))
			out[n++] = to_lower(c);
		else if (c == ' ' && n > 0 && !lenient)
			out[n++] = c;
	}
	return span_trim((struct span){ out, n });
}

static bool
holds(struct span s, const char *what)
{
	return s.len > 0 && memmem(s.ptr, s.len, what, strlen(what)) != NULL;
}

static enum encoding
guess_name(struct span s)
{
	bool b64 = holds(s, "64"), qp = holds(s, "quoted") || holds(s, "printable");

	if (b64 && qp)
		return ENCODING_UNKNOWN;
	if (b64 || qp)
		return b64 ? ENCODING_BASE64 : ENCODING_QUOTED;
	if (holds(s, "uu"))
		return ENCODING_UU;
	if (holds(s, "yenc"))
		return ENCODING_YENC;
	if (holds(s, "binhex") || holds(s, "hqx"))
		return ENCODING_BINHEX;
	if (holds(s, "7") || holds(s, "8") || holds(s, "bin"))
		return ENCODING_NONE;
	return ENCODING_UNKNOWN;
}

enum encoding
encoding_parse(struct span value, bool lenient)
{
	uint8_t text[64];
	struct span s = strip(value, text, lenient);

	if (s.len == 0)
		return ENCODING_NONE;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (span_equal(s, span_text(names[i].name)))
			return names[i].encoding;
	return lenient ? guess_name(s) : ENCODING_UNKNOWN;
}

/* Guesses. */

static struct span
line_at(struct span text, size_t at, size_t *next)
{
	size_t n = span_find(span_slice(text, at, text.len), '\n');

	*next = at + n < text.len ? at + n + 1 : text.len;
	if (n > 0 && text.ptr[at + n - 1] == '\r')
		n--;
	return span_slice(text, at, at + n);
}

static bool
looks_base64(struct span s)
{
	size_t good = 0;

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i];

		if (is_alpha(c) || is_digit(c) || c == '+' || c == '/' || c == '=')
			good++;
		else if (c > ' ')
			return false;
	}
	return good >= 8;
}

static bool
looks_quoted(struct span s)
{
	size_t escapes = 0;

	for (size_t i = 0; i + 2 < s.len; i++)
		if (s.ptr[i] == '=' && s.ptr[i + 1] < 'g' && s.ptr[i + 2] < 'g' &&
		    (is_digit(s.ptr[i + 1]) || is_alpha(s.ptr[i + 1]) || s.ptr[i + 1] <= '\r'))
			escapes++;
	return escapes > 0;
}

static enum encoding
guess_bytes(struct span body)
{
	struct span s = span_slice(body, 0, body.len < GUESS_BYTES ? body.len : GUESS_BYTES);
	struct embedded e;
	size_t at = 0;

	if (embedded_next(body, &at, &e))
		return e.encoding;
	if (looks_base64(s))
		return ENCODING_BASE64;
	return looks_quoted(s) ? ENCODING_QUOTED : ENCODING_NONE;
}

struct decode_way
decode_first(enum encoding e, struct span body)
{
	return (struct decode_way){ e == ENCODING_UNKNOWN ? guess_bytes(body) : e,
		DECODE_GO_ON };
}

size_t
decode_others(enum encoding e, unsigned flaws, struct span body,
    struct decode_way out[DECODE_OTHERS])
{
	enum encoding first = decode_first(e, body).encoding;
	size_t n = 0;

	if (first == ENCODING_BASE64 && flaws & DECODE_PADDING)
		for (enum decode_manner m = DECODE_STOP; m <= DECODE_GROUP; m++)
			out[n++] = (struct decode_way){ first, m };
	if (first == ENCODING_BASE64 && flaws & DECODE_INSIDE)
		out[n++] = (struct decode_way){ first, DECODE_LINE_JUNK };
	if (first == ENCODING_BASE64 && flaws & DECODE_BROKEN)
		out[n++] = (struct decode_way){ first, DECODE_RESET };
	if (first == ENCODING_QUOTED && flaws & DECODE_ESCAPE)
		out[n++] = (struct decode_way){ first, DECODE_SKIP };
	for (enum encoding k = ENCODING_NONE; e == ENCODING_UNKNOWN && k <= ENCODING_QUOTED; k++)
		if (k != first && n < DECODE_OTHERS)
			out[n++] = (struct decode_way){ k, DECODE_GO_ON };
	/* A label of base64 over an encoding that says itself what it is. */
	if (first != ENCODING_NONE && first == e && n < DECODE_OTHERS &&
	    (flaws & (DECODE_JUNK | DECODE_ESCAPE)) != 0) {
		struct embedded b;
		size_t at = 0;

		if (embedded_next(body, &at, &b) && b.encoding != e)
			out[n++] = (struct decode_way){ b.encoding, DECODE_GO_ON };
	}
	return n;
}

/* Files in text. */

static bool
uu_line(struct span line)
{
	if (line.len == 0 || line.ptr[0] < ' ' || line.ptr[0] > '`')
		return false;
	size_t want = ((unsigned)(line.ptr[0] - ' ') & 0x3f) + 2;

	want = want / 3 * 4;
	for (size_t i = 1; i < line.len; i++)
		if (line.ptr[i] < ' ' || line.ptr[i] > '`')
			return false;
	return line.len + 1 >= want && line.len <= want + 3;
}

/* "begin 644 name"; what follows must look like it, for people begin sentences so. */
static bool
uu_begin(struct span text, size_t at, struct embedded *e)
{
	size_t next, i = 6, after;
	struct span line = line_at(text, at, &next);

	while (i < line.len && i < 10 && is_digit(line.ptr[i]))
		i++;
	if (i < 9 || i >= line.len || line.ptr[i] != ' ')
		return false;
	e->encoding = ENCODING_UU;
	e->name = span_trim(span_slice(line, i, line.len));
	e->from = at;
	if (next == text.len || !uu_line(line_at(text, next, &after)))
		return false;
	for (at = next; at < text.len; at = next) {
		line = line_at(text, at, &next);
		if (span_equal_nocase(span_trim(line), SPAN_LIT("end"))) {
			e->ended = true;
			at = next;
			break;
		}
		if (line.len > 0 && !uu_line(line))
			break;
	}
	e->to = at;
	return true;
}

static void
to_line(struct span text, struct embedded *e, size_t at, const char *last)
{
	size_t next;

	e->to = text.len;
	for (; at < text.len; at = next) {
		struct span line = line_at(text, at, &next);

		if (span_starts_nocase(line, span_text(last))) {
			e->ended = true;
			e->to = next;
			return;
		}
	}
}

static bool
base64_begin(struct span text, size_t at, struct embedded *e)
{
	size_t next;
	struct span line = line_at(text, at, &next);
	size_t name = 13 + span_find(span_slice(line, 13, line.len), ' ');

	*e = (struct embedded){ .encoding = ENCODING_BASE64, .from = next,
		.name = span_trim(span_slice(line, name, line.len)) };
	to_line(text, e, next, "====");
	return e->to > e->from;
}

static bool
yenc_begin(struct span text, size_t at, struct embedded *e)
{
	size_t next;
	struct span line = line_at(text, at, &next);
	const uint8_t *p = memmem(line.ptr, line.len, " name=", 6);

	if (p == NULL)
		return false;
	*e = (struct embedded){ .encoding = ENCODING_YENC, .from = at, .name =
		span_trim(span_slice(line, (size_t)(p - line.ptr) + 6, line.len)) };
	to_line(text, e, next, "=yend");
	return true;
}

static bool
binhex_begin(struct span text, size_t at, struct embedded *e)
{
	size_t next;

	line_at(text, at, &next);
	/* Blank lines may stand between, but nothing long. */
	size_t room = text.len - next < 1000 ? text.len - next : 1000;
	const uint8_t *first = memchr(text.ptr + next, ':', room);

	if (first == NULL)
		return false;
	size_t data = (size_t)(first - text.ptr) + 1;
	size_t end = data + span_find(span_slice(text, data, text.len), ':');

	*e = (struct embedded){ .encoding = ENCODING_BINHEX, .from = at, .to = end,
		.ended = end < text.len };
	e->to += e->ended;
	return true;
}

static const struct {
	struct span word;
	bool (*begin)(struct span, size_t, struct embedded *);
} begins[] = {
	{ SPAN_LIT("begin "), uu_begin },
	{ SPAN_LIT("begin-base64 "), base64_begin },
	{ SPAN_LIT("=ybegin "), yenc_begin },
	{ SPAN_LIT("(This file must be converted with BinHex"), binhex_begin },
};

static bool
begin_at(struct span text, size_t at, struct embedded *e)
{
	struct span rest = span_slice(text, at, text.len);

	*e = (struct embedded){ .encoding = ENCODING_NONE };
	for (size_t i = 0; i < COUNT_OF(begins); i++)
		if (span_starts_nocase(rest, begins[i].word) && begins[i].begin(text, at, e))
			return true;
	return false;
}

#define STEP 64u

/* May a line begin here that begins a file?  Most text goes by without a closer look. */
static bool
step_has_begin(const uint8_t *p)
{
	uint8_t any = 0;

	for (size_t k = 0; k < STEP; k++)
		any |= (uint8_t)((p[k] == '\n') & (((p[k + 1] | 0x20) == 'b') |
		    (p[k + 1] == '=') | (p[k + 1] == '(')));
	return any != 0;
}

/* The first line at or behind `at`; `at` is where a line begins, or inside one. */
static size_t
next_candidate(struct span text, size_t at)
{
	for (;;) {
		while (at + STEP + 1 <= text.len && !step_has_begin(text.ptr + at))
			at += STEP;
		struct span rest = span_slice(text, at, text.len < at + STEP ? text.len : at + STEP);
		size_t n = span_find(rest, '\n');

		if (n < rest.len)
			return at + n + 1;
		at += rest.len;
		if (at >= text.len)
			return text.len;
	}
}

bool
embedded_next(struct span text, size_t *at, struct embedded *e)
{
	size_t i = *at;

	while (i < text.len) {
		uint8_t c = text.ptr[i];

		if ((c == 'b' || c == 'B' || c == '=' || c == '(') && begin_at(text, i, e)) {
			*at = e->to;
			return true;
		}
		i = next_candidate(text, i);
	}
	*at = text.len;
	return false;
}
