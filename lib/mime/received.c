/*
 * received.c - one Received field.  See header.h.
 *
 * The field is taken apart into words and comments; a keyword begins a clause, and the
 * word after it is its value even if it looks like a keyword ("from by (...) by mx").
 * Comments are told by how they begin, never by their order, and nothing is searched
 * further inside: there a client can have its say, as in the name of its certificate.
 */
#include "lib/mime/comment.h"
#include "lib/mime/header.h"

enum clause { NO_CLAUSE = 0, FROM, BY, VIA, WITH, ID, FOR, CLAUSES };

struct reader {
	struct received *r;
	enum clause clause;
	unsigned    seen;               /* clauses, as bits                          */
	bool        want_value;         /* the next word is the clause's value       */
	bool        open;               /* no comment since: "Microsoft SMTP Server" */
	bool        helo_in_comment;    /* the word after "from" is the MTA's own    */
	struct span from;
};

/* Takes the word at the front of *s; empty at the end. */
static struct span
next_word(struct span *s)
{
	*s = span_trim(*s);
	size_t n = span_find(*s, ' ');
	struct span word = span_slice(*s, 0, n);

	*s = span_slice(*s, n, s->len);
	return word;
}

/* After the last @, or all of it. */
static struct span
without_ident(struct span s)
{
	for (size_t i = s.len; i > 0; i--)
		if (s.ptr[i - 1] == '@')
			return span_slice(s, i, s.len);
	return s;
}

/* A host name as an MTA found it: without the last dot, empty where it found none. */
static struct span
found_name(struct span s)
{
	if (s.len > 0 && s.ptr[s.len - 1] == '.')
		s.len--;
	return span_equal_nocase(s, SPAN_LIT("unknown")) ? SPAN_NONE : s;
}

/* "[192.0.2.1]", "[192.0.2.1]:25". */
static bool
parse_literal(struct span s, struct address *a)
{
	size_t end = span_find(s, ']');

	return s.len > 0 && s.ptr[0] == '[' && end < s.len &&
	    address_parse(span_slice(s, 1, end), a);
}

/* "name [192.0.2.1] ...", "[192.0.2.1] ...", "IDENT:x@name [192.0.2.1]" of Postfix,
   Sendmail, Exim; "192.0.2.1" and "ident@192.0.2.1", alone, of qmail and Exchange. */
static void
comment_address(struct received *r, struct span text)
{
	struct span rest = text, first = next_word(&rest), second = next_word(&rest);

	if (parse_literal(first, &r->address)) {
		r->has_address = true;
		return;
	}
	if (second.len == 0) {
		r->has_address = address_parse(without_ident(first), &r->address);
		return;
	}
	r->has_address = parse_literal(second, &r->address);
	if (r->has_address)
		r->name = found_name(without_ident(first));
}

/* Exim: "[192.0.2.1] helo=x", "helo=x", "port=25 helo=x". */
static bool
is_exim(struct span text)
{
	return text.len > 0 && (text.ptr[0] == '[' ||
	    span_starts_nocase(text, SPAN_LIT("helo=")) ||
	    span_starts_nocase(text, SPAN_LIT("port=")));
}

static void
comment_helo(struct reader *d, struct span text)
{
	struct span rest = text, word = next_word(&rest);

	if (span_equal_nocase(word, SPAN_LIT("HELO")) ||        /* qmail */
	    span_equal_nocase(word, SPAN_LIT("EHLO"))) {
		d->helo_in_comment = true;
		d->r->helo = span_trim(rest);
	}
	for (; word.len > 0 && is_exim(text); word = next_word(&rest)) {
		if (span_starts_nocase(word, SPAN_LIT("helo=")))
			d->r->helo = span_slice(word, 5, word.len);
		d->helo_in_comment |= span_starts_nocase(word, SPAN_LIT("helo=")) ||
		    span_starts_nocase(word, SPAN_LIT("port="));
	}
}

/* Postfix "Authenticated sender: x", Sendmail "authenticated bits=0", Courier
   "AUTH: LOGIN x, ...". */
static bool
comment_user(struct received *r, struct span text)
{
	const struct span sender = SPAN_LIT("Authenticated sender:");
	struct span rest = text;
	bool courier = span_equal_nocase(next_word(&rest), SPAN_LIT("AUTH:"));

	if (courier) {
		next_word(&rest);
		rest = next_word(&rest);
		r->user = span_slice(rest, 0, span_find(rest, ','));
	} else if (span_starts_nocase(text, sender))
		r->user = span_trim(span_slice(text, sender.len, text.len));
	else if (!span_starts_nocase(text, SPAN_LIT("authenticated bits=")))
		return false;
	r->authenticated = true;
	return true;
}

static void
take_comment(struct reader *d, struct span text)
{
	struct received *r = d->r;

	text = span_trim(text);
	d->want_value = d->open = false;
	if (comment_user(r, text))
		return;
	if (d->clause == FROM) {
		if (!r->has_address)
			comment_address(r, text);
		if (!d->helo_in_comment)
			comment_helo(d, text);
	} else if (d->clause == BY && r->by_comment.len == 0)
		r->by_comment = text;
}

static enum clause
keyword(struct span word)
{
	static const char *const words[CLAUSES] = {
		"", "from", "by", "via", "with", "id", "for",
	};

	for (enum clause c = FROM; c < CLAUSES; c++)
		if (span_equal_nocase(word, span_text(words[c])))
			return c;
	return NO_CLAUSE;
}

static void
take_value(struct reader *d, struct span word)
{
	struct span *const values[CLAUSES] = {
		[FROM] = &d->from, [BY] = &d->r->by, [WITH] = &d->r->with,
		[ID] = &d->r->id,
	};

	if (values[d->clause] != NULL)
		*values[d->clause] = word;
	d->want_value = false;
	d->open = true;
}

/* A clause that comes again says nothing: the first is the MTA's. */
static void
take_keyword(struct reader *d, enum clause c)
{
	bool again = (d->seen & 1u << c) != 0;

	d->clause = again ? NO_CLAUSE : c;
	d->want_value = true;
	d->seen |= 1u << c;
}

/* OpenSMTPD has "auth=yes user=x" after its id. */
static void
take_other(struct reader *d, struct span word)
{
	struct received *r = d->r;

	if (d->clause == WITH && d->open)
		r->with.len = (size_t)(word.ptr + word.len - r->with.ptr);
	if (d->clause != ID)
		return;
	if (span_equal_nocase(word, SPAN_LIT("auth=yes")))
		r->authenticated = true;
	if (r->authenticated && span_starts_nocase(word, SPAN_LIT("user=")))
		r->user = span_slice(word, 5, word.len);
}

static void
take_word(struct reader *d, struct span word)
{
	enum clause c = keyword(word);

	if (d->want_value)
		take_value(d, word);
	else if (c != NO_CLAUSE)
		take_keyword(d, c);
	else
		take_other(d, word);
}

static size_t
word_length(struct span s)
{
	size_t i = 0;

	while (i < s.len && s.ptr[i] > ' ' && s.ptr[i] != '(' && s.ptr[i] != ';')
		i += s.ptr[i] == '"' ? quoted_length(span_slice(s, i, s.len), '"') : 1;
	return i;
}

/* What the word after "from" is depends on the comments. */
static void
settle_from(struct reader *d)
{
	struct received *r = d->r;

	if (!d->helo_in_comment)
		r->helo = d->from;
	else if (d->from.len > 0 && d->from.ptr[0] == '[')
		r->has_address = r->has_address || parse_literal(d->from, &r->address);
	else if (r->name.len == 0)
		r->name = found_name(d->from);
}

/* RFC 3848, RFC 6531. */
static bool
with_says_authenticated(struct span with)
{
	static const char *const words[] = {
		"ESMTPA", "ESMTPSA", "LMTPA", "LMTPSA", "UTF8SMTPA", "UTF8SMTPSA",
		"UTF8LMTPA", "UTF8LMTPSA",
	};

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (span_equal_nocase(with, span_text(words[i])))
			return true;
	return false;
}

void
received_parse(struct span s, struct received *r)
{
	struct reader d = { .r = r };

	*r = (struct received){ 0 };
	for (size_t i = 0, n; i < s.len && s.ptr[i] != ';'; i += n) {
		struct span rest = span_slice(s, i, s.len);

		n = 1;
		if (s.ptr[i] == '(') {
			n = comment_length(rest);
			take_comment(&d, span_slice(rest, 1, n > 1 ? n - 1 : 1));
		} else if ((n = word_length(rest)) > 0)
			take_word(&d, span_slice(rest, 0, n));
		else
			n = 1;
	}
	settle_from(&d);
	r->authenticated |= with_says_authenticated(r->with);
}
