/*
 * mime.c - parts lie inside their parents and in order, the body's sink is given the whole
 * body, nothing passes its limit, in each reading.
 */
#include "lib/mime/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct tail { struct sink sink; struct span want; };

static void
must(bool good)
{
	if (!good)
		abort();
}

static enum status
tail_write(struct sink *s, struct span in, struct error *e)
{
	struct tail *t = container_of(s, struct tail, sink);

	must(in.len <= t->want.len && memcmp(in.ptr, t->want.ptr, in.len) == 0);
	t->want = span_slice(t->want, in.len, t->want.len);
	return ST_OK;
}

static enum status
tail_finish(struct sink *s, struct error *e)
{
	return ST_OK;
}

static void
check_part(const struct mime *m, uint32_t i)
{
	const struct mime_part *p = &m->parts[i];

	must(p->at <= p->body && p->body <= p->end && p->end <= m->bytes.len);
	must(p->kind < MIME_KINDS && (p->parent == MIME_NO_PART) == (i == 0));
	must(p->name_count <= MIME_NAMES && p->header.count <= 20);
	for (size_t k = 0; k < p->name_count; k++)
		must(p->names[k].text.len > 0);
	for (size_t k = 0; k < p->header.count; k++)
		must(p->header.fields[k].at >= p->at && p->header.fields[k].at +
		    p->header.fields[k].len <= p->body);
	if (i == 0)
		return;
	const struct mime_part *up = &m->parts[p->parent];

	must(p->parent < i && p->depth == up->depth + 1 && p->at >= m->parts[i - 1].at);
	must(p->at >= up->body && p->end <= up->end);
}

static void
check_reading(struct span in, enum mime_reading reading, struct charsets *charsets)
{
	struct tail t = { { tail_write, tail_finish }, in };
	struct mime_options options = { .max_depth = 8, .max_parts = 30, .max_fields = 20,
		.max_header = 4000, .max_flaws = 10, .charsets = charsets };
	struct arena arena = { 0 };
	struct mime m, again;

	mime_parse(in, reading, &options, &m, &arena);
	must(m.count > 0 && m.count <= 30 && m.seen >= m.count);
	must(m.flaw_count <= 10 && m.flaws_seen >= m.flaw_count);
	for (uint32_t i = 0; i < m.count; i++)
		check_part(&m, i);
	t.want = span_slice(in, (size_t)m.parts[0].body, in.len);
	options.body = &t.sink;
	mime_parse(in, reading, &options, &again, &arena);
	must(t.want.len == 0 && again.seen == m.seen && again.ambiguities == m.ambiguities);
	arena_free(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct charsets *charsets;       /* opening them is most of a run */

	if (charsets == NULL)
		charsets = charsets_create();
	for (enum mime_reading r = MIME_FIRST; r < MIME_READINGS; r++)
		check_reading((struct span){ p, n }, r, charsets);
	return 0;
}
