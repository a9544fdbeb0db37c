/*
 * html.c - the tokenizer tells the same at any cut; the texts of a part are bounded,
 * well-formed and lie where they should.
 */
#include "lib/content/text.h"
#include "lib/mime/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct writer { struct html_handler handler; struct buf out; bool texting; };

static void
write_text(struct html_handler *h, struct span s)
{
	struct writer *w = container_of(h, struct writer, handler);

	if (!w->texting)
		buf_byte(&w->out, '|');
	w->texting = true;
	buf_add(&w->out, s);
}

static void
write_tag(struct html_handler *h, const struct html_tag *t)
{
	struct writer *w = container_of(h, struct writer, handler);

	w->texting = false;
	buf_printf(&w->out, "<%u %d %d %u", t->element, t->end, t->cut, t->attributes);
	for (size_t a = 1; a < HTML_ATTRIBUTES; a++) {
		if (t->value[a].len > HTML_VALUE_BYTES)
			abort();
		if (t->value[a].ptr != NULL)
			buf_printf(&w->out, " %zu=", a);
		buf_add(&w->out, t->value[a]);
	}
}

static void
tokens(struct span in, size_t piece, struct writer *w, struct html_oddities *odd)
{
	struct html *h = must_alloc(sizeof *h);

	w->handler = (struct html_handler){ write_text, write_tag };
	html_init(h, &w->handler);
	for (size_t at = 0; at < in.len; at += piece)
		html_feed(h, span_slice(in, at, in.len - at < piece ? in.len : at + piece));
	html_finish(h);
	*odd = h->odd;
	free(h);
}

static void
check_cuts(struct span in)
{
	struct writer whole = { 0 };
	struct html_oddities first, again;

	tokens(in, in.len + 1, &whole, &first);
	for (size_t piece = 1; piece < 8; piece += 3) {
		struct writer cut = { 0 };

		tokens(in, piece, &cut, &again);
		if (!span_equal(buf_span(&whole.out), buf_span(&cut.out)) ||
		    memcmp(&first, &again, sizeof first) != 0)
			abort();
		buf_free(&cut.out);
	}
	buf_free(&whole.out);
}

static void
well_formed(struct span s, size_t max)
{
	if (s.len > max || utf8_valid(s) != s.len)
		abort();
}

static void
check_part(struct span in, bool html)
{
	struct content_limits limits = { .bytes = 4096, .text = 256, .hidden = 64, .title = 16,
		.url = 100, .links = 8 };
	struct content_tools tools = { 0 };
	struct arena arena = { 0 };
	struct content_text t;

	content_text(&t, in, SPAN_NONE, html, &limits, &tools, &arena);
	well_formed(t.visible, limits.text);
	well_formed(t.hidden, limits.hidden);
	well_formed(t.title, limits.title);
	if (t.visible_bytes < t.visible.len || t.hidden_bytes < t.hidden.len ||
	    (t.hidden_bytes > 0) != (t.hides != 0) ||
	    t.link_count > limits.links || t.links_seen < t.link_count)
		abort();
	for (size_t i = 0; i < t.link_count; i++)
		if (t.links[i].url.len > limits.url || t.links[i].text.len > in.len * 3)
			abort();
	arena_free(&arena);
}

/* Text without markup reads the same with tags that show nothing between its characters. */
static void
check_folding(struct span in, size_t limit)
{
	struct content_limits limits = CONTENT_LIMITS_DEFAULT;
	struct content_tools tools = { 0 };
	struct content_text runs, one;
	struct arena arena = { 0 };
	struct buf parted = { 0 };

	if (utf8_valid(in) != in.len || span_find(in, '<') < in.len || span_find(in, '&') < in.len)
		return;
	for (size_t i = 0; i < in.len; i++) {
		if (i > 3 && (in.ptr[i] & 0xc0) != 0x80)
			buf_add(&parted, SPAN_LIT("<b></b>"));
		buf_byte(&parted, in.ptr[i]);
	}
	limits.text = limit;
	content_text(&runs, in, SPAN_LIT("utf-8"), true, &limits, &tools, &arena);
	content_text(&one, buf_span(&parted), SPAN_LIT("utf-8"), true, &limits, &tools, &arena);
	if (!span_equal(runs.visible, one.visible) || runs.visible_bytes != one.visible_bytes ||
	    runs.counts.invisible != one.counts.invisible)
		abort();
	buf_free(&parted);
	arena_free(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = { p, n };

	if (n > 1u << 16)
		return 0;
	check_cuts(in);
	check_part(in, true);
	check_part(in, false);
	if (n > 0)
		check_folding(span_slice(in, 1, n), p[0]);
	return 0;
}
