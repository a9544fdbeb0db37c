/*
 * tag.c - see tag.h.
 */
#include "lib/policy/tag.h"
#include "lib/finding/score.h"
#include "lib/mime/header.h"
#include "lib/smtp/address.h"

#define LOCAL_BYTES 64

static void
write_field(struct buf *b, const char *name, struct buf *value)
{
	header_write(b, span_text(name), buf_span(value));
	buf_free(value);
}

/* --- the score --- */

/* Without a scanner for spam there is none to add to: 0. */
static bool
known_score(const struct verdict *v, const struct tag_source *s, int64_t *score)
{
	const struct value *said = &s->findings->values[FACT_SPAM_SCORE];

	if (said->state == FACT_UNKNOWN)
		return false;
	*score = score_bounded(v->score + (said->state == FACT_KNOWN ? said->number : 0));
	return true;
}

static void
write_score(struct buf *b, int64_t score)
{
	struct buf value = { 0 };

	score_print(&value, score);
	write_field(b, "X-Spam-Score", &value);
}

static void
write_level(struct buf *b, int64_t score)
{
	struct buf stars = { 0 };

	for (int64_t i = 1; i <= TAG_STARS && i * 1000 <= score; i++)
		buf_byte(&stars, '*');
	if (buf_len(&stars) > 0)
		write_field(b, "X-Spam-Level", &stars);
}

/* --- X-Spam-Status --- */

/* What has a meaning there, and what is no printable ASCII, does not belong into a name. */
static void
add_name(struct buf *b, struct span name)
{
	size_t n = name.len < TAG_NAME_BYTES ? name.len : TAG_NAME_BYTES;

	for (size_t i = 0; i < n; i++) {
		uint8_t c = name.ptr[i];
		bool plain = c > ' ' && c < 0x7f && strchr(",=[]", c) == NULL;

		buf_byte(b, plain ? c : '?');
	}
}

static void
add_test(struct buf *b, size_t start, struct span name, const int64_t *score)
{
	if (buf_len(b) > start)
		buf_add(b, SPAN_LIT(", "));
	add_name(b, name);
	if (score == NULL)
		return;
	buf_byte(b, '=');
	score_print(b, *score);
}

static void
add_tests(struct buf *b, const struct verdict *v, const struct findings *f)
{
	const struct items *symbols = &f->groups[GROUP_SYMBOL];
	size_t start = buf_len(b);

	for (size_t i = 0; i < symbols->count; i++) {
		const struct value *name = item_value(symbols->list[i], FACT_SYMBOL_NAME);
		const struct value *score = item_value(symbols->list[i], FACT_SYMBOL_SCORE);

		if (buf_len(b) - start > TAG_TESTS_BYTES) {
			buf_add(b, SPAN_LIT(", ..."));
			break;
		}
		add_test(b, start, name->text,
		    score->state == FACT_KNOWN ? &score->number : NULL);
	}
	if (v->score != 0)
		add_test(b, start, SPAN_LIT("SALLYPORT_RULES"), &v->score);
}

/* 5 is 5.0, as everybody writes it. */
static void
add_required(struct buf *b, int64_t required)
{
	buf_add(b, SPAN_LIT(" required="));
	score_print(b, required);
	if (required % 1000 == 0)
		buf_add(b, SPAN_LIT(".0"));
}

static void
write_status(struct buf *b, const struct verdict *v, const struct tag_source *s,
    const int64_t *score)
{
	struct buf value = { 0 };

	buf_printf(&value, "%s, score=", v->tag.kind == TAG_SPAM ? "Yes" : "No");
	if (score != NULL)
		score_print(&value, *score);
	else
		buf_byte(&value, 'x');
	if (v->tag.has_required)
		add_required(&value, v->tag.required);
	else if (s->has_required)
		add_required(&value, s->required);
	buf_add(&value, SPAN_LIT(" tests=["));
	add_tests(&value, v, s->findings);
	buf_printf(&value, "] autolearn=no version=Sallyport-%s", SALLYPORT_VERSION);
	write_field(b, "X-Spam-Status", &value);
}

/* --- X-Spam-Report --- */

static struct span
without_end(struct span line)
{
	while (line.len > 0 && line.ptr[line.len - 1] <= ' ')
		line.len--;
	return line.len > TAG_LINE_BYTES ? span_slice(line, 0, TAG_LINE_BYTES) : line;
}

static bool
is_empty(struct span line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.ptr[i] > ' ')
			return false;
	return true;
}

static void
add_line(struct buf *b, struct span line)
{
	uint8_t *out = buf_room(b, line.len);

	for (size_t i = 0; i < line.len; i++) {
		uint8_t c = line.ptr[i];

		out[i] = c == '\t' ? ' ' : c < ' ' || c >= 0x7f ? '?' : c;
	}
	buf_added(b, line.len);
}

/* Its own lines; one of blanks only could be taken for the header's end. */
static void
write_report(struct buf *b, struct span text)
{
	size_t start = buf_len(b);
	const char *before = "X-Spam-Report: ";

	while (text.len > 0) {
		size_t end = span_find(text, '\n');
		struct span line = without_end(span_slice(text, 0, end));

		text = span_slice(text, end < text.len ? end + 1 : end, text.len);
		if (is_empty(line))
			continue;
		if (buf_len(b) - start + line.len + 20 > TAG_REPORT_BYTES)
			break;
		buf_add(b, span_text(before));
		add_line(b, line);
		before = "\r\n\t";
	}
	if (buf_len(b) > start)
		buf_add(b, SPAN_LIT("\r\n"));
}

void
tag_write(struct buf *b, const struct verdict *v, const struct tag_source *s)
{
	bool spam = v->tag.kind == TAG_SPAM;
	int64_t score;
	bool known = known_score(v, s, &score);

	if (v->tag.kind == TAG_NONE)
		return;
	if (spam)
		buf_add(b, SPAN_LIT("X-Spam-Flag: YES\r\n"));
	if (known)
		write_score(b, score);
	if (known && spam)
		write_level(b, score);
	write_status(b, v, s, known ? &score : NULL);
	if (spam)
		write_report(b, s->report);
}

/* --- the address --- */

/* Bytes of the local part in front of its extension, or of its end.  In a quoted one \+ is
   a + as well (RFC 5321 section 4.1.2). */
static size_t
user_length(struct span local, size_t first, size_t end)
{
	size_t i = first;

	while (i < end) {
		bool pair = local.ptr[i] == '\\' && i + 1 < end;

		if (local.ptr[pair ? i + 1 : i] == '+')
			break;
		i += pair ? 2 : 1;
	}
	return i;
}

struct span
tag_address(struct span address, struct span extension, struct arena *arena)
{
	size_t domain = address_domain(address).len;

	if (domain == 0 || extension.len == 0 || address.len < domain + 2)
		return address;
	struct span local = span_slice(address, 0, address.len - domain - 1);
	bool quoted = local.len > 1 && local.ptr[0] == '"';
	size_t user = user_length(local, quoted, local.len - quoted);

	if (user == quoted || user + 1 + extension.len + quoted > LOCAL_BYTES)
		return address;
	struct buf b = { 0 };

	buf_add(&b, span_slice(local, 0, user));
	buf_byte(&b, '+');
	buf_add(&b, extension);
	buf_add(&b, span_slice(address, local.len - quoted, address.len));
	struct span tagged = arena_span(arena, buf_span(&b));

	buf_free(&b);
	return tagged;
}
