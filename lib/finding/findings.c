/*
 * findings.c - the values of facts: set, print, and the flat form between processes.
 *
 * Flat form: u16 count, then for each fact u16 number, u8 state and, by type, u8
 * truth, u64 number, span of 16 address bytes or span of text; unknown: span of the
 * reason.  Facts ascend, so that one set of findings has one flat form.
 */
#include "lib/finding/fact.h"
#include "lib/base/buf.h"
#include "lib/base/text.h"
#include <assert.h>
#include <inttypes.h>

#define PRINT_BYTES     200     /* of a text, for people */
#define FACT_LEAST      4       /* bytes of the shortest fact in flat form */

static bool
is_text(enum fact_type t)
{
	return t == TYPE_TEXT || t == TYPE_MAILBOX || t == TYPE_DOMAIN;
}

static bool
is_number(enum fact_type t)
{
	return t == TYPE_NUMBER || t == TYPE_SIZE || t == TYPE_TIME || t == TYPE_ENUM;
}

static bool
number_fits(const struct fact_row *row, int64_t n)
{
	int64_t words = 0;

	if (row->type == TYPE_SIZE || row->type == TYPE_TIME)
		return n >= 0;
	if (row->type != TYPE_ENUM)
		return true;
	while (row->words[words] != NULL)
		words++;
	return n >= 0 && n < words;
}

void
findings_set_truth(struct findings *f, enum fact fact, bool truth)
{
	assert(fact_row(fact)->type == TYPE_TRUTH);
	f->values[fact] = (struct value){ .state = FACT_KNOWN, .truth = truth };
}

void
findings_set_number(struct findings *f, enum fact fact, int64_t n)
{
	assert(is_number(fact_row(fact)->type) && number_fits(fact_row(fact), n));
	f->values[fact] = (struct value){ .state = FACT_KNOWN, .number = n };
}

void
findings_set_text(struct findings *f, enum fact fact, struct span text)
{
	assert(is_text(fact_row(fact)->type));
	f->values[fact] = (struct value){ .state = FACT_KNOWN, .text = text };
}

void
findings_set_address(struct findings *f, enum fact fact, const struct address *a)
{
	assert(fact_row(fact)->type == TYPE_NETWORK);
	f->values[fact] = (struct value){ .state = FACT_KNOWN, .address = *a };
}

void
findings_set_unknown(struct findings *f, enum fact fact, const char *reason)
{
	assert((unsigned)fact < FACT_COUNT);
	f->values[fact] =
	    (struct value){.state = FACT_UNKNOWN, .text = span_text(reason)};
}

void
findings_set_absent(struct findings *f, enum fact fact)
{
	assert((unsigned)fact < FACT_COUNT);
	f->values[fact] = (struct value){ .state = FACT_ABSENT };
}

void
findings_take_stage(
    struct findings *to, const struct findings *from, enum fact_stage stage)
{
	for (unsigned i = 0; i < FACT_COUNT; i++)
		if (fact_row((enum fact)i)->stage == stage)
			to->values[i] = from->values[i];
}

/* A quote inside is escaped, so that no text can end early and go on as another fact. */
static void
print_quoted(struct buf *b, struct span s)
{
	bool cut = s.len > PRINT_BYTES;

	if (cut)
		s.len = PRINT_BYTES;
	buf_byte(b, '\'');
	for (size_t quote; (quote = span_find(s, '\'')) < s.len;) {
		text_escape(b, span_slice(s, 0, quote), quote, true);
		buf_add(b, SPAN_LIT("\\'"));
		s = span_slice(s, quote + 1, s.len);
	}
	text_escape(b, s, s.len, true);
	buf_add(b, cut ? SPAN_LIT("...'") : SPAN_LIT("'"));
}

static void
print_known(struct buf *b, const struct fact_row *row, const struct value *v)
{
	char text[ADDRESS_TEXT_BYTES];

	switch (row->type) {
	case TYPE_TRUTH:
		buf_printf(b, "%s", v->truth ? "true" : "false");
		break;
	case TYPE_NUMBER:
	case TYPE_SIZE:
		buf_printf(b, "%" PRId64, v->number);
		break;
	case TYPE_TIME:
		buf_printf(b, "%" PRId64 "ms", v->number);
		break;
	case TYPE_ENUM:
		buf_printf(b, "%s", row->words[v->number]);
		break;
	case TYPE_NETWORK:
		address_text(text, &v->address);
		buf_printf(b, "%s", text);
		break;
	case TYPE_TEXT:
	case TYPE_MAILBOX:
	case TYPE_DOMAIN:
		print_quoted(b, v->text);
		break;
	}
}

void
value_print(struct buf *b, enum fact fact, const struct value *v)
{
	switch (v->state) {
	case FACT_ABSENT:
		buf_printf(b, "absent");
		break;
	case FACT_KNOWN:
		print_known(b, fact_row(fact), v);
		break;
	case FACT_UNKNOWN:
		buf_printf(b, "unknown: ");
		text_escape(b, v->text, PRINT_BYTES, true);
		break;
	}
}

static void
pack_value(struct pack *p, enum fact_type type, const struct value *v)
{
	pack_u8(p, (uint8_t)v->state);
	if (v->state == FACT_UNKNOWN || is_text(type))
		pack_span_cut(p, v->text, FINDINGS_TEXT_BYTES);
	else if (type == TYPE_TRUTH)
		pack_u8(p, v->truth);
	else if (type == TYPE_NETWORK)
		pack_span(p, (struct span){ v->address.bytes, sizeof v->address.bytes });
	else
		pack_u64(p, (uint64_t)v->number);
}

void
findings_pack(struct pack *p, const struct findings *f)
{
	uint16_t count = 0;

	for (size_t i = 0; i < FACT_COUNT; i++)
		count = (uint16_t)(count + (f->values[i].state != FACT_ABSENT));
	pack_u16(p, count);
	for (size_t i = 0; i < FACT_COUNT; i++)
		if (f->values[i].state != FACT_ABSENT) {
			pack_u16(p, (uint16_t)i);
			pack_value(p, fact_row((enum fact)i)->type, &f->values[i]);
		}
}

static bool
unpack_text(struct unpack *u, struct span *text, struct arena *a)
{
	struct span s = unpack_span(u);

	if (u->bad || s.len > FINDINGS_TEXT_BYTES)
		return false;
	*text = arena_span(a, s);
	return true;
}

static bool
unpack_address(struct unpack *u, struct address *a)
{
	struct span s = unpack_span(u);

	if (u->bad || s.len != sizeof a->bytes)
		return false;
	memcpy(a->bytes, s.ptr, s.len);
	return true;
}

static bool
unpack_truth(struct unpack *u, bool *truth)
{
	uint8_t v = unpack_u8(u);

	*truth = v == 1;
	return !u->bad && v <= 1;
}

static bool
unpack_number(struct unpack *u, const struct fact_row *row, int64_t *n)
{
	uint64_t v = unpack_u64(u);

	*n = (int64_t)v;
	return !u->bad && number_fits(row, *n);
}

static bool
unpack_value(
    struct unpack *u, const struct fact_row *row, struct value *v, struct arena *a)
{
	uint8_t state = unpack_u8(u);

	if (u->bad || (state != FACT_KNOWN && state != FACT_UNKNOWN))
		return false;
	v->state = (enum fact_state)state;
	if (v->state == FACT_UNKNOWN || is_text(row->type))
		return unpack_text(u, &v->text, a);
	if (row->type == TYPE_TRUTH)
		return unpack_truth(u, &v->truth);
	if (row->type == TYPE_NETWORK)
		return unpack_address(u, &v->address);
	return unpack_number(u, row, &v->number);
}

static bool
unpack_facts(struct unpack *u, struct findings *f, struct arena *a)
{
	unsigned count = unpack_u16(u), next = 0;

	if (u->bad || count > FACT_COUNT || count > u->rest.len / FACT_LEAST)
		return false;
	for (; count > 0; count--) {
		unsigned fact = unpack_u16(u);

		if (u->bad || fact < next || fact >= FACT_COUNT)
			return false;
		next = fact + 1;
		if (!unpack_value(u, fact_row((enum fact)fact), &f->values[fact], a))
			return false;
	}
	return true;
}

bool
findings_unpack(struct unpack *u, struct findings *f, struct arena *a)
{
	*f = (struct findings){ 0 };
	if (unpack_facts(u, f, a))
		return true;
	u->bad = true;
	*f = (struct findings){ 0 };
	return false;
}
