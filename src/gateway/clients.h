/*
 * clients.h - how many sessions an address has now.
 */
#ifndef SRC_GATEWAY_CLIENTS_H
#define SRC_GATEWAY_CLIENTS_H
#include "lib/base/address.h"

struct client_table;

/* The seed makes collisions unpredictable. */
struct client_table *clients_create(uint64_t seed);
void clients_enter(struct client_table *, const struct address *);
void clients_leave(struct client_table *, const struct address *);
unsigned clients_count(const struct client_table *, const struct address *);
#endif
