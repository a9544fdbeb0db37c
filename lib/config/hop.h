/*
 * hop.h - listening addresses and next hops as values; inside lib/config.
 */
#ifndef LIB_CONFIG_HOP_H
#define LIB_CONFIG_HOP_H
#include "lib/config/schema.h"

void endpoints_read(const struct reading *, void *member);
void endpoints_print(const struct row *, const void *member, struct buf *);
void hop_read(const struct reading *, void *member);
void hop_print(const struct row *, const void *member, struct buf *);
#endif
