/*
 * magic.h - a second opinion by libmagic, for binary content that type.h does not know.
 *
 * It costs some hundred microseconds a question, so it is asked for FILE_UNKNOWN only,
 * and at most MAGIC_ASKS times a mail; the caller counts.  Content that is noise from its
 * first bytes on is not known at once.  The database is loaded by
 * magic_create, before the sandbox; asking opens nothing, starts nothing, unpacks
 * nothing. Built without libmagic, magic_create fails with ST_PERM.
 */
#ifndef LIB_CONTENT_MAGIC_H
#define LIB_CONTENT_MAGIC_H
#include "lib/content/type.h"

#define MAGIC_ASKS 2
/* Of the head, this much is looked at. */
#define MAGIC_HEAD_BYTES 4096
#define MAGIC_MEDIA_BYTES 128

struct magic;

/* `database` is the path of a compiled database, or NULL for the one the package
   brings. */
enum status magic_create(struct magic **, const char *database, struct error *);
void magic_destroy(struct magic **);

enum magic_answer {
	MAGIC_UNKNOWN = 0,      /* libmagic does not know it either */
	MAGIC_KNOWN,
	MAGIC_FAILED,           /* it could not look: memory        */
};

/* `media` gets its media type as text; *type ours for it, FILE_UNKNOWN where we have no
   such row.  Both stay as they are unless it is known. */
enum magic_answer magic_ask(struct magic *, struct span head, char media[MAGIC_MEDIA_BYTES],
    enum file_type *type);
#endif
