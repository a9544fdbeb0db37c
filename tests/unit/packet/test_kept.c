/*
 * test_kept.c - the fields of a quarantined file, written and read back.
 */
#include "lib/packet/kept.h"
#include "lib/smtp/address.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#define T(s) SPAN_LIT(s)
#define ID "0123456789abcdef"

static void
same(const char *name, struct span got, struct span want)
{
	if (!span_equal(got, want))
		fail_msg("%s: got <%.*s>, want <%.*s>", name, (int)got.len,
		    (const char *)got.ptr, (int)want.len, (const char *)want.ptr);
}

static struct recipient people[] = {
	{ T("a+x@example.com"), T("rfc822;orig+2Ba@example.com"),
	    NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY },
	{ T("\"b c > d\"@example.com"), SPAN_NONE, NOTIFY_NEVER },
	{ T("\"q\\\"u> BODY=7BIT\"@example.com"), SPAN_NONE, 0 },
	{ T("postmaster"), SPAN_NONE, 0 },
	{ T("j\xc3\xb6rg@b\xc3\xbc" "cher.example"), SPAN_NONE, 0 },
	{ T("\"back\\\\slash\\\"\"@example.com"), SPAN_NONE, 0 },
};

static struct packet_quarantine
sample(void)
{
	return (struct packet_quarantine){ .id = T(ID), .class = T("hold"), .listener = T("in"),
	    .rule = T("big \\ one"), .reason = T("451 \x80\r\nX-Envelope-To: <x@y>\n\nz"),
	    .client = T("192.0.2.1"), .arrived = record_id_time(T(ID)), .size = 43,
	    .peer = T("192.0.2.1"), .port = T("2525"), .helo = T("a \"b\\\" =c"),
	    .with = T("ESMTP"), .envelope = { .sender = T("s@y.example"),
	        .body = BODY_8BITMIME, .smtputf8 = true, .ret = RETURN_HEADERS,
	        .envid = T("QQ+2B"), .recipients = people,
	        .recipient_count = COUNT_OF(people), .xforward = { .given = true,
	            .name = T("a b"), .addr = T("2001:db8::1"), .port = T(""),
	            .helo = T("=\\x41"), .ident = T("Q"), .source = T("LOCAL") } } };
}

static void
same_envelope(const struct envelope *a, const struct envelope *b)
{
	same("sender", a->sender, b->sender);
	same("envid", a->envid, b->envid);
	assert_int_equal(a->body, b->body);
	assert_int_equal(a->ret, b->ret);
	assert_int_equal(a->smtputf8, b->smtputf8);
	assert_int_equal(a->recipient_count, b->recipient_count);
	for (size_t i = 0; i < a->recipient_count; i++) {
		same("recipient", a->recipients[i].address, b->recipients[i].address);
		same("orcpt", a->recipients[i].orcpt, b->recipients[i].orcpt);
		assert_int_equal(a->recipients[i].notify, b->recipients[i].notify);
	}
	assert_int_equal(a->xforward.given, b->xforward.given);
	same("name", a->xforward.name, b->xforward.name);
	same("addr", a->xforward.addr, b->xforward.addr);
	same("port", a->xforward.port, b->xforward.port);
	same("xforward helo", a->xforward.helo, b->xforward.helo);
	same("ident", a->xforward.ident, b->xforward.ident);
	same("source", a->xforward.source, b->xforward.source);
}

static void
same_all(const struct packet_quarantine *a, const struct packet_quarantine *b)
{
	same("id", a->id, b->id);
	same("class", a->class, b->class);
	same("listener", a->listener, b->listener);
	same("rule", a->rule, b->rule);
	same("reason", a->reason, b->reason);
	same("client", a->client, b->client);
	same("peer", a->peer, b->peer);
	same("port", a->port, b->port);
	same("helo", a->helo, b->helo);
	same("with", a->with, b->with);
	assert_int_equal(a->arrived, b->arrived);
	assert_int_equal(a->size, b->size);
	same_envelope(&a->envelope, &b->envelope);
}

/* At every cut it wants more; with what follows it ends where the message begins. */
static void
test_there_and_back(void **state)
{
	struct packet_quarantine q = sample(), got;
	struct arena arena = { 0 };
	struct buf b = { 0 };
	size_t head = 0, len;

	kept_write(&b, &q);
	len = buf_len(&b);
	buf_add(&b, T("Subject: x\n\nbody"));
	for (size_t n = 0; n < len; n++)
		assert_int_equal(kept_read(span_slice(buf_span(&b), 0, n), &got, &head, &arena),
		    ST_MORE);
	for (size_t n = len; n <= buf_len(&b); n++) {
		assert_int_equal(kept_read(span_slice(buf_span(&b), 0, n), &got, &head, &arena),
		    ST_OK);
		assert_int_equal(head, len);
		same_all(&got, &q);
	}
	arena_free(&arena);
	buf_free(&b);
}

/* Every address of a few bytes that a client can have given comes back. */
static void
test_addresses(void **state)
{
	static const char letters[] = "a\"\\> .";
	struct arena arena = { 0 };

	for (unsigned n = 0; n < 6 * 6 * 6 * 6 * 6; n++) {
		char text[16] = { '"' };
		size_t len = 1;
		struct recipient one = { 0 };
		struct packet_quarantine q = sample(), got;
		struct buf b = { 0 };
		struct error err;
		size_t head, used;
		bool utf8;

		for (unsigned v = n; v > 0; v /= 6)
			text[len++] = letters[v % 6];
		memcpy(text + len, "\"@b", 3);
		char path[24];
		int whole = snprintf(path, sizeof path, "<%.*s>", (int)len + 3, text);

		if (path_parse((struct span){ (uint8_t *)path, (size_t)whole }, false,
		    &one.address, &utf8, &used, &err) != ST_OK)
			continue;
		q.envelope.recipients = &one;
		q.envelope.recipient_count = 1;
		kept_write(&b, &q);
		assert_int_equal(kept_read(buf_span(&b), &got, &head, &arena), ST_OK);
		same_all(&got, &q);
		buf_free(&b);
	}
	arena_free(&arena);
}

static void
test_refused(void **state)
{
	static const struct { const char *name; struct span in; } table[] = {
		{ "a mail", T("Subject: x\n\n") },
		{ "nothing but an end", T("\n") },
		{ "no sender", T("X-Sallyport-Id: " ID "\nX-Envelope-To: <a@b>\n\n") },
		{ "two senders", T("X-Sallyport-Id: " ID "\nX-Envelope-From: <>\n"
		    "X-Envelope-From: <>\nX-Envelope-To: <a@b>\n\n") },
		{ "no recipient", T("X-Sallyport-Id: " ID "\nX-Envelope-From: <>\n\n") },
		{ "no id", T("X-Envelope-From: <>\nX-Envelope-To: <a@b>\n\n") },
		{ "an id that is a path", T("X-Sallyport-Id: ../../../etc/pas\n"
		    "X-Envelope-From: <>\nX-Envelope-To: <a@b>\n\n") },
		{ "no colon", T("X-Sallyport-Id: " ID "\nhello\n\n") },
		{ "size", T("X-Sallyport-Id: " ID "\nX-Envelope-From: <>\nX-Envelope-To: <a@b>\n"
		    "X-Sallyport-Size: -1\n\n") },
		{ "open quote", T("X-Sallyport-Id: " ID "\nX-Envelope-From: <>\n"
		    "X-Envelope-To: <a@b>\nX-Sallyport-Session: PEER=\"1\n\n") },
	};
	struct arena arena = { 0 };

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct packet_quarantine q;
		size_t head;

		if (kept_read(table[i].in, &q, &head, &arena) != ST_PERM)
			fail_msg("%s was taken", table[i].name);
	}
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
