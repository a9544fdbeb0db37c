/*
 * dig.h - everything that is in a message: parts, what they unpack to, texts and links.
 *
 * An explicit stack of containers - messages and archives - stands for nesting.  All
 * archives share one budget of bytes, members and time; parts are bounded each by itself
 * and in their number, so that no archive uses up what they need.  An ambiguous message is
 * read in the three ways of lib/mime, and what a later reading gives that an earlier one
 * has given already is passed over.  Hitting a limit leaves a mark and goes
 * on with what is still affordable: a bomb never switches off what stands beside it.
 */
#ifndef SRC_INSPECTOR_DIG_H
#define SRC_INSPECTOR_DIG_H
#include "lib/content/archive.h"
#include "lib/content/magic.h"
#include "lib/content/text.h"
#include "lib/finding/fact.h"
#include "lib/mime/mime.h"
#include "lib/pattern/pattern.h"

/* Opened before the sandbox, one a process; each may be NULL. */
struct dig_tools {
	struct charsets          *charsets;
	struct suffixes          *suffixes;
	struct magic             *magic;
	struct archive_library    library;
	const struct pattern_set *patterns;     /* the caller's */
};
/* Whatever is not to be had is NULL: a second opinion less. */
void dig_tools_open(struct dig_tools *);
void dig_tools_close(struct dig_tools *);
/* Makes malloc keep the memory of one job for the next: 4 MiB at most. */
void dig_keep_memory(void);

struct dig_job {
	struct span message;
	struct span subject;            /* text of the Subject field, for patterns */
	unsigned    wishes;             /* of enum wish: what is not wished is not done */
	bool        smtputf8;           /* the mail came with it */
	struct content_key *key;        /* with WISH_KEY: is set; may be NULL */
};

struct dig_limits {
	unsigned depth;                 /* containers in containers               */
	uint32_t contents;              /* parts and members looked at            */
	uint64_t bytes;                 /* decoded and unpacked, all together     */
	uint64_t part_bytes;            /* of one part or member                  */
	uint64_t text_bytes;            /* of visible text kept for patterns      */
	uint64_t cpu_us;
};
#define DIG_LIMITS ((struct dig_limits){ .depth = 16, .contents = 10000, \
	.bytes = 256u << 20, .part_bytes = 64u << 20, .text_bytes = 4u << 20, \
	.cpu_us = 5000000 })
#define DIG_DEPTH 32            /* dig_limits.depth is at most this */

/* Adds content facts and groups (attachment, link, signature, header) and patterns, all of
   it in the arena.  Of an attachment name, size and the type that we tell ourselves are
   always there. */
void dig(const struct dig_job *, const struct dig_tools *, const struct dig_limits *,
    struct findings *, struct arena *);
#endif
