/*
 * show.h - a report as one line of text, for tables: "DONE scored kept; score 6310 of
 * 15000; answer add header, 6.31 of 15; GRADE=6310[a, b]".  What is empty is left out.
 */
#ifndef TESTS_UNIT_SCANNER_SHOW_H
#define TESTS_UNIT_SCANNER_SHOW_H
#include "lib/scanner/scanner.h"

static inline void
show_part(struct buf *b, const char *name, struct span value)
{
	if (value.len == 0)
		return;
	buf_printf(b, "; %s ", name);
	buf_add(b, value);
}

static inline void
show_symbol(struct buf *b, const struct scan_symbol *s)
{
	buf_add(b, SPAN_LIT("; "));
	buf_add(b, s->name);
	if (s->has_score)
		buf_printf(b, "=%lld", (long long)s->score);
	buf_byte(b, '[');
	buf_add(b, s->text);
	buf_byte(b, ']');
}

/* Borrowed from b, which is emptied first. */
static inline const char *
show(struct buf *b, const struct scan_client *c, enum scan_event e)
{
	static const char *const events[] = { "WAIT", "DONE", "BROKEN" };
	const struct scan_report *r = scan_client_report(c);

	buf_take(b, buf_len(b));
	buf_printf(b, "%s %s %s", events[e], scan_result_name(r->result),
	    scan_client_may_be_reused(c) ? "kept" : "over");
	if (r->has_score || r->score != 0 || r->required != 0)
		buf_printf(b, "; score %lld of %lld", (long long)r->score,
		    (long long)r->required);
	show_part(b, "why", r->why);
	show_part(b, "answer", r->answer);
	show_part(b, "action", r->action);
	show_part(b, "version", r->version);
	for (size_t i = 0; i < r->virus_count; i++)
		show_part(b, "virus", r->viruses[i]);
	for (size_t i = 0; i < r->symbol_count; i++)
		show_symbol(b, &r->symbols[i]);
	if (r->symbols_cut)
		buf_add(b, SPAN_LIT("; cut"));
	return buf_text(b);
}
#endif
