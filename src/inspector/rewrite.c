/*
 * rewrite.c - header changes as edits.  See jobs.h.
 */
#include "src/inspector/jobs.h"
#include "src/inspector/section.h"

static bool
is_removed(const struct packet_rewrite *job, const struct header_field *field)
{
	for (size_t i = 0; i < job->change_count && field->name.len > 0; i++)
		if (job->changes[i].remove &&
		    span_equal_nocase(job->changes[i].name, field->name))
			return true;
	return false;
}

static bool
removes_any(const struct packet_rewrite *job)
{
	for (size_t i = 0; i < job->change_count; i++)
		if (job->changes[i].remove)
			return true;
	return false;
}

static void
add_fields(const struct packet_rewrite *job, struct edit_list *edits, struct arena *arena)
{
	struct buf fields = { 0 };

	for (size_t i = 0; i < job->change_count; i++) {
		const struct packet_change *c = &job->changes[i];

		if (!c->remove)
			header_write(&fields, c->name, c->value);
	}
	if (buf_len(&fields) > 0)
		edit_add(edits, 0, 0, arena_span(arena, buf_span(&fields)));
	buf_free(&fields);
}

/* Neighbours go in one edit: a list of two thousand fields stays small. */
static void
remove_fields(const struct packet_rewrite *job, const struct header *h,
    struct edit_list *edits)
{
	for (size_t i = 0; i < h->count; i++) {
		uint64_t at = h->fields[i].at, len = 0;

		for (; i < h->count && is_removed(job, &h->fields[i]); i++)
			len += h->fields[i].len;
		if (len > 0)
			edit_add(edits, at, len, SPAN_NONE);
	}
}

void
rewrite(int message, const struct packet_rewrite *job, uint8_t *room,
    struct packet_rewritten *out, struct arena *arena)
{
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
	add_fields(job, &out->edits, arena);
	remove_fields(job, &s.header, &out->edits);
}
