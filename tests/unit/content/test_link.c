/*
 * test_link.c - addresses as browsers read them, links of HTML and of text, by tables.
 */
#include "lib/content/text.h"
#include "lib/base/address.h"
#include "lib/content/script.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

static int
set_up(void **state)
{
	*state = suffixes_create(NULL);
	return 0;
}

static int
tear_down(void **state)
{
	struct suffixes *s = *state;

	suffixes_destroy(&s);
	return 0;
}

static void
write_flags(struct buf *b, unsigned flags)
{
	for (unsigned n = 0; link_flag_name(n) != NULL; n++)
		if (flags & 1u << n)
			buf_printf(b, " %s", link_flag_name(n));
}

#define TEXT(s) (int)(s).len, (const char *)(s).ptr

static const struct { const char *name, *in, *out; } addresses[] = {
	{ "web", "http://www.example.com/a?b#c", "http www.example.com example.com 80" },
	{ "case, port, blanks", " HTTPS://EXAMPLE.com:443/ ", "https example.com example.com 443" },
	{ "odd port", "http://example.com:8080", "http example.com example.com 8080 port" },
	{ "no port", "http://example.com:/", "http example.com example.com 80" },
	{ "public suffix", "http://a.b.example.co.uk/", "http a.b.example.co.uk example.co.uk 80" },
	{ "a suffix itself", "http://co.uk/", "http co.uk  80" },
	{ "last dot", "http://example.com./", "http example.com example.com 80" },
	{ "deep", "http://paypal.com.a.b.c.example.net/",
	    "http paypal.com.a.b.c.example.net example.net 80 deep" },
	{ "just deep", "http://a.b.c.d.example.net/", "http a.b.c.d.example.net example.net 80 deep" },
	{ "not deep", "http://a.b.c.example.net/", "http a.b.c.example.net example.net 80" },
	{ "user", "http://www.bank.example@evil.example/x@y",
	    "http evil.example evil.example 80 user" },
	{ "two users", "http://a@b@evil.example/", "http evil.example evil.example 80 user" },
	{ "user and password", "ftp://a:b@example.com:21/", "ftp example.com example.com 21 user" },
	{ "backslashes", "http:\\\\example.com\\@x", "http example.com example.com 80 odd" },
	{ "one slash", "http:/example.com", "http example.com example.com 80 odd" },
	{ "no slash", "https:example.com", "https example.com example.com 443 odd" },
	{ "many slashes", "http:////example.com", "http example.com example.com 80 odd" },
	{ "newline inside", "ht\ntp://exa\tmple.com", "http example.com example.com 80 odd" },
	{ "escapes", "http://%65xample%2ecom/", "http example.com example.com 80 encoded-host" },
	{ "address", "http://192.0.2.1/", "http 192.0.2.1  80 ip-host" },
	{ "decimal", "http://3221225985/", "http 192.0.2.1  80 ip-host ip-odd" },
	{ "octal", "http://0300.0.02.01/", "http 192.0.2.1  80 ip-host ip-odd" },
	{ "hexadecimal", "http://0xc0.0x0.0X2.0x1/", "http 192.0.2.1  80 ip-host ip-odd" },
	{ "one hexadecimal", "http://0xC0000201/", "http 192.0.2.1  80 ip-host ip-odd" },
	{ "short", "http://127.1/", "http 127.0.0.1  80 ip-host ip-odd" },
	{ "three", "http://192.0.513", "http 192.0.2.1  80 ip-host ip-odd" },
	{ "escaped address", "http://%31%32%37.1/",
	    "http 127.0.0.1  80 ip-host ip-odd encoded-host" },
	{ "full width address", "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/",
	    "http 127.0.0.1  80 ip-host" },
	{ "too much", "http://256.0.0.1/", "http 256.0.0.1 0.1 80" },
	{ "much too much", "http://99999999999999999999/", "http 99999999999999999999  80" },
	{ "IPv6", "http://[2001:DB8::1]:81/", "http 2001:db8::1  81 ip-host port" },
	{ "bad IPv6", "http://[2001:db8::1::]/", "http [2001:db8::1::]  80 bad-host" },
	{ "IPv6 not closed", "http://[::1/", "http [::1  80 bad-host" },
	{ "A-label", "http://xn--mnchen-3ya.example/",
	    "http xn--mnchen-3ya.example xn--mnchen-3ya.example 80 punycode" },
	{ "U-label", "http://M\xc3\xbcnchen.example/",
	    "http xn--mnchen-3ya.example xn--mnchen-3ya.example 80 punycode" },
	{ "ideographic full stop", "http://example\xe3\x80\x82" "com/",
	    "http example.com example.com 80" },
	{ "mixed", "http://p\xd0\xb0ypal.com/",
	    "http xn--pypal-4ve.com xn--pypal-4ve.com 80 punycode mixed-script confusable" },
	{ "whole script", "http://xn--80ak6aa92e.com/",
	    "http xn--80ak6aa92e.com xn--80ak6aa92e.com 80 punycode confusable" },
	{ "bad letters", "http://a$b.com/", "http a$b.com  80 bad-host" },
	{ "empty label", "http://a..com/", "http a..com  80 bad-host" },
	{ "no host", "http:///", "http   80 odd" },
	{ "mail", "mailto:joe@Example.COM?subject=x@y", "mailto example.com example.com 0" },
	{ "data", "data:text/html,http://x", "data   0 data" },
	{ "script", "JaVa\nscript:alert(1)", "javascript   0 odd script" },
	{ "other scheme", "tel:+123", "tel   0" },
	{ "other scheme with host", "foo://a.example.com:1/", "foo a.example.com example.com 1 port" },
	{ "relative", "a/b", "   0 relative" },
	{ "no scheme", "//example.com/a", "http example.com example.com 80" },
	{ "empty", "", "   0 relative" },
};

static void
test_addresses(void **state)
{
	for (size_t i = 0; i < COUNT_OF(addresses); i++) {
		struct arena arena = { 0 };
		struct buf b = { 0 };
		struct link l = { 0 };

		link_read(&l, span_text(addresses[i].in), 2048, NULL, *state, &arena);
		buf_printf(&b, "%.*s %.*s %.*s %u", TEXT(l.scheme), TEXT(l.host), TEXT(l.domain),
		    l.port);
		write_flags(&b, l.flags);
		if (strcmp(buf_text(&b), addresses[i].out) != 0)
			fail_msg("%s: %s", addresses[i].name, buf_text(&b));
		buf_free(&b);
		arena_free(&arena);
	}
}

static const struct { const char *base, *in, *out; } bases[] = {
	{ "http://a.example/b/c?d/e", "f", "http://a.example/b/f" },
	{ "http://a.example/b/c", "/f", "http://a.example/f" },
	{ "http://a.example", "f", "http://a.example/f" },
	{ "http://a.example?x/y", "f", "http://a.example/f" },
	{ "https://a.example/", "//b.example/f", "//b.example/f" },
	{ "http://a.example/", "http://b.example/f", "http://b.example/f" },
	{ "http://a.example/", "mailto:x@y.example", "mailto:x@y.example" },
};

static void
test_bases(void **state)
{
	for (size_t i = 0; i < COUNT_OF(bases); i++) {
		struct arena arena = { 0 };
		struct link base = { 0 }, l = { 0 };

		link_read(&base, span_text(bases[i].base), 2048, NULL, *state, &arena);
		link_read(&l, span_text(bases[i].in), 2048, &base, *state, &arena);
		if (!span_equal(l.url, span_text(bases[i].out)) || l.host.len != 9)
			fail_msg("%s: %.*s %.*s", bases[i].in, TEXT(l.url), TEXT(l.host));
		arena_free(&arena);
	}
}

static const struct { const char *in, *out; } texts[] = {
	{ "see http://a.example/b.", "http://a.example/b" },
	{ "(http://a.example/b_(c)), [https://d.example]!",
	    "http://a.example/b_(c) https://d.example" },
	{ "<HTTP://a.example>x", "HTTP://a.example" },
	{ "nothttp ://x :// xhttp://a.example", "http://a.example" },
	{ "www.a.example, www. awww.b.example", "www.a.example" },
	{ "mail joe.doe+x@a.example. now @b c@d", "joe.doe+x@a.example" },
	{ "a.example.com/x readme.txt either/or 1.2/3 .com/", "a.example.com/x" },
	{ "http://a.example/?u=http://b.example", "http://a.example/?u=http://b.example" },
	{ "a\xc2\xa0" "b http://", "" },
	{ "", "" },
};

static void
test_texts(void **state)
{
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct link_find f = { .text = span_text(texts[i].in) };
		struct buf b = { 0 };

		for (const char *blank = ""; link_next(&f, *state); blank = " ") {
			assert_true(f.from <= f.to && f.to <= f.text.len && f.to <= f.at);
			buf_printf(&b, "%s%.*s", blank, TEXT(span_slice(f.text, f.from, f.to)));
		}
		if (strcmp(buf_text(&b), texts[i].out) != 0)
			fail_msg("%s: %s", texts[i].in, buf_text(&b));
		buf_free(&b);
	}
}

/* What is found in a text is what is found in its words, one by one. */
static void
check_words(struct span text, const struct suffixes *suffixes)
{
	struct link_find f = { .text = text };
	size_t to;

	for (size_t from = 0; from < text.len; from = to + 1) {
		for (to = from; to < text.len && text.ptr[to] > ' ' &&
		    memchr("<>\"`", text.ptr[to], 4) == NULL; to++)
			;
		struct link_find one = { .text = span_slice(text, from, to) };

		if (!link_next(&one, suffixes))
			continue;
		assert_true(link_next(&f, suffixes));
		assert_true(f.from == from + one.from && f.to == from + one.to);
		assert_true(f.kind == one.kind && f.bare == one.bare);
	}
	assert_false(link_next(&f, suffixes));
}

static void
test_words(void **state)
{
	static const char *const words[] = { " ", "a.b", "<www.a.org>", "x", "http://a/b.",
		"\"joe@a.org\"", "\n\n", "longer words without a mark ", ":", "example.com/x",
		"ftp://ab/c " };
	unsigned random = 1;
	char text[1024];

	for (unsigned turn = 0; turn < 20000; turn++) {
		size_t n = 0;

		for (unsigned k = turn % 12; k > 0; k--) {
			random = random * 1103515245 + 12345;
			const char *word = words[(random >> 16) % COUNT_OF(words)];

			n += (size_t)sprintf(text + n, "%s", word);
		}
		check_words((struct span){ (uint8_t *)text, n }, *state);
	}
}

#define GOOD "http://www.good.example/"
static const struct { const char *name, *in, *out; } parts[] = {
	{ "anchor", "<a href=" GOOD "> Click\n <b>here</b> </a>now",
	    "anchor www.good.example 'Click here'" },
	{ "anchor not ended", "<a href=" GOOD ">x<a href='http://b.example'>y",
	    "anchor www.good.example 'x'; anchor b.example 'y'" },
	{ "area", "<area href=" GOOD " alt=x>", "anchor www.good.example 'x'" },
	{ "image in it", "<a href=" GOOD "><img src=http://i.example alt='see me'></a>",
	    "anchor www.good.example 'see me'; image i.example 'see me'" },
	{ "differs", "<a href='http://evil.test'>http://www.bank.com/login</a>",
	    "anchor evil.test 'http://www.bank.com/login' differs shows www.bank.com" },
	{ "bare name differs", "<a href='http://evil.test'>bank.com</a>",
	    "anchor evil.test 'bank.com' differs shows bank.com" },
	{ "inside a sentence", "<a href='http://evil.test'>see www.bank.com now</a>",
	    "anchor evil.test 'see www.bank.com now' differs shows www.bank.com" },
	{ "same but for www", "<a href='http://www.bank.com/x'>bank.com</a>",
	    "anchor www.bank.com 'bank.com' shows bank.com" },
	{ "same domain", "<a href='http://click.bank.com/x'>www.bank.com</a>",
	    "anchor click.bank.com 'www.bank.com' differs-host shows www.bank.com" },
	{ "a file is no host", "<a href='http://evil.test'>install.sh</a>",
	    "anchor evil.test 'install.sh'" },
	{ "no suffix", "<a href='http://evil.test'>e.g.this</a>", "anchor evil.test 'e.g.this'" },
	{ "mail over a page", "<a href='http://evil.test'>joe@bank.com</a>",
	    "anchor evil.test 'joe@bank.com'" },
	{ "mail over mail", "<a href='mailto:a@evil.test'>joe@bank.com</a>",
	    "anchor evil.test 'joe@bank.com' differs shows bank.com" },
	{ "references in href", "<a href='&#104;ttp&colon;//b&period;example/&amp;'>x</a>",
	    "anchor b.example 'x'" },
	{ "hidden", "<div style=display:none><a href=" GOOD ">x</a></div>",
	    "anchor www.good.example 'x' hidden" },
	{ "bare", "see http://a.example/, www.b.example and c@d.example",
	    "text a.example 'http://a.example/'; text www.b.example 'www.b.example'; "
	    "mail d.example 'c@d.example'" },
	{ "bare beside an anchor", "http://a.example <a href=" GOOD ">http://b.example</a> "
	    "http://c.example",
	    "anchor www.good.example 'http://b.example' differs shows b.example; "
	    "text a.example 'http://a.example'; text c.example 'http://c.example'" },
	{ "credentials", "<form action=http://e.example/><input type=password></form>",
	    "form e.example '' credentials" },
	{ "form without", "<form action=http://e.example/></form><input type=password>",
	    "form e.example ''" },
	{ "tracking", "<img src=http://t.example/i.gif width=1 height=1>",
	    "image t.example '' tracking" },
	{ "tracking by style", "<img src=http://t.example/ style='width:0;height:0px'>",
	    "image t.example '' tracking" },
	{ "tracking, hidden", "<img src=http://t.example/ style='display:none'>",
	    "image t.example '' tracking" },
	{ "tracking by query", "<img width=2 height=3 src=http://t.example/?u=0123456789abcdef>",
	    "image t.example '' tracking" },
	{ "a line", "<img src=http://t.example/ width=600 height=1>", "image t.example ''" },
	{ "spacer of its own", "<img src=cid:x width=1 height=1>", "image  ''" },
	{ "srcset", "<img srcset='http://a.example/1 1x, http://b.example/2,3 2x'>",
	    "image a.example ''; image b.example ''" },
	{ "background", "<td background=http://a.example/ style=\"background:url('http://b.example')\">",
	    "background a.example ''; background b.example ''" },
	{ "style block", "<style>@import url(http://a.example);</style>",
	    "background a.example ''" },
	{ "refresh", "<meta http-equiv=Refresh content=\"0; URL='http://a.example/'\">",
	    "refresh a.example ''" },
	{ "frames and the like", "<iframe src=http://a.example></iframe><script src=//b.example>"
	    "</script><link href=http://c.example><object data=http://d.example></object>",
	    "frame a.example ''; resource b.example ''; resource c.example ''; "
	    "resource d.example ''" },
	{ "base", "<base href=" GOOD "x/><a href=y>z</a>",
	    "base www.good.example ''; anchor www.good.example 'z'" },
	{ "fragment is none", "<a href=#x>y</a><a href=''>z</a>", "" },
	{ "script", "<a href='&#106;avascript:x'>y</a>", "anchor  'y' script" },
};

static void
write_links(struct buf *b, const struct content_text *t)
{
	for (size_t i = 0; i < t->link_count; i++) {
		const struct link *l = &t->links[i];

		buf_printf(b, "%s%s %.*s '%.*s'", i > 0 ? "; " : "", link_kind_name(l->kind),
		    TEXT(l->host), TEXT(l->text));
		write_flags(b, l->flags);
		if (l->shown.len > 0)
			buf_printf(b, " shows %.*s", TEXT(l->shown));
	}
}

static void
test_parts(void **state)
{
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		struct content_limits limits = CONTENT_LIMITS_DEFAULT;
		struct content_tools tools = { NULL, *state };
		struct arena arena = { 0 };
		struct content_text t;
		struct buf b = { 0 };

		content_text(&t, span_text(parts[i].in), SPAN_NONE, true, &limits, &tools, &arena);
		write_links(&b, &t);
		if (strcmp(buf_text(&b), parts[i].out) != 0)
			fail_msg("%s: %s", parts[i].name, buf_text(&b));
		buf_free(&b);
		arena_free(&arena);
	}
}

static const struct { const char *host; unsigned what; } scripts[] = {
	{ "example.com", 0 },
	{ "m\xc3\xbcnchen.de", 0 },
	{ "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xbc\xd0\xb5\xd1\x80.com", 0 },
	{ "\xe6\x97\xa5\xe6\x9c\xac\xe3\x81\xaex.jp", 0 },
	{ "\xd0\xb0\xd1\x80\xd1\x80\xd3\x8f\xd0\xb5.com", SCRIPT_CONFUSABLE },
	{ "\xd0\xb0\xd1\x80\xd1\x80\xd3\x8f\xd0\xb5.\xd1\x80\xd1\x84", 0 },
	{ "\xd0\xb0pple.com", SCRIPT_MIXED | SCRIPT_CONFUSABLE },
	{ "\xce\xb2\xd0\xb6.com", SCRIPT_MIXED },
	{ "\xea\xb0\x80\xe3\x81\x82.com", SCRIPT_MIXED },
};

static void
test_scripts(void **state)
{
	for (size_t i = 0; i < COUNT_OF(scripts); i++)
		if (script_judge(span_text(scripts[i].host)) != scripts[i].what)
			fail_msg("%s: %u", scripts[i].host, script_judge(span_text(scripts[i].host)));
}

/* Every short host over a small alphabet: what is read as an address is one. */
static void
test_numbers(void **state)
{
	static const char letters[] = "01x.8f";
	const size_t n = sizeof letters - 1;
	struct arena arena = { 0 };

	for (size_t word = 0; word < n * n * n * n * n; word++) {
		char url[] = "http://aaaaa/";
		struct link l = { 0 };
		size_t rest = word;

		for (size_t i = 0; i < 5; i++, rest /= n)
			url[7 + i] = letters[rest % n];
		link_read(&l, span_text(url), 64, NULL, NULL, &arena);
		struct address a;
		bool plain = address_parse((struct span){ (uint8_t *)url + 7, 5 }, &a);

		if ((l.flags & LINK_IP_HOST) && !address_parse(l.host, &a))
			fail_msg("%s: %.*s", url, TEXT(l.host));
		/* Only four decimal numbers are the plain form, and 5 letters are too few. */
		assert_false(plain);
		assert_int_equal((l.flags & LINK_IP_HOST) != 0, (l.flags & LINK_IP_ODD) != 0);
	}
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_bases),
		cmocka_unit_test(test_texts), cmocka_unit_test(test_words),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_scripts), cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
