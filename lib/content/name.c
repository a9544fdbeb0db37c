/*
 * name.c - see name.h.
 *
 * The name is taken character by character into `base`, each liberty noted: first the
 * meaning of a character (mark, dot, separator, look-alike), then of the parts.
 */
#include "lib/content/name.h"

struct extension_row { const char *extension; enum file_type type; bool runs; };

static const struct extension_row extensions[] = {
#define EXTENSION(extension, type, runs) { extension, FILE_##type, runs },
#include "lib/content/extension_list.h"
#undef EXTENSION
};

static const char *const flag_names[] = { "bidi", "invisible", "lookalike", "control",
    "nul",
	"path", "clsid", "version", "stream", "dot", "percent", "trailing", "padded",
	"double",
	"cut", "bad-utf8", "runs", "device" };

static const char *const claim_names[] = {
	[CLAIM_NONE] = "none", [CLAIM_AGREES] = "agrees", [CLAIM_BROADER] = "broader",
	[CLAIM_DIFFERS] = "differs", [CLAIM_DISGUISES] = "disguises",
};

/* Extensions. */

static int
compare(struct span have, const char *want)
{
	size_t n = strlen(want);
	int order = memcmp(have.ptr, want, have.len < n ? have.len : n);

	return order != 0 ? order : have.len < n ? -1 : have.len > n;
}

/* The first row of an extension, or COUNT_OF(extensions). */
static size_t
first_row(struct span extension)
{
	size_t low = 0, high = COUNT_OF(extensions);

	if (extension.len == 0)
		return high;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare(extension, extensions[middle].extension) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < COUNT_OF(extensions) &&
	    compare(extension, extensions[low].extension) == 0 ?
	    low : COUNT_OF(extensions);
}

static bool
is_row_of(size_t i, struct span extension)
{
	return i < COUNT_OF(extensions) &&
	    compare(extension, extensions[i].extension) == 0;
}

enum file_type
extension_type(struct span extension)
{
	size_t i = first_row(extension);

	return i < COUNT_OF(extensions) ? extensions[i].type : FILE_UNKNOWN;
}

bool
extension_runs(struct span extension)
{
	size_t i = first_row(extension);

	return i < COUNT_OF(extensions) && extensions[i].runs;
}

bool
extension_fits(struct span extension, enum file_type type)
{
	for (size_t i = first_row(extension); is_row_of(i, extension); i++)
		if (extensions[i].type != FILE_UNKNOWN &&
		    (file_type_is(type, extensions[i].type) ||
		    (type != FILE_UNKNOWN && file_type_is(extensions[i].type, type))))
			return true;
	return false;
}

const char *
extension_usual(enum file_type type)
{
	const char *name = file_type_row(type)->name;

	if (type == FILE_UNKNOWN)
		return "";
	if (extension_type(span_text(name)) == type)
		return name;
	for (size_t i = 0; i < COUNT_OF(extensions); i++)
		if (extensions[i].type == type)
			return extensions[i].extension;
	return "";
}

/* Characters. */

struct text { struct span rest; unsigned flags; };

/* The bytes that a first byte of UTF-8 promises, 0 if it is none, and its bits. */
static unsigned
utf8_length(uint8_t c, uint32_t *bits)
{
	if (c >= 0xc2 && c < 0xe0)
		return *bits = c & 0x1fu, 2;
	if (c >= 0xe0 && c < 0xf0)
		return *bits = c & 0xfu, 3;
	if (c >= 0xf0 && c < 0xf5)
		return *bits = c & 7u, 4;
	return 0;
}

/* The next character; a byte that is not UTF-8 is itself, as in Latin-1. */
static uint32_t
next_character(struct text *t)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t c = t->rest.ptr[0], value = 0;
	unsigned n = c < 0x80 ? 1 : utf8_length((uint8_t)c, &value);
	size_t i = 1;

	while (i < n && i < t->rest.len && (t->rest.ptr[i] & 0xc0) == 0x80)
		value = value << 6 | (t->rest.ptr[i++] & 0x3fu);
	if (c >= 0x80 && (n == 0 || i < n || value < least[n] || value > 0x10ffff ||
	    (value >= 0xd800 && value < 0xe000))) {
		t->flags |= NAME_BAD_UTF8;
		n = 1;
	} else if (n > 1) {
		c = value;
	}
	t->rest = span_slice(t->rest, n, t->rest.len);
	return c;
}

static bool
hex(uint8_t c, uint32_t *value)
{
	if (is_digit(c))
		*value = c - '0';
	else if (to_lower(c) >= 'a' && to_lower(c) <= 'f')
		*value = to_lower(c) - 'a' + 10u;
	else
		return false;
	return true;
}

/* "%2e" is one character. */
static uint32_t
next_unescaped(struct text *t)
{
	uint32_t c = next_character(t), high, low;

	if (c != '%' || t->rest.len < 2 || !hex(t->rest.ptr[0], &high) ||
	    !hex(t->rest.ptr[1], &low) || high * 16 + low >= 0x80)
		return c;
	t->flags |= NAME_PERCENT | (high * 16 + low == '.' ? NAME_DOT : 0);
	t->rest = span_slice(t->rest, 2, t->rest.len);
	return high * 16 + low;
}

static bool
is_bidi(uint32_t c)
{
	return c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069);
}

static bool
is_invisible(uint32_t c)
{
	return c == 0xad || c == 0x34f || c == 0x115f || c == 0x1160 || c == 0x17b4 ||
	    c == 0x17b5 || (c >= 0x180b && c <= 0x180e) || (c >= 0x200b && c <= 0x200d) ||
	    (c >= 0x2060 && c <= 0x2065) || (c >= 0x206a && c <= 0x206f) || c == 0x3164 ||
	    (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff || c == 0xffa0 ||
	    (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

/* Characters that look like a mark of ASCII, to which they are brought. */
static const struct { uint16_t character; uint8_t like; } marks[] = {
	{ 0x0701, '.' }, { 0x0702, '.' }, { 0x2024, '.' }, { 0x3002, '.' },
	{ 0xa4f8, '.' },
	{ 0xfe52, '.' }, { 0xff0e, '.' }, { 0xff61, '.' }, { 0x06d4, '.' },
	{ 0x2044, '/' }, { 0x2215, '/' }, { 0x29f8, '/' }, { 0xff0f, '/' },
	{ 0x2571, '/' },
	{ 0x29f5, '\\' }, { 0x29f9, '\\' }, { 0xff3c, '\\' }, { 0xfe68, '\\' },
	{ 0x2216, '\\' },
	{ 0xa789, ':' }, { 0x2236, ':' }, { 0xff1a, ':' }, { 0x02d0, ':' },
	{ 0x00a0, ' ' }, { 0x1680, ' ' }, { 0x202f, ' ' }, { 0x205f, ' ' },
	{ 0x3000, ' ' },
	{ 0x2800, ' ' },
};

/* Letters of other scripts that are drawn as an ASCII one (lower case). */
static const struct { uint16_t character; uint8_t like; } letters[] = {
	{ 0x0131, 'i' }, { 0x0251, 'a' }, { 0x0261, 'g' }, { 0x0391, 'a' },
	{ 0x0392, 'b' },
	{ 0x0395, 'e' }, { 0x0396, 'z' }, { 0x0397, 'h' }, { 0x0399, 'i' },
	{ 0x039a, 'k' },
	{ 0x039c, 'm' }, { 0x039d, 'n' }, { 0x039f, 'o' }, { 0x03a1, 'p' },
	{ 0x03a4, 't' },
	{ 0x03a5, 'y' }, { 0x03a7, 'x' }, { 0x03b1, 'a' }, { 0x03b9, 'i' },
	{ 0x03bd, 'v' },
	{ 0x03bf, 'o' }, { 0x03c1, 'p' }, { 0x03c5, 'u' }, { 0x03c7, 'x' },
	{ 0x0405, 's' },
	{ 0x0406, 'i' }, { 0x0408, 'j' }, { 0x0410, 'a' }, { 0x0412, 'b' },
	{ 0x0415, 'e' },
	{ 0x041a, 'k' }, { 0x041c, 'm' }, { 0x041d, 'h' }, { 0x041e, 'o' },
	{ 0x0420, 'p' },
	{ 0x0421, 'c' }, { 0x0422, 't' }, { 0x0423, 'y' }, { 0x0425, 'x' },
	{ 0x0430, 'a' },
	{ 0x0435, 'e' }, { 0x043e, 'o' }, { 0x0440, 'p' }, { 0x0441, 'c' },
	{ 0x0443, 'y' },
	{ 0x0445, 'x' }, { 0x0455, 's' }, { 0x0456, 'i' }, { 0x0458, 'j' },
	{ 0x04bb, 'h' },
	{ 0x04cf, 'l' }, { 0x0501, 'd' }, { 0x051b, 'q' }, { 0x051d, 'w' },
	{ 0x0570, 'h' },
	{ 0x0578, 'n' }, { 0x057d, 'u' }, { 0x0585, 'o' },
};

/* The mark that c looks like, or c. */
static uint32_t
like_mark(uint32_t c, unsigned *flags)
{
	if (c >= 0x2000 && c <= 0x200a)
		return ' ';
	for (size_t i = 0; i < COUNT_OF(marks); i++)
		if (marks[i].character == c) {
			*flags |= marks[i].like == '.' ? NAME_DOT : 0;
			return marks[i].like;
		}
	return c;
}

/* The ASCII letter or digit that c is drawn as, or 0. */
static uint8_t
like_letter(uint32_t c)
{
	if (c >= 0xff01 && c <= 0xff5e)
		return to_lower((uint8_t)(c - 0xfee0));
	if (c >= 0x1d400 && c <= 0x1d6a3)       /* mathematical alphabets, 26 + 26 each */
		return (uint8_t)('a' + (c - 0x1d400) % 26);
	for (size_t i = 0; i < COUNT_OF(letters); i++)
		if (letters[i].character == c)
			return letters[i].like;
	return 0;
}

static bool
is_other_letter(uint32_t c)
{
	return (c >= 0x370 && c <= 0x3ff) || (c >= 0x400 && c <= 0x58f);
}

struct reader {
	struct arena *arena;
	uint8_t *out;
	size_t   len;
	unsigned flags;
	size_t   part;          /* where the last word began                            */
	bool     latin, alike, other;   /* letters of the last word: ASCII, look-alikes of
	                                   ASCII, and others              */
};

static void
put_utf8(struct reader *r, uint32_t c)
{
	if (c < 0x80) {
		r->out[r->len++] = to_lower((uint8_t)c);
		return;
	}
	if (c < 0x800) {
		r->out[r->len++] = (uint8_t)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			r->out[r->len++] = (uint8_t)(0xe0 | c >> 12);
		} else {
			r->out[r->len++] = (uint8_t)(0xf0 | c >> 18);
			r->out[r->len++] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
		}
		r->out[r->len++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	}
	r->out[r->len++] = (uint8_t)(0x80 | (c & 0x3f));
}

/* A word ends: its letters are of one script, or that is noted. */
static void
end_word(struct reader *r)
{
	if (r->alike && r->latin && !r->other)
		r->flags |= NAME_LOOKALIKE;
	r->latin = r->alike = r->other = false;
}

static void
note_letter(struct reader *r, uint32_t c)
{
	if (c < 0x80 && is_alpha((uint8_t)c))
		r->latin = true;
	else if (like_letter(c) != 0)
		r->alike = true;
	else if (is_other_letter(c))
		r->other = true;
	else if (c < 0x80 && !is_digit((uint8_t)c))
		end_word(r);
}

static void
read_character(struct reader *r, uint32_t c)
{
	if (c == 0) {
		r->flags |= NAME_NUL;
		return;
	}
	if (is_bidi(c) || is_invisible(c)) {
		r->flags |= is_bidi(c) ? NAME_BIDI : NAME_INVISIBLE;
		return;
	}
	if (c < ' ' || (c >= 0x7f && c < 0xa0)) {
		r->flags |= NAME_CONTROL;
		if (c != '\t' && c != '\n' && c != '\r')
			return;
		c = ' ';
	}
	c = like_mark(c, &r->flags);
	note_letter(r, c);
	put_utf8(r, c);
}

static void
read_characters(struct reader *r, struct span in)
{
	struct text t = { .rest = in };

	while (t.rest.len > 0)
		read_character(r, next_unescaped(&t));
	r->flags |= t.flags;
}

/* Parts. */

static bool
is_end(uint8_t c)
{
	return c == ' ' || c == '.';
}

static struct span
without_end(struct span s, unsigned *flags)
{
	while (s.len > 0 && is_end(s.ptr[s.len - 1])) {
		s.len--;
		*flags |= NAME_TRAILING;
	}
	return s;
}

static struct span
without_path(struct span s, unsigned *flags)
{
	for (size_t i = s.len; i > 0; i--)
		if (s.ptr[i - 1] == '/' || s.ptr[i - 1] == '\\' ||
		    (s.ptr[i - 1] == ':' && i == 2 && is_alpha(s.ptr[0]))) {
			*flags |= NAME_PATH;
			return span_slice(s, i, s.len);
		}
	return s;
}

/* "a.txt:b.exe" names the stream b.exe; "a.exe::$data" and "a.exe:zone" are a.exe. */
static struct span
without_stream(struct span s, unsigned *flags)
{
	size_t colon = span_find(s, ':');
	struct span stream;

	if (colon == s.len || colon == 0)
		return s;
	stream = span_slice(s, colon + 1, s.len);
	stream.len = span_find(stream, ':');
	*flags |= NAME_STREAM;
	return span_find(stream, '.') < stream.len ? stream : span_slice(s, 0, colon);
}

/* ";1" of ISO 9660. */
static struct span
without_version(struct span s, unsigned *flags)
{
	size_t n = s.len;

	while (n > 0 && is_digit(s.ptr[n - 1]))
		n--;
	if (n < 2 || n == s.len || s.ptr[n - 1] != ';')
		return s;
	*flags |= NAME_VERSION;
	return span_slice(s, 0, n - 1);
}

static bool
is_clsid(struct span s)
{
	static const char form[] = "{xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx}";
	uint32_t value;

	if (s.len != sizeof form - 1)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (form[i] == 'x' ? !hex(s.ptr[i], &value) :
		    s.ptr[i] != (uint8_t)form[i])
			return false;
	return true;
}

static bool
has_padding(struct span s)
{
	size_t run = 0;

	for (size_t i = 0; i < s.len; i++) {
		run = s.ptr[i] == ' ' ? run + 1 : 0;
		if (run >= 4)
			return true;
	}
	return false;
}

static bool
is_device(struct span base)
{
	static const char *const devices[] = { "con", "prn", "aux", "nul", "conin$",
	    "conout$" };
	struct span stem = span_slice(base, 0, span_find(base, '.'));

	stem = span_trim(stem);
	for (size_t i = 0; i < COUNT_OF(devices); i++)
		if (span_equal(stem, span_text(devices[i])))
			return true;
	return stem.len == 4 && stem.ptr[3] >= '1' && stem.ptr[3] <= '9' &&
	    (memcmp(stem.ptr, "com", 3) == 0 || memcmp(stem.ptr, "lpt", 3) == 0);
}

/* The extension with its look-alikes as ASCII, if that is one we know; else as it is. */
static struct span
plain_extension(struct reader *r, struct span extension)
{
	uint8_t *out = arena_alloc(r->arena, extension.len + 1);
	struct text t = { .rest = extension };
	size_t n = 0;
	bool alike = false;

	while (t.rest.len > 0) {
		uint32_t c = next_character(&t);
		uint8_t like = c < 0x80 ? (uint8_t)c : like_letter(c);

		if (like == 0)
			return extension;
		alike |= c >= 0x80;
		out[n++] = like;
	}
	if (!alike)
		return extension;
	r->flags |= NAME_LOOKALIKE;
	return (struct span){ out, n };
}

/* From the last one; between dots, without the blanks around. */
static void
read_extensions(struct name *name, struct reader *r)
{
	struct span rest = name->base;

	for (size_t i = rest.len; i > 0; i--) {
		struct span one;

		if (rest.ptr[i - 1] != '.' || i == 1)
			continue;
		if (name->extension_count == NAME_EXTENSIONS) {
			r->flags |= NAME_CUT;
			return;
		}
		one = plain_extension(r, span_trim(span_slice(rest, i, rest.len)));
		rest.len = i - 1;
		if (one.len == 0)
			continue;
		r->flags |= is_clsid(one) ? NAME_CLSID : 0;
		name->extensions[name->extension_count++] = one;
	}
}

static bool
is_harmless(struct span extension)
{
	enum file_type type = extension_type(extension);

	return type != FILE_UNKNOWN && !extension_runs(extension);
}

static void
judge_extensions(struct name *name)
{
	const struct span *e = name->extensions;

	for (unsigned i = 0; i < name->extension_count; i++)
		if (extension_runs(e[i]))
			name->flags |= NAME_RUNS;
	for (unsigned i = 1; i < name->extension_count; i++)
		if (extension_runs(e[0]) && is_harmless(e[i]))
			name->flags |= NAME_DOUBLE;
	if (name->extension_count > 0)
		name->claim = extension_type(e[0]);
}

static void
read_parts(struct name *name, struct reader *r)
{
	struct span s = { r->out, r->len };

	s = without_path(without_end(s, &r->flags), &r->flags);
	s = without_stream(s, &r->flags);
	s = without_version(without_end(s, &r->flags), &r->flags);
	s = without_end(s, &r->flags);
	if (has_padding(s))
		r->flags |= NAME_PADDED;
	if (is_device(s))
		r->flags |= NAME_DEVICE;
	name->base = s;
	read_extensions(name, r);
}

void
name_read(struct name *name, struct span text, struct arena *arena)
{
	/* a byte that is not UTF-8 becomes two */
	struct reader r = { .arena = arena,
	    .out = arena_alloc(arena, 2 * NAME_BYTES + 8) };
	struct span first = text, last = SPAN_NONE;

	*name = (struct name){ 0 };
	if (text.len > NAME_BYTES) {
		r.flags |= NAME_CUT;
		first = span_slice(text, 0, NAME_BYTES / 2);
		last = span_slice(text, text.len - NAME_BYTES / 2, text.len);
	}
	read_characters(&r, first);
	read_characters(&r, last);
	end_word(&r);
	read_parts(name, &r);
	name->flags = r.flags;
	judge_extensions(name);
}

const char *
name_flag(unsigned n)
{
	return n < COUNT_OF(flag_names) ? flag_names[n] : NULL;
}

/* Claims. */

const char *
claim_name(enum claim claim)
{
	return claim_names[claim <= CLAIM_DISGUISES ? claim : CLAIM_NONE];
}

/* Content that acts: it runs, or it holds files that may. */
static bool
acts(enum file_type type)
{
	const struct file_type_row *row = file_type_row(type);

	return (row->flags & FILE_RUNS) != 0 || row->class == CLASS_EXECUTABLE ||
	    row->class == CLASS_SCRIPT || row->class == CLASS_ARCHIVE;
}

enum claim
claim_judge(enum file_type claimed, enum file_type found)
{
	if (claimed == FILE_UNKNOWN || found == FILE_UNKNOWN || found == FILE_EMPTY)
		return CLAIM_NONE;
	if (claimed == found)
		return CLAIM_AGREES;
	if (file_type_is(claimed, found) || file_type_is(found, claimed))
		return CLAIM_BROADER;
	return acts(found) && !acts(claimed) ? CLAIM_DISGUISES : CLAIM_DIFFERS;
}

enum claim
name_judge(const struct name *name, enum file_type found)
{
	enum claim best = CLAIM_NONE;

	if (name->extension_count == 0)
		return CLAIM_NONE;
	for (size_t i = first_row(name->extensions[0]);
	    is_row_of(i, name->extensions[0]); i++) {
		enum claim one = claim_judge(extensions[i].type, found);

		if (best == CLAIM_NONE || (one != CLAIM_NONE && one < best))
			best = one;
	}
	return best;
}

enum claim
media_type_judge(struct span media, enum file_type found)
{
	enum file_type claimed = file_type_of_media_type(media);
	enum claim claim = claim_judge(claimed, found);

	/* several types share a media type: doc and old doc */
	media = span_trim(span_slice(media, 0, span_find(media, ';')));
	if (claim > CLAIM_BROADER && span_equal_nocase(media,
	    span_text(file_type_row(found)->media_type)))
		return CLAIM_AGREES;
	return claim;
}
