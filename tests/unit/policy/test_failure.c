/*
 * test_failure.c - what a failed check makes of an accept: three scanners, every state of
 * each, every on-failure, against the rule as docs/policy.md says it.
 */
#include "lib/policy/policy.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum state { ANSWERED = 0, FAILED, UNSCANNABLE, STATES };

/* Facts that were unknown in the walk: of the virus scanners, of the spam scanner, of the
   inspector. */
enum { OF_VIRUS = 1, OF_SPAM = 2, OF_CONTENT = 4, MASKS = 8 };

struct situation {
	enum state      states[3];      /* clamd, spamd, icap */
	enum on_failure says[3];
	unsigned        unknown;        /* OF_... */
	bool            judged;         /* decided by something unscannable */
	bool            unseen;         /* decided by what could not be seen of the content */
	bool            message;        /* the message is unscannable */
	enum fate       fate;
};

static const enum scanner_type types[3] = { SCANNER_TYPE_CLAMD, SCANNER_TYPE_SPAMD,
	SCANNER_TYPE_ICAP };

static unsigned
gives(size_t scanner)
{
	return types[scanner] == SCANNER_TYPE_SPAMD ? OF_SPAM : OF_VIRUS;
}

static bool
is_missing(const struct situation *s, size_t scanner)
{
	return s->states[scanner] != ANSWERED && (gives(scanner) & s->unknown) != 0;
}

/* Is every unknown fact somebody's whom the verdict need not wait for? */
static bool
is_explained(const struct situation *s)
{
	unsigned left = s->unknown;

	for (size_t i = 0; i < 3; i++)
		if (is_missing(s, i))
			left &= ~gives(i);
	if (s->message ? s->judged : s->unseen)
		left &= ~(unsigned)OF_CONTENT;
	return left == 0 && (!s->message || s->judged);
}

static struct on_failure_verdict
naive(const struct situation *s)
{
	struct on_failure_verdict o = { FATE_ACCEPT, SCANNER_NONE, 0 };
	static const enum on_failure order[] = { ON_FAILURE_DEFER, ON_FAILURE_HOLD,
		ON_FAILURE_ACCEPT };
	static const enum fate fates[] = { FATE_DEFER, FATE_HOLD, FATE_ACCEPT };

	if (s->fate != FATE_ACCEPT)
		return (struct on_failure_verdict){ s->fate, SCANNER_NONE, 0 };
	if (!is_explained(s))
		return (struct on_failure_verdict){ FATE_DEFER, SCANNER_NONE, 0 };
	for (size_t k = 0; k < COUNT_OF(order); k++)
		for (size_t i = 0; i < 3; i++) {
			bool excused = s->states[i] == UNSCANNABLE && s->judged;

			if (!is_missing(s, i) || excused || s->says[i] != order[k])
				continue;
			if (o.scanner == SCANNER_NONE) {
				o.scanner = i;
				o.fate = fates[k];
			}
			o.missing |= 1u << i;
		}
	if (o.fate != FATE_ACCEPT)
		o.missing = 0;
	return o;
}

static struct on_failure_verdict
real(const struct situation *s)
{
	struct scanner scanners[3] = { 0 };
	struct settings settings = { .scanners = scanners, .scanner_count = 3 };
	struct failures f = { .message = s->message };
	struct verdict v = { .fate = s->fate, .decided_by_unscannable = s->judged,
		.decided_by_unseen = s->unseen, .unknown_met = s->unknown != 0 };

	for (size_t i = 0; i < 3; i++) {
		scanners[i].type = types[i];
		scanners[i].on_failure = s->says[i];
		f.scanners |= (uint64_t)(s->states[i] == FAILED) << i;
		f.unscannable |= (uint64_t)(s->states[i] == UNSCANNABLE) << i;
	}
	if (s->unknown & OF_VIRUS)
		fact_set_add(&v.unknown_facts, FACT_VIRUS_FOUND);
	if (s->unknown & OF_SPAM)
		fact_set_add(&v.unknown_facts, FACT_SYMBOL_NAME);
	if (s->unknown & OF_CONTENT)
		fact_set_add(&v.unknown_facts, FACT_ATTACHMENT_TYPE);
	return policy_on_failure(&v, &settings, &f);
}

static void
check(const struct situation *s)
{
	struct on_failure_verdict want = naive(s), have = real(s);

	if (have.fate != want.fate || have.scanner != want.scanner ||
	    have.missing != want.missing)
		fail_msg("states %d %d %d, on-failure %d %d %d, unknown %u, judged %d %d, message %d: "
		    "%s by %zd, missing %u, not %s by %zd, missing %u", s->states[0],
		    s->states[1], s->states[2], s->says[0], s->says[1], s->says[2], s->unknown,
		    s->judged, s->unseen, s->message, fate_name(have.fate), (ssize_t)have.scanner,
		    (unsigned)have.missing, fate_name(want.fate), (ssize_t)want.scanner,
		    (unsigned)want.missing);
}

static void
test_all(void **state)
{
	for (unsigned n = 0; n < 27 * 27 * MASKS * 8; n++) {
		struct situation s = { .fate = FATE_ACCEPT };
		unsigned rest = n;

		for (size_t i = 0; i < 3; i++, rest /= 9) {
			s.states[i] = (enum state)(rest % 3);
			s.says[i] = (enum on_failure)(rest / 3 % 3);
		}
		s.unknown = rest % MASKS;
		s.judged = rest / MASKS % 2;
		s.message = rest / MASKS / 2 % 2;
		s.unseen = rest / MASKS / 4;
		check(&s);
	}
}

/* Who was not going to accept it is not changed. */
static void
test_others(void **state)
{
	static const enum fate fates[] = { FATE_QUARANTINE, FATE_DISCARD, FATE_HOLD, FATE_DEFER,
		FATE_REJECT };

	for (size_t i = 0; i < COUNT_OF(fates); i++)
		check(&(struct situation){ .states = { FAILED, FAILED, FAILED },
		    .unknown = OF_VIRUS | OF_CONTENT, .fate = fates[i] });
}

/* One has found a virus, another has failed: the name is unknown, and a mail that rules with
   the name let pass for that is not accepted. */
static void
test_infected(void **state)
{
	struct scanner scanners[2] = {
		{ .type = SCANNER_TYPE_CLAMD, .on_failure = ON_FAILURE_ACCEPT },
		{ .type = SCANNER_TYPE_SPAMD, .on_failure = ON_FAILURE_ACCEPT } };
	struct settings settings = { .scanners = scanners, .scanner_count = 2 };

	for (unsigned n = 0; n < 4; n++) {
		struct failures f = { .scanners = 3, .infected = n & 1 };
		struct verdict v = { .fate = FATE_ACCEPT, .unknown_met = true };

		fact_set_add(&v.unknown_facts, n & 2 ? FACT_VIRUS_NAME : FACT_SPAM_SCORE);
		struct on_failure_verdict o = policy_on_failure(&v, &settings, &f);

		assert_int_equal(o.fate, n == 3 ? FATE_DEFER : FATE_ACCEPT);
		assert_int_equal(o.scanner, n & 2 ? 0 : 1);
		assert_int_equal(o.missing, n == 3 ? 0 : n & 2 ? 1 : 2);
	}
}

static void
test_order(void **state)
{
	static const enum fate order[] = { FATE_ACCEPT, FATE_QUARANTINE, FATE_DISCARD, FATE_HOLD,
		FATE_DEFER, FATE_REJECT };
	static const char *const names[] = { "accept", "quarantine", "discard", "hold", "defer",
		"reject" };

	for (size_t i = 0; i < COUNT_OF(order); i++) {
		assert_string_equal(fate_name(order[i]), names[i]);
		assert_int_equal(order[i], i);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_infected),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
