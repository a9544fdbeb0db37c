/*
 * arena.h - memory that is freed all at once.
 *
 * One arena per message: everything learnt about a message is allocated from
 * its arena and dies with it, so no field of a message is ever freed on its
 * own.  Allocation does not fail: running out of memory ends the process (no
 * client has been told 250, so no mail is lost).  Input-driven sizes must be
 * bounded by a limit BEFORE they reach the arena.
 */
#ifndef LIB_BASE_ARENA_H
#define LIB_BASE_ARENA_H
#include "lib/base/base.h"

struct arena { struct block *blocks; size_t used, total; };

/* Zeroed bytes, aligned for any type. */
void *arena_alloc(struct arena *, size_t) __attribute__((malloc, returns_nonnull));
char *arena_text(struct arena *, struct span);          /* a NUL-terminated copy */
struct span arena_span(struct arena *, struct span);    /* a copy                */
char *arena_printf(struct arena *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void  arena_free(struct arena *);                       /* reusable afterwards   */

#define arena_new(a, type)       ((type *)arena_alloc((a), sizeof(type)))
/* The caller has bounded n. */
#define arena_array(a, type, n)  ((type *)arena_alloc((a), sizeof(type) * (n)))

/* malloc and its kin that end the process instead of failing. */
void *must_alloc(size_t) __attribute__((malloc, returns_nonnull));   /* zeroed */
void *must_realloc(void *, size_t) __attribute__((returns_nonnull));
#endif
