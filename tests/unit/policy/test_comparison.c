/*
 * test_comparison.c - one fact against one value: a table, and lists against a naive
 * reading of them.
 */
#include "compiled.h"
#include "lib/policy/expression.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define LISTS \
	"list nets inline 10.0.0.0/8 10.1.0.0/16 192.0.2.1 2001:db8::/32;\n" \
	"list names inline example.com .example.org joe@example.net @example.edu Word \"\";\n"

static enum truth
value_of(const char *condition, const char *facts)
{
	char text[500];
	struct compiled c;
	struct findings f;
	struct trace decided;

	snprintf(text, sizeof text, LISTS "policy p { rule r when %s then accept; "
	    "otherwise accept; }", condition);
	compiled_init(&c, text, NULL);
	if (c.set == NULL)
		fail_msg("%s: %s", condition, buf_text(&c.complaints.text));
	findings_read(&f, facts, &c.arena);
	enum truth v = expression_value(c.set->policies[0].rules[0].when, &f, &decided);

	compiled_finish(&c);
	return v;
}

static void
test_table(void **state)
{
	static const struct { const char *condition, *facts; enum truth want; } table[] = {
		/* truth: bare, = and != */
		{ "client.local", "client.local=yes", TRUTH_YES },
		{ "client.local", "client.local=no", TRUTH_NO },
		{ "client.local", "", TRUTH_NO },
		{ "client.local", "client.local=?", TRUTH_UNKNOWN },
		{ "client.local = yes", "client.local=yes", TRUTH_YES },
		{ "client.local = no", "client.local=yes", TRUTH_NO },
		{ "client.local = no", "client.local=no", TRUTH_YES },
		{ "client.local != no", "client.local=yes", TRUTH_YES },
		{ "client.local != yes", "client.local=yes", TRUTH_NO },
		/* absent: every comparison is false, so its not is true */
		{ "client.local = no", "", TRUTH_NO },
		{ "client.local != yes", "", TRUTH_NO },
		{ "not client.local = no", "", TRUTH_YES },
		{ "not (client.local != yes)", "", TRUTH_YES },
		{ "sender != x@y", "", TRUTH_NO },
		{ "sender in @names", "", TRUTH_NO },
		{ "message.size < 1", "", TRUTH_NO },
		{ "client.address in @nets", "", TRUTH_NO },
		/* unknown */
		{ "sender in @names", "sender=?", TRUTH_UNKNOWN },
		{ "not (message.size < 1)", "message.size=?", TRUTH_UNKNOWN },
		/* numbers */
		{ "recipient.count = 5", "recipient.count=5", TRUTH_YES },
		{ "recipient.count != 5", "recipient.count=5", TRUTH_NO },
		{ "recipient.count < 5", "recipient.count=4", TRUTH_YES },
		{ "recipient.count < 5", "recipient.count=5", TRUTH_NO },
		{ "recipient.count <= 5", "recipient.count=5", TRUTH_YES },
		{ "recipient.count <= 5", "recipient.count=6", TRUTH_NO },
		{ "recipient.count > 5", "recipient.count=6", TRUTH_YES },
		{ "recipient.count > 5", "recipient.count=5", TRUTH_NO },
		{ "recipient.count>=5", "recipient.count=5", TRUTH_YES },
		{ "recipient.count>=5", "recipient.count=4", TRUTH_NO },
		{ "recipient.count > 5", "recipient.count=-6", TRUTH_NO },
		{ "message.size = 2K", "message.size=2048", TRUTH_YES },
		{ "message.size > 10M", "message.size=10485761", TRUTH_YES },
		{ "message.size > 10M", "message.size=10485760", TRUTH_NO },
		{ "message.size >= 1G", "message.size=1073741824", TRUTH_YES },
		{ "message.size = 640", "message.size=640", TRUTH_YES },
		/* text: case does not matter, all else does */
		{ "header.subject = \"Hello World\"", "header.subject='hELLO wORLD'", TRUTH_YES },
		{ "header.subject = hello", "header.subject='Hello'", TRUTH_YES },
		{ "header.subject = hello", "header.subject='Hello '", TRUTH_NO },
		{ "header.subject != hello", "header.subject='x'", TRUTH_YES },
		{ "header.subject = \"\"", "header.subject=''", TRUTH_YES },
		{ "header.subject = hello.", "header.subject='Hello'", TRUTH_NO },
		{ "header.subject = hello.", "header.subject='Hello.'", TRUTH_YES },
		{ "header.subject = \"then\"", "header.subject='Then'", TRUTH_YES },
		{ "header.subject = \"@names\"", "header.subject='@names'", TRUTH_YES },
		{ "listener = inbound", "listener='inbound'", TRUTH_YES },
		/* addresses */
		{ "client.address = 192.0.2.1", "client.address=192.0.2.1", TRUTH_YES },
		{ "client.address = 192.0.2.1", "client.address=192.0.2.2", TRUTH_NO },
		{ "client.address != 192.0.2.1", "client.address=192.0.2.2", TRUTH_YES },
		{ "client.address = ::ffff:192.0.2.1", "client.address=192.0.2.1", TRUTH_YES },
		{ "client.address in 192.0.2.0/24", "client.address=192.0.2.255", TRUTH_YES },
		{ "client.address in 192.0.2.0/24", "client.address=192.0.3.0", TRUTH_NO },
		{ "client.address in ::/0", "client.address=2001:db8::1", TRUTH_YES },
		{ "client.address in 0.0.0.0/0", "client.address=2001:db8::1", TRUTH_NO },
		{ "client.address in @nets", "client.address=10.1.2.3", TRUTH_YES },
		{ "client.address in @nets", "client.address=10.200.2.3", TRUTH_YES },
		{ "client.address in @nets", "client.address=11.0.0.0", TRUTH_NO },
		{ "client.address in @nets", "client.address=192.0.2.1", TRUTH_YES },
		{ "client.address in @nets", "client.address=192.0.2.2", TRUTH_NO },
		{ "client.address in @nets", "client.address=2001:db8:1::", TRUTH_YES },
		{ "client.address in @nets", "client.address=::1", TRUTH_NO },
		/* domains */
		{ "sender.domain = example.com", "sender.domain='EXAMPLE.com'", TRUTH_YES },
		{ "sender.domain = example.com.", "sender.domain='example.com'", TRUTH_YES },
		{ "sender.domain = example.com", "sender.domain='example.com.'", TRUTH_YES },
		{ "sender.domain = example.com", "sender.domain='a.example.com'", TRUTH_NO },
		{ "sender.domain in .example.com", "sender.domain='a.example.com'", TRUTH_YES },
		{ "sender.domain in .example.com", "sender.domain='A.b.Example.COM.'", TRUTH_YES },
		{ "sender.domain in .example.com", "sender.domain='example.com'", TRUTH_YES },
		{ "sender.domain in .example.com", "sender.domain='notexample.com'", TRUTH_NO },
		{ "sender.domain in .example.com", "sender.domain='example.com.evil'", TRUTH_NO },
		{ "sender.domain in .example.com", "sender.domain='com'", TRUTH_NO },
		{ "sender.domain in .example.com", "sender.domain=''", TRUTH_NO },
		{ "sender.domain in example.com", "sender.domain='a.example.com'", TRUTH_NO },
		{ "sender.domain in @names", "sender.domain='example.com'", TRUTH_YES },
		{ "sender.domain in @names", "sender.domain='a.example.org'", TRUTH_YES },
		{ "sender.domain in @names", "sender.domain='example.edu'", TRUTH_NO },
		{ "sender.domain in @names", "sender.domain='word'", TRUTH_YES },
		{ "client.helo in @names", "client.helo='joe@example.net'", TRUTH_NO },
		{ "client.helo in @names", "client.helo='@example.edu'", TRUTH_NO },
		/* mailboxes */
		{ "sender = joe@example.com", "sender='JOE@Example.Com'", TRUTH_YES },
		{ "sender = joe@example.com", "sender='joe@example.com.'", TRUTH_YES },
		{ "sender = \"\\\"joe\\\"@example.com\"", "sender='joe@example.com'", TRUTH_YES },
		{ "sender = \"\"", "sender=''", TRUTH_YES },
		{ "sender != \"\"", "sender=''", TRUTH_NO },
		{ "sender = postmaster", "sender='Postmaster'", TRUTH_YES },
		{ "sender in @names", "sender='Joe@example.NET'", TRUTH_YES },
		{ "sender in @names", "sender='joe@sub.example.net'", TRUTH_NO },
		{ "sender in @names", "sender='any@example.edu'", TRUTH_YES },
		{ "sender in @names", "sender='any@sub.example.edu'", TRUTH_NO },
		{ "sender in @names", "sender='any@example.com'", TRUTH_YES },
		{ "sender in @names", "sender='any@sub.example.com'", TRUTH_NO },
		{ "sender in @names", "sender='any@sub.example.org'", TRUTH_YES },
		{ "sender in @names", "sender='any@notexample.org'", TRUTH_NO },
		{ "sender in @names", "sender='x@example.com\"@evil.example'", TRUTH_NO },
		{ "sender in @names", "sender='\"x@example.com\"@evil.example'", TRUTH_NO },
		{ "sender in @names", "sender='\"x@evil\"@example.com'", TRUTH_YES },
		{ "sender in @names", "sender='example.com'", TRUTH_NO },
		{ "sender in @names", "sender=''", TRUTH_YES },
		{ "sender in @names", "sender='word'", TRUTH_YES },
		{ "sender in @names", "sender='x@word'", TRUTH_YES },
		{ "sender in .example.com", "sender='x@a.example.com'", TRUTH_YES },
		{ "sender in \"@example.com\"", "sender='x@example.com'", TRUTH_YES },
		{ "sender in \"@example.com\"", "sender='x@a.example.com'", TRUTH_NO },
		/* texts ask all entries, as they are written */
		{ "header.subject in @names", "header.subject='WORD'", TRUTH_YES },
		{ "header.subject in @names", "header.subject='.example.org'", TRUTH_YES },
		{ "header.subject in @names", "header.subject='a.example.org'", TRUTH_NO },
		{ "header.subject in @nets", "header.subject='10.0.0.0/8'", TRUTH_YES },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		enum truth got = value_of(table[i].condition, table[i].facts);

		if (got != table[i].want)
			fail_msg("%s with %s is %d", table[i].condition, table[i].facts, got);
	}
}

/* Lists of up to three of these, and every word over a small alphabet. */
static const char *const entries[] = { "b.a", ".b.a", "a", ".a", "@b.a", "a@b.a", "b", "@a",
	".a.b", "ab", "a b" };

static bool
naive_ends(const char *s, const char *end)
{
	return strlen(s) >= strlen(end) && strcmp(s + strlen(s) - strlen(end), end) == 0;
}

static bool
naive_domain(const char *entry, const char *domain)
{
	if (strpbrk(entry, "@ ") != NULL)
		return false;
	if (entry[0] == '.')
		return strcmp(domain, entry + 1) == 0 || naive_ends(domain, entry);
	return strcmp(domain, entry) == 0;
}

static bool
naive_mailbox(const char *entry, const char *mailbox)
{
	const char *at = strrchr(mailbox, '@');
	bool local = strpbrk(entry, ".@") == NULL;

	if (entry[0] == '@')
		return at != NULL && strcmp(at, entry) == 0;
	if ((strchr(entry, '@') != NULL || local) && strcmp(mailbox, entry) == 0)
		return true;
	return at != NULL && naive_domain(entry, at + 1);
}

/* Without one dot at the end, as entries and facts are compared. */
static void
undot(char *to, const char *from)
{
	size_t n = strlen(from);

	memcpy(to, from, n + 1);
	if (n > 0 && to[n - 1] == '.')
		to[n - 1] = '\0';
}

static void
check_word(const struct list *l, const char *const *in, size_t n, const char *word)
{
	const struct value v = { .state = FACT_KNOWN, .text = span_text(word) };
	bool text = false, domain = false, mailbox = false;
	char bare[16];

	undot(bare, word);
	for (size_t i = 0; i < n; i++) {
		text |= strcmp(in[i], word) == 0;
		domain |= naive_domain(in[i], bare);
		mailbox |= naive_mailbox(in[i], bare);
	}
	if (list_holds(l, TYPE_TEXT, &v) != text || list_holds(l, TYPE_DOMAIN, &v) != domain ||
	    list_holds(l, TYPE_MAILBOX, &v) != mailbox)
		fail_msg("'%s' in %s %s %s", word, in[0], n > 1 ? in[1] : "", n > 2 ? in[2] : "");
}

static void
check_words(const struct list *l, const char *const *in, size_t n)
{
	static const char letters[] = "ab.@";

	for (size_t length = 0; length <= 5; length++)
		for (unsigned number = 0; number < 1u << 2 * length; number++) {
			char word[8] = "";

			for (size_t i = 0; i < length; i++)
				word[i] = letters[number >> 2 * i & 3];
			check_word(l, in, n, word);
		}
}

static void
check_list(const char *const *in, size_t n)
{
	struct token tokens[3] = { 0 };
	struct arena arena = { 0 };
	struct complaints c = { 0 };
	struct list l = { .name = "l" };

	for (size_t i = 0; i < n; i++)
		tokens[i] = (struct token){ .kind = TOKEN_TEXT, .text = span_text(in[i]) };
	assert_true(list_fill(&l, tokens, n, &arena, &c));
	check_words(&l, in, n);
	arena_free(&arena);
}

static void
test_names(void **state)
{
	for (size_t i = 0; i < COUNT_OF(entries); i++)
		for (size_t j = i; j < COUNT_OF(entries); j++)
			for (size_t k = j; k < COUNT_OF(entries); k++)
				check_list((const char *const[]){ entries[i], entries[j],
					entries[k] }, 3);
}

/* All networks of the last three bits of an address, in every pair and some triples. */
static void
test_networks(void **state)
{
	struct network all[15];
	char text[15][40];
	size_t n = 0;

	for (unsigned bits = 29; bits <= 32; bits++)
		for (unsigned base = 0; base < 8; base += 1u << (32 - bits)) {
			snprintf(text[n], sizeof text[n], "192.0.2.%u/%u", base, bits);
			assert_true(network_parse(span_text(text[n]), &all[n]));
			n++;
		}
	assert_int_equal(n, 15);
	for (unsigned chosen = 1; chosen < 1u << 15; chosen++) {
		struct token tokens[15] = { 0 };
		struct arena arena = { 0 };
		struct complaints c = { 0 };
		struct list l = { .name = "l" };
		size_t count = 0;

		if (__builtin_popcount(chosen) > 4)
			continue;
		/* Downwards: the order of entries must not matter. */
		for (size_t i = 15; i-- > 0;)
			if (chosen >> i & 1)
				tokens[count++].text = span_text(text[i]);
		assert_true(list_fill(&l, tokens, count, &arena, &c));
		for (unsigned host = 0; host < 10; host++) {
			struct value v = { .state = FACT_KNOWN };
			bool want = false;

			assert_true(address_parse(SPAN_LIT("192.0.2.0"), &v.address));
			v.address.bytes[15] = (uint8_t)(host - 1);
			for (size_t i = 0; i < 15; i++)
				want |= (chosen >> i & 1) && network_holds(&all[i], &v.address);
			if (list_holds(&l, TYPE_NETWORK, &v) != want)
				fail_msg("host %u in networks %x", host - 1, chosen);
		}
		arena_free(&arena);
	}
}

/* Thousands of entries, and as many look-ups, in no time worth naming. */
static void
test_many(void **state)
{
	enum { MANY = 20000 };
	struct token *tokens = must_alloc(MANY * sizeof *tokens);
	struct arena arena = { 0 };
	struct complaints c = { 0 };
	struct list l = { .name = "l" };

	for (size_t i = 0; i < MANY; i++)
		tokens[i].text = span_text(arena_printf(&arena, "%s%zu.example%zu.com",
		    i % 2 ? "." : "", i, i % 7));
	assert_true(list_fill(&l, tokens, MANY, &arena, &c));
	for (size_t i = 0; i < MANY; i++) {
		struct value v = { .state = FACT_KNOWN };

		v.text = span_text(arena_printf(&arena, "a@b.%zu.EXAMPLE%zu.com", i, i % 7));
		assert_int_equal(list_holds(&l, TYPE_MAILBOX, &v), i % 2);
		v.text = span_slice(v.text, 4, v.text.len);
		assert_true(list_holds(&l, TYPE_DOMAIN, &v));
	}
	free(tokens);
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
