/*
 * test_packet.c - every packet there and back, cut at every place, and what is refused.
 */
#include "lib/packet/counters.h"
#include "lib/packet/packet.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define T(s) SPAN_LIT(s)

static uint8_t room[PACKET_BYTES];

static void
same_text(struct span a, struct span b)
{
	assert_int_equal(a.len, b.len);
	assert_true(span_equal(a, b));
}

static struct recipient people[] = {
	{ T("a@x.example"), T("rfc822;a@x.example"), NOTIFY_SUCCESS | NOTIFY_DELAY },
	{ T("b@x.example"), SPAN_NONE, 0 },
};

static struct envelope
envelope(void)
{
	return (struct envelope){ .sender = T("s@y.example"), .body = BODY_8BITMIME,
		.smtputf8 = true, .size = 12, .ret = RETURN_FULL, .envid = T("e"),
		.recipients = people, .recipient_count = 2, .recipient_cap = 2,
		.xforward = { .given = true, .name = T("n") } };
}

static void
add_edits(struct edit_list *l)
{
	edit_add(l, 0, 0, T("X-A: b\r\n"));
	edit_add(l, 10, 5, SPAN_NONE);
	edit_add(l, 15, 0, T("y"));
	edit_add(l, 100, 0, T("end"));
}

/* One packet with something in each member; what is taken is put again. */
struct kind {
	const char *name;
	void (*put)(struct pack *);
	bool (*take)(struct unpack *, struct arena *, struct pack *again);
};

static void
put_setup(struct pack *p)
{
	packet_put_setup(p, &(struct packet_setup){ .index = 1, .generation = 2,
		.log_target = 3, .sandbox = 1, .reader = true, .start_ms = 4,
		.hostname = T("mx"), .memory_share = 5, .spool_share = 6, .sessions_share = 7,
		.revision = T("r") });
}

static bool
take_setup(struct unpack *u, struct arena *a, struct pack *again)
{
	struct packet_setup s;
	bool ok = packet_take_setup(u, &s);

	packet_put_setup(again, &s);
	return ok;
}

static void
put_link(struct pack *p)
{
	packet_put_link(p, &(struct packet_link){ PROCESS_READER, 1, 2, 3 });
}

static bool
take_link(struct unpack *u, struct arena *a, struct pack *again)
{
	struct packet_link l;
	bool ok = packet_take_link(u, &l);

	packet_put_link(again, &l);
	return ok;
}

static void
put_listen(struct pack *p)
{
	packet_put_listen(p, &(struct packet_listen){ 1, 2 });
}

static bool
take_listen(struct unpack *u, struct arena *a, struct pack *again)
{
	struct packet_listen l;
	bool ok = packet_take_listen(u, &l);

	packet_put_listen(again, &l);
	return ok;
}

static void
put_examine(struct pack *p)
{
	packet_put_examine(p, &(struct packet_examine){ 1, 2, WISH_ALL, true });
}

static bool
take_examine(struct unpack *u, struct arena *a, struct pack *again)
{
	struct packet_examine e;
	bool ok = packet_take_examine(u, &e);

	packet_put_examine(again, &e);
	return ok;
}

static void
put_examined(struct pack *p)
{
	struct received hops[2] = {
		{ .helo = T("h"), .name = T("n"), .by = T("b"), .by_comment = T("c"),
		    .with = T("w"), .id = T("i"), .user = T("u"), .authenticated = true,
		    .has_address = true, .address = { { 1, 2, 3 } } },
		{ .helo = T("h2") },
	};
	struct packet_examined e = { .status = ST_TEMP, .why = T("why"), .header_size = 3,
		.header_eight_bit = true, .body_eight_bit = true, .marked = true,
		.received_count = 4, .key = { .known = true, .bytes = { 7, 8, [31] = 9 } },
		.hops = hops, .hop_count = 2 };

	findings_set_text(&e.findings, FACT_HEADER_SUBJECT, T("hello"));
	packet_put_examined(p, &e);
}

static bool
take_examined(struct unpack *u, struct arena *a, struct pack *again)
{
	struct packet_examined e;
	bool ok = packet_take_examined(u, &e, a);

	if (ok)
		packet_put_examined(again, &e);
	return ok;
}

static void
put_rewrite(struct pack *p)
{
	struct packet_change changes[] = { { true, T("X-A"), SPAN_NONE },
		{ false, T("X-B"), T("v") } };

	packet_put_rewrite(p, &(struct packet_rewrite){ 9, 8, changes, 2, true,
	    T("***SPAM*** ") });
}

static bool
take_rewrite(struct unpack *u, struct arena *a, struct pack *again)
{
	struct packet_rewrite r;
	bool ok = packet_take_rewrite(u, &r, a);

	if (ok)
		packet_put_rewrite(again, &r);
	return ok;
}

static void
put_rewritten(struct pack *p)
{
	struct packet_rewritten r = { .status = ST_OK, .why = T("w") };

	add_edits(&r.edits);
	packet_put_rewritten(p, &r);
	edit_free(&r.edits);
}

static bool
take_rewritten(struct unpack *u, struct arena *a, struct pack *again)
{
	struct packet_rewritten r;
	bool ok = packet_take_rewritten(u, &r, 100);

	if (ok)
		packet_put_rewritten(again, &r);
	assert_true(ok || r.edits.items == NULL);
	edit_free(&r.edits);
	return ok;
}

static void
put_quarantine(struct pack *p)
{
	packet_put_quarantine(p, &(struct packet_quarantine){ T("0123456789abcdef"), T("spam"),
		T("l"), T("r"), T("why"), T("c"), 1, 2, envelope(), T("192.0.2.1"), T("25"),
		T("helo"), T("ESMTP") });
}

static bool
take_quarantine(struct unpack *u, struct arena *a, struct pack *again)
{
	struct packet_quarantine q;
	bool ok = packet_take_quarantine(u, &q, a);

	if (ok)
		packet_put_quarantine(again, &q);
	return ok;
}

static void
put_maildir(struct pack *p)
{
	struct packet_maildir m = { T("0123456789abcdef"), T("/m"), 100, 3, envelope(), { 0 } };

	add_edits(&m.edits);
	packet_put_maildir(p, &m);
	edit_free(&m.edits);
}

static bool
take_maildir(struct unpack *u, struct arena *a, struct pack *again)
{
	struct packet_maildir m;
	bool ok = packet_take_maildir(u, &m, a);

	if (ok)
		packet_put_maildir(again, &m);
	assert_true(ok || m.edits.items == NULL);
	edit_free(&m.edits);
	return ok;
}

static void
put_stored(struct pack *p)
{
	packet_put_stored(p, &(struct packet_stored){ ST_TEMP, T("disk full") });
}

static bool
take_stored(struct unpack *u, struct arena *a, struct pack *again)
{
	struct packet_stored s;
	bool ok = packet_take_stored(u, &s);

	packet_put_stored(again, &s);
	return ok;
}

static void
put_ledger(struct pack *p)
{
	struct ledger_entry entries[] = { { T("a"), { 1, 2, 3 } }, { T("b"), { 4 } } };

	packet_put_ledger(p, &(struct packet_ledger){ T("mkey"), T("s"), entries, 2 });
}

static bool
take_ledger(struct unpack *u, struct arena *a, struct pack *again)
{
	struct packet_ledger l;
	bool ok = packet_take_ledger(u, &l, a);

	if (ok)
		packet_put_ledger(again, &l);
	return ok;
}

static void
put_run(struct pack *p)
{
	packet_put_run(p, &(struct packet_run){ 3, 30000, T("id"), T("s@y.example"), T("192.0.2.1") });
}

static bool
take_run(struct unpack *u, struct arena *a, struct pack *again)
{
	struct packet_run r;
	bool ok = packet_take_run(u, &r);

	packet_put_run(again, &r);
	return ok;
}

static void
put_ran(struct pack *p)
{
	packet_put_ran(p, &(struct command_end){ COMMAND_TIMED_OUT, 9, T("why"), T("out"), true });
}

static bool
take_ran(struct unpack *u, struct arena *a, struct pack *again)
{
	struct command_end e;
	bool ok = packet_take_ran(u, &e);

	if (ok)
		packet_put_ran(again, &e);
	return ok;
}

static void
put_held_ask(struct pack *p)
{
	packet_put_held_ask(p, &(struct packet_held_ask){ true, false,
	    { T("0123456789abcdef"), T("0123456789abcdeg") }, 2 });
}

static bool
take_held_ask(struct unpack *u, struct arena *a, struct pack *again)
{
	struct packet_held_ask h;
	bool ok = packet_take_held_ask(u, &h);

	if (ok)
		packet_put_held_ask(again, &h);
	return ok;
}

static void
put_held(struct pack *p)
{
	packet_put_held(p, &(struct packet_held){ HELD_EXPIRED, 1000, 3,
	    { T("0123456789abcdef"), T("0123456789abcdeg") }, 2, T("main") });
}

static bool
take_held(struct unpack *u, struct arena *a, struct pack *again)
{
	struct packet_held h;
	bool ok = packet_take_held(u, &h);

	if (ok)
		packet_put_held(again, &h);
	return ok;
}

static void
put_held_done(struct pack *p)
{
	struct held_row rows[] = {
		{ T("a@x.example"), SPAN_NONE, SPAN_NONE, T("451 later"), HELD_STAYS },
		{ T("b@x.example"), T("virus"), T("rule"), T("why"), HELD_REFUSED },
	};

	packet_put_held_done(p, &(struct packet_held_done){ T("0123456789abcdef"), rows, 2 });
}

static bool
take_held_done(struct unpack *u, struct arena *a, struct pack *again)
{
	struct packet_held_done d;
	bool ok = packet_take_held_done(u, &d, a);

	if (ok)
		packet_put_held_done(again, &d);
	return ok;
}

static void
put_held_told(struct pack *p)
{
	packet_put_held_told(p, &(struct packet_held_told){ { T("0123456789abcdef") }, 1 });
}

static bool
take_held_told(struct unpack *u, struct arena *a, struct pack *again)
{
	struct packet_held_told t;
	bool ok = packet_take_held_told(u, &t);

	if (ok)
		packet_put_held_told(again, &t);
	return ok;
}

static const struct kind kinds[] = {
	{ "setup", put_setup, take_setup }, { "link", put_link, take_link },
	{ "listen", put_listen, take_listen }, { "examine", put_examine, take_examine },
	{ "examined", put_examined, take_examined }, { "rewrite", put_rewrite, take_rewrite },
	{ "rewritten", put_rewritten, take_rewritten },
	{ "quarantine", put_quarantine, take_quarantine },
	{ "maildir", put_maildir, take_maildir }, { "stored", put_stored, take_stored },
	{ "ledger", put_ledger, take_ledger }, { "run", put_run, take_run },
	{ "ran", put_ran, take_ran }, { "held ask", put_held_ask, take_held_ask },
	{ "held", put_held, take_held }, { "held done", put_held_done, take_held_done },
	{ "held told", put_held_told, take_held_told },
};

static bool
take_copy(const struct kind *k, const uint8_t *bytes, size_t n, struct pack *again)
{
	uint8_t *copy = must_alloc(n);
	struct unpack u = { { copy, n }, false };
	struct arena arena = { 0 };

	memcpy(copy, bytes, n);
	bool ok = k->take(&u, &arena, again);

	arena_free(&arena);
	free(copy);
	return ok;
}

static void
test_there_and_back(void **state)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct pack p = { room, 0, sizeof room, false };
		uint8_t other[4096];
		struct pack again = { other, 0, sizeof other, false };

		kinds[i].put(&p);
		assert_false(p.full);
		if (!take_copy(&kinds[i], room, p.len, &again))
			fail_msg("%s was refused", kinds[i].name);
		same_text((struct span){ room, p.len }, (struct span){ other, again.len });
	}
}

static void
test_every_cut(void **state)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct pack p = { room, 0, sizeof room, false };
		uint8_t other[4096];

		kinds[i].put(&p);
		pack_u8(&p, 0);
		for (size_t n = 0; n <= p.len; n++) {
			struct pack again = { other, 0, sizeof other, false };

			if (n != p.len - 1 && take_copy(&kinds[i], room, n, &again))
				fail_msg("%s of %zu bytes was taken", kinds[i].name, n);
		}
	}
}

/* Each byte changed to each value: whatever is taken can be put again. */
static void
test_damaged(void **state)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct pack p = { room, 0, sizeof room, false };

		kinds[i].put(&p);
		for (size_t n = 0; n < p.len; n++)
			for (unsigned v = 0; v < 256; v += 5) {
				uint8_t old = room[n], other[4096];
				struct pack again = { other, 0, sizeof other, false };

				room[n] = (uint8_t)v;
				take_copy(&kinds[i], room, p.len, &again);
				room[n] = old;
			}
	}
}

static void
test_open(void **state)
{
	struct unpack body;
	uint32_t serial;
	struct pack p = packet_begin(room, PACKET_PING, 0x01020304);

	pack_u8(&p, 9);
	for (size_t n = 0; n < 5; n++)
		assert_int_equal(packet_open((struct span){ room, n }, &serial, &body),
		    PACKET_NONE);
	assert_int_equal(packet_open((struct span){ room, p.len }, &serial, &body), PACKET_PING);
	assert_int_equal(serial, 0x01020304);
	assert_int_equal(unpack_u8(&body), 9);
	assert_true(unpack_whole(&body));
	for (unsigned type = PACKET_TYPES; type < 256; type++) {
		room[0] = (uint8_t)type;
		assert_int_equal(packet_open((struct span){ room, p.len }, &serial, &body),
		    PACKET_NONE);
	}
}

/* An inspector cannot say who the client is. */
static void
test_examined_stage(void **state)
{
	struct packet_examined e = { 0 }, got;
	struct pack p = { room, 0, sizeof room, false };
	struct arena arena = { 0 };

	findings_set_text(&e.findings, FACT_HEADER_SUBJECT, T("hello"));
	findings_set_truth(&e.findings, FACT_CLIENT_TRUSTED, true);
	findings_set_text(&e.findings, FACT_SENDER, T("x@y"));
	packet_put_examined(&p, &e);
	struct unpack u = { { room, p.len }, false };

	assert_true(packet_take_examined(&u, &got, &arena));
	assert_int_equal(got.findings.values[FACT_HEADER_SUBJECT].state, FACT_KNOWN);
	assert_int_equal(got.findings.values[FACT_CLIENT_TRUSTED].state, FACT_ABSENT);
	assert_int_equal(got.findings.values[FACT_SENDER].state, FACT_ABSENT);
	arena_free(&arena);
}

/* The longest hops and the longest facts still make a packet; the topmost are kept. */
static void
test_examined_large(void **state)
{
	struct received *hops = must_alloc(200 * sizeof *hops);
	struct packet_examined e = { .received_count = 200, .hops = hops, .hop_count = 200 }, got;
	struct pack p = packet_begin(room, PACKET_EXAMINED, 0);
	struct arena arena = { 0 };
	uint8_t long_text[2000];

	memset(long_text, 'a', sizeof long_text);
	struct span text = { long_text, sizeof long_text };

	for (size_t i = 0; i < 200; i++)
		hops[i] = (struct received){ .helo = text, .name = text, .by = text, .user = text,
			.by_comment = text, .with = text, .id = text };
	hops[1].helo = T("second");
	findings_set_text(&e.findings, FACT_HEADER_SUBJECT, text);
	packet_put_examined(&p, &e);
	assert_false(p.full);
	struct unpack u;
	uint32_t serial;

	packet_open((struct span){ room, p.len }, &serial, &u);
	assert_true(packet_take_examined(&u, &got, &arena));
	assert_true(got.hop_count > 20 && got.hop_count < PACKET_HOPS);
	assert_int_equal(got.hops[0].helo.len, 200);
	same_text(got.hops[1].helo, T("second"));
	for (size_t i = 0; i < 200; i++)
		hops[i] = (struct received){ .helo = T("x") };
	p = packet_begin(room, PACKET_EXAMINED, 0);
	packet_put_examined(&p, &e);
	packet_open((struct span){ room, p.len }, &serial, &u);
	assert_true(packet_take_examined(&u, &got, &arena));
	assert_int_equal(got.hop_count, PACKET_HOPS);
	arena_free(&arena);
	free(hops);
}

/* Edits of another process: in order, inside the message, apart from each other. */
static void
test_edits(void **state)
{
	static const struct { struct { uint64_t at, removed; } e[3]; size_t n; bool ok; } table[] = {
		{ { { 0, 10 } }, 1, true },
		{ { { 0, 11 } }, 1, false },
		{ { { 10, 0 } }, 1, true },
		{ { { 11, 0 } }, 1, false },
		{ { { 5, UINT64_MAX } }, 1, false },
		{ { { UINT64_MAX, 1 } }, 1, false },
		{ { { 0, 5 }, { 5, 5 } }, 2, true },
		{ { { 0, 5 }, { 4, 1 } }, 2, false },
		{ { { 5, 0 }, { 4, 0 } }, 2, false },
		{ { { 5, 0 }, { 5, 0 }, { 5, 1 } }, 3, true },
		{ { { 5, 1 }, { 5, 0 } }, 2, false },
		{ { { 5, 1 }, { 6, 0 }, { 2, 1 } }, 3, false },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct pack p = { room, 0, sizeof room, false };
		struct edit_list l;

		pack_u32(&p, (uint32_t)table[i].n);
		for (size_t k = 0; k < table[i].n; k++) {
			pack_u64(&p, table[i].e[k].at);
			pack_u64(&p, table[i].e[k].removed);
			pack_span(&p, SPAN_NONE);
		}
		struct unpack u = { { room, p.len }, false };

		if (packet_take_edits(&u, &l, 10) != table[i].ok)
			fail_msg("row %zu", i);
		edit_free(&l);
	}
}

/* A runner that has been taken over: nothing but what there can be. */
static void
test_ran_is_checked(void **state)
{
	static uint8_t output[COMMAND_OUTPUT_BYTES + 1];
	static const struct { unsigned how, number; size_t output; bool ok; } table[] = {
		{ COMMAND_EXITED, 0, 0, true },
		{ COMMAND_EXITED, 255, COMMAND_OUTPUT_BYTES, true },
		{ COMMAND_EXITED, 256, 0, false },
		{ COMMAND_HOWS - 1, 0, 0, true },
		{ COMMAND_HOWS, 0, 0, false },
		{ 255, 0, 0, false },
		{ COMMAND_EXITED, 0, COMMAND_OUTPUT_BYTES + 1, false },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct pack p = { room, 0, sizeof room, false };
		struct command_end e;

		pack_u8(&p, (uint8_t)table[i].how);
		pack_u32(&p, table[i].number);
		pack_span(&p, SPAN_NONE);
		pack_span(&p, (struct span){ output, table[i].output });
		pack_u8(&p, 0);
		struct unpack u = { { room, p.len }, false };

		if (packet_take_ran(&u, &e) != table[i].ok)
			fail_msg("row %zu", i);
	}
}

/* The longest answer is a packet; what does not fit is cut, and it says so. */
static void
test_ran_large(void **state)
{
	static uint8_t output[2 * COMMAND_OUTPUT_BYTES];
	struct pack p = packet_begin(room, PACKET_RAN, 0);
	struct command_end e = { .why = { output, 2000 }, .output = { output, sizeof output } };
	struct unpack u;
	uint32_t serial;

	packet_put_ran(&p, &e);
	assert_false(p.full);
	packet_open((struct span){ room, p.len }, &serial, &u);
	assert_true(packet_take_ran(&u, &e));
	assert_int_equal(e.output.len, COMMAND_OUTPUT_BYTES);
	assert_true(e.cut);
}

static void
test_ids_are_checked(void **state)
{
	struct packet_quarantine q = { .id = T("../../etc/passwd"), .class = T("x") };
	struct pack p = { room, 0, sizeof room, false };
	struct arena arena = { 0 };

	packet_put_quarantine(&p, &q);
	struct unpack u = { { room, p.len }, false };

	assert_false(packet_take_quarantine(&u, &q, &arena));
	arena_free(&arena);
}

static void
test_ledger_page(void **state)
{
	struct ledger_page page = { 0 };
	unsigned others = 0, bits = 0;
	char key[32];

	for (unsigned i = 0; i < 100; i++) {
		snprintf(key, sizeof key, "m<%u@example.com>", i);
		ledger_page_set(&page, span_text(key));
	}
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(key, sizeof key, "m<%u@example.com>", i);
		assert_true(ledger_bit(span_text(key)) < LEDGER_PAGE_BITS);
		others += ledger_page_has(&page, span_text(key));
		assert_true(i >= 100 || ledger_page_has(&page, span_text(key)));
	}
	for (size_t i = 0; i < COUNT_OF(page.bits); i++)
		bits += (unsigned)__builtin_popcountll(page.bits[i]);
	assert_true(bits >= 95 && bits <= 100);
	assert_true(others < 200);
}

static void
test_scanner_counter_rows(void **state)
{
	for (int i = 0; i < SCANNER_COUNTERS; i++) {
		const struct counter_row *row = scanner_counter_row((enum scanner_counter)i);

		assert_true(strlen(row->sentence) > 10);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(row->name,
			    scanner_counter_row((enum scanner_counter)k)->name);
	}
}

/* Whoever reads sees the old text or the new one, also if writing ends in the middle. */
static void
test_counter_text(void **state)
{
	struct counter_text t = { 0 };
	char out[COUNTER_TEXT_BYTES], full[COUNTER_TEXT_BYTES + 9];

	counter_text_get(&t, out);
	assert_string_equal(out, "");
	counter_text_set(&t, SPAN_LIT("one"));
	counter_text_get(&t, out);
	assert_string_equal(out, "one");
	memset(t.text[(t.current & 1) ^ 1], 'x', COUNTER_TEXT_BYTES);
	counter_text_get(&t, out);
	assert_string_equal(out, "one");
	memset(full, 'y', sizeof full);
	counter_text_set(&t, (struct span){ (const uint8_t *)full, sizeof full });
	counter_text_get(&t, out);
	assert_int_equal(strlen(out), COUNTER_TEXT_BYTES - 1);
	counter_text_set(&t, SPAN_NONE);
	counter_text_get(&t, out);
	assert_string_equal(out, "");
	/* What a process that was taken over may have left there. */
	t.current = UINT32_MAX;
	memset(t.text, 'z', sizeof t.text);
	counter_text_get(&t, out);
	assert_int_equal(strlen(out), COUNTER_TEXT_BYTES - 1);
}

static void
test_counters_layout(void **state)
{
	size_t bytes = counters_bytes(3, 2);
	struct counters *c = must_alloc(bytes);
	struct scanner_row *last = counters_scanner(c, 3, 1);

	assert_ptr_equal((uint8_t *)(last + 1), (uint8_t *)c + bytes);
	assert_ptr_equal(counters_scanner(c, 3, 0), &c->rules[3]);
	assert_int_equal((uintptr_t)last % _Alignof(struct scanner_row), 0);
	free(c);
}

static void
test_counter_rows(void **state)
{
	for (unsigned i = 0; i < COUNTER_COUNT; i++) {
		assert_non_null(counter_row((enum counter)i)->name);
		assert_true(strlen(counter_row((enum counter)i)->sentence) > 10);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(counter_row((enum counter)i)->name,
			    counter_row((enum counter)k)->name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_damaged), cmocka_unit_test(test_open),
		cmocka_unit_test(test_examined_stage), cmocka_unit_test(test_examined_large),
		cmocka_unit_test(test_ran_is_checked), cmocka_unit_test(test_ran_large),
		cmocka_unit_test(test_edits), cmocka_unit_test(test_ids_are_checked),
		cmocka_unit_test(test_ledger_page), cmocka_unit_test(test_counter_rows),
		cmocka_unit_test(test_scanner_counter_rows),
		cmocka_unit_test(test_counter_text), cmocka_unit_test(test_counters_layout),
	};

	return cmocka_run_group_tests_name("packet", tests, NULL, NULL);
}
