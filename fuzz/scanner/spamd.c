/*
 * spamd.c - whatever spamd says, a score is only what it said itself, at every cut.
 *
 * First byte: probe, message left unsent; second: the size of the pieces.  The rest comes
 * from spamd.
 */
#include "tests/unit/scanner/talk.h"
#include "lib/finding/score.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum how { PROBE = 1, UNSENT = 2 };

static const struct scan_options options = { .kind = SCANNER_SPAMD };

static void
must(bool good)
{
	if (!good)
		abort();
}

/* Does a line of the input start with this? */
static bool
has_line(struct span in, struct span start)
{
	for (size_t i = 0; i + start.len <= in.len; i++)
		if ((i == 0 || in.ptr[i - 1] == '\n') &&
		    span_starts_nocase(span_slice(in, i, in.len), start))
			return true;
	return false;
}

static bool
holds(struct span in, struct span what)
{
	return in.len >= what.len && memmem(in.ptr, in.len, what.ptr, what.len) != NULL;
}

static void
log_symbols(struct buf *log, const struct scan_report *r)
{
	for (size_t i = 0; i < r->symbol_count; i++) {
		buf_add(log, r->symbols[i].name);
		buf_byte(log, '=');
		score_print(log, r->symbols[i].score);
		buf_add(log, r->symbols[i].text);
	}
}

static void
check(struct talk *t, struct buf *log, unsigned how, struct span in, enum scan_event e)
{
	const struct scan_report *r = scan_client_report(t->client);

	buf_printf(log, "<%d %s %lld %lld>", (int)e, scan_result_name(r->result),
	    (long long)r->score, (long long)r->required);
	buf_add(log, r->why);
	buf_add(log, r->answer);
	buf_add(log, r->text);
	log_symbols(log, r);
	must(e != SCAN_WAIT && !scan_client_may_be_reused(t->client));
	must(e == SCAN_DONE || r->result == SCAN_FAILED);
	must(r->result != SCAN_FAILED || r->why.len > 0);
	must(r->result != SCAN_INFECTED && r->result != SCAN_UNSCANNABLE);
	must(r->virus_count == 0);
	must(r->text.len <= SCAN_TEXT_BYTES && r->symbol_count <= SCAN_SYMBOLS);
	if (r->result == SCAN_SCORED)
		must(how == 0 && r->has_score && has_line(in, SPAN_LIT("SPAMD/")) &&
		    holds(in, SPAN_LIT(" EX_OK")) && has_line(in, SPAN_LIT("Spam:")) &&
		    has_line(in, SPAN_LIT("Content-length:")));
	if (r->result == SCAN_CLEAN)
		must(how == PROBE && has_line(in, SPAN_LIT("SPAMD/")) &&
		    holds(in, SPAN_LIT(" PONG")));
}

static void
run(struct buf *log, unsigned how, struct span in, size_t step)
{
	struct talk t = { .client = scan_client_create(&options) };
	enum scan_event e;

	if (how & PROBE)
		scan_client_begin_probe(t.client, &t.arena);
	else
		talk_begin(&t, &options, &(struct scan_request){ .size = 9 });
	if (!(how & UNSENT))
		talk_flush(&t, step);
	e = talk_feed(&t, in, step);
	if (e == SCAN_WAIT)
		e = scan_client_closed(t.client);
	check(&t, log, how, in, e);
	talk_end(&t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf a = { 0 }, b = { 0 };

	if (n < 3)
		return 0;
	run(&a, p[0] % 4, (struct span){ p + 2, n - 2 }, n);
	run(&b, p[0] % 4, (struct span){ p + 2, n - 2 }, 1u + p[1] % 17u);
	must(span_equal(buf_span(&a), buf_span(&b)));
	buf_free(&a);
	buf_free(&b);
	return 0;
}
