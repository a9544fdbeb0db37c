/*
 * test_verdicts.c - the verdict cache's table against a naive one.
 */
#include "src/gateway/verdicts.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct content_key
key_of(uint64_t n)
{
	struct content_key k = { .known = true };

	/* The first bytes name the set: a few sets, many keys in each. */
	k.bytes[0] = (uint8_t)(n % 3);
	memcpy(k.bytes + 8, &n, sizeof n);
	return k;
}

static void
test_bounds(void **state)
{
	static const struct { uint64_t entries, capacity; } rows[] = {
		{ 0, 0 }, { 1, 1 }, { 2, 2 }, { 7, 7 }, { 8, 8 }, { 9, 8 }, { 15, 8 }, { 16, 16 },
		{ 1000, 1000 }, { 1001, 1000 },
	};
	const struct verdict_source from = { 0, 1 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdicts *v = verdicts_create(rows[i].entries);
		uint64_t found = 0;

		assert_int_equal(verdicts_capacity(v), rows[i].capacity);
		for (uint64_t n = 1; n <= 3000; n++) {
			struct content_key k = key_of(n);

			k.bytes[1] = (uint8_t)(n >> 3);
			verdicts_add(v, &k, from, n);
			assert_int_equal(verdicts_find(v, &k, from), v != NULL ? n : 0);
		}
		for (uint64_t n = 1; n <= 3000; n++) {
			struct content_key k = key_of(n);

			k.bytes[1] = (uint8_t)(n >> 3);
			found += verdicts_find(v, &k, from) != 0;
		}
		assert_true(found <= rows[i].capacity);
		assert_int_equal(found > 0, rows[i].capacity > 0);
		verdicts_destroy(&v);
		assert_null(v);
	}
}

static void
test_source(void **state)
{
	struct verdicts *v = verdicts_create(100);
	struct content_key k = key_of(1), unknown = k;

	unknown.known = false;
	verdicts_add(v, &k, (struct verdict_source){ 0, 0 }, 1);
	verdicts_add(v, &unknown, (struct verdict_source){ 0, 1 }, 1);
	for (uint32_t era = 0; era < 3; era++)
		assert_int_equal(verdicts_find(v, &k, (struct verdict_source){ 0, era }), 0);
	verdicts_add(v, &k, (struct verdict_source){ 2, 5 }, 7);
	for (uint32_t server = 0; server < 4; server++)
		for (uint32_t era = 0; era < 8; era++)
			assert_int_equal(verdicts_find(v, &k,
			    (struct verdict_source){ server, era }),
			    server == 2 && era == 5 ? 7 : 0);
	assert_int_equal(verdicts_find(v, &unknown, (struct verdict_source){ 2, 5 }), 0);
	verdicts_add(v, &k, (struct verdict_source){ 1, 5 }, 8);        /* in its place */
	assert_int_equal(verdicts_find(v, &k, (struct verdict_source){ 2, 5 }), 0);
	assert_int_equal(verdicts_find(v, &k, (struct verdict_source){ 1, 5 }), 8);
	verdicts_destroy(&v);
}

/* Each bit of a key counts. */
static void
test_bits(void **state)
{
	const struct verdict_source from = { 0, 1 };
	struct verdicts *v = verdicts_create(1);
	struct content_key k = key_of(9);

	verdicts_add(v, &k, from, 1);
	for (unsigned bit = 0; bit < 8 * CONTENT_KEY_BYTES; bit++) {
		struct content_key other = k;

		other.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(verdicts_find(v, &other, from), 0);
	}
	assert_int_equal(verdicts_find(v, &k, from), 1);
	verdicts_destroy(&v);
}

/* Three sets of WAYS, each a list in which the oldest gives way. */
#define KEYS  60
#define STEPS 20000
struct naive { uint64_t at[KEYS]; };

static void
naive_add(struct naive *l, unsigned key, uint64_t now)
{
	unsigned count = 0, oldest = KEYS;

	for (unsigned i = key % 3; i < KEYS; i += 3) {
		count += l->at[i] != 0;
		if (l->at[i] != 0 && (oldest == KEYS || l->at[i] < l->at[oldest]))
			oldest = i;
	}
	if (l->at[key] == 0 && count == VERDICT_WAYS)
		l->at[oldest] = 0;
	l->at[key] = now;
}

static void
test_naive(void **state)
{
	const struct verdict_source from = { 0, 1 };
	struct verdicts *v = verdicts_create(3 * VERDICT_WAYS);
	struct naive l = { 0 };
	uint32_t random = 1;

	for (uint64_t now = 1; now < STEPS; now++) {
		random = random * 1664525 + 1013904223;
		unsigned n = (random >> 16) % KEYS;
		struct content_key k = key_of(n);

		if (random >> 31 == 0) {
			verdicts_add(v, &k, from, now);
			naive_add(&l, n, now);
		}
		assert_int_equal(verdicts_find(v, &k, from), l.at[n]);
	}
	verdicts_destroy(&v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_bits),
		cmocka_unit_test(test_naive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
