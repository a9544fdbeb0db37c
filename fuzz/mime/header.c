/*
 * header.c - fields tile the section, unfolding undoes writing, an address found in its
 * own print is itself.
 */
#include "lib/mime/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
must(bool good)
{
	if (!good)
		abort();
}

static bool
inside(struct span part, struct span whole)
{
	return part.len == 0 || (part.ptr >= whole.ptr &&
	    part.ptr + part.len <= whole.ptr + whole.len);
}

/* Nothing is lost: one field ends where the next begins, the last at the end. */
static void
check_fields(struct span in, const struct header *h)
{
	uint64_t at = 0;
	unsigned flaws = 0;

	must(h->count <= HEADER_FIELDS && (!h->cut || h->count == HEADER_FIELDS));
	for (size_t i = 0; i < h->count; i++) {
		const struct header_field *f = &h->fields[i];
		struct span whole = span_slice(in, (size_t)f->at, (size_t)(f->at + f->len));

		must(f->at == at && f->len > 0 && inside(f->name, whole));
		must(inside(f->value, whole) && span_find(f->name, '\n') == f->name.len);
		at += f->len;
		flaws += f->name.len == 0;
	}
	must(flaws == h->flaws && (h->cut ? at < h->end : at == h->end));
	must(h->end <= h->body && h->body <= in.len && h->ended == (h->end < h->body));
}

static struct span
value_of(struct span line)
{
	return span_slice(line, span_find(line, ':') + 1, line.len);
}

/* Written and read again, a value is the same but for controls, which became blanks. */
static void
check_round_trip(struct span value, struct arena *arena)
{
	struct buf out = { 0 };
	uint8_t *want = arena_alloc(arena, value.len + 1);
	struct header h;

	for (size_t i = 0; i < value.len; i++)
		want[i] = value.ptr[i] < ' ' || value.ptr[i] == 0x7f ? ' ' : value.ptr[i];
	header_write(&out, SPAN_LIT("X-Y"), value);
	header_parse(buf_span(&out), &h, arena);
	must(h.count == 1 && h.flaws == 0 && !h.ended);
	must(span_equal(h.fields[0].name, SPAN_LIT("X-Y")));
	must(span_equal(header_unfold(value_of(buf_span(&out)), SIZE_MAX, arena),
	    span_trim((struct span){ want, value.len })));
	buf_free(&out);
}

static void
check_mailbox(struct span value, struct arena *arena)
{
	struct span a = header_mailbox(value, arena), again;
	struct buf out = { 0 };

	must(a.len <= 1000);
	if (a.len == 0)
		return;
	buf_byte(&out, '<');
	buf_add(&out, a);
	buf_byte(&out, '>');
	again = header_mailbox(buf_span(&out), arena);
	/* A backslash at the end swallows the bracket of the print. */
	must(span_equal(a, again) || memchr(a.ptr, '\\', a.len) != NULL ||
	    memchr(a.ptr, '"', a.len) != NULL || memchr(a.ptr, '[', a.len) != NULL);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = { p, n };
	struct arena arena = { 0 };
	struct header h;

	header_parse(in, &h, &arena);
	check_fields(in, &h);
	for (size_t i = 0; i < h.count && i < 20; i++) {
		check_round_trip(h.fields[i].value, &arena);
		check_mailbox(h.fields[i].value, &arena);
		must(header_find(&h, h.fields[i].name, 0) != NULL || h.fields[i].name.len == 0);
	}
	check_round_trip(in, &arena);
	check_mailbox(in, &arena);
	arena_free(&arena);
	return 0;
}
