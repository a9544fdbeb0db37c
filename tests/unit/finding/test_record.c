/*
 * test_record.c - the packed record there and back, what it leaves out, and ids.
 */
#include "lib/base/buf.h"
#include "lib/finding/record.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define T(s) SPAN_LIT(s)

static struct record_trace traces[] = {
	{ T("virus"), false, 1, T("message.size"), SPAN_NONE },
	{ T("phish"), true, 2, T("header.subject"), T("quarantine phish") },
	{ T("otherwise"), false, 2, SPAN_NONE, SPAN_NONE },
};
static struct record_trace other_traces[] = {
	{ T("virus"), false, 3, T("message.size"), SPAN_NONE },
	{ T("else"), false, 2, T("sender"), SPAN_NONE },
	{ T("otherwise"), false, 0, SPAN_NONE, SPAN_NONE },
	{ T("extra"), false, 0, SPAN_NONE, SPAN_NONE },
};
static struct record_walk walks[] = { { traces, 3 }, { other_traces, 4 }, { NULL, 0 } };
static struct record_recipient recipients[] = {
	{ T("a@x.example"), OUTCOME_DELIVERED, T("otherwise"), T("250 Ok"), T("Q1"), T(""), 0 },
	{ T("b@x.example"), OUTCOME_DELIVERED, T("otherwise"), T("250 Ok"), T("Q1"), T(""), 0 },
	{ T("c@x.example"), OUTCOME_QUARANTINED, T("virus"), T("250 Ok"), T(""), T("bad"), 1 },
	{ T(""), 250, T(""), T(""), T(""), T(""), 9 },
};
static struct record_finding findings[] = {
	{ T("message.size"), T("12"), FACT_KNOWN }, { T("sender"), T("no answer"), FACT_UNKNOWN },
};
static struct span changes[] = { T("header add X-A: b"), T("") };

static struct record
sample(void)
{
	return (struct record){ T("0123456789abcdef"), T("inbound"), T("p"), T("0011223344556677"),
		T("127.0.0.1:10025"), .arrived = 1795299477123, .client_address = T("192.0.2.1"),
		.client_name = T("n"), .client_helo = T("h"), .client_queue_id = T("CQ"),
		.protocol = T("ESMTP"), .sender = T("s@y.example"), .message_id = T("<1@y>"),
		.subject = T("\xff\0 x"), .size = 1234, .reply = T("250 2.0.0 Ok"),
		.stage_us = { 1, 2, 3, 4, 5 }, .recipients = recipients,
		.recipient_count = COUNT_OF(recipients), .findings = findings,
		.finding_count = COUNT_OF(findings), .walks = walks,
		.walk_count = COUNT_OF(walks), .changes = changes,
		.change_count = COUNT_OF(changes), .recipients_cut = 7 };
}

static void
same_text(struct span a, struct span b)
{
	assert_int_equal(a.len, b.len);
	assert_true(span_equal(a, b));
}

static void
same_recipients(const struct record *a, const struct record *b, size_t count)
{
	assert_int_equal(b->recipient_count, count);
	for (size_t i = 0; i < count; i++) {
		const struct record_recipient *x = &a->recipients[i], *y = &b->recipients[i];

		same_text(x->address, y->address);
		same_text(x->rule, y->rule);
		same_text(x->reply, y->reply);
		same_text(x->queue_id, y->queue_id);
		same_text(x->quarantine, y->quarantine);
		assert_int_equal(x->outcome, y->outcome);
		assert_int_equal(x->walk, y->walk);
	}
}

static void
same_walk(const struct record_walk *a, const struct record_walk *b, size_t count)
{
	assert_int_equal(b->count, count);
	for (size_t i = 0; i < count; i++) {
		const struct record_trace *x = &a->traces[i], *y = &b->traces[i];

		same_text(x->rule, y->rule);
		same_text(x->fact, y->fact);
		same_text(x->would, y->would);
		assert_int_equal(x->monitor, y->monitor);
		assert_int_equal(x->result, y->result);
	}
}

static void
same_head(const struct record *a, const struct record *b)
{
	same_text(a->id, b->id);
	same_text(a->listener, b->listener);
	same_text(a->policy, b->policy);
	same_text(a->revision, b->revision);
	same_text(a->next_hop, b->next_hop);
	same_text(a->client_address, b->client_address);
	same_text(a->client_name, b->client_name);
	same_text(a->client_helo, b->client_helo);
	same_text(a->client_queue_id, b->client_queue_id);
	same_text(a->protocol, b->protocol);
	same_text(a->sender, b->sender);
	same_text(a->message_id, b->message_id);
	same_text(a->subject, b->subject);
	same_text(a->reply, b->reply);
	assert_int_equal(a->arrived, b->arrived);
	assert_int_equal(a->size, b->size);
	assert_memory_equal(a->stage_us, b->stage_us, sizeof a->stage_us);
}

static uint8_t room[2 * RECORD_BYTES];

static struct span
packed(const struct record *r)
{
	struct pack p = { room, 0, sizeof room, false };

	record_pack(&p, r);
	assert_false(p.full);
	assert_true(p.len <= RECORD_BYTES);
	return (struct span){ room, p.len };
}

static void
test_round_trip(void **state)
{
	struct record a = sample(), b;
	struct arena arena = { 0 };

	assert_true(record_unpack(packed(&a), &b, &arena));
	same_head(&a, &b);
	same_recipients(&a, &b, a.recipient_count);
	assert_int_equal(b.recipients_cut, 7);
	assert_int_equal(b.walk_count, a.walk_count);
	for (size_t i = 0; i < a.walk_count; i++)
		same_walk(&a.walks[i], &b.walks[i], a.walks[i].count);
	assert_int_equal(b.finding_count, 2);
	same_text(b.findings[1].name, T("sender"));
	same_text(b.findings[1].value, T("no answer"));
	assert_int_equal(b.findings[1].state, FACT_UNKNOWN);
	assert_int_equal(b.change_count, 2);
	same_text(b.changes[0], changes[0]);
	assert_false(b.cut);
	arena_free(&arena);
}

static void
test_empty(void **state)
{
	struct record a = { 0 }, b;
	struct arena arena = { 0 };

	assert_true(record_unpack(packed(&a), &b, &arena));
	assert_int_equal(b.recipient_count + b.finding_count + b.walk_count + b.change_count, 0);
	arena_free(&arena);
}

/* As version 1 wrote it: without the time of scanners. */
static void
test_version_1(void **state)
{
	static const uint32_t times[RECORD_STAGES] = { [RECORD_COLLECT] = 1,
		[RECORD_EXAMINE] = 2, [RECORD_DECIDE] = 4, [RECORD_DELIVER] = 5 };
	struct record a = sample(), b;
	struct arena arena = { 0 };

	a.stage_us[RECORD_SCAN] = 0x51525354;
	struct span whole = packed(&a);
	uint8_t *at = memmem(room, whole.len, "TSRQ", 4);

	assert_non_null(at);
	memmove(at, at + 4, (size_t)(room + whole.len - at - 4));
	room[0] = 1;
	assert_true(record_unpack((struct span){ room, whole.len - 4 }, &b, &arena));
	memcpy(a.stage_us, times, sizeof times);
	same_head(&a, &b);
	same_recipients(&a, &b, a.recipient_count);
	arena_free(&arena);
}

/* Cut anywhere, or with something behind it, it is no record. */
static void
test_every_cut(void **state)
{
	struct record a = sample(), b;
	struct span whole = packed(&a);
	struct arena arena = { 0 };

	for (size_t n = 0; n < whole.len; n++) {
		uint8_t *copy = must_alloc(n);

		memcpy(copy, whole.ptr, n);
		assert_false(record_unpack((struct span){ copy, n }, &b, &arena));
		free(copy);
	}
	room[whole.len] = 0;
	assert_false(record_unpack((struct span){ room, whole.len + 1 }, &b, &arena));
	room[0] = RECORD_VERSION + 1;
	assert_false(record_unpack(whole, &b, &arena));
	room[0] = 0;
	assert_false(record_unpack(whole, &b, &arena));
	arena_free(&arena);
}

/* Every byte changed to a few others: any answer will do, reading wrong memory not. */
static void
test_damaged(void **state)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	struct record a = sample(), b;
	struct span whole = packed(&a);
	uint8_t *copy = must_alloc(whole.len);
	unsigned refused = 0;

	for (size_t i = 0; i < whole.len; i++)
		for (size_t v = 0; v < sizeof values; v++) {
			struct arena arena = { 0 };

			memcpy(copy, whole.ptr, whole.len);
			copy[i] = values[v];
			refused += !record_unpack((struct span){ copy, whole.len }, &b, &arena);
			arena_free(&arena);
		}
	assert_true(refused > whole.len);
	free(copy);
}

/* In a small buffer it is full, or recipients are left out; nothing is written behind. */
static void
test_small_buffers(void **state)
{
	struct record a = sample(), b;
	size_t least = 0;

	for (size_t cap = 0; cap < 500; cap++) {
		uint8_t *bytes = must_alloc(cap);
		struct pack p = { bytes, 0, cap, false };
		struct arena arena = { 0 };

		record_pack(&p, &a);
		assert_true(least == 0 || !p.full);
		if (!p.full) {
			least = least == 0 ? cap : least;
			assert_true(record_unpack((struct span){ bytes, p.len }, &b, &arena));
			assert_int_equal(b.recipient_count + b.recipients_cut, 4 + 7);
		}
		arena_free(&arena);
		free(bytes);
	}
	assert_true(least > 150);
}

static void
test_behind_a_header(void **state)
{
	struct record a = sample(), b;
	struct arena arena = { 0 };
	struct pack p = { room, 0, sizeof room, false };

	pack_u32(&p, 42);
	record_pack(&p, &a);
	assert_true(record_unpack((struct span){ room + 4, p.len - 4 }, &b, &arena));
	same_head(&a, &b);
	arena_free(&arena);
}

#define MANY 3000

static struct record_recipient *
many_recipients(struct arena *a, bool alike)
{
	struct record_recipient *r = arena_array(a, struct record_recipient, MANY);

	for (unsigned i = 0; i < MANY; i++)
		r[i] = (struct record_recipient){
			.address = span_text(arena_printf(a, "user%u@example.com", i)),
			.outcome = OUTCOME_DELIVERED, .rule = T("otherwise"),
			.reply = alike ? T("250 2.0.0 Ok: queued as 4ABCDEF") :
			    span_text(arena_printf(a, "250 2.0.0 Ok: queued as 4ABCDEF%u", i)) };
	return r;
}

static struct record_trace *
many_traces(struct arena *a)
{
	struct record_trace *t = arena_array(a, struct record_trace, MANY);

	for (unsigned i = 0; i < MANY; i++)
		t[i] = (struct record_trace){ .rule = span_text(arena_printf(a, "rule%u", i)),
			.result = 1, .fact = T("header.subject") };
	return t;
}

/* Too much of everything: each list keeps its beginning, and what is missing is told. */
static void
test_too_much(void **state)
{
	struct arena arena = { 0 };
	struct record a = sample(), b;
	struct record_walk w[3];
	char big[5000];

	memset(big, 'x', sizeof big);
	a.recipients = many_recipients(&arena, false);
	a.recipient_count = MANY;
	w[0] = w[1] = w[2] = (struct record_walk){ many_traces(&arena), MANY };
	a.walks = w;
	a.subject = a.reply = (struct span){ (uint8_t *)big, sizeof big };
	assert_true(record_unpack(packed(&a), &b, &arena));
	assert_true(b.recipient_count > 200 && b.recipient_count < MANY);
	assert_int_equal(b.recipient_count + b.recipients_cut, MANY + 7);
	same_recipients(&a, &b, b.recipient_count);
	assert_true(b.cut);
	assert_int_equal(b.walk_count, 1);
	assert_true(b.walks[0].count > 200 && b.walks[0].count < MANY);
	same_walk(&a.walks[0], &b.walks[0], b.walks[0].count);
	assert_int_equal(b.subject.len, 1000);
	assert_int_equal(b.reply.len, 200);
	arena_free(&arena);
}

/* What is the same for all is told once: more of them have room. */
static void
test_alike(void **state)
{
	struct arena arena = { 0 };
	struct record a = sample(), b;

	a.recipients = many_recipients(&arena, true);
	a.recipient_count = 800;
	assert_true(record_unpack(packed(&a), &b, &arena));
	assert_int_equal(b.recipient_count, 800);
	same_recipients(&a, &b, 800);
	arena_free(&arena);
}

static void
test_findings(void **state)
{
	struct arena arena = { 0 };
	struct findings f = { 0 };
	struct record r = { 0 };

	findings_set_number(&f, FACT_MESSAGE_SIZE, 1234);
	findings_set_text(&f, FACT_HEADER_SUBJECT, T("hello"));
	findings_set_unknown(&f, FACT_RECEIVED_COUNT, "the inspector died");
	record_findings(&r, &f, &arena);
	assert_int_equal(r.finding_count, 3);
	same_text(r.findings[0].name, T("message.size"));
	assert_int_equal(r.findings[0].state, FACT_KNOWN);
	same_text(r.findings[1].name, T("header.subject"));
	same_text(r.findings[1].value, T("'hello'"));
	same_text(r.findings[2].value, T("the inspector died"));
	assert_int_equal(r.findings[2].state, FACT_UNKNOWN);
	arena_free(&arena);
}

static void
test_outcomes(void **state)
{
	for (unsigned i = 0; i < OUTCOME_COUNT; i++)
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(outcome_name((enum outcome)i),
			    outcome_name((enum outcome)k));
	assert_string_equal(outcome_name((enum outcome)200), "unknown");
}

static void
test_ids(void **state)
{
	static const uint64_t times[] = { 0, 1, 31, 32, 1795299477123, 1795299477124,
		(1ull << 45) - 1 };
	char before[RECORD_ID_BYTES + 1] = "", id[RECORD_ID_BYTES + 1];

	for (size_t i = 0; i < COUNT_OF(times); i++)
		for (uint64_t unique = 0; unique < 3; unique++) {
			record_id(id, times[i], unique + 1000);
			assert_true(strcmp(before, id) < 0);
			assert_true(record_id_is(span_text(id)));
			assert_true(record_id_time(span_text(id)) == times[i]);
			memcpy(before, id, sizeof id);
		}
	record_id(id, 0, (1ull << 35) - 1);
	assert_string_equal(id, "000000000zzzzzzz");
	assert_true(record_id_is(T("0123456789ABCDEF")));
	assert_true(record_id_time(T("00000000ZZZZZZZZ")) == 31);
	assert_false(record_id_is(T("0123456789abcde")));
	assert_false(record_id_is(T("0123456789abcdeff")));
	assert_false(record_id_is(T("0123456789abcdei")));
	assert_false(record_id_is(T("0123456789abcde\0")));
	assert_false(record_id_is(T("../../etc/passwd")));
	assert_true(record_id_time(T("x")) == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_empty),
		cmocka_unit_test(test_version_1),
		cmocka_unit_test(test_every_cut), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_small_buffers), cmocka_unit_test(test_behind_a_header),
		cmocka_unit_test(test_too_much), cmocka_unit_test(test_alike),
		cmocka_unit_test(test_findings), cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_ids),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
