/*
 * bdat.c - fuzzes BDAT: chunks of any size give the same body, and a reply each.
 *
 * The input is the body; its first bytes say the size of the chunks and of the pieces.
 */
#include "tests/unit/smtp/talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const struct smtp_server_config config = { .hostname = "mx", .repair = true };

static struct talk
send_chunks(struct span body, size_t chunk, size_t step, size_t *chunks)
{
	struct talk t = talk_begin(&config);
	struct buf in = { 0 };
	size_t at = 0;

	buf_add(&in,
	    SPAN_LIT("LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\n"));
	for (*chunks = 0; body.len - at > chunk; at += chunk, ++*chunks) {
		buf_printf(&in, "BDAT %zu\r\n", chunk);
		buf_add(&in, span_slice(body, at, at + chunk));
	}
	buf_printf(&in, "BDAT %zu LAST\r\n", body.len - at);
	buf_add(&in, span_slice(body, at, body.len));
	talk_feed_steps(&t, buf_span(&in), step);
	buf_free(&in);
	return t;
}

static size_t
count(struct buf *b, const char *what)
{
	size_t found = 0;

	for (const char *p = buf_text(b); (p = strstr(p, what)) != NULL; p++)
		found++;
	return found;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	size_t chunks, one;

	if (n < 3)
		return 0;
	struct span body = { bytes + 2, n - 2 };
	struct talk a = send_chunks(body, n, n + 1000, &one);
	struct talk b = send_chunks(body, 1u + bytes[0] % 70u, 1u + bytes[1], &chunks);

	if (!span_equal(buf_span(&a.log), buf_span(&b.log)) ||
	    !span_equal(buf_span(&a.sink.bytes), buf_span(&b.sink.bytes)))
		abort();
	if (count(&b.out, "250 2.0.0 Chunk received\r\n") != chunks ||
	    count(&b.out, "250 2.0.0 Taken\r\n") != 2 || count(&a.out, "Chunk") != 0)
		abort();
	talk_end(&a);
	talk_end(&b);
	return 0;
}
