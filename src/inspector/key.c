/*
 * key.c - the content key of a message: what two mails have in common that a scanner for
 * viruses takes for the same.
 *
 * One SHA-256 over the structure (kind, depth and parent of each part), the headers of all
 * parts byte for byte, and what each leaf, preamble and epilogue decodes to, in this order,
 * each with its length.  Attached messages count with their whole headers.  Left out are:
 *
 *     fields of the top header that differ from copy to copy: left_out below, where they
 *         have no more than LEFT_OUT_BYTES (a longer one counts like any other)
 *     the text of boundaries, how their lines end, and blank lines around parts
 *     how the lines of base64 are divided, and the like: what decodes without a flaw to the
 *         same bytes under the same header is the same
 *
 * So a signature for what stands only there - a Message-ID, a Received, the raw text of an
 * encoding - may pass for clean while other signatures would still be asked anew.  Whatever
 * is read in more than one way, is damaged, encrypted or beyond a limit has no key: there
 * two mails could be the same to us and different to others.
 */
#include "src/inspector/dig_private.h"
#include <openssl/evp.h>

#define LEFT_OUT_BYTES 1000
#define BOUNDARY_BYTES 200              /* RFC 2046: 70; longer ones are not left out */

static const char *const left_out[] = {
	"Received", "Return-Path", "Delivered-To", "X-Original-To", "Envelope-To",
	"X-Envelope-To", "Message-ID", "Date", "To", "DKIM-Signature", "ARC-Seal",
	"ARC-Message-Signature", "ARC-Authentication-Results", "Authentication-Results",
	"Received-SPF", "X-Received",
};

static void
add(struct dig *d, const void *bytes, size_t len)
{
	if (len > 0 && EVP_DigestUpdate(d->key_sum, bytes, len) != 1)
		d->keyless = true;
}

static void
add_number(struct dig *d, uint64_t n)
{
	add(d, &n, sizeof n);
}

static void
add_bytes(struct dig *d, struct span s)
{
	add_number(d, s.len);
	add(d, s.ptr, s.len);
}

static bool
is_left_out(const struct header_field *f)
{
	for (size_t i = 0; f->len <= LEFT_OUT_BYTES && i < COUNT_OF(left_out); i++)
		if (span_equal_nocase(f->name, span_text(left_out[i])))
			return true;
	return false;
}

/* Where the boundary stands in the value, looked for from its end; the value's length: it
   does not stand there as it is read, or is none that is left out. */
static size_t
boundary_at(struct span value, struct span boundary)
{
	bool fits = boundary.len > 0 && boundary.len <= BOUNDARY_BYTES;

	for (size_t at = value.len; fits && at-- > 0; )
		if (value.len - at >= boundary.len &&
		    memcmp(value.ptr + at, boundary.ptr, boundary.len) == 0)
			return at;
	return value.len;
}

/* Two fields that are the same around their boundaries mean the same. */
static void
add_around_boundary(struct dig *d, struct span field)
{
	size_t colon = span_find(field, ':');
	struct span value = span_slice(field, colon, field.len);
	struct parameter_list list;
	struct arena scratch = { 0 };

	parameter_parse(span_slice(value, 1, value.len), PARAMETER_RFC, &list, &scratch);
	struct span boundary = parameter_first(&list, SPAN_LIT("boundary"),
	    d->tools->charsets, &scratch);
	size_t at = boundary_at(value, boundary);
	size_t end = at < value.len ? at + boundary.len : at;

	add_number(d, at < value.len);
	add_bytes(d, span_slice(field, 0, colon + at));
	add_bytes(d, span_slice(value, end, value.len));
	arena_free(&scratch);
}

static void
add_header(struct dig *d, const struct mime *m, const struct mime_part *p)
{
	const struct header *h = &p->header;
	bool top = p == m->parts;

	add_number(d, h->ended);
	for (size_t i = 0; i < h->count; i++) {
		const struct header_field *f = &h->fields[i];
		struct span all = span_slice(m->bytes, (size_t)f->at, (size_t)(f->at + f->len));

		if (top && is_left_out(f))
			continue;
		if (p->kind == MIME_MULTIPART &&
		    span_equal_nocase(f->name, SPAN_LIT("Content-Type")))
			add_around_boundary(d, all);
		else
			add_bytes(d, all);
	}
	add_number(d, UINT64_MAX);      /* no field is as long */
}

void
key_begin(struct dig *d, const struct mime *m)
{
	if (d->job->key == NULL || !wished(d, WISH_KEY) || !wished(d, WISH_PARTS))
		return;
	d->key_sum = EVP_MD_CTX_new();
	d->keyless = d->key_sum == NULL ||
	    EVP_DigestInit_ex(d->key_sum, EVP_sha256(), NULL) != 1;
	for (uint32_t i = 0; !d->keyless && i < m->count; i++) {
		const struct mime_part *p = &m->parts[i];

		add_number(d, p->kind);
		add_number(d, p->depth);
		add_number(d, p->parent);
		add_header(d, m, p);
		d->key_due += part_has_content(p);
	}
}

void
key_part(struct dig *d, uint32_t part, struct span decoded, unsigned flaws)
{
	if (d->key_sum == NULL || d->keyless)
		return;
	d->key_due--;
	d->keyless |= flaws != 0;
	add_number(d, part);
	add_bytes(d, decoded);
}

void
key_end(struct dig *d)
{
	bool plain = d->ambiguities == 0 && !d->broken && !d->limit && !d->encrypted &&
	    !d->unseen;

	if (d->key_sum == NULL)
		return;
	d->job->key->known = plain && !d->keyless && d->key_due == 0 &&
	    EVP_DigestFinal_ex(d->key_sum, d->job->key->bytes, NULL) == 1;
	EVP_MD_CTX_free(d->key_sum);
	d->key_sum = NULL;
}
