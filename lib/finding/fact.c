/*
 * fact.c - the registry: one row a fact, and what is made from the rows.
 */
#include "lib/finding/fact.h"
#include "lib/base/buf.h"
#include "lib/base/text.h"
#include <assert.h>

#define EACH_RECIPIENT  .per_recipient = true

static const char *const classes[] = {
	[ATTACHMENT_CLASS_UNKNOWN] = "unknown",
	[ATTACHMENT_CLASS_EXECUTABLE] = "executable",
	[ATTACHMENT_CLASS_SCRIPT] = "script",
	[ATTACHMENT_CLASS_ARCHIVE] = "archive",
	[ATTACHMENT_CLASS_DOCUMENT] = "document",
	[ATTACHMENT_CLASS_IMAGE] = "image",
	[ATTACHMENT_CLASS_AUDIO] = "audio",
	[ATTACHMENT_CLASS_VIDEO] = "video",
	[ATTACHMENT_CLASS_TEXT] = "text",
	[ATTACHMENT_CLASS_MAIL] = "mail",
	[ATTACHMENT_CLASS_CERTIFICATE] = "certificate",
	[ATTACHMENT_CLASS_DATA] = "data",
	NULL,
};
static const char *const kinds[] = {
	[SIGNATURE_KIND_TEST] = "test", [SIGNATURE_KIND_SPAM_TEST] = "spam-test",
	[SIGNATURE_KIND_LIST] = "list", NULL,
};
static const char *const scanner_types[SCANNER_TYPES + 1] = {
	[SCANNER_TYPE_CLAMD] = "clamd", [SCANNER_TYPE_SPAMD] = "spamd",
	[SCANNER_TYPE_RSPAMD] = "rspamd", [SCANNER_TYPE_ICAP] = "icap",
	[SCANNER_TYPE_COMMAND] = "command", NULL,
};
static const char *const scanner_results[] = {
	[SCANNER_RESULT_FAILED] = "failed", [SCANNER_RESULT_CLEAN] = "clean",
	[SCANNER_RESULT_INFECTED] = "infected", [SCANNER_RESULT_SCORED] = "scored",
	[SCANNER_RESULT_UNSCANNABLE] = "unscannable", NULL,
};

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
    [FACT_MIME_AMBIGUOUS] = {"mime.ambiguous", TYPE_TRUTH, STAGE_CONTENT,
	.sentence =
	    "Can mail clients read the message in ways that give different "
	    "parts?"},
    [FACT_MIME_READING] = {"mime.reading", TYPE_TEXT, STAGE_CONTENT,
	.sentence =
	    "Which reading gave other parts than the first one: last or "
	    "lenient; absent where the message is not ambiguous."},
    [FACT_MIME_FLAW_COUNT] = {"mime.flaw-count", TYPE_NUMBER, STAGE_CONTENT,
	.sentence = "How many flaws the structure of the message has."},
    [FACT_MIME_PARTS] = {"mime.parts", TYPE_NUMBER, STAGE_CONTENT,
	.sentence =
	    "How many parts the message has, those inside attached messages "
	    "among them."},
    [FACT_MIME_DEPTH] = {"mime.depth", TYPE_NUMBER, STAGE_CONTENT,
	.sentence =
	    "How deep its parts stand inside one another; 1 is a message "
	    "without parts."},
    [FACT_MIME_BROKEN] = {"mime.broken", TYPE_TRUTH, STAGE_CONTENT,
	.sentence =
	    "Is the structure damaged or over a limit, so that there may be "
	    "parts that nobody has seen?"},
    [FACT_BAD_HEADER] = {"bad-header", TYPE_TEXT, STAGE_CONTENT,
	.sentence =
	    "What is wrong with the header section, in the words of "
	    "amavisd-new; absent where nothing is."},
    [FACT_BAD_HEADER_FIELD] = {"bad-header.field", TYPE_TEXT, STAGE_CONTENT,
	.sentence = "Name of the first header field that is wrong."},
    [FACT_BAD_HEADER_OFFSET] = {"bad-header.offset", TYPE_NUMBER, STAGE_CONTENT,
	.sentence =
	    "Where in the header section it is wrong, in bytes from its "
	    "beginning."},
    [FACT_ARCHIVE_LIMIT] = {"archive.limit", TYPE_TRUTH, STAGE_CONTENT,
	.sentence =
	    "Has unpacking met a limit (depth, members, bytes, ratio, time), so "
	    "that something was not unpacked?"},
    [FACT_ARCHIVE_ENCRYPTED] = {"archive.encrypted", TYPE_TRUTH, STAGE_CONTENT,
	.sentence = "Is there an archive with encrypted members?"},
    [FACT_TEXT_HIDDEN] = {"text.hidden", TYPE_TRUTH, STAGE_CONTENT,
	.sentence = "Does an HTML part have text that its reader cannot see?"},
    [FACT_TEXT_SIZE] = {"text.size", TYPE_SIZE, STAGE_CONTENT,
	.sentence = "Bytes of visible text, as UTF-8."},
    [FACT_PATTERN] = {"pattern.NAME", TYPE_TRUTH, STAGE_CONTENT,
	.sentence =
	    "Does the pattern of that name match?  One fact for each `pattern' "
	    "statement."},
    [FACT_VIRUS_FOUND] = {"virus.found", TYPE_TRUTH, STAGE_SCANNER,
	.sentence =
	    "Has a virus scanner (clamd, icap, command) found something?  Unknown where "
	    "none has and one failed or could not look."},
    [FACT_VIRUS_NAME] = {"virus.name", TYPE_WORDS, STAGE_SCANNER,
	.sentence = "All names of what they have found; absent where they found nothing."},
    [FACT_VIRUS_UNSCANNABLE] = {"virus.unscannable", TYPE_TRUTH, STAGE_SCANNER,
	.sentence =
	    "Is there a virus scanner that cannot look at this message (too large, its "
	    "own limits)?  A rule that accepts by this fact has judged it; else the "
	    "scanner's on-failure decides."},
    [FACT_SPAM_SCORE] = {"spam.score", TYPE_SCORE, STAGE_SCANNER,
	.sentence =
	    "Sum of the scores of the spam scanners (spamd, rspamd), each times its "
	    "weight, and of what the rules before have added; begins with 0 where there "
	    "is none, and one that the mail is too large for adds nothing."},
    [FACT_ATTACHMENT_NAME] = {"attachment.name", TYPE_TEXT, STAGE_CONTENT,
	.sentence = "File name, decoded; absent where it has none."},
    [FACT_ATTACHMENT_EXTENSION] = {"attachment.extension", TYPE_TEXT, STAGE_CONTENT,
	.sentence = "Last extension of that name, without its dot."},
    [FACT_ATTACHMENT_EXTENSIONS] = {"attachment.extensions", TYPE_WORDS, STAGE_CONTENT,
	.sentence = "All extensions of that name: a.pdf.exe has pdf and exe."},
    [FACT_ATTACHMENT_TYPE] = {"attachment.type", TYPE_TEXT, STAGE_CONTENT,
	.sentence =
	    "Short name of the type that its content has: exe, pdf, zip; absent "
	    "where nobody knows."},
    [FACT_ATTACHMENT_CLASS] = {"attachment.class", TYPE_ENUM, STAGE_CONTENT, .words = classes,
	.sentence = "What sort of thing that type is."},
    [FACT_ATTACHMENT_MEDIA_TYPE] = {"attachment.media-type", TYPE_TEXT, STAGE_CONTENT,
	.sentence = "Declared media type, such as application/pdf."},
    [FACT_ATTACHMENT_SIZE] = {"attachment.size", TYPE_SIZE, STAGE_CONTENT,
	.sentence = "Bytes of its decoded content."},
    [FACT_ATTACHMENT_DEPTH] = {"attachment.depth", TYPE_NUMBER, STAGE_CONTENT,
	.sentence = "How many archives and attached messages it stands in."},
    [FACT_ATTACHMENT_ARCHIVE] = {"attachment.archive", TYPE_TEXT, STAGE_CONTENT,
	.sentence =
	    "Names of the archives it stands in, the outermost first, with "
	    "slashes between; absent where it stands in none."},
    [FACT_ATTACHMENT_SHA256] = {"attachment.sha256", TYPE_TEXT, STAGE_CONTENT,
	.sentence = "SHA-256 of its decoded content, 64 hexadecimal digits."},
    [FACT_ATTACHMENT_ENCRYPTED] = {"attachment.encrypted", TYPE_TRUTH, STAGE_CONTENT,
	.sentence = "Is its content, or that of its members, encrypted?"},
    [FACT_ATTACHMENT_INLINE] = {"attachment.inline", TYPE_TRUTH, STAGE_CONTENT,
	.sentence =
	    "Is it shown within the message (no Content-Disposition: "
	    "attachment)?"},
    [FACT_ATTACHMENT_DOUBLE_EXTENSION] = {"attachment.double-extension", TYPE_TRUTH, STAGE_CONTENT,
	.sentence =
	    "Does an extension of a document stand before one that is run, as "
	    "in a.pdf.exe?"},
    [FACT_ATTACHMENT_RIGHT_TO_LEFT] = {"attachment.right-to-left", TYPE_TRUTH, STAGE_CONTENT,
	.sentence =
	    "Has the name marks that turn the direction of writing, so that it "
	    "reads otherwise than it is?"},
    [FACT_ATTACHMENT_DISAGREES] = {"attachment.disagrees", TYPE_TRUTH, STAGE_CONTENT,
	.sentence =
	    "Do the declared type or the name say something else than the "
	    "content?"},
    [FACT_ATTACHMENT_BROKEN] = {"attachment.broken", TYPE_TRUTH, STAGE_CONTENT,
	.sentence = "Is its encoding or its archive damaged?"},
    [FACT_ATTACHMENT_UNSCANNABLE] = {"attachment.unscannable", TYPE_TRUTH, STAGE_CONTENT,
	.sentence =
	    "Could some of its content not be looked at (limits, encryption, "
	    "damage)?"},
    [FACT_HEADER_FIELD_NAME] = {"header.name", TYPE_TEXT, STAGE_CONTENT,
	.sentence = "Name of the field, without its colon."},
    [FACT_HEADER_FIELD_VALUE] = {"header.value", TYPE_TEXT, STAGE_CONTENT,
	.sentence = "Its text, unfolded, with encoded words decoded."},
    [FACT_RECEIVED_HELO] = {"received.helo", TYPE_DOMAIN, STAGE_CONTENT,
	.sentence = "What the client called itself."},
    [FACT_RECEIVED_NAME] = {"received.name", TYPE_DOMAIN, STAGE_CONTENT,
	.sentence = "Host name of the client as the receiving host looked it up."},
    [FACT_RECEIVED_ADDRESS] = {"received.address", TYPE_NETWORK, STAGE_CONTENT,
	.sentence = "IP address of the client."},
    [FACT_RECEIVED_BY] = {"received.by", TYPE_DOMAIN, STAGE_CONTENT,
	.sentence = "The host that wrote the field."},
    [FACT_RECEIVED_WITH] = {"received.with", TYPE_TEXT, STAGE_CONTENT,
	.sentence = "The protocol, such as ESMTPS."},
    [FACT_RECEIVED_ID] = {"received.id", TYPE_TEXT, STAGE_CONTENT,
	.sentence = "The id that the host gave the mail."},
    [FACT_LINK_URL] = {"link.url", TYPE_TEXT, STAGE_CONTENT,
	.sentence = "The link as it is written."},
    [FACT_LINK_SCHEME] = {"link.scheme", TYPE_TEXT, STAGE_CONTENT,
	.sentence = "What stands before its colon, such as https."},
    [FACT_LINK_HOST] = {"link.host", TYPE_DOMAIN, STAGE_CONTENT,
	.sentence = "Its host name; an internationalized one in its ASCII form."},
    [FACT_LINK_DOMAIN] = {"link.domain", TYPE_DOMAIN, STAGE_CONTENT,
	.sentence = "The domain of that host that somebody has registered."},
    [FACT_LINK_TEXT] = {"link.text", TYPE_TEXT, STAGE_CONTENT,
	.sentence = "The text that people see in its place."},
    [FACT_LINK_DIFFERS] = {"link.differs", TYPE_TRUTH, STAGE_CONTENT,
	.sentence = "Does that text show another host than the link has?"},
    [FACT_LINK_PUNYCODE] = {"link.punycode", TYPE_TRUTH, STAGE_CONTENT,
	.sentence = "Is a label of the host in punycode (xn--)?"},
    [FACT_LINK_MIXED_SCRIPT] = {"link.mixed-script", TYPE_TRUTH, STAGE_CONTENT,
	.sentence = "Has a label of the host letters of several scripts?"},
    [FACT_LINK_IP_HOST] = {"link.ip-host", TYPE_TRUTH, STAGE_CONTENT,
	.sentence = "Is the host an IP address, in whatever way it is written?"},
    [FACT_LINK_IN_IMAGE] = {"link.in-image", TYPE_TRUTH, STAGE_CONTENT,
	.sentence = "Was the link read from an image, such as a QR code?"},
    [FACT_LINK_CREDENTIAL_FORM] = {"link.credential-form", TYPE_TRUTH, STAGE_CONTENT,
	.sentence = "Is it where a form with a password field is sent?"},
    [FACT_LINK_TRACKING] = {"link.tracking", TYPE_TRUTH, STAGE_CONTENT,
	.sentence = "Is it an image that is too small to be seen?"},
    [FACT_SIGNATURE_NAME] = {"signature.name", TYPE_TEXT, STAGE_CONTENT,
	.sentence = "EICAR, GTUBE, or the name of the list that has the content."},
    [FACT_SIGNATURE_KIND] = {"signature.kind", TYPE_ENUM, STAGE_CONTENT, .words = kinds,
	.sentence = "What sort of signature it is."},
    [FACT_SIGNATURE_PART] = {"signature.part", TYPE_TEXT, STAGE_CONTENT,
	.sentence = "Name of the attachment that has it; absent where that has none."},
    [FACT_SCANNER_NAME] = {"scanner.name", TYPE_TEXT, STAGE_SCANNER,
	.sentence = "Its name in the configuration."},
    [FACT_SCANNER_KIND] = {"scanner.kind", TYPE_ENUM, STAGE_SCANNER,
	.words = scanner_types, .sentence = "What kind of scanner it is."},
    [FACT_SCANNER_RESULT] = {"scanner.result", TYPE_ENUM, STAGE_SCANNER,
	.words = scanner_results,
	.sentence = "What came of it; failed is no answer that counts."},
    [FACT_SCANNER_ANSWER] = {"scanner.answer", TYPE_TEXT, STAGE_SCANNER,
	.sentence = "Its answer in one line, or why there is none."},
    [FACT_SCANNER_TIME] = {"scanner.time", TYPE_TIME, STAGE_SCANNER,
	.sentence = "How long it took, with the wait for a slot."},
    [FACT_SCANNER_VERSION] = {"scanner.version", TYPE_TEXT, STAGE_SCANNER,
	.sentence = "Version of its engine and signatures, where it tells."},
    [FACT_SCANNER_CACHED] = {"scanner.cached", TYPE_TRUTH, STAGE_SCANNER,
	.sentence = "Was the answer remembered from the same content?"},
    [FACT_SYMBOL_NAME] = {"symbol.name", TYPE_TEXT, STAGE_SCANNER,
	.sentence = "Name of the test that hit."},
    [FACT_SYMBOL_SCORE] = {"symbol.score", TYPE_SCORE, STAGE_SCANNER,
	.sentence = "What it adds to the scanner's score; absent where that is not told."},
    [FACT_SYMBOL_SCANNER] = {"symbol.scanner", TYPE_TEXT, STAGE_SCANNER,
	.sentence = "Name of the scanner that tells of it."},
    [FACT_SYMBOL_TEXT] = {"symbol.text", TYPE_TEXT, STAGE_SCANNER,
	.sentence = "What the scanner says about it, such as the domain that was listed."},
};

static const struct group_row groups[GROUP_COUNT] = {
    [GROUP_NONE] = {"", 0, FACT_MESSAGE_COUNT, 0, ""},
    [GROUP_ATTACHMENT] = {"attachment", FACT_ATTACHMENT_NAME, FACT_HEADER_FIELD_NAME, 1000,
	"Every part of the message that is not its text, and every member of an archive."},
    [GROUP_HEADER] = {"header", FACT_HEADER_FIELD_NAME, FACT_RECEIVED_HELO, 500,
	"Every field of the message's own header section."},
    [GROUP_RECEIVED] = {"received", FACT_RECEIVED_HELO, FACT_LINK_URL, 120,
	"Every Received field, the topmost first."},
    [GROUP_LINK] = {"link", FACT_LINK_URL, FACT_SIGNATURE_NAME, 1000,
	"Every link of the text and HTML parts, once each."},
    [GROUP_SIGNATURE] = {"signature", FACT_SIGNATURE_NAME, FACT_SCANNER_NAME, 100,
	"Every built-in signature that some content has."},
    [GROUP_SCANNER] = {"scanner", FACT_SCANNER_NAME, FACT_SYMBOL_NAME, 64,
	"Every scanner that was asked."},
    [GROUP_SYMBOL] = {"symbol", FACT_SYMBOL_NAME, FACT_COUNT, 1000,
	"Every test of a spam scanner that hit."},
};

const struct group_row *
group_row(enum fact_group g)
{
	assert((unsigned)g < GROUP_COUNT);
	return &groups[g];
}

enum fact_group
group_find(struct span name)
{
	unsigned g = GROUP_NONE + 1;

	while (g < GROUP_COUNT && !span_equal(name, span_text(groups[g].name)))
		g++;
	return (enum fact_group)g;
}

enum fact_group
fact_group(enum fact f)
{
	unsigned g = GROUP_NONE;

	assert((unsigned)f < FACT_COUNT);
	while (f >= groups[g].end)
		g++;
	return (enum fact_group)g;
}

enum fact
fact_find_in(enum fact_group g, struct span name)
{
	size_t prefix = strlen(group_row(g)->name) + 1;

	for (unsigned f = groups[g].first; f < groups[g].end; f++)
		if (g == GROUP_NONE ? span_equal(name, span_text(rows[f].name)) :
		    span_equal(name, span_text(rows[f].name + prefix)))
			return (enum fact)f;
	return FACT_COUNT;
}

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
	case TYPE_WORDS:   return "words";
	case TYPE_SCORE:   return "score";
	}
	return "?";
}

const char *
scanner_type_name(enum scanner_type type)
{
	assert((unsigned)type < SCANNER_TYPES);
	return scanner_types[type];
}

/* --- sets --- */

void
fact_set_join(struct fact_set *s, const struct fact_set *with)
{
	for (size_t i = 0; i < COUNT_OF(s->bits); i++)
		s->bits[i] |= with->bits[i];
}

void
fact_set_take(struct fact_set *s, const struct fact_set *away)
{
	for (size_t i = 0; i < COUNT_OF(s->bits); i++)
		s->bits[i] &= ~away->bits[i];
}

bool
fact_set_meets(const struct fact_set *a, const struct fact_set *b)
{
	for (size_t i = 0; i < COUNT_OF(a->bits); i++)
		if ((a->bits[i] & b->bits[i]) != 0)
			return true;
	return false;
}

bool
fact_set_is_empty(const struct fact_set *s)
{
	return !fact_set_meets(s, s);
}

struct fact_set
fact_stage_set(enum fact_stage stage)
{
	struct fact_set s = { 0 };

	for (unsigned f = 0; f < FACT_COUNT; f++)
		if (rows[f].stage == stage)
			fact_set_add(&s, (enum fact)f);
	return s;
}

bool
scanner_type_scores(enum scanner_type type)
{
	return type == SCANNER_TYPE_SPAMD || type == SCANNER_TYPE_RSPAMD;
}

static void
add_group(struct fact_set *s, enum fact_group g)
{
	for (unsigned f = groups[g].first; f < groups[g].end; f++)
		fact_set_add(s, (enum fact)f);
}

struct fact_set
scanner_type_gives(enum scanner_type type)
{
	struct fact_set s = { 0 };

	add_group(&s, GROUP_SCANNER);
	if (scanner_type_scores(type)) {
		fact_set_add(&s, FACT_SPAM_SCORE);
		add_group(&s, GROUP_SYMBOL);
	} else {
		fact_set_add(&s, FACT_VIRUS_FOUND);
		fact_set_add(&s, FACT_VIRUS_NAME);
		fact_set_add(&s, FACT_VIRUS_UNSCANNABLE);
	}
	return s;
}

/* --- the manual --- */

static const char *
known_from(const struct fact_row *row)
{
	if (row->per_recipient)
		return "envelope, each recipient";
	switch (row->stage) {
	case STAGE_ENVELOPE: return "envelope";
	case STAGE_CONTENT:  return "content";
	case STAGE_SCANNER:  return "scanners";
	}
	return "";
}

static void
table(struct buf *b, enum fact_group g)
{
	buf_printf(b, "[[ *Fact*\n:[ *Type*\n:[ *Known from*\n:[ *What it is*\n");
	for (size_t f = groups[g].first; f < groups[g].end; f++)
		buf_printf(b, "|  _%s_\n:  %s\n:  %s\n:  %s\n", rows[f].name,
		    fact_type_name(rows[f].type), known_from(&rows[f]), rows[f].sentence);
	buf_byte(b, '\n');
}

void
facts_manual(struct buf *b)
{
	table(b, GROUP_NONE);
	for (unsigned g = GROUP_NONE + 1; g < GROUP_COUNT; g++) {
		buf_printf(b, "*%s*: a group of at most %zu items.  %s\n\n", groups[g].name,
		    groups[g].limit, groups[g].sentence);
		table(b, (enum fact_group)g);
	}
}

/* What is known of parts needs the message's structure, links need the text. */
#define NEED_PARTS (WISH_STRUCTURE | WISH_PARTS)
#define NEED_TEXT  (NEED_PARTS | WISH_TEXT)

static const unsigned group_wishes[GROUP_COUNT] = {
    [GROUP_NONE] = NEED_PARTS, [GROUP_ATTACHMENT] = NEED_PARTS, [GROUP_HEADER] = WISH_HEADER,
    [GROUP_LINK] = NEED_TEXT | WISH_LINKS, [GROUP_SIGNATURE] = NEED_PARTS | WISH_SIGNATURES,
};

unsigned
fact_wishes(enum fact fact)
{
	static const struct { enum fact fact; unsigned wishes; } special[] = {
		{ FACT_HEADER_SUBJECT, 0 }, { FACT_HEADER_FROM, 0 },
		{ FACT_HEADER_MESSAGE_ID, 0 }, { FACT_RECEIVED_COUNT, 0 },
		{ FACT_BAD_HEADER, WISH_STRUCTURE }, { FACT_BAD_HEADER_FIELD, WISH_STRUCTURE },
		{ FACT_BAD_HEADER_OFFSET, WISH_STRUCTURE },
		{ FACT_TEXT_HIDDEN, NEED_TEXT }, { FACT_TEXT_SIZE, NEED_TEXT },
		{ FACT_PATTERN, NEED_TEXT | WISH_PATTERNS },
		{ FACT_ATTACHMENT_TYPE, NEED_PARTS | WISH_TYPES },
		{ FACT_ATTACHMENT_CLASS, NEED_PARTS | WISH_TYPES },
		{ FACT_ATTACHMENT_DISAGREES, NEED_PARTS | WISH_TYPES },
		{ FACT_ATTACHMENT_SHA256, NEED_PARTS | WISH_DIGESTS },
	};

	for (size_t i = 0; i < COUNT_OF(special); i++)
		if (special[i].fact == fact)
			return special[i].wishes;
	return fact_row(fact)->stage == STAGE_CONTENT ? group_wishes[fact_group(fact)] : 0;
}
