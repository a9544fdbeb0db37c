/*
 * scan.c - the stage that asks the scanners: those that tell a fact which can still change a
 * recipient's verdict, all at the same time.
 *
 * After each answer the rules are asked again, and who is no longer wanted is called off.
 * What the answers mean as facts is worked out anew each time, from all of them.
 */
#include "src/gateway/transaction.h"
#include "lib/finding/score.h"
#include "lib/policy/envelope_facts.h"
#include <stdio.h>

#define RESERVE_MS 10000        /* of the deadline, for what comes after */

/* --- facts before the answers --- */

static void
content_unknown(struct findings *f)
{
	for (int i = 0; i < FACT_COUNT; i++)
		if (fact_row((enum fact)i)->stage == STAGE_CONTENT)
			findings_set_unknown(f, (enum fact)i,
			    "the inspector fails on this message");
}

static void
message_facts(struct transaction *t)
{
	struct findings *f = &t->findings;

	findings_set_text(f, FACT_LISTENER, span_text(t->door->listener->name));
	envelope_facts_sender(f, t->envelope->sender, t->arena);
	findings_set_number(f, FACT_RECIPIENT_COUNT, (int64_t)t->envelope->recipient_count);
	findings_set_number(f, FACT_MESSAGE_SIZE, (int64_t)t->message.size);
	findings_set_truth(f, FACT_MESSAGE_UNSCANNABLE, t->unscannable);
	if (t->unscannable)
		content_unknown(f);
	else
		findings_take_stage(f, &t->examined.findings, STAGE_CONTENT);
	mail_client_find(&t->client, t->session, t->envelope, t->examined.hops,
	    t->examined.hop_count);
	envelope_facts_client(f, &t->client);
	t->failures.message = t->unscannable;
}

/* --- loops --- */

/* How often this very listener has had the mail, by the token in our Received. */
static unsigned
passes(const struct transaction *t)
{
	char token[300];
	unsigned n = 0;

	snprintf(token, sizeof token, "Sallyport %s", t->door->listener->name);
	for (size_t i = 0; i < t->examined.hop_count; i++)
		n += span_equal(t->examined.hops[i].by_comment, span_text(token)) &&
		    span_equal_nocase(t->examined.hops[i].by, span_text(t->gateway->hostname));
	return n;
}

static bool
is_looping(const struct transaction *t)
{
	return t->examined.received_count > RECEIVED_LIMIT || passes(t) > LOOP_LIMIT;
}

/* --- facts from the answers --- */

/* The answers of a sort of scanners, virus or spam, so far. */
struct tally {
	size_t  running, found, unscannable, failed;    /* found: infected, or scored */
	int64_t score;
	const struct asked *bad;        /* the first that failed, else that could not look */
};

static bool
is_spam_sort(const struct asked *a)
{
	enum scanner_type type = a->scanner->type;

	return type == SCANNER_TYPE_SPAMD || type == SCANNER_TYPE_RSPAMD;
}

/* An answer of the other sort - a virus from a spam scanner - is no answer. */
static enum scan_result
result_of(const struct asked *a)
{
	enum scan_result r = a->scan.report.result;
	bool fits = is_spam_sort(a) ? r == SCAN_SCORED || r == SCAN_UNSCANNABLE :
	    r == SCAN_CLEAN || r == SCAN_INFECTED || r == SCAN_UNSCANNABLE;

	return fits ? r : SCAN_FAILED;
}

static void
take_score(struct tally *n, const struct asked *a)
{
	int64_t weight = (int64_t)a->scanner->weight;
	int64_t score = a->scan.report.score, most = SCORE_MOST / 1000;

	/* Bounded, so that the product fits. */
	score = score > SCORE_MOST ? SCORE_MOST : score < -SCORE_MOST ? -SCORE_MOST : score;
	weight = weight > most ? most : weight;
	n->score = score_bounded(n->score + score * weight / 1000);
}

static void
take_result(struct tally *n, const struct asked *a)
{
	switch (result_of(a)) {
	case SCAN_FAILED:
		if (n->failed++ == 0)
			n->bad = a;
		break;
	case SCAN_UNSCANNABLE:
		if (n->unscannable++ + n->failed == 0)
			n->bad = a;
		break;
	case SCAN_SCORED:
		take_score(n, a);
		n->found++;
		break;
	case SCAN_INFECTED:
		n->found++;
		break;
	case SCAN_CLEAN:
	case SCAN_RESULTS:
		break;
	}
}

/* One that was not asked, or called off, counts as still to come. */
static struct tally
tally(const struct transaction *t, bool spam)
{
	struct tally n = { 0 };

	for (size_t i = 0; i < t->asked_count; i++) {
		const struct asked *a = &t->asked[i];

		if (is_spam_sort(a) != spam)
			continue;
		if (a->state == ASKED_OVER)
			take_result(&n, a);
		else
			n.running++;
	}
	return n;
}

static const char *
why_unknown(struct transaction *t, const struct asked *a)
{
	struct span why = a->scan.report.why;

	return arena_printf(t->arena, "%s: %.*s", a->scanner->name, (int)why.len,
	    why.len > 0 ? (const char *)why.ptr : "");
}

static void
unknown_or_pending(struct transaction *t, enum fact fact, const struct tally *n)
{
	if (n->running > 0)
		findings_set_pending(&t->findings, fact);
	else
		findings_set_unknown(&t->findings, fact, why_unknown(t, n->bad));
}

static struct span
virus_names(struct transaction *t)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < t->asked_count; i++) {
		const struct asked *a = &t->asked[i];

		for (size_t k = 0; a->state == ASKED_OVER && result_of(a) == SCAN_INFECTED &&
		    k < a->scan.report.virus_count; k++) {
			if (buf_len(&b) > 0)
				buf_byte(&b, ' ');
			buf_add(&b, a->scan.report.viruses[k]);
		}
	}
	struct span names = arena_span(t->arena, buf_span(&b));

	buf_free(&b);
	return names;
}

static void
virus_facts(struct transaction *t)
{
	struct findings *f = &t->findings;
	struct tally n = tally(t, false);
	bool bad = n.failed + n.unscannable > 0;

	if (n.found > 0)
		findings_set_truth(f, FACT_VIRUS_FOUND, true);
	else if (n.running > 0 || bad)
		unknown_or_pending(t, FACT_VIRUS_FOUND, &n);
	else
		findings_set_truth(f, FACT_VIRUS_FOUND, false);

	/* Names known in part cannot be said: a name that is missing among them is no `no'. */
	if (n.running > 0 || bad)
		unknown_or_pending(t, FACT_VIRUS_NAME, &n);
	else if (n.found > 0)
		findings_set_text(f, FACT_VIRUS_NAME, virus_names(t));
	else
		findings_set_absent(f, FACT_VIRUS_NAME);

	if (n.unscannable > 0)
		findings_set_truth(f, FACT_VIRUS_UNSCANNABLE, true);
	else if (n.running > 0 || n.failed > 0)
		unknown_or_pending(t, FACT_VIRUS_UNSCANNABLE, &n);
	else
		findings_set_truth(f, FACT_VIRUS_UNSCANNABLE, false);
}

/* A spam scanner that does not look at large mails has nothing to add: that is no failure. */
static void
spam_facts(struct transaction *t)
{
	struct tally n = tally(t, true);

	if (n.running > 0 || n.failed > 0)
		unknown_or_pending(t, FACT_SPAM_SCORE, &n);
	else
		findings_set_number(&t->findings, FACT_SPAM_SCORE, n.score);
}

static void
symbol_items(struct transaction *t, const struct asked *a)
{
	const struct scan_report *r = &a->scan.report;

	for (size_t i = 0; i < r->symbol_count; i++) {
		struct item *item = findings_add(&t->findings, GROUP_SYMBOL, t->arena);
		const struct scan_symbol *s = &r->symbols[i];

		item_set_text(item, FACT_SYMBOL_NAME, s->name);
		if (s->has_score)
			item_set_number(item, FACT_SYMBOL_SCORE, s->score);
		item_set_text(item, FACT_SYMBOL_SCANNER, span_text(a->scanner->name));
		if (s->text.len > 0)
			item_set_text(item, FACT_SYMBOL_TEXT, s->text);
	}
	t->symbols_cut |= r->symbols_cut || result_of(a) == SCAN_FAILED ||
	    t->findings.groups[GROUP_SYMBOL].count == group_row(GROUP_SYMBOL)->limit;
}

static void
scanner_item(struct transaction *t, const struct asked *a)
{
	static const enum scanner_result results[SCAN_RESULTS] = {
		[SCAN_FAILED] = SCANNER_RESULT_FAILED, [SCAN_CLEAN] = SCANNER_RESULT_CLEAN,
		[SCAN_INFECTED] = SCANNER_RESULT_INFECTED,
		[SCAN_SCORED] = SCANNER_RESULT_SCORED,
		[SCAN_UNSCANNABLE] = SCANNER_RESULT_UNSCANNABLE,
	};
	const struct scan_report *r = &a->scan.report;
	struct item *item = findings_add(&t->findings, GROUP_SCANNER, t->arena);
	struct span answer = r->answer.len > 0 ? r->answer : r->why;

	item_set_text(item, FACT_SCANNER_NAME, span_text(a->scanner->name));
	item_set_number(item, FACT_SCANNER_KIND, (int64_t)a->scanner->type);
	item_set_number(item, FACT_SCANNER_RESULT, (int64_t)results[result_of(a)]);
	item_set_text(item, FACT_SCANNER_ANSWER,
	    result_of(a) == SCAN_FAILED && r->why.len > 0 ? r->why : answer);
	item_set_number(item, FACT_SCANNER_TIME, (int64_t)(a->scan.time_us / 1000));
	if (a->scan.version.len > 0)
		item_set_text(item, FACT_SCANNER_VERSION, a->scan.version);
	item_set_truth(item, FACT_SCANNER_CACHED, a->scan.cached);
}

/* One item each, made when its answer is in. */
static void
take_items(struct transaction *t, const struct asked *a)
{
	scanner_item(t, a);
	if (is_spam_sort(a))
		symbol_items(t, a);
}

/* Only what these scanners could tell: without one that scores, the score is absent. */
static void
stage_facts(struct transaction *t)
{
	bool virus = false, spam = false;

	for (size_t i = 0; i < t->asked_count; i++)
		*(is_spam_sort(&t->asked[i]) ? &spam : &virus) = true;
	if (virus)
		virus_facts(t);
	if (spam)
		spam_facts(t);
}

/* Pending means cut as well: what is cut in truth is said when all is over. */
static void
groups_pending(struct transaction *t, bool pending)
{
	struct items *groups = t->findings.groups;

	groups[GROUP_SCANNER].pending = groups[GROUP_SYMBOL].pending = pending;
	groups[GROUP_SCANNER].cut = pending;
	groups[GROUP_SYMBOL].cut = pending || t->symbols_cut;
}

/* --- who is asked --- */

static bool
needs_verdict(const struct fate_row *row)
{
	return row->outcome == OUTCOME_NONE;
}

/* Nobody is left whom another recipient could want. */
static bool
all_wanted(const struct transaction *t, const struct fact_set *wanted)
{
	for (size_t i = 0; i < t->asked_count; i++) {
		const struct asked *a = &t->asked[i];
		struct fact_set gives = scanner_type_gives(a->scanner->type);

		if ((a->state == ASKED_NOT || a->state == ASKED_RUNNING) &&
		    !fact_set_meets(&gives, wanted))
			return false;
	}
	return true;
}

/* Recipients are looked at until all that could be told is wanted. */
static struct fact_set
wanted_facts(struct transaction *t)
{
	struct fact_set wanted = { 0 };
	struct policy_walk walk;
	bool once = false;

	policy_walk_begin(&walk, t->door->policy, &t->findings, t->arena);
	for (size_t i = 0; i < t->envelope->recipient_count && !all_wanted(t, &wanted); i++) {
		if (!needs_verdict(&t->rows[i]) || (once && !t->door->per_recipient))
			continue;
		if (t->door->per_recipient)
			envelope_facts_recipient(&t->findings, t->snapshot->settings,
			    t->rows[i].recipient->address, t->arena);
		policy_wanted(&walk, &wanted);
		once = true;
	}
	return wanted;
}

static struct span
scan_prefix(struct transaction *t)
{
	struct buf b = { 0 };

	buf_add(&b, SPAN_LIT("Return-Path: <"));
	for (size_t i = 0; i < t->envelope->sender.len; i++) {
		uint8_t c = t->envelope->sender.ptr[i];

		buf_byte(&b, c < ' ' || c == 0x7f ? '?' : c);
	}
	buf_add(&b, SPAN_LIT(">\r\n"));
	if (t->door->listener->queue == QUEUE_BEFORE)
		buf_add(&b, received_field(t, NULL));
	struct span prefix = arena_span(t->arena, buf_span(&b));

	buf_free(&b);
	return prefix;
}

static struct span
scan_user(const struct transaction *t, const struct scanner *c)
{
	if (c->user_is_recipient && t->envelope->recipient_count == 1)
		return t->envelope->recipients[0].address;
	return c->user != NULL ? span_text(c->user) : SPAN_NONE;
}

static void
fill_request(struct transaction *t, struct asked *a)
{
	char client[ADDRESS_TEXT_BYTES] = "";
	size_t n = t->envelope->recipient_count;
	struct span *recipients = arena_array(t->arena, struct span, n);

	for (size_t i = 0; i < n; i++)
		recipients[i] = t->envelope->recipients[i].address;
	if (t->client.has_address)
		address_text(client, &t->client.address);
	a->scan.request = (struct scan_request){ .size = t->message.size,
	    .prefix = a->scanner->type == SCANNER_TYPE_SPAMD ? scan_prefix(t) : SPAN_NONE,
	    .sender = t->envelope->sender, .recipients = recipients, .recipient_count = n,
	    .client_address = span_text(arena_text(t->arena, span_text(client))),
	    .client_name = t->client.name, .helo = t->client.helo,
	    .queue_id = span_text(t->id), .user = scan_user(t, a->scanner),
	    .hostname = span_text(t->gateway->hostname), .arena = t->arena };
}

static void answered(struct scan *);

static void
ask(struct transaction *t, struct asked *a)
{
	uint64_t now = now_ms();
	uint64_t left = t->deadline > now ? t->deadline - now : 0;
	uint64_t reserve = left / 4 < RESERVE_MS ? left / 4 : RESERVE_MS;

	fill_request(t, a);
	a->scan.has_client = t->client.has_address;
	a->scan.client = t->client.address;
	a->scan.scanner = a->scanner;
	a->scan.pool = t->snapshot->pools[a->index];
	a->scan.message = &t->message;
	a->scan.key = &t->examined.key;
	a->scan.generation = t->snapshot->generation;
	a->scan.index = (uint32_t)a->index;
	a->scan.rules = &t->snapshot->commands[a->index];
	a->scan.deadline = now + left - reserve;
	a->scan.done = answered;
	a->state = ASKED_RUNNING;
	scan_begin(&a->scan);
}

/* True while somebody is asked. */
static bool
ask_and_call_off(struct transaction *t, const struct fact_set *wanted)
{
	bool running = false;

	for (size_t i = 0; i < t->asked_count; i++) {
		struct asked *a = &t->asked[i];
		struct fact_set gives = scanner_type_gives(a->scanner->type);
		bool want = fact_set_meets(&gives, wanted);

		if (a->state == ASKED_NOT && want)
			ask(t, a);
		else if (a->state == ASKED_RUNNING && !want) {
			scan_cancel(&a->scan);
			a->state = ASKED_CALLED_OFF;
		}
		running |= a->state == ASKED_RUNNING;
	}
	return running;
}

static void
note_failures(struct transaction *t)
{
	const struct value *found = &t->findings.values[FACT_VIRUS_FOUND];

	t->failures.infected = found->state == FACT_KNOWN && found->truth;
	for (size_t i = 0; i < t->asked_count; i++) {
		const struct asked *a = &t->asked[i];
		uint64_t bit = UINT64_C(1) << a->index;

		if (a->state != ASKED_OVER)
			continue;
		if (result_of(a) == SCAN_FAILED)
			t->failures.scanners |= bit;
		else if (result_of(a) == SCAN_UNSCANNABLE && !is_spam_sort(a))
			t->failures.unscannable |= bit;
	}
}

/* Whatever was not asked for could not have changed anything. */
static void
settle_pending(struct transaction *t)
{
	static const char why[] = "not asked: it could not change the verdict";

	for (int i = 0; i < FACT_MESSAGE_COUNT; i++)
		if (t->findings.values[i].pending)
			findings_set_unknown(&t->findings, (enum fact)i, why);
	groups_pending(t, false);
	note_failures(t);
}

static void
look_again(struct transaction *t)
{
	struct fact_set wanted;

	if (t->session->gone) {
		transaction_drop(t);
		return;
	}
	stage_facts(t);
	wanted = wanted_facts(t);
	if (ask_and_call_off(t, &wanted))
		return;
	settle_pending(t);
	transaction_next(t);
}

static void
answered(struct scan *s)
{
	struct asked *a = container_of(s, struct asked, scan);

	a->state = ASKED_OVER;
	take_items(a->transaction, a);
	look_again(a->transaction);
}

/* --- the stage --- */

static void
make_asked(struct transaction *t)
{
	const struct settings *s = t->snapshot->settings;

	t->asked = arena_array(t->arena, struct asked, s->scanner_count);
	for (size_t i = 0; i < s->scanner_count; i++)
		if (t->door->scanners >> i & 1)
			t->asked[t->asked_count++] = (struct asked){ .transaction = t,
			    .scanner = &s->scanners[i], .index = i };
}

static bool
any_left(const struct transaction *t)
{
	for (size_t i = 0; i < t->envelope->recipient_count; i++)
		if (needs_verdict(&t->rows[i]))
			return true;
	return false;
}

void
begin_scan(struct transaction *t)
{
	message_facts(t);
	if (is_looping(t)) {
		count(t->gateway, COUNTER_LOOPS);
		transaction_end(t, OUTCOME_REJECTED, "554 5.4.6 Mail loops: too many hops");
		return;
	}
	if (t->door->scanners == 0 || !any_left(t)) {
		transaction_next(t);
		return;
	}
	make_asked(t);
	groups_pending(t, true);
	look_again(t);
}

void
scan_stop(struct transaction *t)
{
	for (size_t i = 0; i < t->asked_count; i++)
		if (t->asked[i].state == ASKED_RUNNING) {
			scan_cancel(&t->asked[i].scan);
			t->asked[i].state = ASKED_CALLED_OFF;
		}
}

bool
scan_is_clean(const struct transaction *t)
{
	const struct value *v = &t->findings.values[FACT_VIRUS_FOUND];

	return t->asked_count > 0 && v->state == FACT_KNOWN && !v->truth;
}

struct span
scan_failure(const struct transaction *t, size_t scanner)
{
	for (size_t i = 0; i < t->asked_count; i++)
		if (t->asked[i].index == scanner && t->asked[i].state == ASKED_OVER)
			return t->asked[i].scan.report.why;
	return SPAN_NONE;
}
