/*
 * dig_private.h - what dig.c (the stack), look.c (one content) and report.c share.
 */
#ifndef SRC_INSPECTOR_DIG_PRIVATE_H
#define SRC_INSPECTOR_DIG_PRIVATE_H
#include "src/inspector/dig.h"

enum frame_kind { FRAME_MESSAGE = 0, FRAME_ARCHIVE };

/* One container, and how far it has been walked. */
struct frame {
	enum frame_kind   kind;
	unsigned          depth;        /* of the container; the mail itself: 0 */
	unsigned          number;       /* tells containers apart               */
	struct span       bytes;
	struct buf        owned;        /* where the bytes are, if not in the one below */
	struct span       path;         /* names of the archives, "a.zip/b.tar" */
	struct arena      arena;        /* of its structure or walk             */
	enum mime_reading reading;
	struct mime       mime;
	uint32_t          part;
	struct decode_way ways[1 + DECODE_OTHERS];
	size_t            way, way_count;
	struct archive_walk walk;
	struct item      *item;         /* the attachment that it is, or NULL   */
};

/* One decoded part or one member. */
struct content {
	struct span             bytes;
	struct buf              owned;
	const struct mime_part *part;   /* NULL: a member */
	const struct archive_member *member;
	struct span             name;   /* UTF-8; the first of several */
	struct span             path;
	unsigned                depth;
	bool                    broken, unscannable;
	enum file_type          type;
	bool                    untyped;        /* the type could not be found out */
	struct item            *item;   /* its attachment, if it is one */
};

/* CPU time, without asking the system for it all the time: see dig.c. */
struct dig_clock { uint64_t cpu_us, wall_us; };

struct dig {
	const struct dig_job    *job;
	const struct dig_tools  *tools;
	const struct dig_limits *limits;
	struct findings         *findings;
	struct arena            *arena;
	struct frame             frames[DIG_DEPTH];
	unsigned                 count, numbers;
	struct archive_budget    budget;
	struct archive_limits    archive_limits;
	struct dig_clock         clock;
	uint64_t                 end, archives_end;     /* of CPU time          */
	uint32_t                 contents;      /* parts; the budget counts members */
	uint64_t                 text_left;
	unsigned                 magic_asks;
	struct pattern_scan      scan;
	bool                     patterns;      /* are looked for */
	uint64_t                *seen;          /* keys of contents, open addressing */
	size_t                   seen_cap, seen_count;
	struct item            **links;         /* those reported, open addressing */
	/* What the message facts are made of. */
	unsigned                 ambiguities, reading_gave;     /* bits 1 << reading */
	uint64_t                 parts, flaws, text_size;
	unsigned                 deepest;
	bool                     broken, limit, encrypted, hidden;
	bool                     unseen;        /* something could not be looked into */
	struct mime_flaw         bad_header;
	bool                     has_bad_header;
	/* The content key: key.c. */
	struct evp_md_ctx_st    *key_sum;       /* NULL: none is wished */
	uint32_t                 key_due;       /* contents that are not in it yet */
	bool                     keyless;       /* there will be none */
};

static inline uint64_t
dig_mix(uint64_t a, uint64_t b)
{
	a ^= b + 0x9e3779b97f4a7c15u + (a << 12) + (a >> 4);
	return (a ^ (a >> 29)) * 0xbf58476d1ce4e5b9u;
}

static inline bool
part_has_content(const struct mime_part *p)
{
	return p->kind == MIME_LEAF || p->kind == MIME_PREAMBLE || p->kind == MIME_EPILOGUE ||
	    p->kind == MIME_EMBEDDED;
}

/* look.c: type, signatures, text; containers become frames. */
void look(struct dig *, struct content *);
/* dig.c */
bool dig_push_message(struct dig *, struct content *);
bool dig_push_archive(struct dig *, struct content *, const struct archive_form *);
bool dig_may_go_on(struct dig *);
static inline bool
wished(const struct dig *d, enum wish wish)
{
	return (d->job->wishes & wish) != 0;
}
/* key.c: the structure first, in the first reading; each content that it has, in their
   order; then all that the mail's own frame needs is known. */
void key_begin(struct dig *, const struct mime *);
void key_part(struct dig *, uint32_t part, struct span decoded, unsigned flaws);
void key_end(struct dig *);
/* report.c */
void report_attachment(struct dig *, struct content *);
void report_signature(struct dig *, const struct content *, const char *name, int kind);
void report_links(struct dig *, const struct content_text *);
void report_message(struct dig *);
#endif
