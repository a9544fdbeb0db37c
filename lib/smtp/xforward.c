/*
 * xforward.c - see xforward.h; attributes are rows of a table.
 */
#include "lib/smtp/xforward.h"
#include "lib/base/address.h"
#include "lib/base/text.h"
#include "lib/smtp/address.h"
#include "lib/smtp/command.h"

#define PROTO_BYTES 64

/* Printable, and nothing that has a meaning in a header (Postfix has neutered it). */
static bool
is_word(struct span *v)
{
	for (size_t i = 0; i < v->len; i++)
		if (v->ptr[i] <= ' ' || v->ptr[i] >= 0x7f ||
		    strchr("<>()\\\";@", v->ptr[i]) != NULL)
			return false;
	return v->len > 0;
}

/* The prefix IPV6: is dropped; brackets are not part of the format. */
static bool
is_address(struct span *v)
{
	struct span start = SPAN_LIT("IPV6:");
	struct address a;

	if (span_starts_nocase(*v, start)) {
		*v = span_slice(*v, start.len, v->len);
		if (span_find(*v, ':') == v->len || span_starts_nocase(*v, start))
			return false;
	}
	return v->len > 0 && v->ptr[0] != '[' && address_parse(*v, &a);
}

static bool
is_port(struct span *v)
{
	uint64_t port;

	return text_number(*v, 65535, &port);
}

static bool
is_proto(struct span *v)
{
	return v->len <= PROTO_BYTES && is_word(v);
}

static bool
is_source(struct span *v)
{
	return span_equal_nocase(*v, SPAN_LIT("LOCAL")) ||
	    span_equal_nocase(*v, SPAN_LIT("REMOTE"));
}

static const struct attribute {
	const char *name;
	size_t      member;
	bool      (*is)(struct span *value);    /* may shorten it */
} attributes[] = {
	{ "NAME",   offsetof(struct xforward, name),   is_word },
	{ "ADDR",   offsetof(struct xforward, addr),   is_address },
	{ "PORT",   offsetof(struct xforward, port),   is_port },
	{ "PROTO",  offsetof(struct xforward, proto),  is_proto },
	{ "HELO",   offsetof(struct xforward, helo),   is_word },
	{ "IDENT",  offsetof(struct xforward, ident),  is_word },
	{ "SOURCE", offsetof(struct xforward, source), is_source },
};

static struct span *
attribute_value(struct xforward *x, const struct attribute *a)
{
	return (struct span *)(void *)((char *)x + a->member);
}

static bool
attribute_read(struct xforward *x, struct span word, struct arena *arena)
{
	const struct attribute *a = attributes, *end = a + COUNT_OF(attributes);
	size_t equals = span_find(word, '=');
	struct span name = span_slice(word, 0, equals), value;

	while (a < end && !span_equal_nocase(name, span_text(a->name)))
		a++;
	if (a == end || equals == word.len)
		return false;
	if (!xtext_decode(span_slice(word, equals + 1, word.len), arena, &value) ||
	    value.len > XFORWARD_BYTES)
		return false;
	if (span_equal_nocase(value, SPAN_LIT("[UNAVAILABLE]")))
		value = SPAN_NONE;
	else if (!a->is(&value))
		return false;
	*attribute_value(x, a) = value;
	return true;
}

const char *
xforward_parse(struct span args, struct xforward *x, struct arena *arena)
{
	struct xforward y = *x;
	struct span word;
	bool any = false;

	while (command_word(&args, &word)) {
		if (!attribute_read(&y, word, arena))
			return "501 5.5.4 Bad XFORWARD attribute";
		any = true;
	}
	if (!any)
		return "501 5.5.4 Syntax: XFORWARD attribute=value ...";
	*x = y;
	x->given = true;
	return NULL;
}

void
xforward_copy(struct xforward *x, struct arena *arena)
{
	for (size_t i = 0; i < COUNT_OF(attributes); i++) {
		struct span *value = attribute_value(x, &attributes[i]);

		*value = value->len > 0 ? arena_span(arena, *value) : SPAN_NONE;
	}
}
