/*
 * type_text.c - whether bytes are text, and of which kind.
 *
 * Only the first TEXT_BYTES are looked at.  UTF-16 and UTF-32 are narrowed to bytes first
 * (what is not ASCII becomes 0xff), so that each kind is told in one place.  Kinds with a
 * mark at the start come first, then headers of mail, then guesses from words; a text
 * that has hardly any of the punctuation of programs is not guessed at.
 */
#include "lib/content/kind.h"
#include "lib/mime/lane.h"

#define TEXT_CODE_MARKS 3       /* fewer of ( ) { } = ; $ @ % and it is prose */

/* 0: not in text.  1: in text.  2: in programs more than in prose. */
static const uint8_t byte_kinds[256] = {
	[7 ... 13] = 1, [0x1a ... 0x1b] = 1, [' ' ... '#'] = 1, ['$' ... '%'] = 2,
	['&' ... '\''] = 1, ['(' ... ')'] = 2, ['*' ... ':'] = 1, [';' ... '='] = 2,
	['>' ... '?'] = 1, ['@'] = 2, ['A' ... 'z'] = 1, ['{'] = 2, ['|'] = 1, ['}'] = 2,
	['~' ... 0xff] = 1,
};

struct tally { size_t strays, marks; bool nul; };

static void
tally_bytes(struct tally *t, struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		const uint8_t kind = byte_kinds[s.ptr[i]];

		t->nul |= s.ptr[i] == 0;
		t->strays += kind == 0;
		t->marks += kind == 2;
	}
}

/* Has a step of bytes something of kind 0, or of kind 2?  The same as the table. */
static bool
has_stray(lane v)
{
	return lane_first((lane)((v < 32) & ((v - 7) >= 7) & ((v - 26) >= 2))) < LANE_BYTES;
}

static bool
has_mark(lane v)
{
	lane pair = v & 0xfe;

	return lane_first((lane)((pair == '$') | (pair == '(') | ((v - ';') < 3) |
	    (v == '@') | (v == '{') | (v == '}'))) < LANE_BYTES;
}

/* A few stray controls do not make binary of a text, a NUL does.  Of random bytes every
   eleventh is no text.  Marks of programs are counted until they are enough. */
static bool
is_plain(struct span s, size_t *marks)
{
	const size_t most = s.len < 200 ? 0 : s.len / 50;
	struct tally t = { 0 };
	size_t i = 0;

	for (; i + LANE_BYTES <= s.len && !t.nul && t.strays <= most; i += LANE_BYTES) {
		lane v = lane_load(s.ptr + i);

		if (has_stray(v) || (t.marks < TEXT_CODE_MARKS && has_mark(v)))
			tally_bytes(&t, span_slice(s, i, i + LANE_BYTES));
	}
	if (!t.nul && t.strays <= most)
		tally_bytes(&t, span_slice(s, i, s.len));
	*marks = t.marks;
	return s.len > 0 && !t.nul && t.strays <= most;
}

struct wide { unsigned bytes; bool big; };

/* The units of UTF-16 and UTF-32 as bytes, or none if one is not fit for text. */
static size_t
narrow(struct span s, struct wide w, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i + w.bytes <= s.len; i += w.bytes) {
		uint32_t unit = 0;

		for (unsigned k = 0; k < w.bytes; k++)
			unit |= (uint32_t)s.ptr[i + k] << 8 * (w.big ?
			    w.bytes - 1 - k : k);
		if (unit == 0xfeff && i == 0)
			continue;
		if (unit > 0x10ffff || (unit & 0xfffe) == 0xfffe ||
		    (unit < 0x80 && byte_kinds[unit] == 0))
			return 0;
		out[n++] = unit < 0x80 ? (uint8_t)unit : 0xff;
	}
	return n;
}

/* By the mark at the start, or by the zeros of letters in ASCII: every other byte. */
static bool
find_wide(struct span s, struct wide *w)
{
	size_t even = 0, odd = 0;

	if (s.len >= 4 && memcmp(s.ptr, "\xff\xfe\0\0", 4) == 0)
		return *w = (struct wide){ 4, false }, true;
	if (s.len >= 4 && memcmp(s.ptr, "\0\0\xfe\xff", 4) == 0)
		return *w = (struct wide){ 4, true }, true;
	if (s.len >= 2 && s.ptr[0] == 0xff && s.ptr[1] == 0xfe)
		return *w = (struct wide){ 2, false }, true;
	if (s.len >= 2 && s.ptr[0] == 0xfe && s.ptr[1] == 0xff)
		return *w = (struct wide){ 2, true }, true;
	for (size_t i = 0; i + 1 < s.len && i < 64; i += 2) {
		even += s.ptr[i] == 0;
		odd += s.ptr[i + 1] == 0;
	}
	*w = (struct wide){ 2, even > odd };
	return s.len >= 8 && (even == 0 || odd == 0) &&
	    (even + odd) * 8 > (s.len < 64 ? s.len : 64) * 3;
}

static enum file_type
kind_of(struct span text, size_t marks)
{
	static enum file_type (*const marked[])(struct span) = { kind_start, kind_mail,
		kind_markup, kind_json, kind_pdf };
	enum file_type type = FILE_UNKNOWN;

	for (size_t i = 0; type == FILE_UNKNOWN && i < COUNT_OF(marked); i++)
		type = marked[i](text);
	if (type == FILE_UNKNOWN && marks >= TEXT_CODE_MARKS)
		type = kind_program(text);
	if (type == FILE_UNKNOWN)
		type = kind_table(text);
	return type == FILE_UNKNOWN ? FILE_TEXT : type;
}

enum file_type
look_text(const struct look *l)
{
	struct span start = span_slice(l->head, 0,
	    l->head.len < TEXT_BYTES ? l->head.len : TEXT_BYTES);
	uint8_t bytes[TEXT_BYTES];
	struct wide w;
	size_t marks;

	if (start.len >= 3 && memcmp(start.ptr, "\xef\xbb\xbf", 3) == 0)
		start = span_slice(start, 3, start.len);
	if (is_plain(start, &marks) && !(start.len >= 2 && start.ptr[0] >= 0xfe &&
	    start.ptr[1] >= 0xfe))
		return kind_of(start, marks);
	if (find_wide(start, &w)) {
		struct span text = { bytes, narrow(start, w, bytes) };

		return is_plain(text, &marks) ? kind_of(text, marks) : FILE_UNKNOWN;
	}
	/* a browser shows HTML, and a reader a PDF, whatever bytes are in it */
	if (kind_html(start) != FILE_UNKNOWN)
		return kind_html(start);
	return kind_pdf(start);
}
