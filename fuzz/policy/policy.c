/*
 * policy.c - fuzz target: hostile policies, evaluated over any findings.
 *
 * The text ends at the first NUL; the bytes behind it choose the findings.  Oracles:
 * compiling and walking are deterministic; a walk for many recipients says what
 * policy_evaluate says; the trace fits the verdict; a condition as it is kept for
 * explain reads and evaluates as the one written; where no pending fact is wanted any more,
 * the verdict is that of full knowledge; no accept stands that a failed check has not
 * allowed.
 */
#include "lib/policy/policy.h"

struct text_source { struct config_source base; struct span text; };

struct compiled {
	struct arena       arena;
	struct complaints  complaints;
	const struct policy_set *set;
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
expect(bool so)
{
	if (!so)
		abort();
}

static bool
read_text(
    struct config_source *s, const char *path, struct span *bytes, struct error *why)
{
	*bytes = container_of(s, struct text_source, base)->text;
	return strcmp(path, "t") == 0;
}

static void
compile(struct compiled *c, struct span text, bool with_listener)
{
	struct listener listener = { .name = "in", .policy = "p", .place = { "t", 1, 1 },
		.policy_place = { "t", 1, 1 } };
	struct scanner scanners[] = { { .name = "c", .type = SCANNER_TYPE_CLAMD },
		{ .name = "s", .type = SCANNER_TYPE_SPAMD } };
	struct settings s = { .listeners = &listener, .listener_count = with_listener,
		.scanners = scanners, .scanner_count = COUNT_OF(scanners) };
	struct text_source source = { { read_text }, text };
	bool ok;

	*c = (struct compiled){ 0 };
	s.tree = tree_parse(&source.base, "t", &c->arena, &c->complaints, &ok);
	c->set = ok ? policy_compile(&s, &c->arena, &c->complaints) : NULL;
	expect((c->set == NULL) == (c->complaints.count > 0));
}

static void
compiled_finish(struct compiled *c)
{
	policy_release(c->set);
	arena_free(&c->arena);
	buf_free(&c->complaints.text);
}

static uint8_t
take(struct span *s)
{
	if (s->len == 0)
		return 0;
	uint8_t c = s->ptr[0];

	*s = span_slice(*s, 1, s->len);
	return c;
}

static struct value
take_value(struct span *s, enum fact fact)
{
	struct value v = { .state = FACT_KNOWN };
	size_t text = take(s);

	switch (fact_row(fact)->type) {
	case TYPE_TRUTH:
		v.truth = text & 1;
		break;
	case TYPE_NUMBER:
	case TYPE_SIZE:
	case TYPE_TIME:
	case TYPE_SCORE:
		v.number = (int64_t)text << (text & 31);
		break;
	case TYPE_ENUM:
		v.number = 0;
		break;
	case TYPE_NETWORK:
		v.address = (struct address){ { [10] = 0xff, 0xff, (uint8_t)text } };
		break;
	case TYPE_TEXT:
	case TYPE_MAILBOX:
	case TYPE_DOMAIN:
	case TYPE_WORDS:
		text = text < s->len ? text : s->len;
		v.text = span_slice(*s, 0, text);
		break;
	}
	return v;
}

static struct value
take_any(struct span *s, enum fact fact)
{
	switch (take(s) % 3) {
	case 1:
		return take_value(s, fact);
	case 2:
		return (struct value){ .state = FACT_UNKNOWN, .text = SPAN_LIT("fuzz") };
	}
	return (struct value){ .state = FACT_ABSENT };
}

static void
take_known(struct span *s, enum fact fact, struct findings *f)
{
	f->values[fact] = take_value(s, fact);
}

static void
take_items(struct span *s, struct findings *f, enum fact_group g, struct arena *a)
{
	const struct group_row *row = group_row(g);
	unsigned kind = take(s);

	for (unsigned n = kind % 4; n > 0; n--) {
		struct item *item = findings_add(f, g, a);

		for (unsigned i = row->first; i < row->end; i++)
			item->values[i - row->first] = take_any(s, (enum fact)i);
	}
	if (kind & 0x40)
		findings_cut(f, g);
	if (kind & 0x80)
		findings_set_unknown(f, row->first, "fuzz");
}

static void
take_findings(struct span *s, struct findings *f, struct arena *a)
{
	*f = (struct findings){ 0 };
	for (unsigned i = 0; i < FACT_MESSAGE_COUNT; i++)
		f->values[i] = take_any(s, (enum fact)i);
	for (unsigned g = GROUP_NONE + 1; g < GROUP_COUNT; g++)
		take_items(s, f, (enum fact_group)g, a);
}

static void
check_trace(const struct policy *p, const struct verdict *v)
{
	bool unknown = false;
	size_t last = (size_t)(v->rule - p->rules);

	expect(last < p->rule_count && v->rule->has_fate && !v->rule->monitor);
	expect(v->traces[last].result == TRACE_FIRED && v->fate == v->rule->fate);
	expect(v->change_count <= POLICY_CHANGES);
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct rule *r = &p->rules[i];
		enum trace_result t = v->traces[i].result;

		expect((t == TRACE_SKIPPED) == (i > last));
		expect(i >= last || t != TRACE_FIRED || r->monitor || !r->has_fate);
		unknown |= t == TRACE_UNKNOWN && !r->monitor;
	}
	expect(unknown == v->unknown_met);
	expect(unknown == !fact_set_is_empty(&v->unknown_facts));
}

static void
check_words(const struct policy *p, const struct findings *f, const struct verdict *v,
    struct arena *arena)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		struct span text = trace_text(&v->traces[i], p, f, arena);

		expect((text.len == 0) == (v->traces[i].fact == FACT_COUNT));
	}
}

static void
expect_same(const struct policy *p, const struct verdict *a, const struct verdict *b)
{
	expect(a->fate == b->fate && a->rule == b->rule && a->fact == b->fact);
	expect(a->change_count == b->change_count && a->unknown_met == b->unknown_met);
	expect(a->score == b->score && a->tag.kind == b->tag.kind);
	expect(memcmp(&a->unknown_facts, &b->unknown_facts, sizeof a->unknown_facts) == 0);
	expect(memcmp(a->traces, b->traces, p->rule_count * sizeof *a->traces) == 0);
}

/* Behind a queue nobody else's mail is refused. */
static void
check_after_queue(
    const struct policy *p, const struct findings *f, const struct verdict *v)
{
	const struct value *local = &f->values[FACT_CLIENT_LOCAL];
	const struct value *user = &f->values[FACT_CLIENT_AUTHENTICATED];

	if (v->fate == FATE_REJECT && span_equal(p->name, SPAN_LIT("p")))
		expect((local->state == FACT_KNOWN && local->truth) ||
		    (user->state == FACT_KNOWN && user->truth));
}

static void
answer(struct findings *f, const struct findings *all, enum fact fact)
{
	if (fact_group(fact) == GROUP_NONE)
		f->values[fact] = all->values[fact];
	else
		f->groups[fact_group(fact)] = all->groups[fact_group(fact)];
}

/* Scanners' facts are asked for as they are wanted: the end is as if all were known. */
static void
check_wanted(const struct policy *p, const struct findings *all, const struct verdict *v,
    struct arena *arena)
{
	struct findings f = *all;
	struct verdict asked;

	findings_set_stage_pending(&f, STAGE_SCANNER);
	for (unsigned rounds = 0;; rounds++) {
		struct fact_set wanted = { 0 };
		struct policy_walk w;

		policy_walk_begin(&w, p, &f, arena);
		policy_wanted(&w, &wanted);
		if (fact_set_is_empty(&wanted))
			break;
		expect(rounds < FACT_COUNT);
		for (unsigned i = 0; i < FACT_COUNT; i++)
			if (fact_set_has(&wanted, (enum fact)i))
				answer(&f, all, (enum fact)i);
	}
	policy_evaluate(p, &f, arena, &asked);
	for (size_t i = 0; i < p->rule_count; i++)
		expect(asked.traces[i].result == v->traces[i].result);
	expect(asked.fate == v->fate && asked.score == v->score);
	expect(memcmp(&asked.unknown_facts, &v->unknown_facts, sizeof v->unknown_facts) == 0);
}

static void
check_failures(const struct verdict *v, unsigned bits)
{
	struct scanner scanners[] = {
		{ .type = SCANNER_TYPE_CLAMD, .on_failure = (enum on_failure)(bits % 3) },
		{ .type = SCANNER_TYPE_SPAMD, .on_failure = (enum on_failure)(bits / 3 % 3) },
	};
	struct settings s = { .scanners = scanners, .scanner_count = COUNT_OF(scanners) };
	struct failures f = { .scanners = bits >> 4 & 3, .unscannable = bits >> 6 & 3 };
	struct on_failure_verdict o = policy_on_failure(v, &s, &f);

	expect(o.fate == v->fate || v->fate == FATE_ACCEPT);
	if (o.fate == FATE_ACCEPT && v->unknown_met)
		expect(o.missing != 0 || v->decided_by_unscannable || v->decided_by_unseen);
}

/* Lists and patterns are in the text around the rule: such a condition cannot stand alone. */
static void
check_round_trip(const struct rule *r, const struct findings *f)
{
	struct compiled c;
	struct buf b = { 0 };
	struct trace one, other;

	if (r->when == NULL || memchr(r->text.ptr, '@', r->text.len) != NULL ||
	    memmem(r->text.ptr, r->text.len, "pattern.", 8) != NULL)
		return;
	buf_printf(&b, "policy x { rule r when ");
	buf_add(&b, r->text);
	buf_printf(&b, " then accept; otherwise accept; }");
	compile(&c, buf_span(&b), false);
	expect(c.set != NULL);
	const struct rule *again = &c.set->policies[0].rules[0];

	expect(span_equal(again->text, r->text));
	expect(expression_value(r->when, f, &one) ==
	       expression_value(again->when, f, &other));
	expect(memcmp(&one, &other, sizeof one) == 0);
	compiled_finish(&c);
	buf_free(&b);
}

static void
walk(const struct policy *p, struct span facts)
{
	struct arena arena = { 0 };
	struct findings f;
	struct verdict one, two, other;
	struct policy_walk w;

	take_findings(&facts, &f, &arena);
	policy_walk_begin(&w, p, &f, &arena);
	for (int recipient = 0; recipient < 3; recipient++) {
		findings_set_truth(&f, FACT_RECIPIENT_LOCAL, take(&facts) & 1);
		take_known(&facts, FACT_RECIPIENT, &f);
		policy_walk_recipient(&w, &arena, &one);
		policy_evaluate(p, &f, &arena, &two);
		policy_evaluate(p, &f, &arena, &other);
		expect_same(p, &one, &two);
		expect_same(p, &two, &other);
		check_trace(p, &one);
		check_words(p, &f, &one, &arena);
		check_after_queue(p, &f, &one);
		check_wanted(p, &f, &one, &arena);
		check_failures(&one, take(&facts));
	}
	for (size_t i = 0; i < p->rule_count && i < 20; i++)
		check_round_trip(&p->rules[i], &f);
	arena_free(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span all = { bytes, n };
	size_t end = n > 0 ? span_find(all, '\0') : 0;
	struct span text = span_slice(all, 0, end);
	bool with_listener = memmem(text.ptr, text.len, "policy p ", 9) != NULL;
	struct compiled c, again;

	compile(&c, text, with_listener);
	compile(&again, text, with_listener);
	expect((c.set == NULL) == (again.set == NULL));
	expect(
	    strcmp(buf_text(&c.complaints.text), buf_text(&again.complaints.text)) == 0);
	for (size_t i = 0; c.set != NULL && i < c.set->policy_count && i < 20; i++)
		walk(&c.set->policies[i], span_slice(all, end < n ? end + 1 : n, n));
	compiled_finish(&again);
	compiled_finish(&c);
	return 0;
}
