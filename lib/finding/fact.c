/*
 * fact.c - the registry: one row a fact, and what is made from the rows.
 */
#include "lib/finding/fact.h"
#include "lib/base/buf.h"
#include "lib/base/text.h"
#include <assert.h>

#define EACH_RECIPIENT  .per_recipient = true

static const struct fact_row rows[FACT_COUNT] = {
    [FACT_LISTENER] = {"listener", TYPE_TEXT, STAGE_ENVELOPE,
	.sentence = "Name of the listener that took the mail."},
    [FACT_CLIENT_ADDRESS] = {"client.address", TYPE_NETWORK, STAGE_ENVELOPE,
	.sentence =
	    "IP address of the host that handed the mail in from outside: what a "
	    "trusted client says by XFORWARD, else the client itself; absent where "
	    "nobody knows."},
    [FACT_CLIENT_NAME] = {"client.name", TYPE_DOMAIN, STAGE_ENVELOPE,
	.sentence =
	    "Host name of that address as the MTA looked it up; absent where it has "
	    "none."},
    [FACT_CLIENT_HELO] = {"client.helo", TYPE_DOMAIN, STAGE_ENVELOPE,
	.sentence =
	    "What the client called itself in HELO, EHLO or LHLO; anybody can say "
	    "anything there."},
    [FACT_CLIENT_TRUSTED] = {"client.trusted", TYPE_TRUTH, STAGE_ENVELOPE,
	.sentence =
	    "Is the client's address one of the trusted relays, or is there no outside "
	    "client at all?"},
    [FACT_CLIENT_LOCAL] = {"client.local", TYPE_TRUTH, STAGE_ENVELOPE,
	.sentence =
	    "Was the mail submitted on this host: by no outside client, or from a "
	    "loopback address?  A bounce then stays at home."},
    [FACT_CLIENT_AUTHENTICATED] = {"client.authenticated", TYPE_TRUTH, STAGE_ENVELOPE,
	.sentence =
	    "Has a trusted relay seen the client log in (\"Authenticated sender\" in its "
	    "Received)?"},
    [FACT_SENDER] = {"sender", TYPE_MAILBOX, STAGE_ENVELOPE,
	.sentence = "Envelope sender; \"\" is the null sender of bounces."},
    [FACT_SENDER_DOMAIN] = {"sender.domain", TYPE_DOMAIN, STAGE_ENVELOPE,
	.sentence = "Domain of the envelope sender; absent for the null sender."},
    [FACT_RECIPIENT] = {"recipient", TYPE_MAILBOX, STAGE_ENVELOPE, EACH_RECIPIENT,
	.sentence = "Envelope recipient that the policy is asked about."},
    [FACT_RECIPIENT_DOMAIN] = {"recipient.domain", TYPE_DOMAIN, STAGE_ENVELOPE,
	EACH_RECIPIENT,
	.sentence = "Domain of that recipient; absent for a bare local part."},
    [FACT_RECIPIENT_LOCAL] = {"recipient.local", TYPE_TRUTH, STAGE_ENVELOPE,
	EACH_RECIPIENT, .sentence = "Is that recipient's domain one of local-domains?"},
    [FACT_RECIPIENT_COUNT] = {"recipient.count", TYPE_NUMBER, STAGE_ENVELOPE,
	.sentence = "How many recipients this copy of the mail has."},
    [FACT_MESSAGE_SIZE] = {"message.size", TYPE_SIZE, STAGE_ENVELOPE,
	.sentence = "Bytes of the message as it was received."},
    [FACT_MESSAGE_UNSCANNABLE] = {"message.unscannable", TYPE_TRUTH, STAGE_ENVELOPE,
	.sentence =
	    "Has the message brought down the inspector again and again?  Only a rule "
	    "that names this fact can accept such a mail; else it is deferred."},
    [FACT_HEADER_SUBJECT] = {"header.subject", TYPE_TEXT, STAGE_CONTENT,
	.sentence = "Text of the first Subject field."},
    [FACT_HEADER_FROM] = {"header.from", TYPE_MAILBOX, STAGE_CONTENT,
	.sentence = "First mailbox of the first From field: the author that people see."},
    [FACT_HEADER_MESSAGE_ID] = {"header.message-id", TYPE_TEXT, STAGE_CONTENT,
	.sentence = "Text of the first Message-ID field."},
    [FACT_RECEIVED_COUNT] = {"received.count", TYPE_NUMBER, STAGE_CONTENT,
	.sentence = "How many Received fields the header has: the hosts the mail has "
		    "passed."},
};

const struct fact_row *
fact_row(enum fact f)
{
	assert((unsigned)f < FACT_COUNT);
	return &rows[f];
}

enum fact
fact_find(struct span name)
{
	unsigned f = 0;

	while (f < FACT_COUNT && !span_equal(name, span_text(rows[f].name)))
		f++;
	return (enum fact)f;
}

const char *
fact_nearest(struct span name)
{
	/* A third of the letters may be wrong: more is another word. */
	size_t least = (name.len + 1) / 3 + 1;
	const char *found = NULL;

	for (size_t f = 0; f < FACT_COUNT; f++) {
		size_t d = text_distance(name, span_text(rows[f].name));

		if (d < least) {
			least = d;
			found = rows[f].name;
		}
	}
	return found;
}

const char *
fact_type_name(enum fact_type type)
{
	switch (type) {
	case TYPE_TRUTH:   return "truth";
	case TYPE_NUMBER:  return "number";
	case TYPE_SIZE:    return "size";
	case TYPE_TIME:    return "time";
	case TYPE_TEXT:    return "text";
	case TYPE_ENUM:    return "enumeration";
	case TYPE_NETWORK: return "address";
	case TYPE_MAILBOX: return "mailbox";
	case TYPE_DOMAIN:  return "domain";
	}
	return "?";
}

static const char *
known_from(const struct fact_row *row)
{
	if (row->per_recipient)
		return "envelope, each recipient";
	return row->stage == STAGE_CONTENT ? "content" : "envelope";
}

void
facts_manual(struct buf *b)
{
	buf_printf(b, "[[ *Fact*\n:[ *Type*\n:[ *Known from*\n:[ *What it is*\n");
	for (size_t f = 0; f < FACT_COUNT; f++)
		buf_printf(b, "|  _%s_\n:  %s\n:  %s\n:  %s\n", rows[f].name,
		    fact_type_name(rows[f].type), known_from(&rows[f]), rows[f].sentence);
	buf_byte(b, '\n');
}
