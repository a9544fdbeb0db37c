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
	struct item            *item;   /* its attachment, if it is one */
};

struct dig {
	const struct dig_tools  *tools;
	const struct dig_limits *limits;
	struct findings         *findings;
	struct arena            *arena;
	struct frame             frames[DIG_DEPTH];
	unsigned                 count, numbers;
	struct archive_budget    budget;
	struct archive_limits    archive_limits;
	uint64_t                 end, archives_end;     /* of CPU time          */
	uint32_t                 contents;      /* parts; the budget counts members */
	uint64_t                 text_left;
	unsigned                 magic_asks;
	struct pattern_scan      scan;
	uint64_t                *seen;          /* keys of contents, open addressing */
	size_t                   seen_cap, seen_count;
	/* What the message facts are made of. */
	unsigned                 ambiguities, reading_gave;     /* bits 1 << reading */
	uint64_t                 parts, flaws, text_size;
	unsigned                 deepest;
	bool                     broken, limit, encrypted, hidden;
	bool                     unseen;        /* something could not be looked into */
	struct mime_flaw         bad_header;
	bool                     has_bad_header;
};

/* look.c: type, signatures, text; containers become frames. */
void look(struct dig *, struct content *);
/* dig.c */
bool dig_push_message(struct dig *, struct content *);
bool dig_push_archive(struct dig *, struct content *, const struct archive_form *);
bool dig_may_go_on(struct dig *);
/* report.c */
void report_attachment(struct dig *, struct content *);
void report_signature(struct dig *, const struct content *, const char *name, int kind);
void report_links(struct dig *, const struct content_text *);
void report_message(struct dig *);
#endif
