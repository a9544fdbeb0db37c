/*
 * clients.h - how many of something an address has now: sessions, scans.
 */
#ifndef SRC_GATEWAY_CLIENTS_H
#define SRC_GATEWAY_CLIENTS_H
#include "lib/base/address.h"

struct client_table;

/* The seed makes collisions unpredictable. */
struct client_table *clients_create(uint64_t seed);
/* Nobody has any more.  NULL is nothing. */
void clients_destroy(struct client_table **);
void clients_enter(struct client_table *, const struct address *);
void clients_leave(struct client_table *, const struct address *);
unsigned clients_count(const struct client_table *, const struct address *);
#endif
