/*
 * archive.h - the members of an archive, one after the other, within a budget.
 *
 * One level a call: a member that is itself an archive is given as bytes, for the caller
 * to open again with depth + 1.  A compressed tar or cpio is one level (its filter and its
 * format); any other compressed file is an archive of one member.  Decompressing is done by
 * libarchive, in memory, with one named format and at most one filter: nothing is guessed
 * by it, no file is made, no program is started.
 *
 * Zip is taken apart here.  The directory at the end and the local headers before it are
 * two stories, and readers believe one or the other: both are read, compared, and members
 * that only one of them tells of are given as well.
 *
 * Nothing an archive does ends more than its own walk.  Hitting a limit, damage and
 * contradictions are flaws, of the member (what was read of it stands) or of the archive
 * (what was listed so far stands).  Every output byte, read or skipped, and every member
 * counts against the budget, which all archives of a message share; one archive gets at
 * most half of what is left of each when it is opened, so a bomb leaves something for what
 * stands beside it.
 *
 *	archive_open -> { archive_next -> [archive_read] } ... -> archive_close
 */
#ifndef LIB_CONTENT_ARCHIVE_H
#define LIB_CONTENT_ARCHIVE_H
#include "lib/base/arena.h"
#include "lib/base/base.h"

enum archive_kind {
	ARCHIVE_KIND_NONE = 0,
	ARCHIVE_KIND_ZIP,
	ARCHIVE_KIND_TAR,       /* v7, ustar, pax, gnu          */
	ARCHIVE_KIND_CPIO,      /* also the inside of an rpm    */
	ARCHIVE_KIND_AR,        /* also deb                     */
	ARCHIVE_KIND_7ZIP,
	ARCHIVE_KIND_RAR,       /* up to version 4              */
	ARCHIVE_KIND_RAR5,
	ARCHIVE_KIND_CAB,
	ARCHIVE_KIND_ISO,
	ARCHIVE_KIND_XAR,       /* told, not listed: UNSUPPORTED */
	ARCHIVE_KIND_LHA,
	ARCHIVE_KIND_STREAM,    /* one compressed file          */
};

enum archive_packing {
	ARCHIVE_PACKING_NONE = 0,
	ARCHIVE_PACKING_GZIP,
	ARCHIVE_PACKING_BZIP2,
	ARCHIVE_PACKING_XZ,
	ARCHIVE_PACKING_LZMA,
	ARCHIVE_PACKING_LZIP,
	ARCHIVE_PACKING_ZSTD,
	ARCHIVE_PACKING_LZ4,
	ARCHIVE_PACKING_COMPRESS,
};

/* What the bytes are: `at` is where the archive begins, behind a program that unpacks it or
   an rpm's header.  Behind a packing the kind is STREAM until archive_open has looked
   inside: it may become TAR or CPIO. */
struct archive_form {
	enum archive_kind    kind;
	enum archive_packing packing;
	size_t               at;
};

/* How many kinds of archive the bytes are, the likeliest first; 0: none.  They may be
   several at once: a zip is found by its end, the others by their beginning, or behind a
   program, picture or PDF.  Open each. */
#define ARCHIVE_FORMS 3
size_t archive_detect(struct span, struct archive_form forms[ARCHIVE_FORMS]);
/* "zip", "7z", "tar" ...; "gzip" ... */
const char *archive_kind_name(enum archive_kind);
const char *archive_packing_name(enum archive_packing);

/* Bits of `flaws`. */
enum archive_flaw {
	/* of a member or an archive */
	ARCHIVE_FLAW_BROKEN = 1 << 0,      /* damaged or cut off: not all could be read     */
	ARCHIVE_FLAW_UNSUPPORTED = 1 << 1, /* a method that cannot be decoded here          */
	ARCHIVE_FLAW_CHECKSUM = 1 << 2,    /* the data were read, their check sum is wrong  */
	ARCHIVE_FLAW_SIZE = 1 << 3,        /* more or less data than declared               */
	ARCHIVE_FLAW_NAME = 1 << 4,        /* name lost, cut, empty, with a NUL, or two     */
	ARCHIVE_FLAW_BYTES = 1 << 5,       /* limit: output bytes                           */
	ARCHIVE_FLAW_RATIO = 1 << 6,       /* limit: output against input                   */
	ARCHIVE_FLAW_TIME = 1 << 7,        /* limit: time                                   */
	ARCHIVE_FLAW_MEMORY = 1 << 8,      /* the decompressor got no memory                */
	/* of an archive */
	ARCHIVE_FLAW_MEMBERS = 1 << 9,     /* limit: members; further ones are not listed   */
	ARCHIVE_FLAW_DEPTH = 1 << 10,      /* limit: archives in archives; nothing listed   */
	ARCHIVE_FLAW_VOLUME = 1 << 11,     /* a part of a set                               */
	ARCHIVE_FLAW_PREFIX = 1 << 12,     /* bytes before the first member                 */
	ARCHIVE_FLAW_SUFFIX = 1 << 13,     /* bytes behind the end                          */
	/* of a zip, and of those of its members that show it */
	ARCHIVE_FLAW_OVERLAP = 1 << 14,    /* members share bytes                           */
	ARCHIVE_FLAW_HIDDEN = 1 << 15,     /* a local header the directory does not name    */
	ARCHIVE_FLAW_ASTRAY = 1 << 16,     /* named in the directory, no local header there */
	ARCHIVE_FLAW_DIFFERS = 1 << 17,    /* header and directory: name, method, sizes, flags */
	ARCHIVE_FLAW_COUNT = 1 << 18,      /* end record and directory: how many, where     */
	ARCHIVE_FLAW_ENDS = 1 << 19,       /* several end records                           */
	ARCHIVE_FLAW_DOUBLE = 1 << 20,     /* several members of one name                   */
};
#define ARCHIVE_FLAW_BITS 21
/* Those that say that the budget, not the archive, was the end. */
#define ARCHIVE_FLAW_LIMITS (ARCHIVE_FLAW_BYTES | ARCHIVE_FLAW_RATIO | ARCHIVE_FLAW_TIME | \
	ARCHIVE_FLAW_MEMORY | ARCHIVE_FLAW_MEMBERS | ARCHIVE_FLAW_DEPTH)
/* "broken", "overlap" ... of one bit. */
const char *archive_flaw_name(enum archive_flaw);

/* Limits of one archive. */
struct archive_limits {
	unsigned depth;         /* archives in archives; the outermost has depth 0   */
	uint32_t members;
	uint64_t member_bytes;  /* output of one member                              */
	uint64_t archive_bytes; /* output of all its members                         */
	uint32_t ratio;         /* output bytes for each byte of the archive ...     */
	uint64_t ratio_from;    /* ... once the output is longer than this           */
};
#define ARCHIVE_LIMITS_DEFAULT ((struct archive_limits){ .depth = 8, .members = 10000, \
	.member_bytes = 32u << 20, .archive_bytes = 64u << 20, .ratio = 200, \
	.ratio_from = 4u << 20 })
#define ARCHIVE_PATH_BYTES 4096         /* longer names are cut, which is a flaw */

/* What is left for all archives of a message; the walk counts down.  `clock` (or NULL) says
   how much of something has gone by, in any unit: microseconds of CPU, say; the archives
   stop when it has reached `end`.  It is asked for every 64 KiB in or out, or once for a
   member that archive_whole can have. */
struct archive_budget {
	uint64_t members, bytes;
	uint64_t (*clock)(void *context);
	void    *context;
	uint64_t end;
};

/* Opened before the sandbox: names in UTF-16 need the C library's tables.  One a process.
   False where the system has no UTF-8 locale; walks still work, some names are lost then. */
struct libdeflate_decompressor;
struct archive_library { void *locale; struct libdeflate_decompressor *inflater; };
bool archive_library_init(struct archive_library *);
void archive_library_finish(struct archive_library *);

enum archive_type { ARCHIVE_TYPE_FILE = 0, ARCHIVE_TYPE_DIRECTORY, ARCHIVE_TYPE_LINK,
	ARCHIVE_TYPE_OTHER };

struct archive_member {
	struct span       path;         /* as it stands there; of a stream: from the gzip header,
	                                   else the outer name without .gz, .xz ...            */
	struct span       name;         /* the same as UTF-8; always well-formed               */
	struct span       local_name;   /* zip: as UTF-8, where the local header names it
	                                   otherwise (flaw DIFFERS), or its Unicode field (NAME) */
	enum archive_type type;
	struct span       target;       /* of a link, as UTF-8                                 */
	bool              encrypted;    /* data cannot be read                                 */
	bool              sized;        /* `size` is declared                                  */
	uint64_t          size;
	uint64_t          given;        /* bytes that archive_read has written                 */
	unsigned          flaws;        /* archive_read may add some                           */
};

struct archive_walk {
	struct archive_form   form;
	bool                  encrypted; /* some member, or the list of members itself     */
	unsigned              flaws;     /* of the archive and, or-ed, of its members;
	                                    complete once archive_next gave NULL           */
	uint32_t              members;   /* given so far                                   */
	struct archive_member member;    /* the one archive_next gave                      */
	struct archive_state *state;     /* owned                                          */
};

struct archive_source {
	struct span                   bytes;    /* borrowed until archive_close            */
	struct span                   name;     /* what the outer file is called, or none  */
	unsigned                      depth;
	const struct archive_form    *form;     /* NULL: the first of archive_detect       */
	const struct archive_limits  *limits;   /* borrowed until archive_close            */
	struct archive_budget        *budget;   /* the same                                */
	const struct archive_library *library;  /* or NULL                                 */
	struct arena                 *arena;    /* names live here                         */
};

/* False if the bytes are no archive: then there is nothing to close.  An archive that
   cannot be opened (damage, depth, budget) is true: it has no members, and flaws. */
bool archive_open(struct archive_walk *, const struct archive_source *);
/* The next member, valid until the next call but for its spans (arena); NULL at the end. */
struct archive_member *archive_next(struct archive_walk *);
/* The data of the member that archive_next gave, at most once, in pieces of at most 64 KiB;
   the sink is not finished.  ST_OK also where flaws cut it short; else what the sink's
   write gave, and the walk may go on. */
enum status archive_read(struct archive_walk *, struct sink *, struct error *);
/* The same data as one span, which lives until the next archive_next, where they are to be
   had so: nothing about them is damaged or doubtful, and no limit is met.  False: nothing
   has been read, and archive_read does it. */
bool archive_whole(struct archive_walk *, struct span *data);
void archive_close(struct archive_walk *);
#endif
