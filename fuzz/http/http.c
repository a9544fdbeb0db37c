/*
 * http.c - a response is read alike at every cut, ends where it says, and stays in
 * bounds.
 *
 * First byte: whether the request was HEAD, whether a body may end by closing, folds;
 * second: the size of the pieces.
 */
#include "lib/http/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define LIMIT 300u

struct result { struct http_response r; enum status st, lost; size_t used; };

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
check_head(const struct http_head *h)
{
	must(h->count <= HTTP_FIELDS && buf_len(&h->bytes) <= HTTP_HEAD_BYTES);
	for (size_t i = 0; i < h->count; i++) {
		struct span name = http_head_name(h, i), value = http_head_value(h, i);

		must(name.len > 0);
		for (size_t k = 0; k < name.len; k++)
			must(name.ptr[k] > ' ' && name.ptr[k] < 0x7f &&
			    name.ptr[k] != ':');
		for (size_t k = 0; k < value.len && !h->folds; k++)
			must(value.ptr[k] >= ' ' || value.ptr[k] == '\t');
	}
}

static void
run(struct result *x, uint8_t how, struct span in, size_t step)
{
	struct error err;

	*x = (struct result){ .r = { .body_limit = LIMIT, .to_head = how & 1,
	    .may_end_by_close = (how & 2) != 0, .head = { .folds = (how & 4) != 0 } },
	    .st = ST_MORE };
	for (size_t n, used; x->st == ST_MORE && x->used < in.len; x->used += used) {
		n = in.len - x->used < step ? in.len - x->used : step;
		x->st = http_response_feed(&x->r, span_slice(in, x->used, x->used + n),
		    &used, &err);
		must(used <= n && (x->st != ST_MORE || used == n));
	}
	x->lost = http_response_lost(&x->r, &err);
}

/* What was told of a response, from the response itself. */
static void
check(const struct result *x, uint8_t how)
{
	size_t te, cl;

	check_head(&x->r.head);
	must(buf_len(&x->r.body) <= LIMIT);
	must(x->st != ST_OK || x->lost == ST_OK);
	must(x->lost != ST_OK || x->st == ST_OK || (how & 2) != 0);
	if (x->st != ST_OK)
		return;
	must(x->r.status.code >= 200 && x->r.status.code < 600);
	te = http_head_find(&x->r.head, "Transfer-Encoding", 0);
	cl = http_head_find(&x->r.head, "Content-Length", 0);
	must(te == x->r.head.count || cl == x->r.head.count);
	must(buf_len(&x->r.body) == 0 || te < x->r.head.count || cl < x->r.head.count);
}

static void
compare(const struct result *a, const struct result *b)
{
	must(a->st == b->st && a->lost == b->lost);
	if (a->lost != ST_OK)
		return;
	must(a->used == b->used && a->r.status.code == b->r.status.code);
	must(span_equal(buf_span(&a->r.body), buf_span(&b->r.body)));
	must(span_equal(buf_span(&a->r.head.bytes), buf_span(&b->r.head.bytes)));
	must(http_response_keeps(&a->r) == http_response_keeps(&b->r));
}

/* What ended, ended there: nothing shorter is a whole answer. */
static void
check_shorter(const struct result *x, uint8_t how, struct span in)
{
	struct result shorter;

	if (x->st != ST_OK || x->used == 0)
		return;
	run(&shorter, how, span_slice(in, 0, x->used - 1), x->used);
	must(shorter.st == ST_MORE);
	http_response_free(&shorter.r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct result a, b;

	if (n < 3)
		return 0;
	run(&a, p[0], (struct span){ p + 2, n - 2 }, n);
	run(&b, p[0], (struct span){ p + 2, n - 2 }, 1u + p[1] % 17u);
	check(&a, p[0]);
	compare(&a, &b);
	check_shorter(&a, p[0], (struct span){ p + 2, n - 2 });
	http_response_free(&a.r);
	http_response_free(&b.r);
	return 0;
}
