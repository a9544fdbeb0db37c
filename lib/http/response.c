/*
 * response.c - see response.h.
 */
#include "lib/http/response.h"
#include "lib/base/text.h"

#define WHERE      "http"
#define BODY_KEPT  65536u       /* memory of a body that stays for the next one */

/* RFC 9110 section 8.6: a list of the same number again is that number. */
static enum status
take_length(struct http_response *r, struct span list, bool *has, struct error *err)
{
	struct span one;
	uint64_t n;

	while (http_list_next(&list, &one)) {
		if (!text_number(one, UINT64_MAX, &n))
			return fail(err, ST_PERM, WHERE, "a bad Content-Length");
		if (*has && n != r->left)
			return fail(err, ST_PERM, WHERE, "two different Content-Length");
		*has = true;
		r->left = n;
	}
	return ST_OK;
}

static enum status
take_lengths(struct http_response *r, bool *has, struct error *err)
{
	static const char name[] = "Content-Length";
	enum status st = ST_OK;

	for (size_t i = http_head_find(&r->head, name, 0);
	    i < r->head.count && st == ST_OK; i = http_head_find(&r->head, name, i + 1))
		st = take_length(r, http_head_value(&r->head, i), has, err);
	return st;
}

/* Chunked, once, and nothing else; not in HTTP/1.0, which has none. */
static enum status
take_coding(struct http_response *r, bool *chunked, struct error *err)
{
	size_t i = http_head_find(&r->head, "Transfer-Encoding", 0);

	*chunked = i < r->head.count;
	if (!*chunked)
		return ST_OK;
	if (r->status.minor == 0 ||
	    http_head_find(&r->head, "Transfer-Encoding", i + 1) < r->head.count ||
	    !span_equal_nocase(http_head_value(&r->head, i), SPAN_LIT("chunked")))
		return fail(err, ST_PERM, WHERE, "an unknown Transfer-Encoding");
	return ST_OK;
}

static bool
has_no_body(const struct http_response *r)
{
	return r->to_head || r->status.code == 204 || r->status.code == 304;
}

static enum status
begin_body(struct http_response *r, bool chunked, bool sized, struct error *err)
{
	if (has_no_body(r))
		r->part = HTTP_WHOLE;
	else if (chunked)
		r->part = HTTP_CHUNKED;
	else if (!sized && !r->may_end_by_close)
		return fail(err, ST_PERM, WHERE, "a body of unknown length");
	else if (!sized)
		r->part = HTTP_UNTIL_CLOSE;
	else if (r->left > r->body_limit)
		return fail(err, ST_PERM, WHERE, "a body of more than %zu bytes",
		    r->body_limit);
	else
		r->part = r->left > 0 ? HTTP_SIZED : HTTP_WHOLE;
	return r->part == HTTP_WHOLE ? ST_OK : ST_MORE;
}

/* RFC 9110 section 15.2; nobody was asked to switch protocols. */
static enum status
skip_interim(struct http_response *r, struct error *err)
{
	if (r->status.code == 101 || ++r->interim > HTTP_INTERIM)
		return fail(err, ST_PERM, WHERE, "%s",
		    r->status.code == 101 ? "101 nobody asked for" : "too many 1xx");
	http_head_clear(&r->head);
	return ST_MORE;
}

/* A whole head is there. */
static enum status
take_head(struct http_response *r, struct error *err)
{
	bool sized = false, chunked;
	enum status st;

	if (!http_status_parse(http_head_start(&r->head), "HTTP", &r->status))
		return fail(err, ST_PERM, WHERE, "no HTTP/1 status line");
	if (r->status.code < 200)
		return skip_interim(r, err);
	if ((st = take_coding(r, &chunked, err)) != ST_OK ||
	    (st = take_lengths(r, &sized, err)) != ST_OK)
		return st;
	if (chunked && sized)
		return fail(err, ST_PERM, WHERE,
		    "both Content-Length and Transfer-Encoding");
	return begin_body(r, chunked, sized, err);
}

static enum status
keep_body(struct http_response *r, struct span data, struct error *err)
{
	if (data.len > r->body_limit - buf_len(&r->body))
		return fail(err, ST_PERM, WHERE, "a body of more than %zu bytes",
		    r->body_limit);
	buf_add(&r->body, data);
	return ST_MORE;
}

static enum status
feed_head(struct http_response *r, struct span in, size_t *used, struct error *err)
{
	enum status st = http_head_feed(&r->head, in, used, err);

	return st == ST_OK ? take_head(r, err) : st;
}

static enum status
feed_sized(struct http_response *r, struct span in, size_t *used, struct error *err)
{
	*used = r->left < in.len ? (size_t)r->left : in.len;
	r->left -= *used;
	enum status st = keep_body(r, span_slice(in, 0, *used), err);

	return st == ST_MORE && r->left == 0 ? ST_OK : st;
}

static enum status
feed_chunks(struct http_response *r, struct span in, size_t *used, struct error *err)
{
	struct span data;
	enum status st = http_chunks_feed(&r->chunks, in, used, &data, err);

	return st == ST_MORE ? keep_body(r, data, err) : st;
}

static enum status
feed_part(struct http_response *r, struct span in, size_t *used, struct error *err)
{
	*used = 0;
	switch (r->part) {
	case HTTP_HEAD:
		return feed_head(r, in, used, err);
	case HTTP_SIZED:
		return feed_sized(r, in, used, err);
	case HTTP_CHUNKED:
		return feed_chunks(r, in, used, err);
	case HTTP_UNTIL_CLOSE:
		*used = in.len;
		return keep_body(r, in, err);
	case HTTP_WHOLE:
		return ST_OK;
	case HTTP_BAD:
		break;
	}
	return fail(err, ST_PERM, WHERE, "an answer that was bad already");
}

enum status
http_response_feed(struct http_response *r, struct span in, size_t *used,
    struct error *err)
{
	enum status st = r->part == HTTP_WHOLE ? ST_OK : ST_MORE;
	size_t n;

	for (*used = 0; st == ST_MORE && *used < in.len; *used += n)
		st = feed_part(r, span_slice(in, *used, in.len), &n, err);
	if (st == ST_OK)
		r->part = HTTP_WHOLE;
	else if (st != ST_MORE)
		r->part = HTTP_BAD;
	return st;
}

enum status
http_response_lost(struct http_response *r, struct error *err)
{
	if (r->part == HTTP_UNTIL_CLOSE)
		r->part = HTTP_WHOLE;
	else if (r->part != HTTP_WHOLE) {
		r->part = HTTP_BAD;
		return fail(err, ST_PERM, WHERE, "closed in the middle of an answer");
	}
	return ST_OK;
}

bool
http_response_keeps(const struct http_response *r)
{
	if (http_head_lists(&r->head, "Connection", "close"))
		return false;
	return r->status.minor > 0 ||
	    http_head_lists(&r->head, "Connection", "keep-alive");
}

void
http_response_clear(struct http_response *r)
{
	http_head_clear(&r->head);
	http_chunks_clear(&r->chunks);
	if (r->body.cap > BODY_KEPT)
		buf_free(&r->body);
	buf_take(&r->body, buf_len(&r->body));
	r->part = HTTP_HEAD;
	r->status = (struct http_status){ 0 };
	r->left = r->interim = 0;
}

void
http_response_free(struct http_response *r)
{
	http_head_free(&r->head);
	http_chunks_free(&r->chunks);
	buf_free(&r->body);
}
