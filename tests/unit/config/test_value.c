/*
 * test_value.c - sizes, times and domains; and the bundle.
 */
#include "memory.h"
#include "lib/config/value.h"

/* `shown` NULL: no size, no time. */
static const struct { const char *in; uint64_t value; const char *shown; } sizes[] = {
	{ "0", 0, "0" }, { "1", 1, "1" }, { "0K", 0, "0" }, { "007", 7, "7" },
	{ "1023", 1023, "1023" }, { "1024", 1024, "1K" }, { "1025", 1025, "1025" },
	{ "64KiB", 65536, "64K" }, { "1M", 1 << 20, "1M" }, { "1025K", 1025 << 10, "1025K" },
	{ "3MiB", 3 << 20, "3M" }, { "2G", 2ull << 30, "2G" }, { "2GiB", 2ull << 30, "2G" },
	{ "18446744073709551615", UINT64_MAX, "18446744073709551615" },
	{ "17179869183G", 17179869183ull << 30, "17179869183G" },
	{ "17179869184G", 0, NULL }, { "18446744073709551616", 0, NULL }, { "", 0, NULL },
	{ "K", 0, NULL }, { "1k", 0, NULL }, { "1KB", 0, NULL }, { "1.5G", 0, NULL },
	{ "-1", 0, NULL }, { "1T", 0, NULL }, { "1K1", 0, NULL }, { "1 K", 0, NULL },
}, times[] = {
	{ "0", 0, "0" }, { "0s", 0, "0" }, { "1ms", 1, "1ms" }, { "1000ms", 1000, "1s" },
	{ "90s", 90000, "90s" }, { "60s", 60000, "1m" }, { "5m", 300000, "5m" },
	{ "24h", 86400000, "1d" }, { "25h", 90000000, "25h" }, { "7d", 604800000, "7d" },
	{ "213503982334d", 213503982334ull * 86400000, "213503982334d" },
	{ "213503982335d", 0, NULL }, { "1", 0, NULL }, { "s", 0, NULL }, { "", 0, NULL },
	{ "1M", 0, NULL }, { "1h30m", 0, NULL }, { "1w", 0, NULL }, { "00", 0, NULL },
};

static void
check(const char *in, bool ok, bool got, uint64_t value, uint64_t want)
{
	if (got != ok || (ok && value != want))
		print_error("%s: %d, %llu\n", in, got, (unsigned long long)value);
	assert_true(got == ok && (!ok || value == want));
}

static void
test_sizes(void **state)
{
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		struct buf b = { 0 };
		uint64_t v = 0;
		bool ok = value_size(span_text(sizes[i].in), &v);

		check(sizes[i].in, sizes[i].shown != NULL, ok, v, sizes[i].value);
		value_size_print(v, &b);
		if (ok)
			assert_string_equal(buf_text(&b), sizes[i].shown);
		buf_free(&b);
	}
}

static void
test_times(void **state)
{
	for (size_t i = 0; i < COUNT_OF(times); i++) {
		struct buf b = { 0 };
		uint64_t v = 0;
		bool ok = value_time(span_text(times[i].in), &v);

		check(times[i].in, times[i].shown != NULL, ok, v, times[i].value);
		value_time_print(v, &b);
		if (ok)
			assert_string_equal(buf_text(&b), times[i].shown);
		buf_free(&b);
	}
}

/* The definition, word by word: no two dots together, none and no dash at an end. */
static bool
reference_domain(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || strchr(s, '/') != NULL || strstr(s, "..") != NULL)
		return false;
	if (strstr(s, "-.") != NULL || strstr(s, ".-") != NULL)
		return false;
	return strchr(".-", s[0]) == NULL && strchr(".-", s[n - 1]) == NULL;
}

static void
test_domains(void **state)
{
	static const char alphabet[] = "a_.-/";
	char text[8];

	for (size_t len = 0; len < sizeof text; len++)
		for (size_t n = 0, all = 1; n < all; n++) {
			size_t v = n;

			all = 1;
			for (size_t i = 0; i < len; i++, v /= 5, all *= 5)
				text[i] = alphabet[v % 5];
			text[len] = '\0';
			check(text, reference_domain(text), value_is_domain(span_text(text)), 0, 0);
		}
}

static void
test_domain_lengths(void **state)
{
	char text[300] = "";

	memset(text, 'a', 63);
	assert_true(value_is_domain(span_text(text)));
	text[63] = 'a';
	assert_false(value_is_domain(span_text(text)));
	for (size_t i = 0; i < 254; i++)
		text[i] = i % 2 ? '.' : 'a';
	text[253] = '\0';
	assert_true(value_is_domain(span_text(text)));
	strcpy(text + 253, "a");
	assert_false(value_is_domain(span_text(text)));
}

static const struct bundle_item items[] = {
	{ "/etc/c", { (const uint8_t *)"include \"x\"; a;", 15 } },
	{ "/etc/x", { (const uint8_t *)"b;", 2 } },
	{ "/etc/empty", { NULL, 0 } },
};

static struct pack
packed(uint8_t *bytes, size_t cap, size_t count)
{
	struct pack p = { .ptr = bytes, .cap = cap };

	bundle_pack(&p, items, count);
	return p;
}

static void
test_bundle(void **state)
{
	uint8_t bytes[200];
	struct memory m = { .ok = false };
	struct pack p = packed(bytes, sizeof bytes, 3);
	struct config_source *source = bundle_source((struct span){ bytes, p.len }, &m.arena);
	struct span got;
	struct error why;

	assert_false(p.full);
	assert_non_null(source);
	assert_string_equal(bundle_first(source), "/etc/c");
	assert_true(source->read(source, "/etc/empty", &got, &why));
	assert_int_equal(got.len, 0);
	assert_false(source->read(source, "/etc/y", &got, &why));
	assert_string_equal(why.text, "it is not part of the bundle");
	struct node *tree = tree_parse(source, bundle_first(source), &m.arena, &m.complaints,
	    &m.ok);

	assert_string_equal(memory_print(&m, tree), "b;\na;\n");
	memory_free(&m);
}

/* Every cut, and one byte more, is no bundle; nor is one without files. */
static void
test_bundle_cut(void **state)
{
	uint8_t bytes[200] = { 0 };
	struct arena arena = { 0 };
	struct pack p = packed(bytes, sizeof bytes, 3);

	for (size_t n = 0; n <= p.len + 1; n++) {
		uint8_t *copy = must_alloc(n);

		memcpy(copy, bytes, n);
		bool ok = bundle_source((struct span){ copy, n }, &arena) != NULL;

		assert_int_equal(ok, n == p.len);
		free(copy);
	}
	p = packed(bytes, sizeof bytes, 0);
	assert_null(bundle_source((struct span){ bytes, p.len }, &arena));
	p = packed(bytes, sizeof bytes, 1);
	assert_non_null(bundle_source((struct span){ bytes, p.len }, &arena));
	bytes[4]++;
	assert_null(bundle_source((struct span){ bytes, p.len }, &arena));
	p = packed(bytes, 20, 3);
	assert_true(p.full);
	arena_free(&arena);
}

static void
test_bundle_paths(void **state)
{
	static const char magic[] = "SPCONF1\n";
	uint8_t bytes[100];
	struct arena arena = { 0 };

	for (size_t len = 0; len < 3; len++) {
		struct pack p = { .ptr = bytes, .cap = sizeof bytes };

		pack_text(&p, magic);
		pack_u32(&p, 1);
		pack_span(&p, (struct span){ (const uint8_t *)"a\0", len });
		pack_span(&p, SPAN_NONE);
		assert_int_equal(bundle_source((struct span){ bytes, p.len }, &arena) != NULL,
		    len == 1);
	}
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_domain_lengths),
		cmocka_unit_test(test_bundle),
		cmocka_unit_test(test_bundle_cut),
		cmocka_unit_test(test_bundle_paths),
	};

	return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
