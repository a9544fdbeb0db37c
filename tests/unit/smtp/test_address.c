/*
 * test_address.c - paths, normal forms, xtext, and the flat form of an envelope.
 */
#include "lib/smtp/address.h"
#include "lib/smtp/envelope.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* `rest` is what is left behind the path. */
static const struct { const char *in, *address, *rest; bool utf8; } paths[] = {
	{ "<a@b>", "a@b", "", false },
	{ "<a@b> SIZE=3", "a@b", " SIZE=3", false },
	{ "  <a@b>", "a@b", "", false },
	{ "<>", "", "", false },
	{ "<> BODY=7BIT", "", " BODY=7BIT", false },
	{ "a@b", "a@b", "", false },
	{ "a@b SIZE=3", "a@b", " SIZE=3", false },
	{ "<postmaster>", "postmaster", "", false },
	{ "<bare>", "bare", "", false },
	{ "bare", "bare", "", false },
	{ "<@a,@b.c:d@e.f>", "d@e.f", "", false },
	{ "<@[1.2.3.4],@b:d@e>", "d@e", "", false },
	{ "<a@[192.0.2.1]>", "a@[192.0.2.1]", "", false },
	{ "<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", "", false },
	{ "<\"a b\"@c>", "\"a b\"@c", "", false },
	{ "<\"a@b\"@c>", "\"a@b\"@c", "", false },
	{ "<\"a\\\"> b\\\\\"@c>", "\"a\\\"> b\\\\\"@c", "", false },
	{ "<\"\"@c>", "\"\"@c", "", false },
	{ "<a..b.@c>", "a..b.@c", "", false },
	{ "<a+b=c!#$%&'*/?^_`{|}~-@d>", "a+b=c!#$%&'*/?^_`{|}~-@d", "", false },
	{ "<a@b_c-1.d.>", "a@b_c-1.d.", "", false },
	{ "<j\xc3\xb6rg@b\xc3\xbc.de>", "j\xc3\xb6rg@b\xc3\xbc.de", "", true },
	{ "<\"\xc3\xb6\"@b>", "\"\xc3\xb6\"@b", "", true },
	{ "<\xf0\x9f\x93\xa7@b>", "\xf0\x9f\x93\xa7@b", "", true },
};

static const char *const no_paths[] = {
	"", " ", "<", "<a", "<a@b", ">", "<@>", "<a@>", "a@", "<@b>", "<a@b@c>",
	"<a b@c>", "<a@b c>", "<<a@b>>", "<a@.b>", "<a@b..c>", "<a@[]>", "<a@[1.2>",
	"<a@[1]2>", "<\"a@b>", "<\"a\\\"@b>", "<\"a\"b@c>", "<\"a\nb\"@c>", "<a\x01@b>",
	"<a\x7f@b>", "<a,b@c>", "<a(c)@b>", "<@a,b:c@d>", "<@a:>", "<@a,@b>", "<\xff@b>",
	"<\xc3@b>", "<\xc0\xaf@b>", "<\xed\xa0\x80@b>", "<\xf4\x90\x80\x80@b>",
	"<\xe0\x80\xaf@b>", "<\xc3\xb6\xc3>", "<a@\xc3>", "<\"\xc3\">", "<\"\\",
};

/* On the heap and exactly as long, for the sanitizer's sake; borrowed by *address. */
static uint8_t *
parse(const char *text, enum status *st, struct span *address, bool *utf8, size_t *used)
{
	struct error err;
	size_t n = strlen(text);
	uint8_t *in = malloc(n > 0 ? n : 1);

	memcpy(in, text, n);
	*st = path_parse((struct span){ in, n }, true, address, utf8, used, &err);
	return in;
}

static void
test_paths(void **state)
{
	struct span address;
	enum status st;
	bool utf8;
	size_t used;

	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		uint8_t *in = parse(paths[i].in, &st, &address, &utf8, &used);

		print_message("# path %zu\n", i);
		assert_int_equal(st, ST_OK);
		assert_true(span_equal(address, span_text(paths[i].address)));
		assert_string_equal(paths[i].in + used, paths[i].rest);
		assert_int_equal(utf8, paths[i].utf8);
		free(in);
	}
}

/* Refused; or, without brackets, read up to what cannot be part of an address. */
static void
test_no_paths(void **state)
{
	struct error err;
	struct span address;
	enum status st;
	bool utf8;
	size_t used;

	for (size_t i = 0; i < COUNT_OF(no_paths); i++) {
		print_message("# no path %zu\n", i);
		free(parse(no_paths[i], &st, &address, &utf8, &used));
		assert_int_equal(st, ST_PERM);
	}
	assert_int_equal(path_parse(SPAN_LIT("<>"), false, &address, &utf8, &used, &err),
	    ST_PERM);
	assert_int_equal(path_parse(SPAN_LIT("<a\0b@c>"), true, &address, &utf8, &used,
	    &err),
	    ST_PERM);
	free(parse("a@b>c", &st, &address, &utf8, &used));
	assert_int_equal(st, ST_OK);
	assert_int_equal(used, 3);
}

static void
test_length(void **state)
{
	char in[ADDRESS_BYTES + 10];
	struct error err;
	struct span address;
	bool utf8;
	size_t used;

	memset(in, 'a', sizeof in);
	in[0] = '<';
	in[5] = '@';
	in[ADDRESS_BYTES + 1] = '>';
	assert_int_equal(path_parse((struct span){ (uint8_t *)in, sizeof in }, false,
	    &address,
	    &utf8, &used, &err), ST_OK);
	assert_int_equal(address.len, ADDRESS_BYTES);
	in[ADDRESS_BYTES + 1] = 'a';
	in[ADDRESS_BYTES + 2] = '>';
	assert_int_equal(path_parse((struct span){ (uint8_t *)in, sizeof in }, false,
	    &address,
	    &utf8, &used, &err), ST_PERM);
}

static const struct { const char *in, *normal, *domain; } normals[] = {
	{ "", "", "" }, { "A@B.C", "A@b.c", "B.C" }, { "a@b.", "a@b", "b." }, { "a@b...",
	  "a@b", "b..." },
	{ "postmaster", "postmaster", "" }, { "\"a\"@B", "a@b", "B" },
	{ "\"a.b\"", "a.b", "" }, { "\"\\a\\b\"@c", "ab@c", "c" },
	{ "\"a b\"@c", "\"a b\"@c", "c" }, { "\"a\\ b\"@c", "\"a b\"@c", "c" },
	{ "\"a@b\"@C", "\"a@b\"@c", "C" }, { "\"a\\@b\"@c", "\"a@b\"@c", "c" },
	{ "\"\\\"\\\\\"@c", "\"\\\"\\\\\"@c", "c" }, { "\"\"@c", "\"\"@c", "c" },
	{ "\"a@b\"", "\"a@b\"", "" }, { "a@[IPv6:A::1]", "a@[ipv6:a::1]", "[IPv6:A::1]" },
	{ "\"\xc3\xb6\"@\xc3\x96", "\xc3\xb6@\xc3\x96", "\xc3\x96" },
	{ "a@b@C", "a@b@c", "C" }, { "\"a@b", "\"a@b", "b" }, { "@.", "@.", "." }, { "@",
	  "@", "" },
};

static void
test_normal(void **state)
{
	struct arena arena = { 0 };

	for (size_t i = 0; i < COUNT_OF(normals); i++) {
		struct span once = address_normal(span_text(normals[i].in), &arena);

		print_message("# normal %zu\n", i);
		assert_true(span_equal(once, span_text(normals[i].normal)));
		assert_true(span_equal(address_normal(once, &arena), once));
		assert_true(span_equal(address_domain(span_text(normals[i].in)),
		    span_text(normals[i].domain)));
	}
	assert_true(address_normal(SPAN_NONE, &arena).len == 0);
	assert_true(address_domain(SPAN_NONE).len == 0);
	arena_free(&arena);
}

static const struct { const char *in, *out; } xtexts[] = {
	{ "", "" }, { "a+2Bb", "a+b" }, { "a+2bb", "a+b" }, { "a=b c", "a=b c" }, { "+41",
	  "A" },
	{ "+", NULL }, { "+4", NULL }, { "a+4", NULL }, { "+G1", NULL }, { "+1G", NULL },
	{ "+00", NULL }, { "+0A", NULL }, { "+0D", NULL }, { "a\rb", NULL }, { "a\nb",
	  NULL },
};

static void
test_xtext(void **state)
{
	struct arena arena = { 0 };
	struct span out;
	uint8_t all[252];
	size_t n = 0;

	for (size_t i = 0; i < COUNT_OF(xtexts); i++) {
		print_message("# xtext %zu\n", i);
		assert_int_equal(xtext_decode(span_text(xtexts[i].in), &arena, &out),
		    xtexts[i].out != NULL);
		if (xtexts[i].out != NULL)
			assert_true(span_equal(out, span_text(xtexts[i].out)));
	}
	assert_false(xtext_decode(SPAN_LIT("a\0b"), &arena, &out));
	for (unsigned c = 1; c < 256; c++)
		if (c != '\r' && c != '\n')
			all[n++ % sizeof all] = (uint8_t)c;
	struct span in = { all, sizeof all }, coded = xtext_encode(in, &arena);

	for (size_t i = 0; i < coded.len; i++)
		assert_true(coded.ptr[i] > ' ' && coded.ptr[i] < 0x7f &&
		    coded.ptr[i] != '=');
	assert_true(xtext_decode(coded, &arena, &out) && span_equal(out, in));
	assert_true(span_equal(xtext_encode(SPAN_LIT("a+b=c d"), &arena),
	    SPAN_LIT("a+2Bb+3Dc+20d")));
	arena_free(&arena);
}

static struct envelope
example(struct recipient r[2])
{
	r[0] = (struct recipient){ SPAN_LIT("a@b"), SPAN_LIT("rfc822;a+2Bx@b"),
	  NOTIFY_FAILURE };
	r[1] = (struct recipient){ SPAN_LIT("\xc3\xb6@b"), SPAN_NONE, NOTIFY_NEVER };
	return (struct envelope){
		.sender = SPAN_LIT("s@t"), .body = BODY_8BITMIME, .smtputf8 = true,
		.size = 1234567890123, .ret = RETURN_HEADERS, .envid = SPAN_LIT("QQ+20"),
		.recipients = r, .recipient_count = 2,
		.xforward = { true, SPAN_LIT("n"), SPAN_LIT("192.0.2.1"), SPAN_LIT("25"),
		    SPAN_LIT("ESMTP"), SPAN_LIT("h"), SPAN_LIT("i"), SPAN_LIT("REMOTE") },
	};
}

static void
test_pack(void **state)
{
	uint8_t bytes[512], again[512];
	struct recipient r[2];
	struct envelope e = example(r), f;
	struct pack p = { .ptr = bytes, .cap = sizeof bytes };
	struct pack q = { .ptr = again, .cap = sizeof again };
	struct arena arena = { 0 };

	envelope_pack(&p, &e);
	struct unpack u = { .rest = { bytes, p.len } };

	assert_true(envelope_unpack(&u, &f, &arena) && unpack_whole(&u));
	assert_true(span_equal(f.sender, e.sender) && f.body == e.body && f.smtputf8 &&
	    f.size == e.size && f.ret == e.ret && span_equal(f.envid, e.envid));
	assert_int_equal(f.recipient_count, 2);
	assert_true(span_equal(f.recipients[0].orcpt, r[0].orcpt));
	assert_int_equal(f.recipients[1].notify, NOTIFY_NEVER);
	assert_true(span_equal(f.xforward.source, SPAN_LIT("REMOTE")) &&
	    f.xforward.given);
	envelope_pack(&q, &f);
	assert_int_equal(q.len, p.len);
	assert_memory_equal(again, bytes, p.len);
	assert_true(envelope_needs_utf8(&e));
	e.recipient_count = 1;
	assert_false(envelope_needs_utf8(&e));
	arena_free(&arena);
}

/* Cut short, or with any byte made 0xff: refused, or at least no harm. */
static void
test_unpack_hostile(void **state)
{
	uint8_t bytes[512];
	struct recipient r[2];
	struct envelope e = example(r), f;
	struct pack p = { .ptr = bytes, .cap = sizeof bytes };
	struct arena arena = { 0 };

	envelope_pack(&p, &e);
	for (size_t n = 0; n < p.len; n++) {
		struct unpack u = { .rest = { bytes, n } };

		assert_false(envelope_unpack(&u, &f, &arena));
	}
	for (size_t i = 0; i < p.len; i++) {
		struct unpack u = { .rest = { bytes, p.len } };
		uint8_t was = bytes[i];

		bytes[i] = 0xff;
		bool good = envelope_unpack(&u, &f, &arena);

		assert_true(!good || i != 4 + e.sender.len);    /* of `body` */
		if (good)
			assert_true(f.body <= BODY_8BITMIME && f.ret <= RETURN_HEADERS &&
			    f.recipient_count <= p.len);
		bytes[i] = was;
	}
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_no_paths),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_normal),
		cmocka_unit_test(test_xtext),
		cmocka_unit_test(test_pack),
		cmocka_unit_test(test_unpack_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
