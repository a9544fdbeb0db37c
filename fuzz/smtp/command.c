/*
 * command.c - fuzzes a whole session: what is said and done must not depend on the cuts.
 */
#include "tests/unit/smtp/talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct talk
run(const struct smtp_server_config *config, struct span in, size_t step)
{
	struct talk t = talk_begin(config);

	talk_feed_steps(&t, in, step);
	if (smtp_server_memory(t.server) > (1u << 20) + 32 * in.len)
		abort();
	if (!t.closed) {
		smtp_server_hangup(t.server, "421 4.3.2 Bye");
		talk_feed(&t, SPAN_NONE);
	}
	if (t.open || !t.closed)
		abort();
	return t;
}

/* Lines of a code and text, no bare newline, nothing that is not printable. */
static void
check_replies(struct span out)
{
	size_t at = 0;

	for (size_t i = 0; i < out.len; i++) {
		uint8_t c = out.ptr[i];

		if (c >= ' ' && c < 0x7f)
			continue;
		if (c != '\r' || i + 1 == out.len || out.ptr[i + 1] != '\n' ||
		    i - at < 4 ||
		    i - at > 510 || !is_digit(out.ptr[at]))
			abort();
		at = ++i + 1;
	}
	if (at != out.len)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct smtp_server_config config = {
		.hostname = "mx", .command_limit = 200, .recipient_limit = 5, .size =
		    true,
		.size_offer = 1000, .size_limit = 500, .line_limit = 100, .error_limit =
		    20,
	};

	if (n < 3)
		return 0;
	config.protocol = bytes[0] % 3u;
	config.repair = bytes[0] & 4;
	config.xforward = bytes[0] & 8;
	config.dsn = bytes[0] & 16;
	config.smtputf8 = bytes[0] & 32;
	struct span in = { bytes + 2, n - 2 };
	struct talk a = run(&config, in, n), b = run(&config, in, 1u + bytes[1] % 90u);

	if (!span_equal(buf_span(&a.out), buf_span(&b.out)) ||
	    !span_equal(buf_span(&a.log), buf_span(&b.log)))
		abort();
	check_replies(buf_span(&a.out));
	talk_end(&a);
	talk_end(&b);
	return 0;
}
