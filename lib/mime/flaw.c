/*
 * flaw.c - what is wrong with the fields of a header.  See flaw.h.
 */
#include "lib/mime/flaw.h"
#include "lib/mime/block.h"
#include "lib/mime/charset.h"

#define LINE_BYTES 998u

static const struct { const char *name, *text; } kinds[FLAW_KINDS] = {
	{ "field-syntax", "Invalid header field syntax" },
	{ "field-name", "Invalid header field name, contains non-ASCII char" },
	{ "field-blank", "Improper folded header field made up entirely of whitespace" },
	{ "field-long", "Header line longer than 998 characters" },
	{ "field-control", "Improper use of control character" },
	{ "field-eight-bit", "Non-encoded non-ASCII data (and not UTF-8)" },
	{ "field-c0", "UTF-8 string contains C0 Controls" },
	{ "field-c1", "UTF-8 string contains C1 Controls" },
	{ "field-utf8", "Non-encoded UTF-8 string in non-EAI mail" },
	{ "field-missing", "Missing required header field" },
	{ "field-twice", "Header field occurs more than once" },
	{ "nul", "NUL in a header" },
	{ "no-end", "Header section without an empty line" },
	{ "header-cut", "Header section too large" },
	{ "too-deep", "Parts nested too deep" },
	{ "too-many", "Too many parts" },
	{ "too-many-names", "Too many file names for one part" },
	{ "truncated", "Multipart without its last boundary" },
	{ "no-boundary", "Multipart without a boundary" },
	{ "boundary", "Boundary that is not allowed" },
	{ "type", "Content-Type that cannot be read" },
	{ "parameter", "Parameters that cannot be read" },
	{ "encoding", "Unknown or misplaced Content-Transfer-Encoding" },
};

const char *
mime_flaw_text(enum mime_flaw_kind k)
{
	return kinds[k].text;
}

const char *
mime_flaw_name(enum mime_flaw_kind k)
{
	return kinds[k].name;
}

struct checker {
	struct span bytes;
	const struct header *h;
	bool eai, controls;             /* controls: there are some in the section */
	struct flaw_sink *to;
};

static void
report(const struct checker *c, enum mime_flaw_kind kind, uint64_t at, struct span field)
{
	struct mime_flaw f = { .kind = kind, .at = at, .field = field };

	c->to->add(c->to, &f);
}

static size_t
find_control(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '\0' || (s.ptr[i] == '\r' &&
		    (i + 1 == s.len || s.ptr[i + 1] != '\n')))
			return i;
	return s.len;
}

static bool
has_c0(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < ' ' && strchr("\t\r\n", s.ptr[i]) == NULL)
			return true;
	return false;
}

static bool
has_c1(struct span s)
{
	for (size_t i = 0; i + 1 < s.len; i++)
		if (s.ptr[i] == 0xc2 && s.ptr[i + 1] >= 0x80 && s.ptr[i + 1] < 0xa0)
			return true;
	return false;
}

static void
check_eight_bit(const struct checker *c, const struct header_field *f, struct span whole)
{
	size_t good = utf8_valid(whole);

	if (good < whole.len) {
		report(c, FLAW_FIELD_EIGHT_BIT, f->at + good, f->name);
		return;
	}
	if (has_c0(whole))
		report(c, FLAW_FIELD_C0, f->at, f->name);
	if (has_c1(whole))
		report(c, FLAW_FIELD_C1, f->at, f->name);
	if (!c->eai)
		report(c, FLAW_FIELD_UTF8, f->at, f->name);
}

/* Lines of a folded field: too long, or nothing but blanks. */
static void
check_lines(const struct checker *c, const struct header_field *f, struct span whole)
{
	bool is_long = false, blank = false;

	for (size_t at = 0, n; at < whole.len; at += n + 1) {
		n = span_find(span_slice(whole, at, whole.len), '\n');
		struct span line = span_slice(whole, at, at + n);

		if (line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (line.len > LINE_BYTES && !is_long)
			report(c, FLAW_FIELD_LONG, f->at + at, f->name);
		if (at > 0 && span_trim(line).len == 0 && !blank)
			report(c, FLAW_FIELD_BLANK, f->at + at, f->name);
		is_long |= line.len > LINE_BYTES;
		blank |= at > 0 && span_trim(line).len == 0;
	}
}

static bool
name_is_ascii(struct span whole)
{
	for (size_t i = 0; i < whole.len && whole.ptr[i] != ':'; i++)
		if (whole.ptr[i] >= 0x80)
			return false;
	return true;
}

static void
check_syntax(const struct checker *c, const struct header_field *f, struct span whole)
{
	/* The mark of an mbox is not the mail's. */
	if (f->name.len > 0 || (f->at == 0 && span_starts_nocase(whole, SPAN_LIT("From "))))
		return;
	report(c, name_is_ascii(whole) ? FLAW_FIELD_SYNTAX : FLAW_FIELD_NAME, f->at, SPAN_NONE);
}

static void
check_field(const struct checker *c, const struct header_field *f)
{
	struct span whole = span_slice(c->bytes, (size_t)f->at, (size_t)(f->at + f->len));

	if (whole.len > 0 && whole.ptr[whole.len - 1] == '\n')
		whole.len--;
	if (whole.len > 0 && whole.ptr[whole.len - 1] == '\r')
		whole.len--;
	check_syntax(c, f, whole);
	if (whole.len > LINE_BYTES || span_find(whole, '\n') < whole.len)
		check_lines(c, f, whole);
	if (c->controls) {
		size_t at = find_control(whole);

		if (at < whole.len)
			report(c, FLAW_FIELD_CONTROL, f->at + at, f->name);
	}
	if (c->h->eight_bit && block_eight_bit(whole))
		check_eight_bit(c, f, whole);
}

/* RFC 5322 section 3.6, and what amavisd-new counts with it. */
static const struct span singles[] = {
	SPAN_LIT("Date"), SPAN_LIT("From"), SPAN_LIT("Sender"), SPAN_LIT("Reply-To"),
	SPAN_LIT("To"), SPAN_LIT("Cc"), SPAN_LIT("Bcc"), SPAN_LIT("Subject"),
	SPAN_LIT("Message-ID"), SPAN_LIT("References"), SPAN_LIT("In-Reply-To"),
	SPAN_LIT("MIME-Version"), SPAN_LIT("Auto-Submitted"),
};

static size_t
single_of(struct span name)
{
	for (size_t i = 0; i < COUNT_OF(singles); i++)
		if (name.len == singles[i].len && span_equal_nocase(name, singles[i]))
			return i;
	return COUNT_OF(singles);
}

void
flaw_check_header(struct span bytes, const struct header *h, bool mail, bool eai,
    struct flaw_sink *to)
{
	size_t from = h->count > 0 ? (size_t)h->fields[0].at : 0;
	struct checker c = { .bytes = bytes, .h = h, .eai = eai, .to = to };
	unsigned counts[COUNT_OF(singles) + 1] = { 0 };

	c.controls = h->count > 0 && block_control(span_slice(bytes, from, (size_t)h->end));
	for (size_t i = 0; i < h->count; i++) {
		const struct header_field *f = &h->fields[i];
		size_t single = single_of(f->name);

		check_field(&c, f);
		if (++counts[single] == 2 && single < COUNT_OF(singles))
			report(&c, FLAW_FIELD_TWICE, f->at, f->name);
	}
	for (size_t i = 0; i < 2 && mail; i++)
		if (counts[i] == 0)
			report(&c, FLAW_FIELD_MISSING, 0, singles[i]);
}
