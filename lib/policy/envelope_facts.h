/*
 * envelope_facts.h - what is known of a mail before its content: client, sender, recipients.
 *
 * Gateway and `sallyport scan` set these facts here, so that the same mail has the same.
 */
#ifndef LIB_POLICY_ENVELOPE_FACTS_H
#define LIB_POLICY_ENVELOPE_FACTS_H
#include "lib/config/settings.h"
#include "lib/finding/fact.h"
#include "lib/mime/header.h"

/* The client that gave the mail to the MTA that gives it to us. */
struct mail_client {
	bool           has_address;
	struct address address;
	struct span    name, helo;
	bool           trusted;         /* in trusted-relays, or no outside client at all   */
	bool           local;           /* submitted here: by no outside client, or from a
	                                   loopback address                                 */
	bool           authenticated;   /* a trusted relay saw a login                      */
	struct span    user;
	struct span    queue_id;        /* the client MTA's */
};

bool mail_client_is_relay(const struct settings *, const struct address *);
/* From the topmost Received down over trusted relays, which write the truth: the login
   that one of them saw, and unless it is `found` already, the first client outside. */
void mail_client_walk(struct mail_client *, const struct settings *,
    const struct received *hops, size_t count, bool found);
/* When all else of it is known: trusted and local. */
void mail_client_settle(struct mail_client *, const struct settings *);

/* Texts are borrowed, or in the arena. */
void envelope_facts_client(struct findings *, const struct mail_client *);
void envelope_facts_sender(struct findings *, struct span sender, struct arena *);
/* Those that differ per recipient, in the place of another's. */
void envelope_facts_recipient(struct findings *, const struct settings *,
    struct span recipient, struct arena *);
#endif
