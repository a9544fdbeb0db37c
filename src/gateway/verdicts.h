/*
 * verdicts.h - the verdict cache of one scanner: contents in which it has found nothing.
 *
 * A bounded table in one piece of memory; nothing is allocated for a mail.  A key is a
 * SHA-256, so any of its bytes are as good as a hash of it: they name a set of WAYS places,
 * and a new entry takes the one of the same key, else the oldest of its set.  A sender who
 * tries for keys of one set can push others out, and does no harm beside that.
 *
 * An entry is a clean answer of one server in one era, which is the time during which its
 * signatures had one version and nothing was wrong with it.  The scanner (scanner.c) ends
 * an era where the version is another, a question fails or the canary is not found: what
 * was entered before is then never found again.  Entries are made only by what answers
 * within the era that it was asked in, and count only once the version was asked for anew
 * after the answer, and was the same; see scanner.h.
 */
#ifndef SRC_GATEWAY_VERDICTS_H
#define SRC_GATEWAY_VERDICTS_H
#include "lib/finding/fact.h"

#define VERDICT_WAYS 8

struct verdicts;

/* Which server of the scanner, in which of its eras; era 0 has no entries. */
struct verdict_source { uint32_t server, era; };

/* At most `entries` are kept, of 64 bytes at most; 0 gives NULL, which holds nothing. */
struct verdicts *verdicts_create(uint64_t entries);
void verdicts_destroy(struct verdicts **);
/* How many it can hold: `entries`, rounded down to whole sets. */
uint64_t verdicts_capacity(const struct verdicts *);
/* When it was entered; 0 if it is not there. */
uint64_t verdicts_find(const struct verdicts *, const struct content_key *,
    struct verdict_source);
/* now: not 0, and never less than before. */
void verdicts_add(struct verdicts *, const struct content_key *, struct verdict_source,
    uint64_t now);
#endif
