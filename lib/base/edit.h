/*
 * edit.h - changes to a message as a list over its bytes; the bytes stay as they are.
 *
 * Edits are kept in the order of their offsets; at the same offset, in the order
 * they were added.  Deleted ranges do not overlap, and nothing is inserted inside
 * one (edit_add asserts both: ranges come from our own parser's structure; those
 * of another process are checked by packet_take_edits first).
 */
#ifndef LIB_BASE_EDIT_H
#define LIB_BASE_EDIT_H
#include "lib/base/base.h"

struct edit { uint64_t at, removed; struct span insert; };
struct edit_list { struct edit *items; size_t count, cap; };

/* Insert `insert` (borrowed, as long as the list lives) and remove `removed` bytes. */
void edit_add(struct edit_list *, uint64_t at, uint64_t removed, struct span insert);
/* Would edit_add take it in a message of `size` bytes? */
bool edit_fits(const struct edit_list *, uint64_t at, uint64_t removed, uint64_t size);
void edit_free(struct edit_list *);

/* Size after the edits of a message that had `size` bytes. */
uint64_t edit_size(const struct edit_list *, uint64_t size);

/* The edited message as pieces, from the front: start with a zeroed walk. */
struct edit_walk { size_t index; uint64_t at; bool inserted; };
struct edit_piece {
	struct span bytes;      /* inserted bytes, or none: then copy */
	uint64_t    from, len;  /* this range of the message          */
};
/* False at the end. */
bool edit_next(const struct edit_list *, uint64_t size, struct edit_walk *,
    struct edit_piece *);
#endif
