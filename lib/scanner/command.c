/*
 * command.c - see command.h.
 */
#include "lib/scanner/command.h"
#include "lib/scanner/dialect.h"

#define STEPS      5000         /* of backtracking, from one place */
#define MATCHES    200          /* looked for: names may come twice */

static bool
is_white(uint8_t c)
{
	return is_blank(c) || c == '\n' || c == '\r';
}

/* The last line that is not empty. */
static struct span
last_line(struct span output)
{
	size_t end = output.len, from;

	while (end > 0 && is_white(output.ptr[end - 1]))
		end--;
	for (from = end; from > 0 && output.ptr[from - 1] != '\n'; from--)
		;
	return span_trim(span_slice(output, from, end));
}

/* REGEX_YES where there is one at all. */
static enum regex_result
find_names(const struct regex *pattern, struct span output, struct arena *arena,
    struct scan_report *r)
{
	enum regex_result result = REGEX_NO;
	struct span found[2];
	size_t at = 0, next;

	if (output.ptr == NULL)
		output = SPAN_LIT("");
	for (unsigned i = 0; i < MATCHES && at <= output.len; i++) {
		enum regex_result one = regex_find(pattern, output, at, STEPS, found);

		result = result == REGEX_YES ? result : one;
		if (one != REGEX_YES || found[0].ptr == NULL)
			break;
		scan_report_virus(r, arena, found[1].ptr != NULL ? found[1] : found[0]);
		next = (size_t)(found[0].ptr - output.ptr) + found[0].len;
		at = next > at ? next : at + 1;
	}
	return result;
}

static void
failed(struct scan_report *r, struct arena *arena, const char *why)
{
	r->result = SCAN_FAILED;
	r->why = span_text(arena_printf(arena, "%s", why));
}

static void
unexpected(struct scan_report *r, struct arena *arena, uint32_t status)
{
	r->result = SCAN_FAILED;
	r->why = span_text(arena_printf(arena, "exit status %u%s%.*s", (unsigned)status,
	    r->answer.len > 0 ? ": " : "", (int)r->answer.len, (const char *)r->answer.ptr));
}

static void
found_clean(struct scan_report *r, struct arena *arena, const struct command_rules *rules,
    const struct command_end *e, enum regex_result match)
{
	if (match == REGEX_LIMIT)
		failed(r, arena, "the pattern took too long on its output");
	else if (e->cut && rules->pattern != NULL)
		failed(r, arena, "clean, but with more output than is looked at");
	else
		r->result = SCAN_CLEAN;
}

static void
judge(struct scan_report *r, struct arena *arena, const struct command_rules *rules,
    const struct command_end *e)
{
	uint8_t status = (uint8_t)e->number;
	bool infected = command_status_has(&rules->infected, status);
	bool unscannable = command_status_has(&rules->unscannable, status);
	enum regex_result match = REGEX_NO;

	if (!infected && !unscannable && !command_status_has(&rules->clean, status)) {
		unexpected(r, arena, e->number);
		return;
	}
	if (rules->pattern != NULL)
		match = find_names(rules->pattern, e->output, arena, r);
	if (infected && match != REGEX_YES)
		scan_report_virus(r, arena, SPAN_NONE);
	if (infected || match == REGEX_YES) {
		r->result = SCAN_INFECTED;
	} else if (unscannable) {
		r->result = SCAN_UNSCANNABLE;
		r->why = r->answer.len > 0 ? r->answer : SPAN_LIT("it cannot look at it");
	} else {
		found_clean(r, arena, rules, e, match);
	}
}

void
command_report(const struct command_rules *rules, const struct command_end *e,
    struct arena *arena, struct scan_report *r)
{
	*r = (struct scan_report){ .answer = scan_line(arena, last_line(e->output)) };
	switch (e->how) {
	case COMMAND_EXITED:
		judge(r, arena, rules, e);
		break;
	case COMMAND_KILLED:
		failed(r, arena, arena_printf(arena, "ended by signal %u", e->number));
		break;
	case COMMAND_TIMED_OUT:
		failed(r, arena, "no answer in time");
		break;
	case COMMAND_NOT_STARTED:
	case COMMAND_HOWS:
		r->result = SCAN_FAILED;
		r->why = e->why.len > 0 ? scan_line(arena, e->why)
					: SPAN_LIT("it could not be started");
		break;
	}
}
