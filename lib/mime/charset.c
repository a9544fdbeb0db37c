/*
 * charset.c - see charset.h; table.c has the single-byte sets.
 *
 * Hostile names reach iconv only through the list below: some of its two hundred
 * converters have written beyond their buffers or ended the process.
 */
#include "lib/mime/charset.h"
#include "lib/base/arena.h"
#include "lib/mime/block.h"
#include "lib/mime/lane.h"
#include "lib/mime/table.h"
#include <errno.h>
#include <iconv.h>

#define NAME_BYTES 32u
#define REPLACEMENT 0xfffdu

enum form { FORM_UNKNOWN = 0, FORM_ASCII, FORM_UTF8, FORM_UTF16, FORM_UTF16LE, FORM_UTF16BE,
	FORM_UTF32, FORM_UTF32LE, FORM_UTF32BE, FORM_TABLE, FORM_ICONV };

static const char *const iconv_names[] = {
	"CP932", "EUC-JP-MS", "ISO-2022-JP", "GB18030", "BIG5-HKSCS", "CP949", "ISO-2022-KR",
	"UTF-7",
};
struct charsets { iconv_t open[COUNT_OF(iconv_names)]; };

/* Names in the form that fold_name gives them. */
static const struct { const char *name; enum form form; size_t index; } forms[] = {
	{ "", FORM_ASCII, 0 }, { "usascii", FORM_ASCII, 0 }, { "ascii", FORM_ASCII, 0 },
	{ "ansix341968", FORM_ASCII, 0 }, { "iso646us", FORM_ASCII, 0 }, { "us", FORM_ASCII, 0 },
	{ "utf8", FORM_UTF8, 0 }, { "unicode11utf8", FORM_UTF8, 0 },
	{ "utf16", FORM_UTF16, 0 }, { "utf16le", FORM_UTF16LE, 0 },
	{ "utf16be", FORM_UTF16BE, 0 }, { "ucs2", FORM_UTF16, 0 },
	{ "unicode", FORM_UTF16, 0 }, { "iso10646ucs2", FORM_UTF16, 0 },
	{ "utf32", FORM_UTF32, 0 }, { "utf32le", FORM_UTF32LE, 0 },
	{ "utf32be", FORM_UTF32BE, 0 },
	{ "shiftjis", FORM_ICONV, 0 }, { "sjis", FORM_ICONV, 0 }, { "cp932", FORM_ICONV, 0 },
	{ "windows31j", FORM_ICONV, 0 }, { "mskanji", FORM_ICONV, 0 },
	{ "xsjis", FORM_ICONV, 0 }, { "eucjp", FORM_ICONV, 1 }, { "xeucjp", FORM_ICONV, 1 },
	{ "iso2022jp", FORM_ICONV, 2 }, { "iso2022jpms", FORM_ICONV, 2 },
	{ "cp50220", FORM_ICONV, 2 }, { "gb2312", FORM_ICONV, 3 }, { "gbk", FORM_ICONV, 3 },
	{ "cp936", FORM_ICONV, 3 }, { "gb18030", FORM_ICONV, 3 }, { "euccn", FORM_ICONV, 3 },
	{ "xgbk", FORM_ICONV, 3 }, { "gb231280", FORM_ICONV, 3 }, { "big5", FORM_ICONV, 4 },
	{ "big5hkscs", FORM_ICONV, 4 }, { "cp950", FORM_ICONV, 4 }, { "xbig5", FORM_ICONV, 4 },
	{ "euckr", FORM_ICONV, 5 }, { "ksc56011987", FORM_ICONV, 5 },
	{ "ksc5601", FORM_ICONV, 5 }, { "cp949", FORM_ICONV, 5 }, { "uhc", FORM_ICONV, 5 },
	{ "iso2022kr", FORM_ICONV, 6 }, { "utf7", FORM_ICONV, 7 },
	{ "unicode11utf7", FORM_ICONV, 7 },
};

/* Other names of the tables. */
static const struct { const char *from, *to; } aliases[] = {
	{ "latin1", "iso88591" }, { "l1", "iso88591" }, { "cp819", "iso88591" },
	{ "latin2", "iso88592" }, { "latin5", "iso88599" }, { "latin9", "iso885915" },
	{ "latin10", "iso885916" }, { "iso88598i", "iso88598" }, { "iso88598e", "iso88598" },
	{ "tis620", "iso885911" }, { "cp874", "windows874" }, { "cp1250", "windows1250" },
	{ "cp1251", "windows1251" }, { "cp1252", "windows1252" }, { "cp1253", "windows1253" },
	{ "cp1254", "windows1254" }, { "cp1255", "windows1255" }, { "cp1256", "windows1256" },
	{ "cp1257", "windows1257" }, { "cp1258", "windows1258" }, { "ansi", "windows1252" },
	{ "xansi", "windows1252" }, { "cp437", "ibm437" }, { "cp850", "ibm850" },
	{ "cp852", "ibm852" }, { "cp866", "ibm866" }, { "mac", "macintosh" },
	{ "macroman", "macintosh" }, { "xmacroman", "macintosh" }, { "win1251", "windows1251" },
	{ "win1252", "windows1252" }, { "koi8", "koi8r" },
};

struct charsets *
charsets_create(void)
{
	struct charsets *c = must_alloc(sizeof *c);

	for (size_t i = 0; i < COUNT_OF(iconv_names); i++)
		c->open[i] = iconv_open("UTF-8", iconv_names[i]);
	return c;
}

void
charsets_destroy(struct charsets **c)
{
	if (*c == NULL)
		return;
	for (size_t i = 0; i < COUNT_OF(iconv_names); i++)
		if ((*c)->open[i] != (iconv_t)-1)
			iconv_close((*c)->open[i]);
	free(*c);
	*c = NULL;
}

/* "ISO_8859-1*en" is "iso88591". */
static void
fold_name(struct span name, char out[NAME_BYTES])
{
	size_t n = 0;

	for (size_t i = 0; i < name.len && n < NAME_BYTES - 1 && name.ptr[i] != '*'; i++)
		if (is_alpha(name.ptr[i]) || is_digit(name.ptr[i]))
			out[n++] = (char)to_lower(name.ptr[i]);
	out[n] = '\0';
}

static const struct charset_table *
find_table(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(aliases); i++)
		if (strcmp(name, aliases[i].from) == 0)
			name = aliases[i].to;
	for (size_t i = 0; i < charset_table_count; i++)
		if (strcmp(name, charset_tables[i].name) == 0)
			return &charset_tables[i];
	return NULL;
}

struct found { enum form form; const struct charset_table *table; iconv_t iconv; };

static struct found
find_charset(const struct charsets *c, struct span label)
{
	struct found f = { .form = FORM_UNKNOWN };
	char name[NAME_BYTES];

	fold_name(label, name);
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		if (strcmp(name, forms[i].name) != 0)
			continue;
		f.form = forms[i].form;
		if (f.form != FORM_ICONV)
			return f;
		if (c != NULL)
			f.iconv = c->open[forms[i].index];
		if (c == NULL || f.iconv == (iconv_t)-1)
			f.form = FORM_UNKNOWN;
		return f;
	}
	f.table = find_table(name);
	if (f.table != NULL)
		f.form = FORM_TABLE;
	return f;
}

bool
charset_known(const struct charsets *c, struct span name)
{
	return find_charset(c, name).form != FORM_UNKNOWN;
}

bool
utf8_put(struct buf *out, uint32_t c)
{
	if (c >= 0x110000 || (c >= 0xd800 && c < 0xe000))
		return false;
	if (c < 0x80) {
		buf_byte(out, (uint8_t)c);
		return true;
	}
	if (c < 0x800)
		buf_byte(out, (uint8_t)(0xc0 | c >> 6));
	else {
		if (c < 0x10000)
			buf_byte(out, (uint8_t)(0xe0 | c >> 12));
		else {
			buf_byte(out, (uint8_t)(0xf0 | c >> 18));
			buf_byte(out, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
		}
		buf_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_byte(out, (uint8_t)(0x80 | (c & 0x3f)));
	return true;
}

/* Bytes of the character at the front; 0: it is none. */
static size_t
utf8_length(struct span s)
{
	uint8_t c = s.ptr[0];
	size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : (c & 0xf0) == 0xe0 ? 3 :
	    c >= 0xf0 && c < 0xf5 ? 4 : 0;

	if (n > s.len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s.ptr[i] & 0xc0) != 0x80)
			return 0;
	if ((c == 0xe0 && s.ptr[1] < 0xa0) || (c == 0xed && s.ptr[1] >= 0xa0) ||
	    (c == 0xf0 && s.ptr[1] < 0x90) || (c == 0xf4 && s.ptr[1] >= 0x90))
		return 0;
	return n;
}

/* How many bytes of ASCII there are at the front. */
static size_t
ascii_length(struct span s)
{
	size_t n = 0, hit = LANE_BYTES;

	for (; hit == LANE_BYTES && s.len - n >= LANE_BYTES; n += hit)
		hit = lane_first(lane_load(s.ptr + n) & 0x80);
	while (n < s.len && s.ptr[n] < 0x80)
		n++;
	return n;
}

/*
 * What may come next, as a number of bits: a row a byte has the next state of every state at
 * its place, so that a step is one shift, and text of any language takes the same time.  One
 * of 1, 2, 3 bytes are wanted; or the second of a character that E0, ED, F0 or F4 begins
 * (RFC 3629 section 4).
 */
enum { U_START = 0, U_BAD = 6, U_ONE = 12, U_TWO = 18, U_THREE = 24, U_E0 = 30, U_ED = 36,
	U_F0 = 42, U_F4 = 48 };
#define U_OF(state, next) ((uint64_t)(next) << (state))
#define U_ALWAYS        U_OF(U_BAD, U_BAD)
#define U_NEVER         (U_ALWAYS | U_OF(U_ONE, U_BAD) | U_OF(U_TWO, U_BAD) | \
	U_OF(U_THREE, U_BAD) | U_OF(U_E0, U_BAD) | U_OF(U_ED, U_BAD) | U_OF(U_F0, U_BAD) | \
	U_OF(U_F4, U_BAD))
#define U_FIRST(next)   (U_NEVER | U_OF(U_START, next))
/* A later byte; which of the last four it may follow. */
#define U_LATER(e0, ed, f0, f4) (U_ALWAYS | U_OF(U_START, U_BAD) | U_OF(U_ONE, U_START) | \
	U_OF(U_TWO, U_ONE) | U_OF(U_THREE, U_TWO) | U_OF(U_E0, (e0) ? U_ONE : U_BAD) | \
	U_OF(U_ED, (ed) ? U_ONE : U_BAD) | U_OF(U_F0, (f0) ? U_TWO : U_BAD) | \
	U_OF(U_F4, (f4) ? U_TWO : U_BAD))

static const uint64_t utf8_rows[256] = {
	[0 ... 0x7f] = U_FIRST(U_START), [0x80 ... 0x8f] = U_LATER(0, 1, 0, 1),
	[0x90 ... 0x9f] = U_LATER(0, 1, 1, 0), [0xa0 ... 0xbf] = U_LATER(1, 0, 1, 0),
	[0xc0 ... 0xc1] = U_FIRST(U_BAD), [0xc2 ... 0xdf] = U_FIRST(U_ONE),
	[0xe0] = U_FIRST(U_E0), [0xe1 ... 0xec] = U_FIRST(U_TWO), [0xed] = U_FIRST(U_ED),
	[0xee ... 0xef] = U_FIRST(U_TWO), [0xf0] = U_FIRST(U_F0),
	[0xf1 ... 0xf3] = U_FIRST(U_THREE), [0xf4] = U_FIRST(U_F4),
	[0xf5 ... 0xff] = U_FIRST(U_BAD),
};

/* Whole blocks, up to one that has something bad: where a character begins. */
static size_t
utf8_blocks(struct span s)
{
	uint64_t state = U_START;
	size_t good = 0;

	for (size_t i = 0; s.len - i >= BLOCK_STEP; i += BLOCK_STEP) {
		if ((state & 63) != U_START || block_eight_bit(span_slice(s, i, i + BLOCK_STEP)))
			for (size_t k = 0; k < BLOCK_STEP; k++)
				state = utf8_rows[s.ptr[i + k]] >> (state & 63);
		if ((state & 63) == U_BAD)
			break;
		if ((state & 63) == U_START)
			good = i + BLOCK_STEP;
	}
	return good;
}

size_t
utf8_valid(struct span s)
{
	size_t i = utf8_blocks(s), n;

	for (; i < s.len; i += n) {
		struct span rest = span_slice(s, i, s.len);

		n = rest.ptr[0] < 0x80 ? ascii_length(rest) : utf8_length(rest);
		if (n == 0)
			break;
	}
	return i;
}

/* Room for one more character of at most 4 bytes. */
static bool
has_room(const struct buf *out, size_t from, size_t max)
{
	return buf_len(out) - from + 4 <= max;
}

static bool
convert_utf8(struct span s, size_t max, struct buf *out)
{
	size_t from = buf_len(out);
	bool good = true;

	for (size_t i = 0, n; i < s.len; i += n) {
		size_t valid = utf8_valid(span_slice(s, i, s.len));
		size_t room = max - (buf_len(out) - from);

		n = valid;
		if (n > room) {
			for (n = room; n > 0 && (s.ptr[i + n] & 0xc0) == 0x80;)
				n--;
			buf_add(out, span_slice(s, i, i + n));
			return false;
		}
		buf_add(out, span_slice(s, i, i + n));
		if (i + n == s.len)
			break;
		if (!has_room(out, from, max))
			return false;
		good = false;
		utf8_put(out, REPLACEMENT);
		n++;
	}
	return good;
}

static bool
convert_table(const uint16_t *upper, struct span s, size_t max, struct buf *out)
{
	size_t from = buf_len(out);
	bool good = true;

	for (size_t i = 0; i < s.len; i++) {
		uint32_t c = s.ptr[i] < 0x80 ? s.ptr[i] : upper[s.ptr[i] - 0x80];

		if (!has_room(out, from, max))
			return false;
		if (c == 0 && s.ptr[i] != 0) {
			good = false;
			c = REPLACEMENT;
		}
		utf8_put(out, c);
	}
	return good;
}

static uint32_t
unit(struct span s, size_t i, size_t bytes, bool big)
{
	uint32_t v = 0;

	for (size_t k = 0; k < bytes; k++)
		v |= (uint32_t)s.ptr[i + k] << 8 * (big ? bytes - 1 - k : k);
	return v;
}

/* Without a mark, the order in which ASCII text has its zeros first. */
static bool
guess_big(struct span s, size_t bytes, size_t *mark)
{
	*mark = 0;
	if (s.len < bytes)
		return true;
	if (unit(s, 0, bytes, true) == 0xfeff || unit(s, 0, bytes, false) == 0xfeff) {
		*mark = bytes;
		return unit(s, 0, bytes, true) == 0xfeff;
	}
	return s.ptr[0] == 0 || s.ptr[bytes - 1] != 0;
}

static bool
convert_wide(struct span s, size_t bytes, bool big, size_t at, size_t max, struct buf *out)
{
	size_t from = buf_len(out);
	bool good = s.len % bytes == 0;

	for (size_t i = at; i + bytes <= s.len; i += bytes) {
		uint32_t c = unit(s, i, bytes, big), low;

		if (!has_room(out, from, max))
			return false;
		if (bytes == 2 && c >= 0xd800 && c < 0xdc00 && i + 4 <= s.len &&
		    (low = unit(s, i + 2, 2, big)) >= 0xdc00 && low < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			i += 2;
		}
		if (!utf8_put(out, c)) {
			good = false;
			utf8_put(out, REPLACEMENT);
		}
	}
	return good;
}

static bool
convert_guess(struct span s, size_t bytes, size_t max, struct buf *out)
{
	size_t mark;
	bool big = guess_big(s, bytes, &mark);

	return convert_wide(s, bytes, big, mark, max, out);
}

static bool
convert_iconv(iconv_t with, struct span s, size_t max, struct buf *out)
{
	char *from = (char *)(uintptr_t)s.ptr, piece[1024];
	size_t left = s.len, start = buf_len(out);
	bool good = true;

	iconv(with, NULL, NULL, NULL, NULL);
	while (left > 0) {
		size_t room = max - (buf_len(out) - start);
		char *to = piece;
		size_t space = room < sizeof piece ? room : sizeof piece, had = left;
		size_t all = space;
		size_t r = iconv(with, &from, &left, &to, &space);

		buf_add(out, (struct span){ (uint8_t *)piece, all - space });
		if (r != (size_t)-1)
			break;
		if (errno == E2BIG && left == had && all == space)
			return false;
		if (errno == E2BIG)
			continue;
		if (!has_room(out, start, max))
			return false;
		good = false;
		utf8_put(out, REPLACEMENT);
		from++;
		left--;
	}
	return good;
}

static bool
convert_unknown(struct span s, size_t max, struct buf *out)
{
	if (utf8_valid(s) == s.len)
		convert_utf8(s, max, out);
	else
		convert_table(find_table("windows1252")->upper, s, max, out);
	return false;
}

bool
charset_convert(struct charsets *c, struct span name, struct span s, size_t max,
    struct buf *out)
{
	struct found f = find_charset(c, name);

	switch (f.form) {
	case FORM_ASCII:
	case FORM_UTF8:
		return utf8_valid(s) == s.len || f.form == FORM_UTF8 ?
		    convert_utf8(s, max, out) : convert_unknown(s, max, out);
	case FORM_UTF16:
		return convert_guess(s, 2, max, out);
	case FORM_UTF32:
		return convert_guess(s, 4, max, out);
	case FORM_UTF16LE:
	case FORM_UTF16BE:
		return convert_wide(s, 2, f.form == FORM_UTF16BE, 0, max, out);
	case FORM_UTF32LE:
	case FORM_UTF32BE:
		return convert_wide(s, 4, f.form == FORM_UTF32BE, 0, max, out);
	case FORM_TABLE:
		return convert_table(f.table->upper, s, max, out);
	case FORM_ICONV:
		return convert_iconv(f.iconv, s, max, out);
	case FORM_UNKNOWN:
		break;
	}
	return convert_unknown(s, max, out);
}
