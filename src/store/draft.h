/*
 * draft.h - a file that is written beside its place and moved there when it is whole.
 *
 * Everything is done relative to a descriptor of a directory.  After draft_finish said
 * ST_OK, the file with its name is on disk; else nothing is left.  What is full is said
 * so.  All failures are ST_TEMP.
 */
#ifndef SRC_STORE_DRAFT_H
#define SRC_STORE_DRAFT_H
#include "lib/base/base.h"
#include "lib/base/edit.h"

#define DRAFT_NAME_BYTES 256            /* NAME_MAX and its NUL */

struct draft { int fd, folder; char name[DRAFT_NAME_BYTES]; };

/* The directory `name` in `parent`, made durably if missing; -1 with *err. */
int folder_open(int parent, const char *name, struct error *err);

enum status draft_begin(struct draft *, int folder, const char *name, struct error *);
enum status draft_write(struct draft *, struct span, struct error *);
/* Bytes of a file as they are. */
enum status draft_copy(struct draft *, int from_fd, uint64_t from, uint64_t len,
    struct error *);
/* The edited message with each CR LF as LF. */
enum status draft_copy_text(struct draft *, int from_fd, uint64_t size,
    const struct edit_list *, struct error *);
/* Synced, moved to `folder`/`name` (over what is there), and that synced. */
enum status draft_finish(struct draft *, int folder, const char *name, struct error *);
/* Also after a failure; nothing happens after finish said ST_OK. */
void draft_drop(struct draft *);

/* Is it a plain file of at least `size` bytes?  Others could be waited for for ever. */
enum status draft_source(int fd, uint64_t size, struct error *);
#endif
