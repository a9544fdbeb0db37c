/*
 * request.c - see request.h.
 */
#include "lib/http/request.h"

static void
put_text(struct buf *b, const char *text)
{
	buf_add(b, span_text(text));
}

void
http_put_start(struct buf *b, const char *method, struct span target, const char *version)
{
	put_text(b, method);
	buf_byte(b, ' ');
	if (target.len == 0)
		buf_byte(b, '/');
	for (size_t i = 0; i < target.len; i++)
		if (target.ptr[i] > ' ' && target.ptr[i] < 0x7f)
			buf_byte(b, target.ptr[i]);
		else
			buf_printf(b, "%%%02X", target.ptr[i]);
	buf_byte(b, ' ');
	put_text(b, version);
	http_put_end(b);
}

void
http_put_field(struct buf *b, const char *name, struct span value)
{
	put_text(b, name);
	put_text(b, ": ");
	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.ptr[i];

		buf_byte(b, c < ' ' || c == 0x7f ? '?' : c);
	}
	http_put_end(b);
}

void
http_put_number(struct buf *b, const char *name, uint64_t value)
{
	buf_printf(b, "%s: %llu\r\n", name, (unsigned long long)value);
}

void
http_put_end(struct buf *b)
{
	buf_add(b, SPAN_LIT("\r\n"));
}
