/*
 * value.h - sizes, times and domains as the configuration writes them.
 */
#ifndef LIB_CONFIG_VALUE_H
#define LIB_CONFIG_VALUE_H
#include "lib/base/buf.h"

/* Bytes: 640, 64K or 64KiB, 100M or 100MiB, 4G or 4GiB; all count 1024.  False where
   it is no size, or too large for 64 bits. */
bool value_size(struct span, uint64_t *bytes);
/* 500ms, 30s, 5m, 1h, 7d, as milliseconds; 0 needs no unit. */
bool value_time(struct span, uint64_t *ms);
/* In the largest unit that is exact; reading it gives the same number. */
void value_size_print(uint64_t bytes, struct buf *);
void value_time_print(uint64_t ms, struct buf *);

/* Labels of 1 to 63 letters, digits, - and _ with single dots between them, at most
   253 bytes (RFC 1035 section 2.3.4); a - neither begins nor ends a label. */
bool value_is_domain(struct span);
#endif
