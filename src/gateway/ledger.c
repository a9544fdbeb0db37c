/*
 * ledger.c - the delivered ledger: recipients taken in a try that ended in 451 are
 * skipped in the next (design, section 4).
 *
 * Only SMTP's single reply needs it.  The message is hashed only where an entry is
 * written or one with the same id exists.
 */
#include "src/gateway/transaction.h"
#include <stdio.h>

/* "m<message-id>", else "q<client's queue id>", else nothing. */
static struct span
ledger_key(struct transaction *t)
{
	const struct value *id = &t->examined.findings.values[FACT_HEADER_MESSAGE_ID];
	struct span ident = t->envelope->xforward.ident;

	if (id->state == FACT_KNOWN && id->text.len > 0)
		return span_text(arena_printf(t->arena, "m%.*s", (int)id->text.len,
		    (const char *)id->text.ptr));
	if (ident.len > 0)
		return span_text(arena_printf(t->arena, "q%.*s", (int)ident.len,
		    (const char *)ident.ptr));
	return SPAN_NONE;
}

static void
log_ledger(struct transaction *t, const char *what, const struct fate_row *row)
{
	struct log_line line;

	log_begin(&line, &t->gateway->log, EVENT_LEDGER, LOG_IS_NOTICE);
	log_word(&line, "id", t->id);
	log_word(&line, "did", what);
	log_text(&line, "recipient", row->recipient->address);
	log_text(&line, "key", t->ledger_key);
	log_end(&line);
}

/* --- LEDGER: was it here before? --- */

static void
skip_taken(struct transaction *t)
{
	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		for (size_t k = 0; k < t->ledger_count; k++) {
			struct fate_row *row = &t->rows[i];

			if (row->outcome != OUTCOME_NONE ||
			    memcmp(t->ledger[k].hash, t->hash, sizeof t->hash) != 0 ||
			    !span_equal(t->ledger[k].recipient, row->recipient->address))
				continue;
			row->outcome = OUTCOME_ALREADY;
			row->reply = SPAN_LIT("250 2.0.0 Ok, taken in an earlier try");
			log_ledger(t, "skipped", row);
		}
}

static void
hashed_for_ask(struct transaction *t)
{
	if (!t->hashed) {
		transaction_defer(t, "451 4.3.0 The message cannot be read again");
		return;
	}
	skip_taken(t);
	transaction_next(t);
}

static void
asked(struct store_request *r, enum status st, struct unpack body, struct error *err)
{
	struct transaction *t = container_of(r, struct transaction, request);
	struct packet_ledger answer = { 0 };
	struct unpack kept_body = { arena_span(t->arena, body.rest), false };

	if (st != ST_OK || !packet_take_ledger(&kept_body, &answer, t->arena)) {
		transaction_defer(t, "451 4.3.0 The delivered ledger cannot be read");
		return;
	}
	t->ledger = answer.entries;
	t->ledger_count = answer.count;
	if (t->ledger_count == 0)
		transaction_next(t);
	else
		hash_begin(t, hashed_for_ask);
}

void
begin_ledger(struct transaction *t)
{
	struct packet_ledger question = { .sender = t->envelope->sender };
	struct pack p;
	struct error err;

	t->ledger_key = t->lmtp ? SPAN_NONE : ledger_key(t);
	if (t->ledger_key.len == 0 || t->gateway->ledger == NULL ||
	    !ledger_page_has(t->gateway->ledger, t->ledger_key)) {
		transaction_next(t);
		return;
	}
	question.key = t->ledger_key;
	p = storelink_begin(t->gateway->store, PACKET_LEDGER_ASK);
	packet_put_ledger(&p, &question);
	t->request.done = asked;
	if (storelink_send(t->gateway->store, &p, -1, &t->request, &err) != ST_OK)
		transaction_defer(t, "451 4.3.0 The delivered ledger cannot be read");
}

/* --- NOTE: what the next try must know --- */

static bool
is_taken(const struct fate_row *row)
{
	return row->outcome == OUTCOME_DELIVERED || row->outcome == OUTCOME_QUARANTINED ||
	    row->outcome == OUTCOME_NOTIFIED;
}

/* Who left before the reply does not know that it was taken, either. */
static bool
will_retry(const struct transaction *t)
{
	if (t->session->gone)
		return true;
	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		if (t->rows[i].outcome == OUTCOME_DEFERRED ||
		    t->rows[i].outcome == OUTCOME_NONE)
			return true;
	return false;
}

/* Entries for those rows that `want` names. */
static struct packet_ledger
entries_for(struct transaction *t, bool (*want)(const struct fate_row *))
{
	struct packet_ledger l = { .key = t->ledger_key, .sender = t->envelope->sender };

	l.entries = arena_array(t->arena, struct ledger_entry, t->envelope->recipient_count);
	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		if (want(&t->rows[i])) {
			struct ledger_entry *e = &l.entries[l.count++];

			e->recipient = t->rows[i].recipient->address;
			memcpy(e->hash, t->hash, sizeof e->hash);
		}
	return l;
}

/* Whether or not it could be noted: the answer goes out. */
static void
noted(struct store_request *r, enum status st, struct unpack body, struct error *err)
{
	struct transaction *t = container_of(r, struct transaction, request);
	struct packet_stored answer = { .status = ST_TEMP };

	if (st != ST_OK || !packet_take_stored(&body, &answer) || answer.status != ST_OK)
		log_event(&t->gateway->log, EVENT_LEDGER, LOG_IS_WARNING, "id", t->id, "problem",
		    "not noted: a retry may deliver twice", NULL);
	transaction_next(t);
}

static void
send_ledger(struct transaction *t, enum packet_type type, const struct packet_ledger *l)
{
	struct pack p = storelink_begin(t->gateway->store, type);
	struct error err;

	packet_put_ledger(&p, l);
	t->request.done = noted;
	if (storelink_send(t->gateway->store, &p, -1, &t->request, &err) != ST_OK)
		noted(&t->request, ST_TEMP, (struct unpack){ 0 }, &err);
}

static void
add_entries(struct transaction *t)
{
	struct packet_ledger l = entries_for(t, is_taken);

	if (!t->hashed || l.count == 0) {
		transaction_next(t);
		return;
	}
	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		if (is_taken(&t->rows[i]))
			log_ledger(t, "entered", &t->rows[i]);
	send_ledger(t, PACKET_LEDGER_ADD, &l);
}

static bool
is_already(const struct fate_row *row)
{
	return row->outcome == OUTCOME_ALREADY;
}

void
begin_note(struct transaction *t)
{
	bool taken = false, already = false;
	bool retry = will_retry(t);

	for (size_t i = 0; i < t->envelope->recipient_count; i++) {
		taken |= is_taken(&t->rows[i]);
		already |= is_already(&t->rows[i]);
	}
	if (retry && taken && t->ledger_key.len > 0 && !t->lmtp) {
		if (t->hashed)
			add_entries(t);
		else
			hash_begin(t, add_entries);
		return;
	}
	if (!retry && already) {
		struct packet_ledger l = entries_for(t, is_already);

		send_ledger(t, PACKET_LEDGER_REMOVE, &l);
		return;
	}
	transaction_next(t);
}
