/*
 * json.h - a JSON text read value by value (RFC 8259): no tree, no recursion, no memory.
 *
 *     json_begin
 *     json_next  -> OBJECT, ARRAY    opened; what follows is inside, up to its CLOSE
 *                -> STRING, NUMBER   see raw
 *                -> TRUE, FALSE, NULL
 *                -> END              one whole value was read, nothing stands behind it
 *                -> BAD              not JSON, or deeper than JSON_DEPTH; stays so
 *
 * Inside an object each value comes with its key.  Only where END was reached was all of
 * it JSON.  Bytes that are no UTF-8 pass: a scanner quotes mails, and what it quotes is
 * made fit for people elsewhere.
 */
#ifndef LIB_SCANNER_JSON_H
#define LIB_SCANNER_JSON_H
#include "lib/base/buf.h"

#define JSON_DEPTH 32u

enum json_token {
	JSON_BAD = 0, JSON_END, JSON_OBJECT, JSON_ARRAY, JSON_CLOSE, JSON_STRING,
	JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL,
};

enum json_place { JSON_AT_START = 0, JSON_AT_FIRST, JSON_AT_NEXT, JSON_AT_FAULT };

/* key and raw borrow from the text: a string's bytes between its quotes, as they are. */
struct json {
	struct span     rest;
	struct span     key;            /* none in an array and at the top */
	struct span     raw;
	enum json_place place;
	size_t          depth;
	bool            in_object[JSON_DEPTH];
};

void json_begin(struct json *, struct span text);
enum json_token json_next(struct json *);
/* After `t`: to the end of what it opened, if it opened something.  False: BAD. */
bool json_skip(struct json *, enum json_token t);
/* A key or string without its escapes, cut once it has more than max bytes.  A lone
   surrogate becomes U+FFFD. */
void json_text(struct buf *, struct span raw, size_t max);
/* Is this key or string that text? */
bool json_is(struct span raw, const char *text);
/* A number in thousandths, rounded half away from zero, without floating point.  False
   where its absolute value is beyond max thousandths. */
bool json_thousandths(struct span raw, int64_t max, int64_t *out);
#endif
