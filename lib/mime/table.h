/*
 * table.h - the upper halves of single-byte character sets.
 */
#ifndef LIB_MIME_TABLE_H
#define LIB_MIME_TABLE_H
#include "lib/base/base.h"

/* The name in lower case, letters and digits only; upper[b - 128] is the character, 0: none. */
struct charset_table { const char *name; uint16_t upper[128]; };
extern const struct charset_table charset_tables[];
extern const size_t charset_table_count;
#endif
