/*
 * command.c - fuzz target: any end of a command, with any output, gives a whole report; and
 * none is clean that did not exit with a clean status.
 *
 * First byte: how it ended; second: its exit status; the rest is output.
 */
#include "lib/scanner/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
check(const struct scan_report *r, const struct command_end *e)
{
	must(r->result != SCAN_SCORED && r->virus_count <= SCAN_VIRUSES);
	must((r->result == SCAN_INFECTED) == (r->virus_count > 0));
	must(r->result == SCAN_CLEAN || r->result == SCAN_INFECTED || r->why.len > 0);
	must(e->how == COMMAND_EXITED || r->result == SCAN_FAILED);
	must(r->result != SCAN_CLEAN || (e->number == 0 && !e->cut));
	for (size_t i = 0; i < r->virus_count; i++) {
		must(r->viruses[i].len > 0 && r->viruses[i].len <= SCAN_VIRUS_BYTES);
		for (size_t k = 0; k < r->viruses[i].len; k++)
			must(r->viruses[i].ptr[k] > ' ' && r->viruses[i].ptr[k] < 0x7f);
	}
	for (size_t i = 0; i < r->why.len; i++)
		must(r->why.ptr[i] >= ' ' && r->why.ptr[i] != 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct arena arena = { 0 };
	struct regex_fault fault;
	struct scan_report r;

	if (n < 2 || n > COMMAND_OUTPUT_BYTES)
		return 0;
	struct regex *pattern = regex_compile(SPAN_LIT("(\\S*) FOUND$"), SPAN_LIT("m"), &arena,
	    &fault);
	const struct command_rules rules = { .clean.bits = { 1 << 0 },
		.infected.bits = { 1 << 1 }, .unscannable.bits = { 1 << 7 },
		.pattern = pattern };
	const struct command_end end = { .how = (enum command_how)(bytes[0] % COMMAND_HOWS),
		.number = bytes[1], .why = { bytes + 2, n - 2 }, .output = { bytes + 2, n - 2 },
		.cut = bytes[0] >= 128 };

	must(pattern != NULL);
	command_report(&rules, &end, &arena, &r);
	check(&r, &end);
	regex_release(pattern);
	arena_free(&arena);
	return 0;
}
