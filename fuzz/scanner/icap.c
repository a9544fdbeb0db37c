/*
 * icap.c - whatever an ICAP service says, it is understood alike at every cut, and only a
 * whole head with 204 is clean.
 *
 * First byte: a probe, sent early; second: the size of the pieces.
 */
#include "fuzz/scanner/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_clean(const struct answer *a, unsigned how, struct span in)
{
	static const char clean[] = "ICAP/1.";
	const struct scan_report *r = scan_client_report(a->talk.client);

	must(r->result != SCAN_SCORED);
	if (r->result != SCAN_CLEAN)
		return;
	must(a->event == SCAN_DONE && in.len > 16);
	must(memcmp(in.ptr, clean, sizeof clean - 1) == 0);
	must(memcmp(in.ptr + 8, how & ANSWER_PROBE ? " 200" : " 204", 4) == 0);
	must(memmem(in.ptr, in.len, "\r\n\r\n", 4) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct scan_options o = { .kind = SCANNER_ICAP, .host = SPAN_LIT("h") };
	struct answer a, b;

	if (n < 3)
		return 0;
	struct span in = { p + 2, n - 2 };

	answer_run(&a, &o, p[0] & 3u, in, n);
	answer_run(&b, &o, p[0] & 3u, in, 1u + p[1] % 17u);
	answer_compare(&a, &b);
	check_clean(&a, p[0] & 3u, in);
	answer_end(&a);
	answer_end(&b);
	return 0;
}
