/*
 * tag.c - see tag.h.
 */
#include "src/gateway/tag.h"
#include "lib/policy/tag.h"
#include "lib/finding/score.h"
#include "lib/smtp/address.h"

#define ORCPT_BYTES      500    /* RFC 3461 section 4 */
#define RECORDED_CHANGES 200
#define NAMED_RECIPIENTS 3      /* of a variant, in the record */

/* --- fields on top --- */

static bool
is_spam_report(const struct asked *a)
{
	return a->state == ASKED_OVER && scanner_type_scores(a->scanner->type) &&
	    a->scan.report.result == SCAN_SCORED;
}

/* The first bound and the first report of those that scanners gave. */
static struct tag_source
source_of(const struct transaction *t)
{
	struct tag_source s = { .findings = &t->findings };

	for (size_t i = 0; i < t->asked_count; i++) {
		const struct scan_report *r = &t->asked[i].scan.report;

		if (!is_spam_report(&t->asked[i]))
			continue;
		if (!s.has_required && r->required != 0) {
			s.has_required = true;
			s.required = r->required;
		}
		if (s.report.len == 0)
			s.report = r->text;
	}
	return s;
}

static bool
adds_subject(const struct change *c)
{
	return c->kind == CHANGE_ADD && span_equal_nocase(c->name, SPAN_LIT("Subject"));
}

/* A Subject that a rule adds is the first one there is: that one is marked. */
static const struct change *
added_subject(const struct verdict *v)
{
	for (size_t i = 0; i < v->change_count; i++)
		if (adds_subject(v->changes[i]))
			return v->changes[i];
	return NULL;
}

static void
add_change(struct buf *b, const struct verdict *v, const struct change *c, bool marked)
{
	struct buf value = { 0 };

	if (marked)
		buf_add(&value, v->tag.subject);
	buf_add(&value, c->value);
	header_write(b, c->name, buf_span(&value));
	buf_free(&value);
}

struct span
tag_fields(const struct transaction *t, const struct verdict *v)
{
	const struct change *subject = added_subject(v);
	struct tag_source s = source_of(t);
	struct buf b = { 0 };

	tag_write(&b, v, &s);
	for (size_t i = 0; i < v->change_count; i++)
		if (v->changes[i]->kind == CHANGE_ADD)
			add_change(&b, v, v->changes[i], v->changes[i] == subject);
	struct span fields = arena_span(t->arena, buf_span(&b));

	buf_free(&b);
	return fields;
}

/* --- edits --- */

static bool
removes(const struct transaction *t)
{
	return t->examined.marked && !t->door->listener->trust_headers;
}

static struct span
subject_of(const struct verdict *v)
{
	return added_subject(v) != NULL ? SPAN_NONE : v->tag.subject;
}

bool
tag_needs_edits(const struct transaction *t, const struct verdict *v)
{
	if (removes(t) || subject_of(v).len > 0)
		return true;
	for (size_t i = 0; i < v->change_count; i++)
		if (v->changes[i]->kind == CHANGE_REMOVE)
			return true;
	return false;
}

void
tag_fill_request(struct transaction *t, const struct verdict *v, struct packet_rewrite *r)
{
	r->changes = arena_array(t->arena, struct packet_change, v->change_count);
	for (size_t i = 0; i < v->change_count; i++)
		if (v->changes[i]->kind == CHANGE_REMOVE)
			r->changes[r->change_count++] = (struct packet_change){
			    .remove = true, .name = v->changes[i]->name };
	r->unmark = removes(t);
	r->subject = subject_of(v);
}

bool
tag_is_stricter(const struct verdict *v, const struct verdict *than)
{
	bool marks = v->tag.subject.len > 0;

	if (v->tag.kind != than->tag.kind)
		return v->tag.kind > than->tag.kind;
	if (marks != (than->tag.subject.len > 0))
		return marks;
	return v->change_count > than->change_count;
}

/* --- recipients --- */

struct span
tag_recipient(struct transaction *t, const struct fate_row *row)
{
	const struct value *local = &t->findings.values[FACT_RECIPIENT_LOCAL];
	struct span address = row->recipient->address;

	if (row->verdict.fate != FATE_ACCEPT || row->verdict.tag.extension.len == 0 ||
	    local->state != FACT_KNOWN || !local->truth)
		return SPAN_NONE;
	struct span tagged = tag_address(address, row->verdict.tag.extension, t->arena);

	return span_equal(tagged, address) ? SPAN_NONE : tagged;
}

static bool
any_extended(const struct variant *v)
{
	for (size_t i = 0; i < v->row_count; i++)
		if (v->transaction->rows[v->rows[i]].extended.len > 0)
			return true;
	return false;
}

/* RFC 6533 has another type for addresses that are not ASCII; they get none. */
static struct span
original_recipient(struct span address, struct arena *arena)
{
	struct span encoded = xtext_encode(address, arena);

	for (size_t i = 0; i < address.len; i++)
		if (address.ptr[i] >= 0x80)
			return SPAN_NONE;
	if (encoded.len + 7 > ORCPT_BYTES)
		return SPAN_NONE;
	return span_text(arena_printf(arena, "rfc822;%.*s", (int)encoded.len,
	    (const char *)encoded.ptr));
}

const struct envelope *
tag_envelope(const struct variant *v)
{
	struct transaction *t = v->transaction;

	if (!any_extended(v))
		return t->envelope;
	struct envelope *e = arena_new(t->arena, struct envelope);

	*e = *t->envelope;
	e->recipients = arena_array(t->arena, struct recipient, e->recipient_count);
	e->recipient_cap = e->recipient_count;
	for (size_t i = 0; i < e->recipient_count; i++) {
		struct recipient *r = &e->recipients[i];

		*r = t->envelope->recipients[i];
		if (t->rows[i].extended.len == 0)
			continue;
		if (r->orcpt.len == 0)
			r->orcpt = original_recipient(r->address, t->arena);
		r->address = t->rows[i].extended;
	}
	return e;
}

/* --- the record --- */

/* "for amy@example.org and 3 more: ", where variants differ. */
static void
print_for(struct buf *b, const struct variant *v)
{
	const char *before = "for ";

	if (v->transaction->variant_count < 2)
		return;
	for (size_t i = 0; i < v->row_count && i < NAMED_RECIPIENTS; i++) {
		buf_add(b, span_text(before));
		buf_add(b, v->transaction->rows[v->rows[i]].recipient->address);
		before = ", ";
	}
	if (v->row_count > NAMED_RECIPIENTS)
		buf_printf(b, " and %zu more", v->row_count - NAMED_RECIPIENTS);
	buf_add(b, SPAN_LIT(": "));
}

/* Takes what the buffer holds. */
static void
add_row(struct transaction *t, struct record *r, struct buf *b)
{
	if (r->changes == NULL)
		r->changes = arena_array(t->arena, struct span, RECORDED_CHANGES);
	if (r->change_count < RECORDED_CHANGES)
		r->changes[r->change_count++] = arena_span(t->arena, buf_span(b));
	else
		r->cut = true;
	buf_free(b);
}

/* "tag as spam, required 5, subject '***SPAM*** '" */
static void
record_tag(struct transaction *t, struct record *r, const struct variant *v)
{
	const struct tag *tag = &v->verdict->tag;
	struct buf b = { 0 };

	if (tag->kind == TAG_NONE)
		return;
	print_for(&b, v);
	buf_printf(&b, "tag %s", tag->kind == TAG_SPAM ? "as spam" : "status");
	if (tag->has_required) {
		buf_add(&b, SPAN_LIT(", required "));
		score_print(&b, tag->required);
	}
	if (v->verdict->score != 0) {
		buf_add(&b, SPAN_LIT(", score of the rules "));
		score_print(&b, v->verdict->score);
	}
	if (tag->subject.len > 0)
		buf_printf(&b, ", subject '%.*s'", (int)tag->subject.len,
		    (const char *)tag->subject.ptr);
	add_row(t, r, &b);
}

static void
record_unscanned(struct transaction *t, struct record *r, const struct variant *v)
{
	struct buf b = { 0 };

	if (v->missing == 0)
		return;
	print_for(&b, v);
	buf_add(&b, SPAN_LIT("accepted without "));
	buf_add(&b, unscanned_text(t, v->missing));
	add_row(t, r, &b);
}

static void
record_variant(struct transaction *t, struct record *r, const struct variant *v)
{
	record_tag(t, r, v);
	record_unscanned(t, r, v);
	for (size_t i = 0; i < v->verdict->change_count; i++) {
		const struct change *c = v->verdict->changes[i];
		struct buf b = { 0 };

		print_for(&b, v);
		buf_add(&b, c->kind == CHANGE_ADD ? SPAN_LIT("header add ") :
		    SPAN_LIT("header remove "));
		buf_add(&b, c->name);
		if (c->kind == CHANGE_ADD) {
			buf_add(&b, SPAN_LIT(": "));
			buf_add(&b, c->value);
		}
		add_row(t, r, &b);
	}
}

static void
record_extensions(struct transaction *t, struct record *r)
{
	for (size_t i = 0; i < t->envelope->recipient_count; i++) {
		const struct fate_row *row = &t->rows[i];
		struct buf b = { 0 };

		if (row->extended.len == 0)
			continue;
		buf_add(&b, SPAN_LIT("recipient "));
		buf_add(&b, row->recipient->address);
		buf_add(&b, SPAN_LIT(" becomes "));
		buf_add(&b, row->extended);
		add_row(t, r, &b);
	}
}

void
tag_record(struct transaction *t, struct record *r)
{
	if (t->variant_count > 0 && removes(t)) {
		struct buf b = { 0 };

		buf_add(&b, SPAN_LIT("fields of other filters removed"));
		add_row(t, r, &b);
	}
	for (size_t i = 0; i < t->variant_count; i++)
		record_variant(t, r, &t->variants[i]);
	record_extensions(t, r);
}
