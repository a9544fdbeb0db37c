/*
 * dot.c - fuzzes the dot decoder with the newline stage behind it: cuts must not matter.
 */
#include "lib/smtp/dot.h"
#include "lib/smtp/newline.h"
#include "tests/unit/smtp/memsink.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct stages {
	struct sink    head;
	struct newline newline;
	struct memsink got;
	size_t         eaten;
};

static enum status
stages_write(struct sink *self, struct span s, struct error *err)
{
	struct stages *p = container_of(self, struct stages, head);

	return newline_write(&p->newline, s, &p->got.sink, err);
}

static enum status
decode(struct stages *p, struct span in, size_t step)
{
	struct dot_decoder d = { 0 };
	struct error err;
	enum status st = ST_MORE;
	size_t used;

	*p = (struct stages){ .head = { .write = stages_write }, .got = memsink(),
	    .newline = { .repair = true, .line_limit = 20, .size_limit = 300 } };
	for (; st == ST_MORE && p->eaten < in.len; p->eaten += used) {
		size_t len = in.len - p->eaten < step ? in.len - p->eaten : step;

		st = dot_decode(&d, span_slice(in, p->eaten, p->eaten + len), &used,
		    &p->head, &err);
		if (used > len)
			abort();
	}
	newline_finish(&p->newline, &p->got.sink, &err);
	return st;
}

/* No newline that is bare, and the dots where they were noted. */
static void
check_output(const struct stages *p)
{
	const struct buf *b = &p->got.bytes;
	size_t dots = 0;

	if (buf_len(b) != p->newline.data.size)
		abort();
	for (size_t i = 0; i < b->to; i++) {
		if (b->ptr[i] == '\n' && (i == 0 || b->ptr[i - 1] != '\r'))
			abort();
		if (b->ptr[i] == '\r' && (i + 1 == b->to || b->ptr[i + 1] != '\n'))
			abort();
		if (b->ptr[i] != '.' || (i > 0 && b->ptr[i - 1] != '\n'))
			continue;
		if (dots < DOT_KEPT && p->newline.data.dotted[dots] != i)
			abort();
		dots++;
	}
	if (dots != p->newline.data.dotted_count)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct stages a, b;

	if (n < 2)
		return 0;
	struct span in = { bytes + 1, n - 1 };
	enum status sa = decode(&a, in, n), sb = decode(&b, in, 1u + bytes[0] % 90u);

	if (sa != sb || a.newline.too_big != b.newline.too_big ||
	    a.newline.too_long != b.newline.too_long ||
	    memcmp(&a.newline.data, &b.newline.data, sizeof a.newline.data) != 0)
		abort();
	if (sa == ST_OK && a.eaten != b.eaten)
		abort();
	if (!newline_refuses(&a.newline)) {
		if (!span_equal(buf_span(&a.got.bytes), buf_span(&b.got.bytes)))
			abort();
		check_output(&a);
	}
	buf_free(&a.got.bytes);
	buf_free(&b.got.bytes);
	return 0;
}
