/*
 * outcome.c - the last stage: what the client is told, the log line, the record.
 */
#include "src/gateway/held.h"
#include "src/gateway/tag.h"
#include "lib/base/text.h"
#include <stdio.h>

/* --- replies --- */

static bool
is_good(enum outcome o)
{
	return o == OUTCOME_DELIVERED || o == OUTCOME_QUARANTINED || o == OUTCOME_DISCARDED ||
	    o == OUTCOME_NOTIFIED || o == OUTCOME_ALREADY;
}

/* Which row speaks for all, with SMTP's one reply: a deferral, else what was delivered,
   else anything good, else a rejection. */
static const struct fate_row *
speaking_row(const struct transaction *t)
{
	static const enum outcome order[] = { OUTCOME_DEFERRED, OUTCOME_DELIVERED,
	    OUTCOME_QUARANTINED, OUTCOME_ALREADY, OUTCOME_NOTIFIED, OUTCOME_DISCARDED,
	    OUTCOME_REJECTED };

	for (size_t o = 0; o < COUNT_OF(order); o++)
		for (size_t i = 0; i < t->envelope->recipient_count; i++)
			if (t->rows[i].outcome == order[o])
				return &t->rows[i];
	return &t->rows[0];
}

/* "but 2 quarantined, 1 notified": what the one reply does not say. */
static void
add_others(const struct transaction *t, const struct fate_row *speaks, struct buf *b)
{
	size_t counts[OUTCOME_COUNT] = { 0 };
	const char *before = ", but ";

	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		if (t->rows[i].outcome != speaks->outcome && is_good(t->rows[i].outcome))
			counts[t->rows[i].outcome]++;
	for (int o = 0; o < OUTCOME_COUNT; o++)
		if (counts[o] > 0) {
			buf_printf(b, "%s%zu %s", before, counts[o],
			    outcome_name((enum outcome)o));
			before = ", ";
		}
}

static const char *
row_reply(struct transaction *t, const struct fate_row *row, bool for_all)
{
	struct buf b = { 0 };
	struct span text = row->reply;

	if (row->outcome == OUTCOME_NOTIFIED)
		text = SPAN_LIT("250 2.5.0 Ok, the sender was notified");
	if (text.len > 380) {
		buf_add(&b, span_slice(text, 0, 377));
		buf_add(&b, SPAN_LIT("..."));
	} else
		buf_add(&b, text);
	if (for_all && is_good(row->outcome))
		add_others(t, row, &b);
	buf_printf(&b, ", id=%s", t->id);
	char *reply = arena_text(t->arena, buf_span(&b));

	buf_free(&b);
	return reply;
}

/* A transaction that is deferred as a whole has no recipient left undecided. */
static void
settle_rest(struct transaction *t)
{
	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		if (t->rows[i].outcome == OUTCOME_NONE && !t->session->gone) {
			t->rows[i].outcome = OUTCOME_DEFERRED;
			if (t->rows[i].reply.len == 0 || t->rows[i].reply.ptr[0] != '4')
				t->rows[i].reply = SPAN_LIT("451 4.3.0 Not delivered yet");
		}
}

static const char *const *
make_replies(struct transaction *t, size_t *count)
{
	size_t n = t->lmtp ? t->envelope->recipient_count : 1;
	const char **replies = arena_array(t->arena, const char *, n);

	for (size_t i = 0; i < n && t->lmtp; i++)
		replies[i] = row_reply(t, &t->rows[i], false);
	if (!t->lmtp)
		replies[0] = row_reply(t, speaking_row(t), true);
	*count = n;
	return replies;
}

/* --- the log line --- */

static struct span
rule_of(const struct fate_row *row)
{
	return row->verdict.rule != NULL ? row->verdict.rule->name : SPAN_NONE;
}

/* <amy@example.org>=<amy+spam@example.org> */
static void
log_extended(struct buf *b, struct span address)
{
	buf_add(b, SPAN_LIT("=<"));
	buf_add(b, span_slice(address, 0, address.len < 256 ? address.len : 256));
	buf_byte(b, '>');
}

static void
log_recipient(struct log_line *line, const struct fate_row *row)
{
	struct buf b = { 0 };

	buf_byte(&b, '<');
	buf_add(&b, span_slice(row->recipient->address, 0,
	    row->recipient->address.len < 256 ? row->recipient->address.len : 256));
	buf_byte(&b, '>');
	if (row->extended.len > 0)
		log_extended(&b, row->extended);
	buf_printf(&b, ":%s", outcome_name(row->outcome));
	if (row->quarantine.len > 0 && row->outcome == OUTCOME_QUARANTINED)
		buf_printf(&b, "/%.*s", (int)row->quarantine.len,
		    (const char *)row->quarantine.ptr);
	buf_printf(&b, ":%.*s", (int)rule_of(row).len, (const char *)rule_of(row).ptr);
	log_text(line, "to", buf_span(&b));
	buf_free(&b);
}

/* Scanners without whose answers somebody got it. */
static uint64_t
missing_for_any(const struct transaction *t)
{
	uint64_t missing = 0;

	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		if (t->rows[i].outcome == OUTCOME_DELIVERED)
			missing |= t->rows[i].missing;
	return missing;
}

#define LOGGED_RECIPIENTS 50
#define LOGGED_BYTES      2048  /* of a line, then no more recipients: the rest must fit */

static void
log_mail(struct transaction *t, const char *reply)
{
	struct log_line line;
	char client[ADDRESS_TEXT_BYTES] = "-";
	const struct fate_row *speaks = speaking_row(t);
	size_t n = t->envelope->recipient_count, logged = 0;

	if (t->client.has_address)
		address_text(client, &t->client.address);
	log_begin(&line, &t->gateway->log, EVENT_MAIL, LOG_IS_INFO);
	log_word(&line, "id", t->id);
	if (t->session->held != NULL)
		log_word(&line, "held-as", t->session->held->id);
	log_word(&line, "listener", t->door->listener->name);
	log_word(&line, "client", client);
	log_text(&line, "qid", t->envelope->xforward.ident);
	log_text(&line, "queued-as", speaks->queue_id);
	log_text(&line, "from", t->envelope->sender);
	while (logged < n && logged < LOGGED_RECIPIENTS && buf_len(&line.text) < LOGGED_BYTES)
		log_recipient(&line, &t->rows[logged++]);
	if (n > logged)
		log_number(&line, "more-recipients", n - logged);
	if (missing_for_any(t) != 0)
		log_text(&line, "unscanned", unscanned_text(t, missing_for_any(t)));
	log_number(&line, "size", t->message.size);
	log_number(&line, "collect-ms", t->stage_us[RECORD_COLLECT] / 1000);
	log_number(&line, "examine-ms", t->stage_us[RECORD_EXAMINE] / 1000);
	log_number(&line, "scan-ms", t->stage_us[RECORD_SCAN] / 1000);
	log_number(&line, "decide-ms", t->stage_us[RECORD_DECIDE] / 1000);
	log_number(&line, "deliver-ms", t->stage_us[RECORD_DELIVER] / 1000);
	log_text(&line, "reply", t->session->gone ? SPAN_LIT("none: client left") :
	    span_text(reply));
	log_end(&line);
}

/* --- the record --- */

static void
record_recipients(struct transaction *t, struct record *r)
{
	r->recipient_count = t->envelope->recipient_count;
	r->recipients = arena_array(t->arena, struct record_recipient, r->recipient_count);
	for (size_t i = 0; i < r->recipient_count; i++) {
		const struct fate_row *row = &t->rows[i];

		r->recipients[i] = (struct record_recipient){
		    .address = row->recipient->address, .outcome = (uint8_t)row->outcome,
		    .rule = rule_of(row), .reply = row->reply, .queue_id = row->queue_id,
		    .quarantine = row->outcome == OUTCOME_QUARANTINED ? row->quarantine :
		        SPAN_NONE,
		    .walk = (uint16_t)row->walk };
	}
}

static void
record_walk(struct transaction *t, struct record_walk *w, const struct verdict *v)
{
	const struct policy *p = t->door->policy;

	w->count = p->rule_count;
	w->traces = arena_array(t->arena, struct record_trace, w->count);
	for (size_t i = 0; i < w->count; i++) {
		const struct rule *rule = &p->rules[i];
		const struct trace *trace = &v->traces[i];

		w->traces[i] = (struct record_trace){ .rule = rule->name,
		    .monitor = rule->monitor, .result = (uint8_t)trace->result };
		w->traces[i].fact = trace_text(trace, p, &t->findings, t->arena);
		if (rule->monitor && trace->result == TRACE_FIRED && rule->has_fate)
			w->traces[i].would = span_text(fate_name(rule->fate));
	}
}

#define RECORD_WALKS 16

static void
record_walks(struct transaction *t, struct record *r)
{
	r->walks = arena_array(t->arena, struct record_walk, RECORD_WALKS);
	for (size_t i = 0; i < t->envelope->recipient_count; i++) {
		const struct fate_row *row = &t->rows[i];

		if (row->verdict.rule == NULL || row->walk >= RECORD_WALKS ||
		    row->walk < r->walk_count)
			continue;
		record_walk(t, &r->walks[row->walk], &row->verdict);
		r->walk_count = row->walk + 1;
	}
}

static struct span
known_text(const struct transaction *t, enum fact f)
{
	const struct value *v = &t->findings.values[f];

	return v->state == FACT_KNOWN ? v->text : SPAN_NONE;
}

/* The first of the findings: so it is never cut. */
static void
record_held(struct transaction *t, struct record *r)
{
	struct record_finding *list = arena_array(t->arena, struct record_finding,
	    r->finding_count + 1);

	list[0] = (struct record_finding){ .name = SPAN_LIT(RECORD_HELD_AS),
	    .value = span_text(t->session->held->id), .state = FACT_KNOWN };
	if (r->finding_count > 0)
		memcpy(list + 1, r->findings, r->finding_count * sizeof *list);
	r->findings = list;
	r->finding_count++;
}

static void
fill_record(struct transaction *t, struct record *r, const char *reply)
{
	char client[ADDRESS_TEXT_BYTES] = "";

	if (t->client.has_address)
		address_text(client, &t->client.address);
	*r = (struct record){ .id = span_text(t->id),
	    .listener = span_text(t->door->listener->name), .policy = t->door->policy->name,
	    .revision = span_text(t->snapshot->revision),
	    .next_hop = span_text(t->door->listener->next_hop.text), .arrived = t->arrived,
	    .client_address = span_text(arena_text(t->arena, span_text(client))),
	    .client_name = t->client.name, .client_helo = t->client.helo,
	    .client_queue_id = t->envelope->xforward.ident,
	    .protocol = session_with(t->session),
	    .sender = t->envelope->sender, .size = t->message.size,
	    .message_id = known_text(t, FACT_HEADER_MESSAGE_ID),
	    .subject = known_text(t, FACT_HEADER_SUBJECT), .reply = span_text(reply) };
	for (int i = 0; i < RECORD_STAGES; i++)
		r->stage_us[i] = (uint32_t)t->stage_us[i];
	record_recipients(t, r);
	/* They differ by recipient, and stand with each. */
	findings_set_absent(&t->findings, FACT_RECIPIENT);
	findings_set_absent(&t->findings, FACT_RECIPIENT_DOMAIN);
	findings_set_absent(&t->findings, FACT_RECIPIENT_LOCAL);
	record_findings(r, &t->findings, t->arena);
	if (t->session->held != NULL)
		record_held(t, r);
	record_walks(t, r);
	tag_record(t, r);
}

static void
write_record(struct transaction *t, const char *reply)
{
	uint8_t *bytes = t->gateway->record_buffer;
	struct pack p = { bytes, 0, RECORD_BYTES, false };
	struct record r;

	fill_record(t, &r, reply);
	record_pack(&p, &r);
	if (!p.full)
		storelink_journal(t->gateway->store, (struct span){ bytes, p.len });
}

static void
count_outcomes(struct transaction *t)
{
	static const enum counter counters[OUTCOME_COUNT] = {
		[OUTCOME_DELIVERED] = COUNTER_DELIVERED,
		[OUTCOME_QUARANTINED] = COUNTER_QUARANTINED,
		[OUTCOME_DISCARDED] = COUNTER_DISCARDED,
		[OUTCOME_REJECTED] = COUNTER_REJECTED,
		[OUTCOME_DEFERRED] = COUNTER_DEFERRED,
		[OUTCOME_NOTIFIED] = COUNTER_NOTIFIED,
		[OUTCOME_ALREADY] = COUNTER_ALREADY,
	};

	for (size_t i = 0; i < t->envelope->recipient_count; i++) {
		const struct fate_row *row = &t->rows[i];

		/* One that stays held was told to no client. */
		if (t->session->held != NULL && row->outcome == OUTCOME_DEFERRED)
			continue;
		if (row->outcome != OUTCOME_NONE)
			count(t->gateway, counters[row->outcome]);
		if (row->outcome == OUTCOME_QUARANTINED && row->verdict.fate == FATE_HOLD)
			count(t->gateway, COUNTER_HELD);
		if (row->outcome == OUTCOME_DELIVERED && row->missing != 0)
			count(t->gateway, COUNTER_UNSCANNED);
	}
}

void
begin_over(struct transaction *t)
{
	const char *const *replies;
	size_t n;

	settle_rest(t);
	if (t->session->held != NULL)
		held_settle(t);
	replies = make_replies(t, &n);
	count_outcomes(t);
	log_mail(t, t->lmtp && n > 1 ? "one a recipient" : replies[0]);
	if (t->session->held == NULL || held_is_news(t))
		write_record(t, t->lmtp && n > 1 ? "one a recipient" : replies[0]);
	session_answer(t->session, replies, n);
}
