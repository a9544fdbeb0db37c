/*
 * archive_private.h - the parts of the archive walk: gate, reader, zip, rar.
 *
 * The walk (archive.c) counts members and hands out data; where they come from is a
 * `struct archive_ops`: libarchive over the whole archive, or our own list of a zip's
 * members with a reader for each.
 */
#ifndef LIB_CONTENT_ARCHIVE_PRIVATE_H
#define LIB_CONTENT_ARCHIVE_PRIVATE_H
#include "lib/content/archive.h"

#define PIECE_BYTES 65536u

/* What may still pass, for one archive. */
struct archive_gate {
	const struct archive_limits *limits;
	struct archive_budget       *budget;
	uint64_t bytes;         /* output left to this archive           */
	uint64_t ratio_bytes;   /* output left until the ratio is too high */
	uint64_t member_bytes;  /* output left to this member            */
	uint64_t members;
	uint64_t end;           /* of the clock                          */
	unsigned hit;           /* flaws that end the archive            */
};

void gate_init(struct archive_gate *, const struct archive_source *, size_t archive_len);
/* False once time is over. */
bool gate_time(struct archive_gate *);
/* How many of `want` output bytes may pass; they are taken.  Fewer: *flaws says why.
   `member`: they count against the member's limit. */
uint64_t gate_pass(struct archive_gate *, uint64_t want, bool member, unsigned *flaws);
/* May so much of a member pass?  Takes nothing. */
bool gate_open(const struct archive_gate *, uint64_t want);

/* What the reader reads: spans, one after the other, as one seekable file. */
struct archive_input {
	const struct span   *spans;
	size_t               count;
	uint64_t             len, at;
	struct archive_gate *gate;
};

/* libarchive with one format and at most one filter. */
struct archive_reader {
	struct archive      *handle;
	struct archive_entry *entry;
	struct archive_input input;
	unsigned             flaws;     /* of the last call               */
	bool                 encrypted; /* the last call failed for it    */
	bool                 opened;    /* else libarchive may not be asked about its format */
	bool                 fatal;     /* nothing more can be read       */
	bool                 plain;     /* set before it is opened: an ISO without Rock Ridge */
};

/* In zip archives `kind` ZIP means a single member behind a local header. */
bool reader_open(struct archive_reader *, const struct archive_form *,
    const struct span *spans, size_t count, struct archive_gate *);
/* False at the end; then flaws and encrypted say whether it was a good one. */
bool reader_next(struct archive_reader *);
/* A block of the entry's data and its place there: zeros of a sparse file are left out.
   Empty at the end; then flaws and encrypted say whether it was a good one. */
struct span reader_block(struct archive_reader *, uint64_t *at);
void reader_close(struct archive_reader *);

struct archive_state;
struct archive_ops {
	bool (*next)(struct archive_walk *);    /* fills member; false at the end */
	/* Makes `reader` ready for the member's data; false: flaws say why not. */
	bool (*begin)(struct archive_walk *);
	void (*end)(struct archive_walk *);     /* after data that were begun     */
	/* All data of the member at once, right in every way; NULL: never so. */
	bool (*whole)(struct archive_walk *, struct span *data);
};

struct archive_zip;
struct archive_state {
	const struct archive_ops    *ops;
	struct archive_gate          gate;
	struct archive_reader        reader;
	const struct archive_library *library;
	struct arena                *arena;
	struct span                  bytes;     /* from form.at on                */
	struct span                  outer;     /* the outer name                 */
	struct archive_zip          *zip;
	struct span                  stream;    /* unpacked already, in `inflated` */
	uint8_t                     *inflated;  /* the last member's data, owned  */
	size_t                       inflated_cap;
	struct span                  whole;
	struct span                 *spans;     /* what the reader is given       */
	size_t                       span_count;
	struct archive_member       *listed;    /* encrypted ones of a rar        */
	size_t                       listed_count, listed_at;
	uint32_t                     at;        /* entries the reader has given   */
	unsigned                     reopened;
	bool                         pending;   /* archive_read may be called      */
	bool                         rest;      /* data may be left in the reader  */
	bool                         over;
};

extern const struct archive_ops archive_reader_ops, archive_zip_ops, archive_stream_ops;

#define DEFLATE_RATIO 1032u     /* no byte becomes more */
/* Room for `size` bytes that are inflated, not touched before they come; or NULL. */
uint8_t *inflated_room(struct archive_state *, size_t size);
static inline struct libdeflate_decompressor *
inflater_of(const struct archive_state *s)
{
	return s->library != NULL ? s->library->inflater : NULL;
}
/* All of a gzip file of one member that is right in every way; else false. */
bool gzip_whole(struct archive_state *, struct span *data);

/* Reads directory and headers; adds to the walk's flaws. */
void zip_list(struct archive_walk *);
void zip_free(struct archive_state *);
/* Takes encrypted members out of a rar of version 5: into `listed`; the rest into `spans`. */
void rar5_list(struct archive_walk *);
/* Do the Rock Ridge continuations of an ISO lead into themselves, or nowhere near an end? */
bool iso_goes_round(struct span);
/* Path and, from it, name and flaws. */
void member_name(struct archive_walk *, struct span raw, bool dos);

/* Bytes as UTF-8: as they are if they are well-formed, else as code page 437 (`dos`) or
   as Latin 1.  Cut to ARCHIVE_PATH_BYTES; controls stay. */
struct span archive_name(struct span, bool dos, struct arena *);
size_t archive_put_utf8(uint8_t *to, uint32_t character);
/* Cut, empty, or with a NUL: ARCHIVE_FLAW_NAME. */
unsigned archive_path_flaws(struct span path);
uint32_t archive_crc32(struct span);
/* Where `what` begins at or after `from`; whole.len if nowhere. */
size_t archive_search(struct span whole, size_t from, struct span what);

/* Little-endian numbers; the caller has checked the length. */
static inline uint16_t
le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t
le32(const uint8_t *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static inline uint64_t
le64(const uint8_t *p)
{
	return le32(p) | (uint64_t)le32(p + 4) << 32;
}
#endif
