/*
 * reply.c - replies do not depend on where the input was cut, and their text is printable.
 *
 * First byte: the size of the pieces.  The rest comes from the server.
 */
#include "lib/smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What was read, as a running number: equal if the same came in the same order. */
struct outcome { uint64_t sum; size_t used; enum status last; };

static void
note(struct outcome *o, uint64_t v)
{
	o->sum = (o->sum ^ v) * 0x100000001b3u;
}

static void
note_line(void *arg, struct span text)
{
	struct outcome *o = arg;

	note(o, text.len);
	for (size_t i = 0; i < text.len; i++)
		note(o, text.ptr[i]);
}

static void
note_reply(struct outcome *o, const struct smtp_reply *r)
{
	if (r->code < 200 || r->code > 599 || strlen(r->text) > REPLY_TEXT_BYTES)
		abort();
	note(o, (uint64_t)r->code);
	for (const char *t = r->text; *t != '\0'; t++) {
		if (*t < ' ' || *t > '~')
			abort();
		note(o, (uint8_t)*t);
	}
}

static struct outcome
read_all(struct span in, size_t step)
{
	struct outcome o = { .last = ST_MORE };
	struct reply_reader r = { .on_line = note_line, .on_line_arg = &o };
	struct error err;
	size_t used;

	for (size_t to = 0; to < in.len && o.last != ST_PERM;) {
		to = in.len - to < step ? in.len : to + step;
		for (; o.used < to && o.last != ST_PERM; o.used += used) {
			o.last = reply_read(&r, span_slice(in, o.used, to), &used, &err);
			if (used > to - o.used || (used == 0 && o.last != ST_PERM))
				abort();
			if (o.last == ST_OK)
				note_reply(&o, &r.reply);
		}
	}
	return o;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n < 2)
		return 0;
	struct span in = { p + 1, n - 1 };
	struct outcome a = read_all(in, n), b = read_all(in, 1u + p[0] % 13u);

	/* An overlong line is seen sooner in small pieces, before its end is. */
	if (a.sum != b.sum || (a.last == ST_PERM) != (b.last == ST_PERM))
		abort();
	if (a.last != ST_PERM && (a.used != b.used || a.used != in.len))
		abort();
	return 0;
}
