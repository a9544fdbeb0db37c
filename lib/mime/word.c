/*
 * word.c - see word.h.
 */
#include "lib/mime/word.h"
#include "lib/mime/decode.h"

#define LABEL_BYTES 64u

struct word { struct span charset, text; bool base64; size_t len; };

struct reader {
	struct charsets *charsets;
	struct buf out, bytes;          /* bytes: words of one charset, decoded */
	struct span charset;
	size_t max;
	bool no_end;                    /* no "?=" comes any more: do not look again */
};

/* The word at the front: =?charset?B?text?= */
static bool
word_read(struct span s, struct word *w, bool *no_end)
{
	size_t i = 2;

	while (i < s.len && i < LABEL_BYTES && s.ptr[i] > ' ' && s.ptr[i] != '?')
		i++;
	if (i + 2 >= s.len || s.ptr[i] != '?' || s.ptr[i + 2] != '?' || i == 2)
		return false;
	uint8_t how = to_lower(s.ptr[i + 1]);

	if (how != 'b' && how != 'q')
		return false;
	const uint8_t *end = memmem(s.ptr + i + 3, s.len - i - 3, "?=", 2);

	if (end == NULL) {
		*no_end = true;
		return false;
	}
	w->charset = span_slice(s, 2, i);
	w->text = span_slice(s, i + 3, (size_t)(end - s.ptr));
	w->base64 = how == 'b';
	w->len = (size_t)(end - s.ptr) + 2;
	return true;
}

static bool
word_at(struct span s, size_t i, struct word *w, bool *no_end)
{
	return !*no_end && s.len - i >= 8 && s.ptr[i] == '=' && s.ptr[i + 1] == '?' &&
	    word_read(span_slice(s, i, s.len), w, no_end);
}

bool
word_present(struct span s)
{
	return s.len > 0 && memmem(s.ptr, s.len, "=?", 2) != NULL;
}

static size_t
room(const struct reader *r)
{
	return buf_len(&r->out) < r->max ? r->max - buf_len(&r->out) : 0;
}

static void
end_words(struct reader *r)
{
	if (buf_len(&r->bytes) > 0)
		charset_convert(r->charsets, r->charset, buf_span(&r->bytes), room(r), &r->out);
	buf_take(&r->bytes, buf_len(&r->bytes));
}

static void
decode_q(struct span text, struct buf *out)
{
	size_t from = out->to;

	decode_all((struct decode_way){ ENCODING_QUOTED, DECODE_GO_ON }, text, text.len, out);
	for (size_t i = from; i < out->to; i++)
		if (out->ptr[i] == '_')
			out->ptr[i] = ' ';
}

/* "_" is a blank, but an escaped one stays; so they are taken apart. */
static void
take_q(struct span text, struct buf *out)
{
	const struct span escaped = SPAN_LIT("=5F");
	size_t from = 0;

	for (size_t i = 0; i + escaped.len <= text.len; i++) {
		if (!span_starts_nocase(span_slice(text, i, text.len), escaped))
			continue;
		decode_q(span_slice(text, from, i), out);
		buf_byte(out, '_');
		from = i + escaped.len;
		i = from - 1;
	}
	decode_q(span_slice(text, from, text.len), out);
}

static void
take_word(struct reader *r, const struct word *w)
{
	if (!span_equal_nocase(w->charset, r->charset))
		end_words(r);
	r->charset = w->charset;
	if (buf_len(&r->bytes) > r->max)
		return;
	if (w->base64)
		decode_all((struct decode_way){ ENCODING_BASE64, DECODE_GO_ON }, w->text,
		    w->text.len, &r->bytes);
	else
		take_q(w->text, &r->bytes);
}

static bool
is_space(uint8_t c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

static size_t
spaces(struct span s, size_t i)
{
	size_t n = 0;

	while (i + n < s.len && is_space(s.ptr[i + n]))
		n++;
	return n;
}

struct span
word_decode(struct span s, size_t max, struct charsets *charsets, struct arena *arena)
{
	struct reader r = { .charsets = charsets, .max = max };
	size_t text = 0, i = 0;
	bool after_word = false;
	struct word w;

	while (i < s.len && room(&r) > 0) {
		if (!word_at(s, i, &w, &r.no_end)) {
			size_t n = span_find(span_slice(s, i + 1, s.len), '=');

			i += 1 + n;
			continue;
		}
		if (!after_word || spaces(s, text) != i - text) {
			end_words(&r);
			charset_convert(charsets, SPAN_NONE, span_slice(s, text, i), room(&r),
			    &r.out);
		}
		take_word(&r, &w);
		after_word = true;
		text = i += w.len;
	}
	end_words(&r);
	charset_convert(charsets, SPAN_NONE, span_slice(s, text, s.len), room(&r), &r.out);
	struct span out = arena_span(arena, buf_span(&r.out));

	buf_free(&r.out);
	buf_free(&r.bytes);
	return out;
}
