/*
 * examine.c - what the header section says.  See jobs.h.
 */
#include "src/inspector/jobs.h"
#include "src/inspector/section.h"
#include <sys/mman.h>

#define TEXT_BYTES      FINDINGS_TEXT_BYTES
#define RECEIVED_BYTES  4000u           /* of one Received field, unfolded */

static const char not_whole[] = "header section is too long";

static struct span
unfolded(struct span value, struct arena *arena)
{
	return header_unfold(value, TEXT_BYTES, arena);
}

static const struct text_fact { enum fact fact; struct span field;
	struct span (*read)(struct span value, struct arena *); } text_facts[] = {
	{ FACT_HEADER_SUBJECT,          SPAN_LIT("Subject"),    unfolded },
	{ FACT_HEADER_FROM,             SPAN_LIT("From"),       header_mailbox },
	{ FACT_HEADER_MESSAGE_ID,       SPAN_LIT("Message-ID"), unfolded },
};

static void
find_text(const struct section *s, const struct text_fact *t, struct findings *f,
    struct arena *arena)
{
	const struct header_field *field = header_find(&s->header, t->field, 0);

	if (field != NULL)
		findings_set_text(f, t->fact, t->read(field->value, arena));
	else if (!s->whole)
		findings_set_unknown(f, t->fact, not_whole);
}

static void
add_hop(struct findings *f, const struct received *hop, struct arena *arena)
{
	const struct { enum fact fact; struct span text; } texts[] = {
		{ FACT_RECEIVED_HELO, hop->helo }, { FACT_RECEIVED_NAME, hop->name },
		{ FACT_RECEIVED_BY, hop->by }, { FACT_RECEIVED_WITH, hop->with },
		{ FACT_RECEIVED_ID, hop->id },
	};
	struct item *item = findings_add(f, GROUP_RECEIVED, arena);

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (texts[i].text.len > 0)
			item_set_text(item, texts[i].fact, texts[i].text);
	if (hop->has_address)
		item_set_address(item, FACT_RECEIVED_ADDRESS, &hop->address);
}

static void
find_hops(const struct section *s, struct packet_examined *out, struct arena *arena)
{
	const struct header *h = &s->header;

	out->hops = arena_array(arena, struct received, PACKET_HOPS);
	for (size_t i = 0; i < h->count; i++) {
		out->marked |= field_is_mark(h->fields[i].name);
		if (!span_equal_nocase(h->fields[i].name, SPAN_LIT("Received")))
			continue;
		out->received_count++;
		if (out->hop_count == PACKET_HOPS)
			continue;
		struct span text = header_unfold(h->fields[i].value, RECEIVED_BYTES, arena);

		received_parse(text, &out->hops[out->hop_count]);
		add_hop(&out->findings, &out->hops[out->hop_count++], arena);
	}
	if (s->whole)
		findings_set_number(&out->findings, FACT_RECEIVED_COUNT,
		    (int64_t)out->received_count);
	else
		findings_set_unknown(&out->findings, FACT_RECEIVED_COUNT, not_whole);
}

/* The content.  What is longer than the room is mapped, all at once, for all of it will be
   read: the descriptor is sealed, or nobody can write to its file. */
static void
examine_content(int message, const struct packet_examine *job, const struct dig_tools *tools,
    const uint8_t *room, struct packet_examined *out, struct arena *arena)
{
	const struct value *subject = &out->findings.values[FACT_HEADER_SUBJECT];
	uint64_t size = job->size;
	bool mapped = size > SECTION_FIRST_BYTES;
	const void *bytes = mapped ? mmap(NULL, (size_t)size, PROT_READ,
	    MAP_PRIVATE | MAP_POPULATE, message, 0) : room;

	if (bytes == MAP_FAILED) {
		out->status = ST_TEMP;
		out->why = SPAN_LIT("the message cannot be mapped");
		return;
	}
	const struct dig_job what = { .message = { bytes, (size_t)size },
		.subject = subject->state == FACT_KNOWN ? subject->text : SPAN_NONE,
		.wishes = job->wishes, .smtputf8 = job->smtputf8,
		.key = &out->key };

	dig(&what, tools, &DIG_LIMITS, &out->findings, arena);
	if (mapped)
		munmap((void *)(uintptr_t)bytes, (size_t)size);
}

void
examine(int message, const struct packet_examine *job, const struct dig_tools *tools,
    uint8_t *room, struct packet_examined *out, struct arena *arena)
{
	struct section s;
	struct error err;

	*out = (struct packet_examined){ 0 };
	out->status = header_section_read(message, job->size, job->header_limit, room, &s, arena,
	    &err);
	if (out->status != ST_OK) {
		out->why = arena_span(arena, span_text(err.text));
		return;
	}
	for (size_t i = 0; i < COUNT_OF(text_facts); i++)
		find_text(&s, &text_facts[i], &out->findings, arena);
	find_hops(&s, out, arena);
	out->header_size = s.header.body;
	out->header_eight_bit = s.header.eight_bit;
	if (job->wishes != 0)
		examine_content(message, job, tools, room, out, arena);
}
