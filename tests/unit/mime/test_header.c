/*
 * test_header.c - fields by a table and exhaustively, addresses, folding, Received.
 */
#include "lib/mime/header.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

/* "name=value" of each field in brackets, then what else was found out. */
static void
describe(struct span in, char out[2048])
{
	struct arena arena = { 0 };
	struct header h;
	uint64_t at = 0;
	size_t n = 0;

	header_parse(in, &h, &arena);
	out[0] = '\0';
	for (size_t i = 0; i < h.count; i++) {
		const struct header_field *f = &h.fields[i];

		n += (size_t)snprintf(out + n, 2048 - n, "[%.*s=%.*s]", (int)f->name.len,
		    (const char *)f->name.ptr, (int)f->value.len, (const char *)f->value.ptr);
		assert_true(f->at == at);
		at += f->len;
	}
	assert_true(at == h.end && h.end <= h.body && h.body <= in.len);
	snprintf(out + n, 2048 - n, " body %u%s%s%s flaws %u", (unsigned)h.body,
	    h.ended ? " ended" : "", h.cut ? " cut" : "", h.eight_bit ? " 8bit" : "", h.flaws);
	arena_free(&arena);
}

static const struct { const char *name, *in, *out; } fields[] = {
	{ "nothing", "", " body 0 flaws 0" },
	{ "no header", "\r\nbody", " body 2 ended flaws 0" },
	{ "no header, LF", "\nbody", " body 1 ended flaws 0" },
	{ "two", "A: 1\r\nB:2\r\n\r\nx", "[A= 1][B=2] body 13 ended flaws 0" },
	{ "LF only", "A: 1\nB:2\n\nx\n\n", "[A= 1][B=2] body 10 ended flaws 0" },
	{ "not ended", "A: 1\r\nB:2", "[A= 1][B=2] body 9 flaws 0" },
	{ "folded", "A: 1\r\n 2\r\n\t3\r\nB: 4\r\n", "[A= 1\r\n 2\r\n\t3][B= 4] body 20 flaws 0" },
	{ "blank line is no empty line", "A: 1\r\n \r\n\r\n", "[A= 1\r\n ] body 11 ended flaws 0" },
	{ "blanks before the colon", "A \t: 1\r\n\r\n", "[A= 1] body 10 ended flaws 0" },
	{ "stray continuation", " x: y\r\nA: 1\r\n\r\n",
	    "[= x: y][A= 1] body 15 ended flaws 1" },
	{ "no colon", "A: 1\r\nwhat\r\n is this: no\r\nB: 2\r\n\r\n",
	    "[A= 1][=what\r\n is this: no][B= 2] body 34 ended flaws 1" },
	{ "empty name", ": 1\r\n\r\n", "[=: 1] body 7 ended flaws 1" },
	{ "mbox line", "From a@b Sat 12:00\r\nA: 1\r\n\r\n",
	    "[=From a@b Sat 12:00][A= 1] body 28 ended flaws 1" },
	{ "name not ASCII", "\xc3\xa9: 1\r\n\r\n", "[=\xc3\xa9: 1] body 9 ended 8bit flaws 1" },
	{ "value not ASCII", "A: \xff\n\n\xff", "[A= \xff] body 6 ended 8bit flaws 0" },
	{ "8 bits in the body", "A: 1\n\n\xff", "[A= 1] body 6 ended flaws 0" },
	{ "bare CR", "A: 1\rB: 2\r\n\r\n", "[A= 1\rB: 2] body 13 ended flaws 0" },
	{ "CR CR LF", "A: 1\r\r\n\r\r\nB: 2", "[A= 1\r][=\r][B= 2] body 14 flaws 1" },
	{ "empty value", "A:\r\n\r\n", "[A=] body 6 ended flaws 0" },
	{ "many colons", "A:::b:c\n\n", "[A=::b:c] body 9 ended flaws 0" },
};

static void
test_fields(void **state)
{
	char got[2048];

	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		describe(span_text(fields[i].in), got);
		if (strcmp(got, fields[i].out) != 0)
			fail_msg("%s: '%s'", fields[i].name, got);
	}
}

/* The naive reference: line by line, a field a continuation at a time. */
struct naive { char text[256]; bool open; unsigned flaws; };

static void
naive_line(struct naive *n, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	size_t name = 0;

	while (n->open && (line[0] == ' ')) {
		strcat(n->text, "+");
		strncat(n->text, line, len);
		return;
	}
	if (n->open)
		strcat(n->text, "]");
	n->open = true;
	if (colon != NULL)
		for (name = (size_t)(colon - line); name > 0 && line[name - 1] == ' ';)
			name--;
	if (name == 0 || memchr(line, ' ', name) != NULL || memchr(line, '\r', name) != NULL) {
		n->flaws++;
		strcat(n->text, "[=");
		strncat(n->text, line, len);
		return;
	}
	strcat(n->text, "[");
	strncat(n->text, line, name);
	strcat(n->text, "=");
	strncat(n->text, colon + 1, len - (size_t)(colon - line) - 1);
}

static void
naive_header(const char *in, char out[512])
{
	struct naive n = { .open = false };
	const char *p = in;
	bool ended = false;

	while (*p != '\0' && !ended) {
		const char *lf = strchr(p, '\n'), *next = lf != NULL ? lf + 1 : p + strlen(p);
		size_t len = lf != NULL ? (size_t)(lf - p) : strlen(p);

		if (lf != NULL && len > 0 && p[len - 1] == '\r')
			len--;
		ended = lf != NULL && len == 0;
		if (!ended)
			naive_line(&n, p, len);
		p = next;
	}
	snprintf(out, 512, "%s%s body %u%s flaws %u", n.text, n.open ? "]" : "",
	    (unsigned)(p - in), ended ? " ended" : "", n.flaws);
}

/* Newlines inside a value are told apart by the reference only as '+'. */
static void
plus_for_newlines(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++) {
		if (s[0] == '\r' && s[1] == '\n')
			continue;
		*to++ = *s == '\n' ? '+' : *s;
	}
	*to = '\0';
}

static void
test_exhaustive(void **state)
{
	static const char alphabet[] = "a: \r\n";
	char in[9], got[2048], want[512];

	for (size_t len = 0; len <= 8; len++) {
		size_t all = 1;

		for (size_t i = 0; i < len; i++)
			all *= 5;
		for (size_t n = 0; n < all; n++) {
			size_t v = n;

			for (size_t i = 0; i < len; i++, v /= 5)
				in[i] = alphabet[v % 5];
			in[len] = '\0';
			describe(span_text(in), got);
			plus_for_newlines(got);
			naive_header(in, want);
			if (strcmp(got, want) != 0)
				fail_msg("'%s': '%s', not '%s'", in, got, want);
		}
	}
}

static void
test_find(void **state)
{
	struct arena arena = { 0 };
	struct header h;

	header_parse(SPAN_LIT("To: a\nX: 1\ntO: b\nwhat\n\n"), &h, &arena);
	assert_int_equal(header_count(&h, SPAN_LIT("TO")), 2);
	assert_int_equal(header_count(&h, SPAN_LIT("T")), 0);
	assert_int_equal(header_count(&h, SPAN_NONE), 0);
	assert_ptr_equal(header_find(&h, SPAN_LIT("to"), 0), &h.fields[0]);
	assert_ptr_equal(header_find(&h, SPAN_LIT("to"), 1), &h.fields[2]);
	assert_null(header_find(&h, SPAN_LIT("to"), 2));
	assert_null(header_find(&h, SPAN_NONE, 0));
	arena_free(&arena);
}

/* Bytes of hostile shape, a megabyte each: fields are bounded, time is linear. */
static void
test_large(void **state)
{
	static const char *const shapes[] = {
		":", "a:\n", "\n ", "a\n", "(", "a:\r\n \r\n", "\"", "<", ",", "a@b,", "\\",
		"[", "@", "(a)", "; ", "from ", "a ", "((\\",
	};
	size_t size = 1u << 20;
	char *text = malloc(size + 16);
	clock_t start = clock();

	for (size_t i = 0; i < COUNT_OF(shapes); i++) {
		struct arena arena = { 0 };
		struct span s = { (uint8_t *)text, size };
		struct received r;
		struct header h;
		struct buf out = { 0 };

		for (size_t n = 0; n < size; n += strlen(shapes[i]))
			memcpy(text + n, shapes[i], strlen(shapes[i]));
		header_parse(s, &h, &arena);
		assert_true(h.count <= HEADER_FIELDS);
		assert_true(h.cut == (h.count == HEADER_FIELDS));
		header_mailbox(s, &arena);
		assert_true(header_unfold(s, 1000, &arena).len <= 1000);
		assert_true(header_unfold(s, SIZE_MAX, &arena).len <= size);
		received_parse(s, &r);
		header_write(&out, SPAN_LIT("X"), s);
		buf_free(&out);
		arena_free(&arena);
	}
	free(text);
	/* Seconds with sanitizers; hours if some loop were quadratic. */
	assert_true((clock() - start) / CLOCKS_PER_SEC < 60);
}

static const struct { const char *in; size_t max; const char *out; } unfolds[] = {
	{ "", 10, "" }, { " a ", 10, "a" }, { " a\r\n b\n\tc ", 10, "a b\tc" },
	{ "\r\n a", 10, "a" }, { "a\r\n ", 10, "a" }, { " abcdef", 3, "abc" },
	{ "ab cd", 3, "ab" }, { "a\rb", 10, "a\rb" }, { " a\r\n\r\n b", 10, "a b" },
	{ "abc", 0, "" },
};

static void
test_unfold(void **state)
{
	struct arena arena = { 0 };

	for (size_t i = 0; i < COUNT_OF(unfolds); i++) {
		struct span got = header_unfold(span_text(unfolds[i].in), unfolds[i].max, &arena);

		if (!span_equal(got, span_text(unfolds[i].out)))
			fail_msg("%zu: '%.*s'", i, (int)got.len, (const char *)got.ptr);
	}
	arena_free(&arena);
}

static const struct { const char *in, *out; } mailboxes[] = {
	{ "a@b.test", "a@b.test" }, { " <a@b.test>\r\n", "a@b.test" },
	{ "A B <a@b.test>, C <c@d.test>", "a@b.test" }, { "a@b.test, c@d.test", "a@b.test" },
	{ "\"Display, Name\" <a@b.test>", "a@b.test" }, { "Doe, John <a@b.test>", "a@b.test" },
	{ "\"x@y.test\" <a@b.test>", "a@b.test" }, { "x@y.test <a@b.test>", "a@b.test" },
	{ "\"x\\\" <x@y.test>\" <a@b.test>", "a@b.test" }, { "a@b.test (Name)", "a@b.test" },
	{ "(x@y.test) a@b.test", "a@b.test" }, { "(a (b) c \\) ) <a@b.test>", "a@b.test" },
	{ "a (c) @ (d) b . test", "a@b.test" }, { "< a@b.test >", "a@b.test" },
	{ "<a\r\n @b.test>", "a@b.test" }, { "Group: a@b.test, c@d.test;", "a@b.test" },
	{ "Group: ; , a@b.test", "a@b.test" }, { "undisclosed-recipients:;", "" },
	{ "x@y.test: a@b.test;", "a@b.test" }, { "\"a b\"@c.test", "\"a b\"@c.test" },
	{ "X <\"a>b\"@c.test>", "\"a>b\"@c.test" }, { "\"a\\\"b\"@c.test", "\"a\\\"b\"@c.test" },
	{ "<@x.test,@y.test:a@b.test>", "a@b.test" }, { "a@[192.0.2.1]", "a@[192.0.2.1]" },
	{ "a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]" }, { "John a@b.test", "a@b.test" },
	{ "a@b.test John", "a@b.test" }, { "\"J\" a@b.test", "a@b.test" }, { "", "" },
	{ "root", "" }, { "<root>", "" }, { "<>", "" }, { "Name <>", "" }, { "<>, a@b.test", "a@b.test" },
	{ "a@b.test <>", "" }, { "<a@b.test", "a@b.test" }, { "a@", "" }, { "@b", "" },
	{ "(a@b.test", "" }, { "\"a@b.test", "" }, { "\"a@b.test\"", "" }, { "a@b.test)", "a@b.test" },
	{ "=?utf-8?q?x?= <a@b.test>", "a@b.test" }, { "<<a@b.test>>", "a@b.test" },
	{ "\xc3\xa9@b.test", "\xc3\xa9@b.test" }, { "a\\@x@b.test", "a\\@x@b.test" },
	{ "mailto:a@b.test", "a@b.test" }, { "a@b.test;c@d.test", "a@b.test" },
};

static void
test_mailbox(void **state)
{
	struct arena arena = { 0 };

	for (size_t i = 0; i < COUNT_OF(mailboxes); i++) {
		struct span got = header_mailbox(span_text(mailboxes[i].in), &arena);

		if (!span_equal(got, span_text(mailboxes[i].out)))
			fail_msg("'%s': '%.*s'", mailboxes[i].in, (int)got.len,
			    (const char *)got.ptr);
	}
	arena_free(&arena);
}

/* Exactly 1000 bytes are an address, one more is none; the next one is found then. */
static void
test_mailbox_length(void **state)
{
	struct arena arena = { 0 };
	char text[1100];

	for (size_t len = 999; len <= 1001; len++) {
		memset(text, 'a', len);
		memcpy(text + len - 2, "@b, c@d", sizeof "@b, c@d");
		struct span got = header_mailbox(span_text(text), &arena);

		assert_int_equal(got.len, len <= 1000 ? len : 3);
	}
	arena_free(&arena);
}

#define W9 "word-word "
#define LONG "long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-x"
static const struct { const char *in, *out; } writes[] = {
	{ "", "X:\r\n" }, { "  ", "X:\r\n" }, { " a ", "X: a\r\n" }, { "a  b", "X: a  b\r\n" },
	{ "a\r\nBcc: b", "X: a  Bcc: b\r\n" }, { "a\n\tb\x01\x7f", "X: a  b\r\n" },
	{ W9 W9 W9 W9 W9 W9 W9 "tail", "X: " W9 W9 W9 W9 W9 W9 W9 "tail\r\n" },
	{ W9 W9 W9 W9 W9 W9 W9 "tail-x", "X: " W9 W9 W9 W9 W9 W9 "word-word\r\n tail-x\r\n" },
	{ LONG, "X: " LONG "\r\n" }, { "a " LONG " b", "X: a\r\n " LONG "\r\n b\r\n" },
	{ LONG "  " LONG, "X: " LONG "\r\n  " LONG "\r\n" },
};

static void
test_write(void **state)
{
	struct buf out = { 0 };

	for (size_t i = 0; i < COUNT_OF(writes); i++) {
		header_write(&out, SPAN_LIT("X"), span_text(writes[i].in));
		if (strcmp(buf_text(&out), writes[i].out) != 0)
			fail_msg("%zu: '%s'", i, buf_text(&out));
		buf_take(&out, buf_len(&out));
	}
	buf_free(&out);
}

/* helo, name, address, by, by_comment, with, id, user ("!" if authenticated). */
static const struct { const char *name, *in, *out; } receiveds[] = {
	{ "Postfix", "from mail.a.test (mx.a.test [192.0.2.1]) by b.test (Postfix) with ESMTPS "
	    "id 4X for <r@b.test>; Sat, 21 Nov 2026 22:17:57 +0000 (UTC)",
	    "mail.a.test|mx.a.test|192.0.2.1|b.test|Postfix|ESMTPS|4X|" },
	{ "Postfix, TLS and user", "from [10.0.0.1] (unknown [192.0.2.1]) (using TLSv1.3 with "
	    "cipher X (256/256 bits) key-exchange Y) (Client CN \"x helo=[9.9.9.9] "
	    "[9.9.9.9]\", Issuer \"z\" (not verified)) (Authenticated sender: u@b.test) by b.test "
	    "(Postfix) with ESMTPSA id 4X; date",
	    "[10.0.0.1]||192.0.2.1|b.test|Postfix|ESMTPSA|4X|!u@b.test" },
	{ "comments the other way round", "from h (Authenticated sender: u) (using TLSv1.3) "
	    "(n.test [192.0.2.1]) by b.test (Postfix) with ESMTP id 4X",
	    "h|n.test|192.0.2.1|b.test|Postfix|ESMTP|4X|!u" },
	{ "Postfix, IPv6", "from h (n.test [IPv6:2001:db8::1]) by b.test with LMTP id 4X",
	    "h|n.test|2001:db8::1|b.test||LMTP|4X|" },
	{ "Postfix, local", "by b.test (Postfix, from userid 1000) id 4X; date",
	    "|||b.test|Postfix, from userid 1000||4X|" },
	{ "ours", "from h (n.test [192.0.2.1]) by b.test (Sallyport inbound) with ESMTP id X-1 "
	    "for <\"a;b\"@c.test>; date", "h|n.test|192.0.2.1|b.test|Sallyport inbound|ESMTP|X-1|" },
	{ "amavis", "from localhost ([127.0.0.1]) by localhost (b.test [127.0.0.1]) (amavisd-new, "
	    "port 10024) with ESMTP id a-B for <r@b.test>; date",
	    "localhost||127.0.0.1|localhost|b.test [127.0.0.1]|ESMTP|a-B|" },
	{ "Sendmail", "from h (IDENT:root@n.test [192.0.2.1] (may be forged)) (authenticated "
	    "bits=0) by b.test (8.15.2/8.15.2) with ESMTP id wA1; date",
	    "h|n.test|192.0.2.1|b.test|8.15.2/8.15.2|ESMTP|wA1|!" },
	{ "Exim, name", "from n.test ([192.0.2.1]:4321 helo=h.test) by b.test with esmtps  "
	    "(TLS1.3) tls TLS_AES (Exim 4.94) (envelope-from <s@a.test>) id 1k-X for r@b.test; date",
	    "h.test|n.test|192.0.2.1|b.test||esmtps|1k-X|" },
	{ "Exim, no name", "from [192.0.2.1] (helo=h.test) by b.test with esmtpsa (Exim 4.94) "
	    "id 1k", "h.test||192.0.2.1|b.test||esmtpsa|1k|!" },
	{ "Exim, port first", "from [192.0.2.1] (port=25 helo=[10.0.0.9]) by b.test with smtp "
	    "id 1k", "[10.0.0.9]||192.0.2.1|b.test||smtp|1k|" },
	{ "Exim, local", "from root by b.test with local (Exim 4.94) id 1k",
	    "root|||b.test||local|1k|" },
	{ "qmail", "from unknown (HELO h.test) (192.0.2.1) by b.test with SMTP; 21 Nov 2026",
	    "h.test||192.0.2.1|b.test||SMTP||" },
	{ "qmail, name and ident", "from n.test (HELO h.test) (x@9.9.9.9@192.0.2.1) by b.test "
	    "with SMTP; date", "h.test|n.test|192.0.2.1|b.test||SMTP||" },
	{ "qmail, inside", "(qmail 123 invoked from network); 21 Nov 2026 22:17:57 -0000",
	    "|||||||" },
	{ "Exchange", "from A.test (2001:db8::1) by B.test (2001:db8::2) with Microsoft SMTP "
	    "Server (version=TLS1_2, cipher=X) id 15.20.1 via Frontend Transport; date",
	    "A.test||2001:db8::1|B.test|2001:db8::2|Microsoft SMTP Server|15.20.1|" },
	{ "Exchange, no comment", "from A (192.0.2.1) by B (192.0.2.2) with Microsoft SMTP "
	    "Server id 14.3.1; date", "A||192.0.2.1|B|192.0.2.2|Microsoft SMTP Server|14.3.1|" },
	{ "OpenSMTPD", "from h (n.test [192.0.2.1]) by b.test (OpenSMTPD) with ESMTPSA id 4x "
	    "(TLSv1.3:X:256:NO) auth=yes user=u for <r@b.test>; date",
	    "h|n.test|192.0.2.1|b.test|OpenSMTPD|ESMTPSA|4x|!u" },
	{ "Courier", "from h (n.test [192.0.2.1]) (AUTH: LOGIN u@b.test, TLS: x) by b.test with "
	    "ESMTPA id 4", "h|n.test|192.0.2.1|b.test||ESMTPA|4|!u@b.test" },
	{ "last dot of a name", "from h (n.test. [192.0.2.1]) by b", "h|n.test|192.0.2.1|b||||" },
	{ "HELO is a keyword", "from by (n [192.0.2.1]) by with with id id 4",
	    "by|n|192.0.2.1|with||id|4|" },
	{ "a second by says nothing", "from h ([192.0.2.1]) by b (c) by evil (d) id 4",
	    "h||192.0.2.1|b|c||4|" },
	{ "address of the server is not the client's", "from h by b (b [192.0.2.9]) id 4",
	    "h|||b|b [192.0.2.9]||4|" },
	{ "literal in HELO is nobody's word", "from [192.0.2.1] by b", "[192.0.2.1]|||b||||" },
	{ "comment not closed", "from h (n [192.0.2.1]", "h|||||||" },
	{ "nothing", "", "|||||||" }, { "only a date", "; by x", "|||||||" },
	{ "UTF8SMTPSA", "from h ([192.0.2.1]) by b with UTF8SMTPSA id 1",
	    "h||192.0.2.1|b||UTF8SMTPSA|1|!" },
};

static size_t
show(char *out, size_t n, struct span s)
{
	return n + (size_t)snprintf(out + n, 512 - n, "%.*s|", (int)s.len, (const char *)s.ptr);
}

static void
describe_received(struct span in, char out[512])
{
	char address[ADDRESS_TEXT_BYTES] = "";
	struct received r;
	size_t n = 0;

	received_parse(in, &r);
	if (r.has_address)
		address_text(address, &r.address);
	n = show(out, n, r.helo);
	n = show(out, n, r.name);
	n = show(out, n, span_text(address));
	n = show(out, n, r.by);
	n = show(out, n, r.by_comment);
	n = show(out, n, r.with);
	n = show(out, n, r.id);
	snprintf(out + n, 512 - n, "%s%.*s", r.authenticated ? "!" : "", (int)r.user.len,
	    (const char *)r.user.ptr);
}

static void
test_received(void **state)
{
	char got[512];

	for (size_t i = 0; i < COUNT_OF(receiveds); i++) {
		describe_received(span_text(receiveds[i].in), got);
		if (strcmp(got, receiveds[i].out) != 0)
			fail_msg("%s: '%s'", receiveds[i].name, got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields), cmocka_unit_test(test_exhaustive),
		cmocka_unit_test(test_find), cmocka_unit_test(test_large),
		cmocka_unit_test(test_unfold), cmocka_unit_test(test_mailbox),
		cmocka_unit_test(test_mailbox_length), cmocka_unit_test(test_write),
		cmocka_unit_test(test_received),
	};

	return cmocka_run_group_tests_name("header", tests, NULL, NULL);
}
