/*
 * explain.c - one mail and why it fared as it did, in words; see track.h.
 */
#include "src/store/track.h"
#include "lib/base/text.h"
#include <stdio.h>

#define SHOWN_BYTES 1000

enum { TRACE_SKIPPED = 0, TRACE_NO, TRACE_FIRED, TRACE_UNKNOWN };

static const char *const stage_names[RECORD_STAGES] = {
	[RECORD_COLLECT] = "collect", [RECORD_EXAMINE] = "examine", [RECORD_SCAN] = "scan",
	[RECORD_DECIDE] = "decide", [RECORD_DELIVER] = "deliver",
};

static void
show(struct buf *b, struct span s)
{
	text_escape(b, s, SHOWN_BYTES, true);
}

static void
labelled(struct buf *b, const char *label, struct span value)
{
	if (value.len == 0)
		return;
	buf_printf(b, "  %-11s ", label);
	show(b, value);
	buf_byte(b, '\n');
}

static void
bracketed(struct buf *b, const char *label, struct span value)
{
	buf_printf(b, "  %-11s <", label);
	show(b, value);
	buf_printf(b, ">\n");
}

static void
optional(struct buf *b, const char *before, struct span value, const char *after)
{
	if (value.len == 0)
		return;
	buf_printf(b, "%s", before);
	show(b, value);
	buf_printf(b, "%s", after);
}

static void
client_line(struct buf *b, const struct record *r)
{
	buf_printf(b, "  %-11s ", "client");
	if (r->client_address.len > 0)
		show(b, r->client_address);
	else
		buf_printf(b, "of unknown address");
	optional(b, ", name ", r->client_name, "");
	optional(b, ", HELO ", r->client_helo, "");
	optional(b, ", by ", r->protocol, "");
	optional(b, ", its queue id ", r->client_queue_id, "");
	buf_byte(b, '\n');
}

static void
came_in(struct buf *b, const struct record *r)
{
	char time[TEXT_TIME_BYTES], size[TEXT_SIZE_BYTES];

	text_time(time, r->arrived);
	text_size(size, r->size);
	buf_printf(b, "Mail ");
	show(b, r->id);
	buf_printf(b, "\n  %-11s %s\n", "arrived", time);
	labelled(b, "listener", r->listener);
	client_line(b, r);
	bracketed(b, "sender", r->sender);
	labelled(b, "message-id", r->message_id);
	labelled(b, "subject", r->subject);
	buf_printf(b, "  %-11s %s\n", "size", size);
	labelled(b, "policy", r->policy);
	labelled(b, "revision", r->revision);
	labelled(b, "next hop", r->next_hop);
}

/* A printed value has been escaped once: its backslashes stay as they are. */
static void
show_printed(struct buf *b, struct span s)
{
	text_printed(b, s, SHOWN_BYTES);
}

static void
value_of(struct buf *b, const struct record_finding *f)
{
	show(b, f->name);
	if (f->state == FACT_UNKNOWN)
		optional(b, " is unknown: ", f->value, "");
	else if (f->state == FACT_KNOWN) {
		buf_printf(b, " = ");
		show_printed(b, f->value);
	} else
		buf_printf(b, " is absent");
}

/* "scanner 1": one that was asked, as item_print says it. */
static bool
is_scanner(const struct record_finding *f)
{
	return f->name.len > 8 && memcmp(f->name.ptr, "scanner ", 8) == 0 &&
	    is_digit(f->name.ptr[8]);
}

/* Name, kind, result, answer, time and version of each. */
static void
scanners(struct buf *b, const struct record *r)
{
	const char *title = "\nScanners\n";

	for (size_t i = 0; i < r->finding_count; i++) {
		if (!is_scanner(&r->findings[i]))
			continue;
		buf_printf(b, "%s  ", title);
		show_printed(b, r->findings[i].value);
		buf_byte(b, '\n');
		title = "";
	}
}

static void
facts(struct buf *b, const struct record *r)
{
	buf_printf(b, "\nFacts\n");
	for (size_t i = 0; i < r->finding_count; i++) {
		if (is_scanner(&r->findings[i]))
			continue;
		buf_printf(b, "  ");
		value_of(b, &r->findings[i]);
		buf_byte(b, '\n');
	}
}

/* What decided: a fact with its value where the record has it (one that differs per
   recipient is not among the findings), or an item in words, which are printed already. */
static void
deciding_fact(struct buf *b, const struct record *r, struct span name)
{
	if (name.len == 0)
		return;
	buf_printf(b, " (");
	for (size_t i = 0; i < r->finding_count; i++)
		if (span_equal(r->findings[i].name, name)) {
			value_of(b, &r->findings[i]);
			buf_byte(b, ')');
			return;
		}
	show_printed(b, name);
	buf_printf(b, ")");
}

static void
trace_line(struct buf *b, const struct record *r, const struct record_trace *t)
{
	static const char *const results[] = {
		[TRACE_SKIPPED] = "not reached", [TRACE_NO] = "no", [TRACE_FIRED] = "yes",
		[TRACE_UNKNOWN] = "unknown",
	};

	buf_printf(b, "  %srule ", t->monitor ? "monitor " : "");
	show(b, t->rule);
	buf_printf(b, ": %s", results[t->result & 3]);
	deciding_fact(b, r, t->fact);
	optional(b, ", would have given: ", t->would, "");
	buf_byte(b, '\n');
}

static void
walk_recipients(struct buf *b, const struct record *r, size_t walk)
{
	const char *between = " for ";

	for (size_t i = 0; i < r->recipient_count; i++) {
		if (r->recipients[i].walk != walk)
			continue;
		buf_printf(b, "%s", between);
		show(b, r->recipients[i].address);
		between = ", ";
	}
}

static void
rules(struct buf *b, const struct record *r)
{
	for (size_t w = 0; w < r->walk_count; w++) {
		buf_printf(b, "\nRules");
		if (r->walk_count > 1)
			walk_recipients(b, r, w);
		buf_byte(b, '\n');
		for (size_t i = 0; i < r->walks[w].count; i++)
			trace_line(b, r, &r->walks[w].traces[i]);
	}
	if (r->cut)
		buf_printf(b, "  (the record had no room for all facts, rules and "
		    "changes)\n");
}

static bool
is_held(const struct record_recipient *r)
{
	return r->outcome == OUTCOME_QUARANTINED && span_equal(r->quarantine, SPAN_LIT("hold"));
}

static void
recipient_line(struct buf *b, const struct record_recipient *r)
{
	buf_printf(b, "  ");
	show(b, r->address);
	buf_printf(b, ": %s", is_held(r) ? "held" : outcome_name((enum outcome)r->outcome));
	optional(b, " in class ", r->quarantine, "");
	optional(b, " by rule ", r->rule, "");
	optional(b, "; answer: ", r->reply, "");
	optional(b, "; next hop's queue id ", r->queue_id, "");
	buf_byte(b, '\n');
}

static void
fates(struct buf *b, const struct record *r)
{
	buf_printf(b, "\nRecipients\n");
	for (size_t i = 0; i < r->recipient_count; i++)
		recipient_line(b, &r->recipients[i]);
	if (r->recipients_cut > 0)
		buf_printf(b, "  and %u more, for which the record has no room\n",
		    (unsigned)r->recipients_cut);
	optional(b, "\nReply to the client\n  ", r->reply, "\n");
}

static void
changes(struct buf *b, const struct record *r)
{
	if (r->change_count == 0)
		return;
	buf_printf(b, "\nChanges\n");
	for (size_t i = 0; i < r->change_count; i++) {
		buf_printf(b, "  ");
		show(b, r->changes[i]);
		buf_byte(b, '\n');
	}
}

void
explain_text(struct buf *b, const struct record *r)
{
	uint64_t all = 0;

	came_in(b, r);
	facts(b, r);
	scanners(b, r);
	rules(b, r);
	fates(b, r);
	changes(b, r);
	buf_printf(b, "\nTime\n");
	for (size_t i = 0; i < RECORD_STAGES; i++) {
		buf_printf(b, "  %-11s %.3f ms\n", stage_names[i],
		    r->stage_us[i] / 1000.0);
		all += r->stage_us[i];
	}
	buf_printf(b, "  %-11s %.3f ms\n", "in all", (double)all / 1000.0);
}

/* --- JSON --------------------------------------------------------------------------- */

static void
json_head(struct buf *b, const struct record *r)
{
	const struct { const char *key; struct span value; } texts[] = {
		{ "listener", r->listener }, { "policy", r->policy },
		{ "revision", r->revision }, { "next_hop", r->next_hop },
		{ "client_address", r->client_address },
		{ "client_name", r->client_name }, { "client_helo", r->client_helo },
		{ "client_queue_id", r->client_queue_id },
		{ "protocol", r->protocol }, { "sender", r->sender },
		{ "message_id", r->message_id }, { "subject", r->subject },
		{ "reply", r->reply },
	};
	char time[TEXT_TIME_BYTES];

	text_time(time, r->arrived);
	json_text(b, "id", r->id, true);
	json_text(b, "time", span_text(time), false);
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		json_text(b, texts[i].key, texts[i].value, false);
	json_number(b, "size", r->size, false);
}

static void
json_recipients(struct buf *b, const struct record *r)
{
	json_key(b, "recipients", false);
	for (size_t i = 0; i < r->recipient_count; i++) {
		const struct record_recipient *x = &r->recipients[i];

		buf_printf(b, "%s{", i == 0 ? "[" : ", ");
		json_text(b, "address", x->address, true);
		json_text(b, "outcome", span_text(outcome_name((enum outcome)x->outcome)),
		    false);
		json_text(b, "rule", x->rule, false);
		json_text(b, "reply", x->reply, false);
		json_text(b, "queue_id", x->queue_id, false);
		json_text(b, "quarantine", x->quarantine, false);
		json_number(b, "walk", x->walk, false);
		buf_byte(b, '}');
	}
	buf_printf(b, r->recipient_count == 0 ? "[]" : "]");
	json_number(b, "recipients_cut", r->recipients_cut, false);
}

static void
json_findings(struct buf *b, const struct record *r)
{
	static const char *const states[] = { [FACT_ABSENT] = "absent",
		[FACT_KNOWN] = "known", [FACT_UNKNOWN] = "unknown" };

	json_key(b, "facts", false);
	buf_byte(b, '[');
	for (size_t i = 0; i < r->finding_count; i++) {
		buf_printf(b, i == 0 ? "{" : ", {");
		json_text(b, "name", r->findings[i].name, true);
		json_text(b, "state", span_text(states[r->findings[i].state]), false);
		json_text(b, "value", r->findings[i].value, false);
		buf_byte(b, '}');
	}
	buf_byte(b, ']');
}

static void
json_walk(struct buf *b, const struct record_walk *w)
{
	static const char *const results[] = { [TRACE_SKIPPED] = "skipped",
		[TRACE_NO] = "no", [TRACE_FIRED] = "fired", [TRACE_UNKNOWN] = "unknown" };

	buf_byte(b, '[');
	for (size_t i = 0; i < w->count; i++) {
		const struct record_trace *t = &w->traces[i];

		buf_printf(b, i == 0 ? "{" : ", {");
		json_text(b, "rule", t->rule, true);
		json_key(b, "monitor", false);
		buf_printf(b, t->monitor ? "true" : "false");
		json_text(b, "result", span_text(results[t->result & 3]), false);
		json_text(b, "fact", t->fact, false);
		json_text(b, "would", t->would, false);
		buf_byte(b, '}');
	}
	buf_byte(b, ']');
}

static void
json_lists(struct buf *b, const struct record *r)
{
	json_key(b, "walks", false);
	buf_byte(b, '[');
	for (size_t i = 0; i < r->walk_count; i++) {
		buf_printf(b, i == 0 ? "" : ", ");
		json_walk(b, &r->walks[i]);
	}
	buf_byte(b, ']');
	json_key(b, "changes", false);
	buf_byte(b, '[');
	for (size_t i = 0; i < r->change_count; i++) {
		buf_printf(b, i == 0 ? "" : ", ");
		text_json(b, r->changes[i]);
	}
	buf_byte(b, ']');
}

void
explain_json(struct buf *b, const struct record *r)
{
	buf_byte(b, '{');
	json_head(b, r);
	json_recipients(b, r);
	json_findings(b, r);
	json_lists(b, r);
	json_key(b, "cut", false);
	buf_printf(b, r->cut ? "true" : "false");
	json_key(b, "times_us", false);
	buf_byte(b, '{');
	for (size_t i = 0; i < RECORD_STAGES; i++)
		json_number(b, stage_names[i], r->stage_us[i], i == 0);
	buf_printf(b, "}}\n");
}

static enum status
print_record(sqlite3_stmt *st, const struct question *q, struct buf *b, struct arena *a,
    struct error *err)
{
	struct record r;
	const void *bytes = sqlite3_column_blob(st, 0);
	struct span packed = { bytes, (size_t)sqlite3_column_bytes(st, 0) };

	if (!record_unpack(packed, &r, a))
		return fail(err, ST_PERM, "explain", "the record of %.*s cannot be read: "
		    "a newer version has written it, or it is damaged", (int)q->id.len,
		    (const char *)q->id.ptr);
	(q->json ? explain_json : explain_text)(b, &r);
	return ST_OK;
}

static uint64_t
number_of(sqlite3_stmt *st, int column)
{
	int64_t n = sqlite3_column_int64(st, column);

	return n > 0 ? (uint64_t)n : 0;
}

static void
later_try(struct buf *b, sqlite3_stmt *st)
{
	uint64_t outcomes = number_of(st, 2);
	const char *id = (const char *)sqlite3_column_text(st, 1);
	char time[TEXT_TIME_BYTES];

	text_time(time, number_of(st, 0));
	buf_printf(b, "  %s as ", time);
	show(b, span_text(id != NULL ? id : ""));
	for (unsigned i = 0; i < OUTCOME_COUNT; i++)
		if (outcomes >> i & 1)
			buf_printf(b, " %s", outcome_name((enum outcome)i));
	buf_byte(b, '\n');
}

/* Of a mail that was held: the newest ones. */
static void
later_tries(sqlite3 *db, const struct question *q, struct buf *b)
{
	const char *title = "\nExamined again\n";
	sqlite3_stmt *st = NULL;

	if (sqlite3_prepare_v2(db, "SELECT time, id, outcomes FROM mail WHERE held_as <> ''"
	    " AND held_as = ? ORDER BY time DESC LIMIT 20", -1, &st, NULL) != SQLITE_OK)
		return;
	sqlite3_bind_text(st, 1, (const char *)q->id.ptr, (int)q->id.len, SQLITE_STATIC);
	for (; sqlite3_step(st) == SQLITE_ROW; title = "") {
		buf_printf(b, "%s", title);
		later_try(b, st);
	}
	sqlite3_finalize(st);
}

enum status
explain_answer(sqlite3 *db, const struct question *q, struct buf *b, struct arena *a,
    struct error *err)
{
	sqlite3_stmt *s = NULL;
	enum status st = ST_TEMP;
	int rc = sqlite3_prepare_v2(db, "SELECT record FROM mail WHERE id = ?", -1, &s,
	    NULL);

	if (rc == SQLITE_OK) {
		sqlite3_bind_text(s, 1, (const char *)q->id.ptr, (int)q->id.len,
		    SQLITE_STATIC);
		rc = sqlite3_step(s);
	}
	if (rc == SQLITE_ROW)
		st = print_record(s, q, b, a, err);
	else if (rc == SQLITE_DONE)
		st = fail(err, ST_PERM, "explain", "the journal has no mail with the id "
		    "%.*s", (int)q->id.len, (const char *)q->id.ptr);
	else
		fail(err, ST_TEMP, "explain", "%s", sqlite3_errmsg(db));
	sqlite3_finalize(s);
	if (st == ST_OK && !q->json)
		later_tries(db, q, b);
	return st;
}
