/*
 * client.h - whose mail is it: the client that gave it to the MTA that gives it to us.
 *
 * What a trusted client says by XFORWARD; else the topmost Received written outside
 * trusted-relays, walked back over them; with no outside address there is none (design,
 * section 7).
 */
#ifndef SRC_GATEWAY_CLIENT_H
#define SRC_GATEWAY_CLIENT_H
#include "lib/policy/envelope_facts.h"
#include "src/gateway/session.h"

void mail_client_find(struct mail_client *, const struct session *, const struct envelope *,
    const struct received *hops, size_t hop_count);
#endif
