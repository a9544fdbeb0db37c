/*
 * text.h - bytes made fit for people: escaping, dates, sizes, addresses.
 */
#ifndef LIB_BASE_TEXT_H
#define LIB_BASE_TEXT_H
#include "lib/base/base.h"
#include "lib/base/buf.h"
#include <time.h>

/*
 * Anything from the net, for a log line, a reply or a terminal: printable ASCII
 * and, with `utf8`, well-formed printable UTF-8 stay; backslash and all else
 * become \xHH.  At most max bytes of the input are shown, then "...".
 */
void text_escape(struct buf *, struct span, size_t max, bool utf8);

/* Text that has been escaped once, or is of several such pieces: backslashes stay, all else
   as text_escape with utf8; max counts from each backslash. */
void text_printed(struct buf *, struct span, size_t max);

/* Log value: as text_escape, in quotes (\" escaped) where it is empty or holds a
   blank, a quote or '='. */
void text_value(struct buf *, struct span, size_t max);

/* JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void text_json(struct buf *, struct span);

/* 2026-11-21T22:17:57.123Z (RFC 3339 section 5.6). */
#define TEXT_TIME_BYTES 32
void text_time(char out[TEXT_TIME_BYTES], uint64_t unix_ms);

/* Sat, 21 Nov 2026 22:17:57 +0000 (RFC 5322 section 3.3), in UTC. */
#define TEXT_DATE_BYTES 40
void text_date(char out[TEXT_DATE_BYTES], uint64_t unix_ms);

/* 8 bits, KiB ...: "640", "12.4 KiB". */
#define TEXT_SIZE_BYTES 24
void text_size(char out[TEXT_SIZE_BYTES], uint64_t bytes);

/* Digits only, at least one, no overflow past max.  False otherwise. */
bool text_number(struct span, uint64_t max, uint64_t *out);

/* Longest common look: how many letters must change; for "did you mean". */
unsigned text_distance(struct span, struct span);
#endif
