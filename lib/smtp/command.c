/*
 * command.c - see command.h; parameters are rows of a table.
 */
#include "lib/smtp/command.h"
#include "lib/base/text.h"
#include "lib/smtp/address.h"

#define ENVID_BYTES 100         /* RFC 3461 section 4.4 */
#define ORCPT_BYTES 500         /* RFC 3461 section 4.2 */

static const char bad_value[] = "501 5.5.4 Bad parameter value";

bool
command_word(struct span *rest, struct span *word)
{
	size_t i = 0;

	*rest = span_trim(*rest);
	while (i < rest->len && !is_blank(rest->ptr[i]))
		i++;
	*word = span_slice(*rest, 0, i);
	*rest = span_slice(*rest, i, rest->len);
	return i > 0;
}

static bool
read_size(struct path_command *c, struct span value)
{
	return text_number(value, UINT64_MAX, &c->size);
}

/* BINARYMIME is not offered: lines are what all our stages look at. */
static bool
read_body(struct path_command *c, struct span value)
{
	if (span_equal_nocase(value, SPAN_LIT("7BIT")))
		c->body = BODY_7BIT;
	else if (span_equal_nocase(value, SPAN_LIT("8BITMIME")))
		c->body = BODY_8BITMIME;
	return c->body != BODY_NONE;
}

static bool
read_smtputf8(struct path_command *c, struct span value)
{
	c->smtputf8 = value.ptr == NULL;
	return c->smtputf8;
}

static bool
read_ret(struct path_command *c, struct span value)
{
	if (span_equal_nocase(value, SPAN_LIT("FULL")))
		c->ret = RETURN_FULL;
	else if (span_equal_nocase(value, SPAN_LIT("HDRS")))
		c->ret = RETURN_HEADERS;
	return c->ret != RETURN_NONE;
}

/* Kept as given, so it is only looked at; +HH must stand for something printable. */
static bool
is_xtext(struct span s)
{
	struct arena arena = { 0 };
	struct span text;
	bool good = s.len > 0 && s.len <= ORCPT_BYTES && xtext_decode(s, &arena, &text);

	for (size_t i = 0; good && i < text.len; i++)
		good = text.ptr[i] >= ' ' && text.ptr[i] != 0x7f;
	arena_free(&arena);
	return good;
}

static bool
read_envid(struct path_command *c, struct span value)
{
	c->envid = value;
	return value.len <= ENVID_BYTES && is_xtext(value);
}

static bool
is_address_type(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_alpha(s.ptr[i]) && !is_digit(s.ptr[i]) && s.ptr[i] != '-')
			return false;
	return s.len > 0;
}

/* ORCPT=utf-8;... may hold raw UTF-8 where SMTPUTF8 was given (RFC 6533 section 3). */
static bool
read_orcpt(struct path_command *c, struct span value)
{
	size_t type = span_find(value, ';');

	c->orcpt = value;
	for (size_t i = 0; i < value.len; i++)
		c->utf8 |= value.ptr[i] >= 0x80;
	return type < value.len && value.len <= ORCPT_BYTES &&
	    is_address_type(span_slice(value, 0, type)) &&
	    is_xtext(span_slice(value, type + 1, value.len));
}

static bool
read_notify(struct path_command *c, struct span value)
{
	static const char *const words[] = { "SUCCESS", "FAILURE", "DELAY", "NEVER" };

	for (bool more = true; more;) {
		size_t end = span_find(value, ','), w = 0;

		more = end < value.len;
		while (w < COUNT_OF(words) &&
		    !span_equal_nocase(span_slice(value, 0, end), span_text(words[w])))
			w++;
		if (w == COUNT_OF(words) || c->notify & NOTIFY_NEVER ||
		    (c->notify != 0 && 1u << w == NOTIFY_NEVER))
			return false;
		c->notify |= 1u << w;
		value = span_slice(value, end + more, value.len);
	}
	return true;
}

enum path_verb { PATH_MAIL = 0, PATH_RCPT };

static const struct parameter {
	enum path_verb     verb;
	const char        *name;
	enum command_offer offer;
	bool             (*read)(struct path_command *, struct span value);
} parameters[] = {
	{ PATH_MAIL, "SIZE",     OFFER_SIZE,     read_size },
	{ PATH_MAIL, "BODY",     OFFER_BODY,     read_body },
	{ PATH_MAIL, "SMTPUTF8", OFFER_SMTPUTF8, read_smtputf8 },
	{ PATH_MAIL, "RET",      OFFER_DSN,      read_ret },
	{ PATH_MAIL, "ENVID",    OFFER_DSN,      read_envid },
	{ PATH_RCPT, "NOTIFY",   OFFER_DSN,      read_notify },
	{ PATH_RCPT, "ORCPT",    OFFER_DSN,      read_orcpt },
};

/* One word, "NAME" or "NAME=value"; *seen has a bit a row. */
static const char *
parameter_read(enum path_verb verb, unsigned offers, struct span word, unsigned *seen,
    struct path_command *c)
{
	size_t equals = span_find(word, '='), p = 0;
	struct span name = span_slice(word, 0, equals);
	struct span value = equals < word.len ?
	    span_slice(word, equals + 1, word.len) : SPAN_NONE;

	while (p < COUNT_OF(parameters) && (parameters[p].verb != verb ||
	    !span_equal_nocase(name, span_text(parameters[p].name))))
		p++;
	if (p == COUNT_OF(parameters) || !(offers & parameters[p].offer))
		return "555 5.5.4 Parameter not recognised";
	if (*seen & 1u << p)
		return "501 5.5.4 Parameter given twice";
	*seen |= 1u << p;
	return parameters[p].read(c, value) ? NULL : bad_value;
}

static const char *
command_path(enum path_verb verb, struct span rest, unsigned offers,
    struct path_command *c)
{
	const char *bad_address = verb == PATH_MAIL ?
	    "501 5.1.7 Bad sender address syntax" :
	    "501 5.1.3 Bad recipient address syntax";
	struct error err;
	struct span word;
	unsigned seen = 0;
	const char *refusal = NULL;
	size_t used;

	*c = (struct path_command){ 0 };
	if (path_parse(rest, verb == PATH_MAIL, &c->address, &c->utf8, &used, &err))
		return bad_address;
	rest = span_slice(rest, used, rest.len);
	if (rest.len > 0 && !is_blank(rest.ptr[0]))
		return bad_address;
	while (refusal == NULL && command_word(&rest, &word))
		refusal = parameter_read(verb, offers, word, &seen, c);
	return refusal;
}

/* Behind "FROM:" or "TO:", which may follow any number of blanks. */
static bool
command_after(struct span args, struct span start, struct span *rest)
{
	args = span_trim(args);
	if (!span_starts_nocase(args, start))
		return false;
	*rest = span_slice(args, start.len, args.len);
	return true;
}

const char *
command_mail(struct span args, unsigned offers, struct path_command *c)
{
	struct span rest;

	if (!command_after(args, SPAN_LIT("FROM:"), &rest))
		return "501 5.5.4 Syntax: MAIL FROM:<address>";
	return command_path(PATH_MAIL, rest, offers, c);
}

const char *
command_rcpt(struct span args, unsigned offers, struct path_command *c)
{
	struct span rest;

	if (!command_after(args, SPAN_LIT("TO:"), &rest))
		return "501 5.5.4 Syntax: RCPT TO:<address>";
	return command_path(PATH_RCPT, rest, offers, c);
}

enum chunk_syntax
command_bdat(struct span args, struct chunk *chunk)
{
	struct span word;

	*chunk = (struct chunk){ 0 };
	if (!command_word(&args, &word) || !text_number(word, UINT64_MAX, &chunk->size))
		return CHUNK_NO_SIZE;
	if (!command_word(&args, &word))
		return CHUNK_OK;
	chunk->last = span_equal_nocase(word, SPAN_LIT("LAST")) &&
	    span_trim(args).len == 0;
	return chunk->last ? CHUNK_OK : CHUNK_BAD_REST;
}
