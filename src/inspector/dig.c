/*
 * dig.c - the stack of containers; see dig.h.
 */
#include "src/inspector/dig_private.h"
#include <time.h>

#define CLOCK_STEP_US 10000

static uint64_t
read_clock(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* CPU time is a system call, the coarse clock is none; and in no step of that clock can
   more CPU time go by.  So this is late by a step at most. */
static uint64_t
cpu_us(void *context)
{
	struct dig_clock *c = context;
	uint64_t wall = read_clock(CLOCK_MONOTONIC_COARSE);

	if (c->cpu_us == 0 || wall - c->wall_us >= CLOCK_STEP_US)
		*c = (struct dig_clock){ read_clock(CLOCK_PROCESS_CPUTIME_ID), wall };
	return c->cpu_us;
}

bool
dig_may_go_on(struct dig *d)
{
	bool more = d->contents < d->limits->contents && cpu_us(&d->clock) < d->end;

	d->limit |= !more;
	return more;
}

/* --- what was seen already --- */

static void
seen_grow(struct dig *d)
{
	size_t old_cap = d->seen_cap;
	uint64_t *old = d->seen;

	d->seen_cap = old_cap > 0 ? 4 * old_cap : 256;
	d->seen = arena_array(d->arena, uint64_t, d->seen_cap);
	for (size_t i = 0; i < old_cap; i++) {
		size_t at = old[i] % d->seen_cap;

		while (old[i] != 0 && d->seen[at] != 0)
			at = (at + 1) % d->seen_cap;
		if (old[i] != 0)
			d->seen[at] = old[i];
	}
}

/* True the second time.  The count is bounded by parts times readings times ways. */
static bool
seen_before(struct dig *d, const struct frame *f, const struct mime_part *p,
    const struct decode_way *way)
{
	uint64_t key = dig_mix(dig_mix(f->number, p->body), dig_mix(p->end,
	    (uint64_t)way->encoding * 16 + way->manner)) | 1;

	if (2 * d->seen_count >= d->seen_cap)
		seen_grow(d);
	size_t at = key % d->seen_cap;

	while (d->seen[at] != 0 && d->seen[at] != key)
		at = (at + 1) % d->seen_cap;
	if (d->seen[at] == key)
		return true;
	d->seen[at] = key;
	d->seen_count++;
	return false;
}

/* --- frames --- */

static struct frame *
push(struct dig *d, enum frame_kind kind, struct content *c)
{
	struct frame *f;

	if (d->count == DIG_DEPTH || c->depth >= d->limits->depth) {
		d->limit = true;
		return NULL;
	}
	f = &d->frames[d->count++];
	*f = (struct frame){ .kind = kind, .depth = c->depth + 1, .number = ++d->numbers,
	    .bytes = c->bytes, .owned = c->owned, .path = c->path, .item = c->item };
	c->owned = (struct buf){ 0 };
	return f;
}

/* What the walk could not list or read may be anything. */
static void
note_walk(struct dig *d, const struct frame *f)
{
	const unsigned damage = ARCHIVE_FLAW_BROKEN | ARCHIVE_FLAW_CHECKSUM;
	const unsigned closed = ARCHIVE_FLAW_LIMITS | ARCHIVE_FLAW_UNSUPPORTED |
	    ARCHIVE_FLAW_VOLUME;

	d->encrypted |= f->walk.encrypted;
	d->limit |= (f->walk.flaws & ARCHIVE_FLAW_LIMITS) != 0;
	d->unseen |= (f->walk.flaws & (ARCHIVE_FLAW_BROKEN | closed)) != 0;
	if ((f->walk.flaws & damage) != 0)
		item_set_truth(f->item, FACT_ATTACHMENT_BROKEN, true);
	if ((f->walk.flaws & closed) != 0 || f->walk.encrypted)
		item_set_truth(f->item, FACT_ATTACHMENT_UNSCANNABLE, true);
}

static void
pop(struct dig *d)
{
	struct frame *f = &d->frames[--d->count];

	if (f->kind == FRAME_ARCHIVE) {
		note_walk(d, f);
		archive_close(&f->walk);
	}
	arena_free(&f->arena);
	buf_free(&f->owned);
}

static void
note_structure(struct dig *d, const struct frame *f)
{
	const struct mime *m = &f->mime;
	unsigned damage = 1u << FLAW_HEADER_CUT | 1u << FLAW_TOO_DEEP | 1u << FLAW_TOO_MANY |
	    1u << FLAW_TRUNCATED | 1u << FLAW_NO_BOUNDARY;
	unsigned passed_over = 1u << FLAW_HEADER_CUT | 1u << FLAW_TOO_DEEP |
	    1u << FLAW_TOO_MANY;

	d->unseen |= (m->flaw_kinds & passed_over) != 0;
	if (f->reading != MIME_FIRST)
		return;
	d->ambiguities |= m->ambiguities;
	d->parts += m->seen;
	d->flaws += m->flaws_seen;
	d->broken |= (m->flaw_kinds & damage) != 0;
	for (uint32_t i = 0; i < m->flaw_count && !d->has_bad_header && f->depth == 0; i++)
		if (m->flaws[i].kind <= FLAW_FIELD_TWICE && m->flaws[i].part == 0) {
			d->has_bad_header = true;
			d->bad_header = m->flaws[i];
			d->bad_header.field = arena_span(d->arena, m->flaws[i].field);
		}
}

static void
read_structure(struct dig *d, struct frame *f)
{
	struct mime_options options = MIME_OPTIONS;

	options.depth = f->depth;
	options.max_parts = d->limits->contents;
	options.charsets = d->tools->charsets;
	options.eai = d->job->smtputf8;
	arena_free(&f->arena);
	mime_parse(f->bytes, f->reading, &options, &f->mime, &f->arena);
	f->part = 0;
	f->way = f->way_count = 0;
	note_structure(d, f);
}

bool
dig_push_message(struct dig *d, struct content *c)
{
	struct frame *f = push(d, FRAME_MESSAGE, c);

	if (f == NULL)
		return false;
	read_structure(d, f);
	return true;
}

/* An archive of the mail, with all that is in it, has half of the time that is left for
   archives: something stays for those behind it. */
static void
share_time(struct dig *d)
{
	uint64_t now = cpu_us(&d->clock);

	for (unsigned i = 0; i + 1 < d->count; i++)
		if (d->frames[i].kind == FRAME_ARCHIVE)
			return;
	d->budget.end = now < d->archives_end ? now + (d->archives_end - now) / 2 : now;
}

bool
dig_push_archive(struct dig *d, struct content *c, const struct archive_form *form)
{
	struct frame *f = push(d, FRAME_ARCHIVE, c);

	if (f == NULL)
		return false;
	struct archive_source source = { .bytes = f->bytes, .name = c->name,
	    .depth = f->depth - 1, .form = form, .limits = &d->archive_limits,
	    .budget = &d->budget, .library = &d->tools->library, .arena = &f->arena };

	share_time(d);
	if (!archive_open(&f->walk, &source)) {
		d->count--;
		arena_free(&f->arena);
		c->owned = f->owned;    /* none after all: it is still the caller's */
		return false;
	}
	return true;
}

/* --- members --- */

struct collect { struct sink sink; struct buf *out; uint64_t limit; bool cut; };

static enum status
collect_write(struct sink *s, struct span bytes, struct error *err)
{
	struct collect *c = container_of(s, struct collect, sink);

	(void)err;
	if (buf_len(c->out) + bytes.len > c->limit) {
		bytes = span_slice(bytes, 0, (size_t)(c->limit - buf_len(c->out)));
		c->cut = true;
	}
	buf_add(c->out, bytes);
	return ST_OK;
}

/* False if there is more than may be looked at. */
static bool
read_member(struct dig *d, struct archive_walk *walk, struct content *c)
{
	struct collect to = { .sink = { collect_write, NULL }, .out = &c->owned,
	    .limit = d->limits->part_bytes };
	struct error err;

	if (!archive_whole(walk, &c->bytes)) {
		archive_read(walk, &to.sink, &err);
		c->bytes = buf_span(&c->owned);
	} else if (c->bytes.len > to.limit) {
		c->bytes.len = (size_t)to.limit;
		to.cut = true;
	}
	return !to.cut;
}

static void
step_archive(struct dig *d, struct frame *f)
{
	struct archive_member *m = archive_next(&f->walk);
	struct content c = { .depth = f->depth, .path = f->path };
	bool cut;

	if (m == NULL) {
		pop(d);
		return;
	}
	if (m->type != ARCHIVE_TYPE_FILE)
		return;
	c.member = m;
	c.name = arena_span(d->arena, m->name);
	cut = !m->encrypted && !read_member(d, &f->walk, &c);
	c.broken = (m->flaws & (ARCHIVE_FLAW_BROKEN | ARCHIVE_FLAW_CHECKSUM)) != 0;
	c.unscannable = m->encrypted || cut ||
	    (m->flaws & (ARCHIVE_FLAW_LIMITS | ARCHIVE_FLAW_UNSUPPORTED)) != 0;
	d->encrypted |= m->encrypted;
	d->limit |= cut || (m->flaws & ARCHIVE_FLAW_LIMITS) != 0;
	look(d, &c);
	buf_free(&c.owned);
}

/* --- parts --- */

/* The flaws.  Not of the budget, which archives before it may have eaten: what is decoded
   is no longer than what is there, in so many ways and readings. */
static unsigned
decode_part(struct dig *d, const struct decode_way *way, struct span body,
    struct content *c)
{
	unsigned flaws;

	if (way->encoding == ENCODING_NONE || way->encoding == ENCODING_UNKNOWN) {
		c->bytes = body;
		return 0;
	}
	flaws = decode_all(*way, body, d->limits->part_bytes, &c->owned);
	c->bytes = buf_span(&c->owned);
	c->broken = (flaws & (DECODE_NO_END | DECODE_SUM | DECODE_NO_BEGIN)) != 0;
	c->unscannable = (flaws & DECODE_CUT) != 0;
	d->limit |= c->unscannable;
	d->flaws += flaws != 0;
	return flaws;
}

/* Clients may decode in other ways than the first: those follow. */
static void
one_way(struct dig *d, struct frame *f, const struct mime_part *p)
{
	struct content c = { .part = p, .depth = f->depth, .path = f->path };
	struct span body = mime_body(&f->mime, p);
	struct decode_way way = f->ways[f->way++];
	unsigned flaws;

	if (seen_before(d, f, p, &way))
		return;
	d->reading_gave |= 1u << f->reading;
	flaws = decode_part(d, &way, body, &c);
	if (flaws & DECODE_AMBIGUOUS)
		d->ambiguities |= MIME_DECODED;
	if (f == d->frames && f->reading == MIME_FIRST && f->way == 1)
		key_part(d, f->part, c.bytes, flaws);
	if (f->way == 1)
		f->way_count += decode_others(p->encoding, flaws, body, f->ways + 1);
	if (p->name_count > 0)
		c.name = arena_span(d->arena, p->names[0].text);
	look(d, &c);
	buf_free(&c.owned);
}

/* The next reading, if the first one said that there is more than one. */
static void
next_reading(struct dig *d, struct frame *f)
{
	bool ambiguous = f->mime.ambiguities != 0 || f->reading != MIME_FIRST;

	if (!ambiguous || f->reading == MIME_LENIENT) {
		pop(d);
		return;
	}
	f->reading++;
	read_structure(d, f);
}

static void
step_message(struct dig *d, struct frame *f)
{
	const struct mime_part *p;

	if (f->part == f->mime.count) {
		next_reading(d, f);
		return;
	}
	p = &f->mime.parts[f->part];
	if (p->depth > d->deepest)
		d->deepest = p->depth;
	if (!part_has_content(p)) {
		f->part++;
		return;
	}
	if (f->way_count == 0) {
		f->ways[0] = decode_first(p->encoding, mime_body(&f->mime, p));
		f->way_count = 1;
	}
	if (f->way == f->way_count) {
		f->part++;
		f->way = f->way_count = 0;
		return;
	}
	one_way(d, f, p);               /* may push another frame: f is done with before */
}

static void
header_items(struct dig *d, struct span message)
{
	struct arena scratch = { 0 };
	struct header h;

	header_parse(message, &h, &scratch);
	for (size_t i = 0; i < h.count; i++) {
		struct item *item = findings_add(d->findings, GROUP_HEADER, d->arena);

		if (item == NULL)
			break;
		item_set_text(item, FACT_HEADER_FIELD_NAME,
		    arena_span(d->arena, h.fields[i].name));
		item_set_text(item, FACT_HEADER_FIELD_VALUE,
		    header_unfold(h.fields[i].value, FINDINGS_TEXT_BYTES, d->arena));
	}
	arena_free(&scratch);
}

static void
begin(struct dig *d)
{
	const struct dig_limits *l = d->limits;

	d->end = cpu_us(&d->clock) + l->cpu_us;
	d->archives_end = d->end - l->cpu_us / 4;
	d->budget = (struct archive_budget){ .members = l->contents, .bytes = l->bytes,
	    .clock = cpu_us, .context = &d->clock, .end = d->archives_end };
	d->archive_limits = ARCHIVE_LIMITS_DEFAULT;
	d->archive_limits.depth = l->depth;
	d->text_left = l->text_bytes;
	d->patterns = wished(d, WISH_PATTERNS) && d->tools->patterns != NULL;
	if (!d->patterns)
		return;
	pattern_scan_begin(&d->scan, d->tools->patterns, d->arena);
	pattern_scan_feed(&d->scan, PATTERN_SUBJECT, d->job->subject);
}

static void
dig_parts(struct dig *d)
{
	while (d->count > 0 && dig_may_go_on(d)) {
		struct frame *f = &d->frames[d->count - 1];

		if (f->kind == FRAME_MESSAGE)
			step_message(d, f);
		else
			step_archive(d, f);
	}
}

/* All that is wished beside the header's items begins with the structure. */
static void
dig_structure(struct dig *d)
{
	begin(d);
	d->frames[0] = (struct frame){ .kind = FRAME_MESSAGE, .bytes = d->job->message };
	d->count = 1;
	read_structure(d, &d->frames[0]);
	key_begin(d, &d->frames[0].mime);
	if (wished(d, WISH_PARTS))
		dig_parts(d);
	while (d->count > 0)
		pop(d);
	key_end(d);
	report_message(d);
	if (d->patterns)
		pattern_scan_end(&d->scan, d->findings, d->arena);
}

void
dig(const struct dig_job *job, const struct dig_tools *tools, const struct dig_limits *limits,
    struct findings *findings, struct arena *arena)
{
	struct dig d = { .job = job, .tools = tools, .limits = limits, .findings = findings,
	    .arena = arena };

	if (wished(&d, WISH_HEADER))
		header_items(&d, job->message);
	if (wished(&d, WISH_STRUCTURE))
		dig_structure(&d);
}
