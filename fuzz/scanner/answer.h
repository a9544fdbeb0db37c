/*
 * answer.h - one scan by a client core, whose whole output is sent or held back, and what
 * the scanner says to it; for fuzz targets.
 */
#ifndef FUZZ_SCANNER_ANSWER_H
#define FUZZ_SCANNER_ANSWER_H
#include "tests/unit/scanner/show.h"
#include "tests/unit/scanner/talk.h"

enum { ANSWER_PROBE = 1, ANSWER_EARLY = 2 };

struct answer {
	struct talk     talk;
	enum scan_event event, end;     /* end: of `closed`, where there was none */
	size_t          used;           /* pieces up to the event, whole */
	struct buf      shown;
};

static inline void
must(bool good)
{
	if (!good)
		abort();
}

static inline void
answer_check(const struct answer *a, unsigned how)
{
	const struct scan_report *r = scan_client_report(a->talk.client);

	must(r->result != SCAN_FAILED || r->why.len > 0);
	must(r->result == SCAN_FAILED || a->end == SCAN_DONE);
	must(a->end != SCAN_BROKEN || r->result == SCAN_FAILED);
	must((r->result == SCAN_INFECTED) == (r->virus_count > 0) ||
	    r->result == SCAN_FAILED);
	must(!(how & ANSWER_EARLY) ||
	    (r->result != SCAN_CLEAN && r->result != SCAN_SCORED));
	must(!(how & ANSWER_PROBE) || r->result == SCAN_CLEAN ||
	    r->result == SCAN_FAILED);
	must(r->virus_count <= SCAN_VIRUSES && r->symbol_count <= SCAN_SYMBOLS);
	for (size_t i = 0; i < r->virus_count; i++)
		for (size_t k = 0; k < r->viruses[i].len; k++)
			must(r->viruses[i].ptr[k] > ' ' && r->viruses[i].ptr[k] < 0x7f);
	for (size_t i = 0; i < r->why.len; i++)
		must(r->why.ptr[i] >= ' ' && r->why.ptr[i] != 0x7f);
}

static inline void
answer_run(struct answer *a, const struct scan_options *o, unsigned how, struct span in,
    size_t step)
{
	*a = (struct answer){ 0 };
	if (how & ANSWER_PROBE) {
		a->talk.client = scan_client_create(o);
		scan_client_begin_probe(a->talk.client, &a->talk.arena);
	} else
		talk_begin(&a->talk, o, &(struct scan_request){ .size = 5 });
	if (!(how & ANSWER_EARLY))
		talk_flush(&a->talk, 1000);
	for (size_t n; a->event == SCAN_WAIT && a->used < in.len; a->used += n) {
		n = in.len - a->used < step ? in.len - a->used : step;
		a->event = scan_client_feed(a->talk.client,
		    span_slice(in, a->used, a->used + n));
	}
	a->end = a->event != SCAN_WAIT ? a->event : scan_client_closed(a->talk.client);
	answer_check(a, how);
	show(&a->shown, a->talk.client, a->end);
}

/* Alike but for one thing: what came behind the end in the same piece spoils the
   connection, in a piece of its own it was not seen. */
static inline void
answer_compare(struct answer *a, struct answer *b)
{
	const struct scan_report *x = scan_client_report(a->talk.client),
	    *y = scan_client_report(b->talk.client);

	must(a->event == b->event && x->result == y->result);
	must(span_equal(x->why, y->why) && span_equal(x->answer, y->answer));
	if (scan_client_may_be_reused(a->talk.client))
		must(span_equal(buf_span(&a->shown), buf_span(&b->shown)));
}

static inline void
answer_end(struct answer *a)
{
	talk_end(&a->talk);
	buf_free(&a->shown);
}
#endif
