/*
 * rewrite.c - header changes as edits.  See jobs.h.
 */
#include "src/inspector/jobs.h"
#include "src/inspector/section.h"

#define LINE_BYTES    998u      /* RFC 5322 section 2.1.1, without the newline */
#define SUBJECT_BYTES 1000u     /* of a subject that is looked at              */

/* --- removals --- */

bool
field_is_mark(struct span name)
{
	static const struct span marks[] = {
		SPAN_LIT("X-Spam-Flag"), SPAN_LIT("X-Spam-Score"), SPAN_LIT("X-Spam-Level"),
		SPAN_LIT("X-Spam-Status"), SPAN_LIT("X-Spam-Report"),
		SPAN_LIT("X-Spam-Checker-Version"), SPAN_LIT("X-Spam-Bar"),
		SPAN_LIT("X-Virus-Scanned"), SPAN_LIT("X-Virus-Status"),
	};

	if (name.len < 2 || to_lower(name.ptr[0]) != 'x' || name.ptr[1] != '-')
		return false;
	for (size_t i = 0; i < COUNT_OF(marks); i++)
		if (span_equal_nocase(name, marks[i]))
			return true;
	return span_starts_nocase(name, SPAN_LIT("X-Sallyport-"));
}

static bool
is_removed(const struct packet_rewrite *job, struct span name)
{
	const struct packet_change *c = job->changes;

	for (size_t i = 0; i < job->change_count && name.len > 0; i++)
		if (c[i].remove && span_equal_nocase(c[i].name, name))
			return true;
	return job->unmark && field_is_mark(name);
}

static bool
removes_any(const struct packet_rewrite *job)
{
	for (size_t i = 0; i < job->change_count; i++)
		if (job->changes[i].remove)
			return true;
	return false;
}

/* Neighbours go in one edit: a list of two thousand fields stays small. */
static void
remove_fields(const struct packet_rewrite *job, const struct header *h,
    struct edit_list *edits)
{
	for (size_t i = 0; i < h->count; i++) {
		uint64_t at = h->fields[i].at, len = 0;

		for (; i < h->count && is_removed(job, h->fields[i].name); i++)
			len += h->fields[i].len;
		if (len > 0)
			edit_add(edits, at, len, SPAN_NONE);
	}
}

/* --- additions --- */

static const struct header_field *
find_subject(const struct packet_rewrite *job, const struct header *h)
{
	static const struct span name = SPAN_LIT("Subject");

	return is_removed(job, name) ? NULL : header_find(h, name, 0);
}

static void
add_fields(const struct packet_rewrite *job, bool no_subject, struct edit_list *edits,
    struct arena *arena)
{
	struct buf fields = { 0 };

	for (size_t i = 0; i < job->change_count; i++) {
		const struct packet_change *c = &job->changes[i];

		if (!c->remove)
			header_write(&fields, c->name, c->value);
	}
	if (job->subject.len > 0 && no_subject)
		header_write(&fields, SPAN_LIT("Subject"), job->subject);
	if (buf_len(&fields) > 0)
		edit_add(edits, 0, 0, arena_span(arena, buf_span(&fields)));
	buf_free(&fields);
}

static bool
is_there(struct span value, struct span text, struct arena *arena)
{
	struct span subject = header_unfold(value, SUBJECT_BYTES, arena);

	text = span_trim(text);
	return subject.len >= text.len &&
	    span_equal(span_slice(subject, 0, text.len), text);
}

static size_t
first_line(struct span value)
{
	size_t n = span_find(value, '\n');

	return n > 0 && n < value.len && value.ptr[n - 1] == '\r' ? n - 1 : n;
}

/* Where the line would get too long, it is folded behind the text. */
static void
mark_subject(struct span text, const struct header_field *subject, struct edit_list *edits,
    struct arena *arena)
{
	struct span value = subject->value;
	size_t colon = (size_t)(value.ptr - subject->name.ptr);
	bool blank = value.len > 0 && is_blank(value.ptr[0]);
	struct buf b = { 0 };

	if (is_there(value, text, arena))
		return;
	if (!blank)
		buf_byte(&b, ' ');
	buf_add(&b, text);
	if (colon + first_line(value) + buf_len(&b) > LINE_BYTES)
		buf_add(&b, SPAN_LIT("\r\n "));
	edit_add(edits, subject->at + colon + blank, 0, arena_span(arena, buf_span(&b)));
	buf_free(&b);
}

void
rewrite(int message, const struct packet_rewrite *job, uint8_t *room,
    struct packet_rewritten *out, struct arena *arena)
{
	const struct header_field *subject;
	struct section s;
	struct error err;

	*out = (struct packet_rewritten){ 0 };
	out->status = header_section_read(message, job->size, job->header_limit, room, &s, arena,
	    &err);
	if (out->status == ST_OK && !s.whole && removes_any(job))
		out->status = fail(&err, ST_PERM, "inspector",
		    "header section is too long to remove fields from it");
	if (out->status != ST_OK) {
		out->why = arena_span(arena, span_text(err.text));
		return;
	}
	subject = find_subject(job, &s.header);
	add_fields(job, subject == NULL, &out->edits, arena);
	if (subject != NULL && job->subject.len > 0)
		mark_subject(job->subject, subject, &out->edits, arena);
	remove_fields(job, &s.header, &out->edits);
}
