/*
 * decode.c - what is decoded does not depend on the cuts, nor base64 on the step; files in
 * text lie inside it, one behind the other.  The first two bytes choose the way and the cuts.
 */
#include "lib/mime/base64.h"
#include "lib/mime/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct tail { struct sink sink; struct buf b; };

static void
must(bool good)
{
	if (!good)
		abort();
}

static enum status
tail_write(struct sink *s, struct span in, struct error *e)
{
	buf_add(&container_of(s, struct tail, sink)->b, in);
	return ST_OK;
}

static enum status
tail_finish(struct sink *s, struct error *e)
{
	return ST_OK;
}

static void
check_cuts(struct decode_way way, struct span in, size_t step)
{
	struct tail t = { { tail_write, tail_finish }, { 0 } };
	struct buf whole = { 0 };
	unsigned flaws = decode_all(way, in, 5000, &whole);
	struct decoder d;
	struct error err;

	decoder_init(&d, way, 5000, &t.sink);
	for (size_t i = 0; i < in.len; i += step)
		sink_write(&d.sink, span_slice(in, i, i + step < in.len ? i + step : in.len), &err);
	sink_finish(&d.sink, &err);
	must(d.flaws == flaws && span_equal(buf_span(&t.b), buf_span(&whole)));
	must(buf_len(&whole) <= 5000 && buf_len(&whole) == d.out);
	buf_free(&t.b);
	buf_free(&whole);
}

/* The first byte says how much may be made. */
static void
check_lines(struct span in)
{
	size_t most = in.len / 4, groups, want;
	uint8_t *fast, *plain;

	if (in.len > 0 && most > in.ptr[0] / 2u)
		most -= in.ptr[0] / 2u;
	fast = malloc(3 * most + BASE64_SLACK);
	plain = malloc(3 * most + 1);
	size_t used = base64_lines(in, most, fast, &groups);

	must(base64_lines_plain(in, most, plain, &want) == used && groups == want);
	must(memcmp(fast, plain, 3 * groups) == 0);
	free(fast);
	free(plain);
}

static void
check_embedded(struct span in)
{
	struct embedded e;
	size_t last = 0;

	for (size_t at = 0; embedded_next(in, &at, &e); last = e.to) {
		must(e.from >= last && e.to > e.from && e.to <= in.len && at == e.to);
		must(e.encoding != ENCODING_NONE && e.encoding != ENCODING_UNKNOWN);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct decode_way others[DECODE_OTHERS];

	if (n < 2)
		return 0;
	struct span in = { p + 2, n - 2 };
	struct decode_way way = { p[0] % ENCODING_UNKNOWN,
		p[0] / ENCODING_UNKNOWN % DECODE_MANNERS };

	check_cuts(way, in, p[1] % 16 + 1u);
	check_lines(in);
	check_embedded(in);
	must(decode_others(way.encoding, ~0u, in, others) <= DECODE_OTHERS);
	must(decode_others(ENCODING_UNKNOWN, 0, in, others) <= DECODE_OTHERS);
	encoding_parse(in, true);
	return 0;
}
