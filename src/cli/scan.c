/*
 * scan.c - see scan.h.
 */
#include "src/cli/scan.h"
#include "lib/base/text.h"
#include "lib/policy/envelope_facts.h"
#include "lib/policy/tag.h"
#include "lib/smtp/address.h"
#include "src/cli/offline.h"
#include "src/cli/scan_print.h"
#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#define SIZE_MAX_READ   (UINT64_C(1) << 30)     /* where the listener has no limit */
#define STATUS_UNSEEN   3
#define TEXT_SHOWN     1000

/* --- the words --- */

static bool
read_path(const char *word, bool null_allowed, struct span *out)
{
	struct span in = span_text(word);
	struct error e;
	size_t used;
	bool utf8;

	*out = SPAN_NONE;
	if (null_allowed && (in.len == 0 || span_equal(in, SPAN_LIT("<>"))))
		return true;
	return path_parse(in, false, out, &utf8, &used, &e) == ST_OK && used == in.len;
}

static const char *
take_option(struct scan_order *r, int option, const char *word)
{
	switch (option) {
	case 'j':
		r->json = true;
		return NULL;
	case 'l':
		r->listener = word;
		return NULL;
	case 'f':
		r->has_sender = true;
		return read_path(word, true, &r->sender) ? NULL : "--from: no mail address";
	case 't':
		return read_path(word, false, &r->recipients[r->recipient_count++]) ? NULL :
		    "--to: no mail address";
	case 'c':
		r->has_client = true;
		return address_parse(span_text(word), &r->client) ? NULL :
		    "--client: no IP address";
	default:
		return "see sallyport(8) for its options";
	}
}

const char *
scan_read(struct scan_order *r, int count, char **words)
{
	static const struct option longs[] = {
		{ "from", required_argument, NULL, 'f' },
		{ "to", required_argument, NULL, 't' },
		{ "listener", required_argument, NULL, 'l' },
		{ "client", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	const char *wrong = NULL;
	int option;

	*r = (struct scan_order){ 0 };
	r->recipients = must_alloc((size_t)count * sizeof *r->recipients);
	optind = 0;             /* glibc: begin anew, with these words */
	while (wrong == NULL && (option = getopt_long(count, words, "", longs, NULL)) != -1)
		wrong = take_option(r, option, optarg);
	if (wrong == NULL && optind != count - 1)
		wrong = "one file expected, or - for standard input";
	if (wrong == NULL)
		r->file = words[optind];
	return wrong;
}

void
scan_forget(struct scan_order *r)
{
	free(r->recipients);
	*r = (struct scan_order){ 0 };
}

/* --- facts --- */

struct scanning {
	const struct scan_order  *request;
	struct configuration       *configuration;
	struct packet_examined      examined;
	struct scan_outcome          result;
	struct arena                arena;
};

/* As if a relay of ours had handed the mail on, the option being its XFORWARD. */
static void
client_facts(struct scanning *s)
{
	const struct settings *settings = s->configuration->settings;
	struct mail_client c = { .has_address = s->request->has_client,
	    .address = s->request->client };

	mail_client_walk(&c, settings, s->examined.hops, s->examined.hop_count,
	    c.has_address);
	mail_client_settle(&c, settings);
	envelope_facts_client(&s->result.findings, &c);
}

static void
sender_facts(struct scanning *s)
{
	struct findings *f = &s->result.findings;

	if (s->request->has_sender) {
		envelope_facts_sender(f, s->request->sender, &s->arena);
		return;
	}
	findings_set_unknown(f, FACT_SENDER, "no --from was given");
	findings_set_unknown(f, FACT_SENDER_DOMAIN, "no --from was given");
}

static void
recipient_facts(struct scanning *s, const struct scan_recipient *r)
{
	static const enum fact facts[] = { FACT_RECIPIENT, FACT_RECIPIENT_DOMAIN,
		FACT_RECIPIENT_LOCAL };

	if (r->known) {
		envelope_facts_recipient(&s->result.findings, s->configuration->settings,
		    r->address, &s->arena);
		return;
	}
	for (size_t i = 0; i < COUNT_OF(facts); i++)
		findings_set_unknown(&s->result.findings, facts[i], "no --to was given");
}

/* As in the gateway, those of scanners that tell what the rules name. */
static void
scanner_facts(struct scanning *s)
{
	const struct settings *settings = s->configuration->settings;
	struct fact_set named = policy_facts(s->result.policy);
	struct findings *f = &s->result.findings;

	for (size_t i = 0; i < settings->scanner_count; i++) {
		struct fact_set gives = scanner_type_gives(settings->scanners[i].type);

		for (unsigned k = 0; k < FACT_COUNT && fact_set_meets(&gives, &named); k++)
			if (fact_set_has(&gives, (enum fact)k))
				findings_set_pending(f, (enum fact)k);
	}
	for (unsigned i = 0; i < FACT_MESSAGE_COUNT; i++)
		if (f->values[i].pending)
			f->values[i].text = SPAN_LIT("scan asks no scanners");
}

static void
message_facts(struct scanning *s, uint64_t size)
{
	struct findings *f = &s->result.findings;

	findings_set_text(f, FACT_LISTENER, span_text(s->result.listener->name));
	findings_set_number(f, FACT_RECIPIENT_COUNT, (int64_t)s->result.recipient_count);
	findings_set_number(f, FACT_MESSAGE_SIZE, (int64_t)size);
	findings_set_truth(f, FACT_MESSAGE_UNSCANNABLE, false);
	findings_take_stage(f, &s->examined.findings, STAGE_CONTENT);
	sender_facts(s);
	client_facts(s);
	scanner_facts(s);
}

/* --- verdicts --- */

/* "clamd, spamd": who tells what could still change this recipient's verdict. */
static struct span
would_ask(struct scanning *s, struct policy_walk *walk)
{
	const struct settings *settings = s->configuration->settings;
	struct fact_set wanted = { 0 };
	struct buf b = { 0 };

	policy_wanted(walk, &wanted);
	for (size_t i = 0; i < settings->scanner_count; i++) {
		struct fact_set gives = scanner_type_gives(settings->scanners[i].type);

		if (fact_set_meets(&gives, &wanted))
			buf_printf(&b, "%s%s", buf_len(&b) > 0 ? ", " : "",
			    settings->scanners[i].name);
	}
	struct span names = arena_span(&s->arena, buf_span(&b));

	buf_free(&b);
	return names;
}

/* "sender = 'amy@a.example'", or an item in words. */
static struct span
what_decided(struct scanning *s, const struct trace *t)
{
	struct span text = trace_text(t, s->result.policy, &s->result.findings, &s->arena);
	struct buf b = { 0 };

	if (text.len == 0 || t->fact >= FACT_MESSAGE_COUNT || t->fact == FACT_PATTERN)
		return text;
	const struct value *v = &s->result.findings.values[t->fact];

	buf_add(&b, text);
	buf_printf(&b, v->state == FACT_KNOWN ? " = " : " is ");
	value_print(&b, t->fact, v);
	text = arena_span(&s->arena, buf_span(&b));
	buf_free(&b);
	return text;
}

/* What the gateway would write on top, and to whom it would go. */
static void
apply_tag(struct scanning *s, struct scan_recipient *r)
{
	const struct tag_source source = { .findings = &s->result.findings };
	const struct value *local = &source.findings->values[FACT_RECIPIENT_LOCAL];
	struct buf b = { 0 };

	tag_write(&b, &r->verdict, &source);
	r->fields = arena_span(&s->arena, buf_span(&b));
	buf_free(&b);
	if (r->known && local->state == FACT_KNOWN && local->truth)
		r->extended = tag_address(r->address, r->verdict.tag.extension, &s->arena);
	if (span_equal(r->extended, r->address))
		r->extended = SPAN_NONE;
}

static void
evaluate(struct scanning *s, struct policy_walk *walk, struct scan_recipient *r)
{
	/* No scanner explains what is unknown: none was asked. */
	static const struct failures nothing_failed;
	const struct policy *p = s->result.policy;

	recipient_facts(s, r);
	r->would_ask = would_ask(s, walk);
	policy_walk_recipient(walk, &s->arena, &r->verdict);
	r->verdict.fate = policy_on_failure(&r->verdict, s->configuration->settings,
	    &nothing_failed).fate;
	if (r->verdict.fate > s->result.strictest)
		s->result.strictest = r->verdict.fate;
	if (r->verdict.fate == FATE_ACCEPT)
		apply_tag(s, r);
	r->decided = arena_array(&s->arena, struct span, p->rule_count);
	for (size_t i = 0; i < p->rule_count; i++)
		r->decided[i] = what_decided(s, &r->verdict.traces[i]);
}

static void
evaluate_all(struct scanning *s)
{
	struct policy_walk walk;

	policy_walk_begin(&walk, s->result.policy, &s->result.findings, &s->arena);
	for (size_t i = 0; i < s->result.recipient_count; i++)
		evaluate(s, &walk, &s->result.recipients[i]);
	findings_set_absent(&s->result.findings, FACT_RECIPIENT);
	findings_set_absent(&s->result.findings, FACT_RECIPIENT_DOMAIN);
	findings_set_absent(&s->result.findings, FACT_RECIPIENT_LOCAL);
}

/* --- all of it --- */

static bool
choose_listener(struct scanning *s)
{
	const struct settings *settings = s->configuration->settings;
	const char *name = s->request->listener;

	for (size_t i = 0; i < settings->listener_count; i++)
		if (name == NULL || strcmp(settings->listeners[i].name, name) == 0) {
			s->result.listener = &settings->listeners[i];
			s->result.policy = policy_find(s->configuration->policies,
			    span_text(settings->listeners[i].policy));
			return s->result.policy != NULL;
		}
	fprintf(stderr, "sallyport: scan: the configuration has no listener %s\n",
	    name != NULL ? name : "at all");
	return false;
}

/* Without recipients there is one of whom nothing is known. */
static void
choose_recipients(struct scanning *s)
{
	const struct scan_order *r = s->request;
	size_t count = r->recipient_count > 0 ? r->recipient_count : 1;

	s->result.recipient_count = count;
	s->result.recipients = arena_array(&s->arena, struct scan_recipient, count);
	for (size_t i = 0; i < r->recipient_count; i++)
		s->result.recipients[i] = (struct scan_recipient){ r->recipients[i], true,
		    .decided = NULL };
}

static enum status
examine(struct scanning *s, struct error *e)
{
	uint64_t limit = s->result.listener->size_limit, size;
	int message;

	limit = limit > 0 ? limit : SIZE_MAX_READ;
	message = offline_read(s->request->file, limit, &size, e);
	if (message < 0)
		return ST_TEMP;
	enum status st = offline_examine(s->configuration, message, size,
	    policy_wishes(s->result.policy), &s->examined, &s->result.missing, &s->arena, e);

	close(message);
	if (st == ST_OK)
		message_facts(s, size);
	s->result.unmarked = s->examined.marked && !s->result.listener->trust_headers;
	return st;
}

static bool
print(const struct scanning *s)
{
	struct buf b = { 0 };

	(s->request->json ? scan_print_json : scan_print)(&b, &s->result);
	fwrite(buf_text(&b), 1, buf_len(&b), stdout);
	buf_free(&b);
	return fflush(stdout) == 0;
}

static void
say_why(const struct scanning *s, const struct error *e)
{
	struct buf b = { 0 };

	text_escape(&b, span_text(s->request->file), TEXT_SHOWN, true);
	buf_printf(&b, ": ");
	text_escape(&b, span_text(e->text), TEXT_SHOWN, true);
	fprintf(stderr, "sallyport: scan: %s\n", buf_text(&b));
	buf_free(&b);
}

static int
examine_and_judge(struct scanning *s)
{
	static const int statuses[] = { [FATE_ACCEPT] = 0, [FATE_QUARANTINE] = 1,
		[FATE_DISCARD] = 1, [FATE_HOLD] = 1, [FATE_REJECT] = 2,
		[FATE_DEFER] = STATUS_UNSEEN };
	struct error e = { .text = "" };

	choose_recipients(s);
	if (examine(s, &e) != ST_OK) {
		say_why(s, &e);
		return STATUS_UNSEEN;
	}
	evaluate_all(s);
	return print(s) ? statuses[s->result.strictest] : STATUS_UNSEEN;
}

int
scan(const struct scan_order *r, struct configuration *c)
{
	struct scanning *s = must_alloc(sizeof *s);

	s->request = r;
	s->configuration = c;
	s->result.file = r->file;
	int status = choose_listener(s) ? examine_and_judge(s) : EX_USAGE;

	arena_free(&s->arena);
	free(s);
	return status;
}
