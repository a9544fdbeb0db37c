/*
 * structure.h - what the files behind mime_parse share.
 */
#ifndef LIB_MIME_STRUCTURE_H
#define LIB_MIME_STRUCTURE_H
#include "lib/mime/mime.h"

/* Open boundaries.  A multipart has several only in the lenient reading. */

#define BOUNDARIES 12u                  /* of one multipart              */
#define BOUNDARY_BYTES 1000u            /* RFC 2046: 70; longer ones are cut */
#define BOUNDARY_HEADS 256u

struct open {                           /* a multipart that has begun    */
	uint32_t part;
	uint32_t depth;
	bool     seen;                  /* one of its boundaries came    */
	bool     closed;                /* and its close                 */
	bool     digest;
	size_t   boundaries;            /* in the table before this one's */
};
struct boundary { struct span text; uint64_t hash; uint32_t open; int32_t next; };
struct boundary_table {
	struct open     *opens;
	size_t           open_count, open_room;
	struct boundary *items;
	size_t           count, room;
	int32_t          heads[BOUNDARY_HEADS]; /* index + 1; 0: empty     */
	uint32_t         lengths[BOUNDARY_BYTES + 1];
	size_t           longest;
};

void boundary_open(struct boundary_table *, uint32_t part, uint32_t depth,
    const struct span *texts, size_t count, unsigned *ambiguities, struct arena *);
void boundary_pop(struct boundary_table *);

enum match_kind { MATCH_NONE = 0, MATCH_DELIMITER, MATCH_CLOSE };
struct match {
	enum match_kind kind;
	uint32_t open;
	size_t   end;                   /* of the line, newline included */
	unsigned ambiguities;           /* met on the way, also without a match */
};
/* The line at `at`, which begins with "--". */
struct match boundary_match(const struct boundary_table *, struct span bytes, size_t at,
    enum mime_reading);

/* State of one mime_parse. */

enum segment_kind { SEGMENT_LEAF = 0, SEGMENT_PREAMBLE, SEGMENT_EPILOGUE, SEGMENT_LOST };
struct parse {
	struct span bytes;
	enum mime_reading reading;
	const struct mime_options *options;
	struct mime *m;
	struct arena *arena;
	struct boundary_table table;
	size_t   room;                  /* of m->parts                       */
	enum segment_kind segment;
	uint32_t part;                  /* the segment's, or whose preamble  */
	size_t   from;                  /* where the segment's text begins   */
	size_t   fed;                   /* given to options->body            */
	bool     versioned;             /* MIME-Version in the first header  */
};

void parse_flaw(struct parse *, enum mime_flaw_kind, uint32_t part, uint64_t at,
    struct span field);

/* The header section at `from`; returns where the body begins. */
size_t section_read(struct parse *, size_t from, struct header *, unsigned *ambiguities);

/* What the fields say; boundaries are left in texts, their number returned. */
size_t part_read(struct parse *, uint32_t index, bool digest,
    struct span texts[BOUNDARIES]);
#endif
