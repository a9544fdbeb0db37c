/*
 * icap.c - a virus scanner behind ICAP (RFC 3507): RESPMOD with the message as the body
 * of an invented HTTP response, in one chunk and without preview.
 *
 *     HEAD -> [BLOCKS] -> [BODY] -> done
 *
 * 204 is clean, and only 204: we say "Allow: 204" (section 4.6).  With 200 the service
 * hands out something else than it was given, and its own fields say why; where none
 * does, the virus is called ICAP.Modified: a service that changed the message for a
 * reason we cannot read has not found it clean, and what it made of it is not what would be
 * delivered.  Its version of the message is read and dropped, up to SCAN_REPLY_BYTES.
 *
 * X-Infection-Found with Type=2 is a container it could not open ("too deep"):
 * UNSCANNABLE.  Once a virus is named, half an answer is as good as all of it.
 */
#include "lib/http/chunk.h"
#include "lib/http/request.h"
#include "lib/scanner/dialect.h"
#include "lib/base/text.h"

#define DEFAULT_SERVICE "/avscan"
#define BLOCKS          2u              /* heads in an answer: request's and response's */

enum icap_part { ICAP_HEAD = 0, ICAP_BLOCKS, ICAP_BODY };

struct icap {
	enum icap_part     part;
	struct http_head   head, inner;
	struct http_status status;
	struct http_chunks chunks;
	uint64_t           ends[BLOCKS];        /* of the blocks, from the first on */
	size_t             blocks, block;       /* block: the one being read */
	uint64_t           at;                  /* of the blocks, read so far */
	bool               has_body;
	uint64_t           body_bytes;
	struct span        container;           /* Type=2, see above; in the arena */
};

/* Asking. */

static void
prepare(struct scan_client *c)
{
	struct icap *d = c->own;
	struct icap old = *d;

	http_head_clear(&old.head);
	http_head_clear(&old.inner);
	http_chunks_clear(&old.chunks);
	old.head.folds = old.inner.folds = true;
	*d = (struct icap){ .head = old.head, .inner = old.inner, .chunks = old.chunks };
}

static void
put_start(const struct scan_client *c, struct buf *b, const char *method)
{
	struct span path = c->options->path;
	struct buf url = { 0 };

	buf_add(&url, SPAN_LIT("icap://"));
	buf_add(&url, c->options->host);
	if (path.len == 0)
		path = SPAN_LIT(DEFAULT_SERVICE);
	if (path.ptr[0] != '/')
		buf_byte(&url, '/');
	buf_add(&url, path);
	http_put_start(b, method, buf_span(&url), "ICAP/1.0");
	http_put_field(b, "Host", c->options->host);
	http_put_field(b, "Allow", SPAN_LIT("204"));
	buf_free(&url);
}

/* The response that never was: heads of the request it answers, and of itself. */
static size_t
put_inner(struct buf *b, uint64_t size)
{
	http_put_start(b, "GET", SPAN_LIT("http://mail.invalid/message"), "HTTP/1.1");
	http_put_field(b, "Host", SPAN_LIT("mail.invalid"));
	http_put_end(b);
	size_t request = buf_len(b);

	buf_add(b, SPAN_LIT("HTTP/1.1 200 OK\r\n"));
	http_put_field(b, "Content-Type", SPAN_LIT("message/rfc822"));
	http_put_number(b, "Content-Length", size);
	http_put_end(b);
	return request;
}

static void
put_chunk_size(struct scan_client *c, uint64_t size)
{
	struct buf b = { 0 };

	buf_printf(&b, "%llx\r\n", (unsigned long long)size);
	scan_put(c, buf_span(&b));
	buf_free(&b);
}

static void
icap_begin(struct scan_client *c)
{
	uint64_t size = c->request.prefix.len + c->request.size;
	struct buf head = { 0 }, inner = { 0 };
	size_t request = put_inner(&inner, size);

	prepare(c);
	put_start(c, &head, "RESPMOD");
	buf_printf(&head, "Encapsulated: req-hdr=0, res-hdr=%zu, res-body=%zu\r\n\r\n",
	    request, buf_len(&inner));
	scan_put(c, buf_span(&head));
	scan_put(c, buf_span(&inner));
	buf_free(&head);
	buf_free(&inner);
	/* A chunk of no bytes would be the end. */
	if (size > 0) {
		put_chunk_size(c, size);
		scan_put(c, c->request.prefix);
		scan_put_body(c, 0, c->request.size);
		scan_put_text(c, "\r\n");
	}
	scan_put_text(c, "0\r\n\r\n");
}

static void
icap_begin_probe(struct scan_client *c)
{
	struct buf head = { 0 };

	prepare(c);
	put_start(c, &head, "OPTIONS");
	http_put_field(&head, "Encapsulated", SPAN_LIT("null-body=0"));
	http_put_end(&head);
	scan_put(c, buf_span(&head));
	buf_free(&head);
}

/* What it found. */

/* "Type=0; Resolution=2; Threat=NAME;": the value of one of these, or none. */
static bool
parameter(struct span list, const char *name, struct span *value)
{
	size_t n, len = strlen(name);

	for (; list.len > 0; list = span_slice(list, n, list.len)) {
		n = span_find(list, ';');
		struct span one = span_trim(span_slice(list, 0, n));

		n += n < list.len;
		if (!span_starts_nocase(one, span_text(name)) || one.len == len ||
		    one.ptr[len] != '=')
			continue;
		*value = span_trim(span_slice(one, len + 1, one.len));
		return true;
	}
	return false;
}

static void
found_infection(struct scan_client *c, struct span value)
{
	struct icap *d = c->own;
	struct span type = SPAN_NONE, threat = value;

	parameter(value, "Threat", &threat);
	if (parameter(value, "Type", &type) && span_equal(type, SPAN_LIT("2")))
		d->container = scan_line(c->request.arena,
		    threat.len > 0 ? threat : SPAN_LIT("container"));
	else
		scan_add_virus(c, threat);
}

static struct span
without_quotes(struct span s)
{
	if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
		return span_slice(s, 1, s.len - 1);
	return s;
}

static void
found_name(struct scan_client *c, struct span value)
{
	scan_add_virus(c, without_quotes(value));
}

/* The next line of a folded value, without its blanks. */
static bool
next_line(struct span *s, struct span *line)
{
	size_t n = span_find(*s, '\n');

	if (s->len == 0)
		return false;
	*line = span_slice(*s, 0, n);
	*s = span_slice(*s, n + (n < s->len), s->len);
	if (line->len > 0 && line->ptr[line->len - 1] == '\r')
		line->len--;
	*line = span_trim(*line);
	return true;
}

/* A count, then for each: file name, threat, its number, what was done, a line each. */
static void
found_violations(struct scan_client *c, struct span value)
{
	struct span line;
	size_t before = c->report->virus_count;

	if (!next_line(&value, &line) || span_equal(line, SPAN_LIT("0")))
		return;
	for (size_t i = 0; next_line(&value, &line); i++)
		if (i % 4 == 1)
			scan_add_virus(c, line);
	if (c->report->virus_count == before && before == 0)
		scan_add_virus(c, SPAN_NONE);
}

/* Some services send X-Virus-ID with clean messages too ("no threats"): with 204 only the
   fields count that are always about something found. */
static const struct {
	const char *name;
	bool        with_204;
	void (*found)(struct scan_client *, struct span value);
} fields[] = {
	{ "X-Infection-Found", true, found_infection },
	{ "X-Violations-Found", true, found_violations },
	{ "X-Virus-ID", false, found_name },
	{ "X-Virus-Name", false, found_name },
	{ "X-FSecure-Infection-Name", false, found_name },
};

static void
look_for_names(struct scan_client *c, const struct http_head *h, bool all)
{
	for (size_t k = 0; k < COUNT_OF(fields); k++)
		for (size_t i = http_head_find(h, fields[k].name, 0);
		    i < h->count && (all || fields[k].with_204);
		    i = http_head_find(h, fields[k].name, i + 1))
			fields[k].found(c, http_head_value(h, i));
}

static enum scan_event
end_scan(struct scan_client *c)
{
	const struct icap *d = c->own;

	if (c->report->virus_count == 0 && d->container.len > 0) {
		c->report->why = d->container;
		return scan_done(c, SCAN_UNSCANNABLE);
	}
	if (c->report->virus_count == 0 && d->status.code == 204)
		return scan_done(c, SCAN_CLEAN);
	if (c->report->virus_count == 0)
		scan_add_virus(c, SPAN_LIT("ICAP.Modified"));
	return scan_done(c, SCAN_INFECTED);
}

static enum scan_event
end_probe(struct scan_client *c)
{
	const struct icap *d = c->own;
	struct span value;

	if (!http_head_lists(&d->head, "Methods", "RESPMOD"))
		return scan_refuse(c, "the service does not offer RESPMOD");
	if (http_head_get(&d->head, "Allow", &value) &&
	    !http_head_lists(&d->head, "Allow", "204"))
		return scan_refuse(c, "the service has no 204: nothing would be clean");
	if (http_head_get(&d->head, "Service", &value))
		scan_set_answer(c, value);
	return scan_done(c, SCAN_CLEAN);
}

static enum scan_event
end_answer(struct scan_client *c)
{
	return c->probe ? end_probe(c) : end_scan(c);
}

/* No more of this answer can be read. */
static enum scan_event
spoiled(struct scan_client *c, const char *why)
{
	c->closes = true;
	if (!c->probe && c->report->virus_count > 0)
		return scan_done(c, SCAN_INFECTED);
	return scan_break(c, "%s", why);
}

/* Reading. */

/* One "res-hdr=0"; *body: it is the last one. */
static bool
take_part(struct icap *d, struct span one, size_t index, bool *body)
{
	size_t eq = span_find(one, '=');
	struct span name = span_slice(one, 0, eq);
	uint64_t offset;

	if (eq == one.len || eq < 4 ||
	    !text_number(span_slice(one, eq + 1, one.len), UINT32_MAX, &offset))
		return false;
	if (index > BLOCKS || (index == 0) != (offset == 0) ||
	    (index > 1 && offset <= d->ends[index - 2]))
		return false;
	if (index > 0)
		d->ends[index - 1] = offset;
	*body = span_equal(span_slice(name, eq - 4, eq), SPAN_LIT("body"));
	d->has_body = *body && !span_equal(name, SPAN_LIT("null-body"));
	d->blocks = index;
	return *body || span_equal(name, SPAN_LIT("req-hdr")) ||
	    span_equal(name, SPAN_LIT("res-hdr"));
}

/* "res-hdr=0, res-body=213": where heads end, and whether a body follows.  Without the
   field there is neither, which is wrong but plain. */
static bool
take_encapsulated(struct icap *d)
{
	struct span list, one;
	size_t count = 0;
	bool body = true;

	if (http_head_get(&d->head, "Encapsulated", &list))
		for (body = false; http_list_next(&list, &one); count++)
			if (body || !take_part(d, one, count, &body))
				return false;
	return body;
}

static enum scan_event
refuse(struct scan_client *c)
{
	struct span line = http_head_start(&((struct icap *)c->own)->head);

	/* What body such an answer may have is not read. */
	c->closes = true;
	return scan_refuse_with(c, "answered", line);
}

/* Where to go from the end of a head. */
static enum scan_event
go_on(struct scan_client *c)
{
	struct icap *d = c->own;

	d->part = d->block < d->blocks ? ICAP_BLOCKS : ICAP_BODY;
	return d->part == ICAP_BODY && !d->has_body ? end_answer(c) : SCAN_WAIT;
}

static enum scan_event
take_head(struct scan_client *c)
{
	struct icap *d = c->own;
	struct span tag, line = http_head_start(&d->head);

	if (!http_status_parse(line, "ICAP", &d->status))
		return scan_break_with(c, "no ICAP status line", line);
	if (d->status.code == 100)
		return scan_break(c, "100 Continue without a preview");
	c->closes = http_head_lists(&d->head, "Connection", "close");
	if (d->status.code != 200 && (d->status.code != 204 || c->probe))
		return refuse(c);
	if (http_head_get(&d->head, "ISTag", &tag))
		c->report->version = scan_line(c->request.arena, without_quotes(tag));
	scan_set_answer(c, line);
	if (!c->probe)
		look_for_names(c, &d->head, d->status.code == 200);
	if (!take_encapsulated(d))
		return spoiled(c, "a bad field Encapsulated");
	if (d->status.code == 204 && (d->blocks > 0 || d->has_body))
		return spoiled(c, "204 with a message");
	return go_on(c);
}

static enum scan_event
feed_head(struct scan_client *c, struct span in, size_t *used)
{
	struct icap *d = c->own;
	struct error err;

	switch (http_head_feed(&d->head, in, used, &err)) {
	case ST_MORE:
		return SCAN_WAIT;
	case ST_OK:
		return take_head(c);
	case ST_PERM:
	case ST_TEMP:
		break;
	}
	return scan_break(c, "%s", err.text);
}

/* A head inside ends where Encapsulated says, and nowhere else. */
static enum scan_event
feed_block(struct scan_client *c, struct span in, size_t *used)
{
	struct icap *d = c->own;
	uint64_t left = d->ends[d->block] - d->at;
	struct error err;

	if (in.len > left)
		in.len = (size_t)left;
	enum status st = http_head_feed(&d->inner, in, used, &err);

	d->at += *used;
	if (st == ST_PERM || st == ST_TEMP)
		return spoiled(c, err.text);
	if ((st == ST_OK) != (d->at == d->ends[d->block]))
		return spoiled(c, "heads inside do not end where Encapsulated says");
	if (st == ST_MORE)
		return SCAN_WAIT;
	if (!c->probe)
		look_for_names(c, &d->inner, true);
	http_head_clear(&d->inner);
	d->block++;
	return go_on(c);
}

static enum scan_event
feed_body(struct scan_client *c, struct span in, size_t *used)
{
	struct icap *d = c->own;
	struct span data;
	struct error err;
	enum status st = http_chunks_feed(&d->chunks, in, used, &data, &err);

	d->body_bytes += data.len;
	if (st == ST_OK)
		return end_answer(c);
	if (st != ST_MORE)
		return spoiled(c, err.text);
	if (d->body_bytes <= SCAN_REPLY_BYTES)
		return SCAN_WAIT;
	c->closes = true;
	return end_answer(c);
}

static enum scan_event
icap_feed(struct scan_client *c, struct span in, size_t *used)
{
	static enum scan_event (*const feeds[])(struct scan_client *, struct span,
	    size_t *) = {
		[ICAP_HEAD] = feed_head, [ICAP_BLOCKS] = feed_block,
		[ICAP_BODY] = feed_body,
	};
	const struct icap *d = c->own;
	enum scan_event e = SCAN_WAIT;
	size_t n;

	for (*used = 0; e == SCAN_WAIT && *used < in.len; *used += n)
		e = feeds[d->part](c, span_slice(in, *used, in.len), &n);
	return e;
}

static const char *
icap_doing(const struct scan_client *c)
{
	if (c->probe)
		return "asking the ICAP service for its options";
	return scan_all_sent(c) ? "waiting for the ICAP service's answer" :
	    "sending the message to the ICAP service";
}

static enum scan_event
icap_lost(struct scan_client *c, const char *why)
{
	if (!c->probe && c->report->virus_count > 0)
		return scan_done(c, SCAN_INFECTED);
	return scan_break(c, "%s (while %s)", why, icap_doing(c));
}

static void
icap_finish(struct scan_client *c)
{
	struct icap *d = c->own;

	http_head_free(&d->head);
	http_head_free(&d->inner);
	http_chunks_free(&d->chunks);
}

const struct scan_dialect icap_dialect = {
	.name = "icap", .own_bytes = sizeof(struct icap), .begin = icap_begin,
	.begin_probe = icap_begin_probe, .feed = icap_feed, .lost = icap_lost,
	.doing = icap_doing, .finish = icap_finish,
};
