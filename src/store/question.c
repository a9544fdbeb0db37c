/*
 * question.c - see question.h.
 */
#include "src/store/question.h"
#include "lib/base/text.h"
#include "lib/finding/record.h"

#define WORDS_MAX 64

static enum status
complain_about(struct error *err, const char *what, struct span word)
{
	struct buf b = { 0 };

	text_escape(&b, word, 80, true);
	fail(err, ST_PERM, "question", "%s: %s", what, buf_text(&b));
	buf_free(&b);
	return ST_PERM;
}

/* A quoted word at the start of `in`; 0 if it is not ended by quote and blank. */
static size_t
quoted_word(struct span in, struct arena *a, struct span *word)
{
	uint8_t *out = arena_alloc(a, in.len);
	size_t i = 1, n = 0;

	for (; i < in.len && in.ptr[i] != '"'; i++) {
		if (in.ptr[i] == '\\' && i + 1 < in.len)
			i++;
		out[n++] = in.ptr[i];
	}
	*word = (struct span){ out, n };
	return i < in.len && (i + 1 == in.len || is_blank(in.ptr[i + 1])) ? i + 1 : 0;
}

static size_t
plain_word(struct span in, struct arena *a, struct span *word)
{
	size_t n = 0;

	while (n < in.len && !is_blank(in.ptr[n]))
		n++;
	*word = arena_span(a, span_slice(in, 0, n));
	return n;
}

static enum status
split(struct span line, struct span words[WORDS_MAX], size_t *count, struct arena *a,
    struct error *err)
{
	*count = 0;
	for (line = span_trim(line); line.len > 0; line = span_trim(line)) {
		if (*count == WORDS_MAX)
			return fail(err, ST_PERM, "question", "too many words");
		size_t n = line.ptr[0] == '"' ? quoted_word(line, a, &words[*count])
		    : plain_word(line, a, &words[*count]);

		if (n == 0)
			return complain_about(err, "a closing quote is missing, or a "
			    "blank after it", line);
		line = span_slice(line, n, line.len);
		++*count;
	}
	return ST_OK;
}

static bool
back_by(struct span s, uint64_t unix_ms, uint64_t *since)
{
	static const struct { uint8_t unit; uint64_t ms; } units[] = {
		{ 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 },
		{ 'w', 604800000 },
	};
	uint64_t n;

	if (s.len < 2 || !text_number(span_slice(s, 0, s.len - 1), 1000000, &n))
		return false;
	for (size_t i = 0; i < COUNT_OF(units); i++)
		if (to_lower(s.ptr[s.len - 1]) == units[i].unit) {
			n *= units[i].ms;
			*since = n < unix_ms ? unix_ms - n : 0;
			return true;
		}
	return false;
}

/* The shortest first; strptime wants all of its form. */
static bool
date_at(struct span s, uint64_t *since)
{
	static const char *const forms[] = { "%Y-%m-%d", "%Y-%m-%dT%H:%M",
		"%Y-%m-%dT%H:%M:%S" };
	char text[32] = "";
	const char *end;

	if (s.len > 0 && to_lower(s.ptr[s.len - 1]) == 'z')
		s.len--;
	if (s.len == 0 || s.len >= sizeof text || memchr(s.ptr, '\0', s.len) != NULL)
		return false;
	memcpy(text, s.ptr, s.len);
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		struct tm tm = { 0 };

		end = strptime(text, forms[i], &tm);
		if (end != NULL && *end == '\0') {
			time_t t = timegm(&tm);

			*since = t > 0 ? (uint64_t)t * 1000 : 0;
			return true;
		}
	}
	return false;
}

bool
question_since(struct span s, uint64_t unix_ms, uint64_t *since)
{
	return back_by(s, unix_ms, since) || date_at(s, since);
}

static struct span
lowered(struct span s, struct arena *a)
{
	uint8_t *out = arena_alloc(a, s.len);

	for (size_t i = 0; i < s.len; i++)
		out[i] = to_lower(s.ptr[i]);
	return (struct span){ out, s.len };
}

/* <a@b> is taken as a@b, <> as the null sender. */
static struct span
without_brackets(struct span s)
{
	return s.len >= 2 && s.ptr[0] == '<' && s.ptr[s.len - 1] == '>'
	    ? span_slice(s, 1, s.len - 1) : s;
}

struct options { struct question *question; struct arena *arena; uint64_t now; };

static bool
set_since(struct options *o, struct span v)
{
	return question_since(v, o->now, &o->question->since);
}

static bool
set_limit(struct options *o, struct span v)
{
	return text_number(v, QUESTION_LIMIT_MOST, &o->question->limit) &&
	    o->question->limit > 0;
}

static bool
set_sender(struct options *o, struct span v)
{
	o->question->sender = without_brackets(v);
	return true;
}

static bool
set_recipient(struct options *o, struct span v)
{
	o->question->recipient = without_brackets(v);
	return true;
}

static bool
set_id(struct options *o, struct span v)
{
	o->question->id = lowered(v, o->arena);
	return true;
}

static bool
set_queue_id(struct options *o, struct span v)
{
	o->question->queue_id = v;
	return true;
}

static bool
set_message_id(struct options *o, struct span v)
{
	o->question->message_id = without_brackets(v);
	return true;
}

static bool
set_outcome(struct options *o, struct span v)
{
	for (unsigned i = 0; i < OUTCOME_COUNT; i++)
		if (span_equal_nocase(v, span_text(outcome_name((enum outcome)i)))) {
			o->question->outcomes |= 1u << i;
			return true;
		}
	return false;
}

static const struct {
	const char *name, *expected;
	bool      (*set)(struct options *, struct span);
} options[] = {
	{ "--since", "--since expects 7d, 2h, 30m or a date such as 2026-11-21",
	    set_since },
	{ "--limit", "--limit expects a number from 1 to 100000", set_limit },
	{ "--sender", "--sender expects an address", set_sender },
	{ "--recipient", "--recipient expects an address", set_recipient },
	{ "--id", "--id expects an id", set_id },
	{ "--queue-id", "--queue-id expects a queue id", set_queue_id },
	{ "--message-id", "--message-id expects a message-id", set_message_id },
	{ "--outcome", "--outcome expects none, delivered, quarantined, discarded, "
	    "rejected, deferred, notified or already-delivered", set_outcome },
};

/* words[0] is the option; returns how many words it has used, 0 on an error. */
static size_t
take_option(struct options *o, const struct span *words, size_t count, struct error *err)
{
	for (size_t i = 0; i < COUNT_OF(options); i++) {
		if (!span_equal(words[0], span_text(options[i].name)))
			continue;
		if (count > 1 && options[i].set(o, words[1]))
			return 2;
		complain_about(err, options[i].expected, count > 1 ? words[1] : words[0]);
		return 0;
	}
	complain_about(err, "unknown option", words[0]);
	return 0;
}

static bool
is_option(struct span word)
{
	return word.len >= 2 && word.ptr[0] == '-' && word.ptr[1] == '-';
}

static enum status
take_words(struct options *o, const struct span *words, size_t count, struct error *err)
{
	struct question *q = o->question;

	for (size_t i = 0, used; i < count; i += used) {
		used = 1;
		if (span_equal(words[i], SPAN_LIT("--json")))
			q->json = true;
		else if (!is_option(words[i]) && q->any.ptr == NULL)
			q->any = without_brackets(words[i]);
		else if (!is_option(words[i]))
			return complain_about(err, "one word only, or options", words[i]);
		else if (q->kind == QUESTION_EXPLAIN)
			return complain_about(err, "explain knows --json only", words[i]);
		else if ((used = take_option(o, words + i, count - i, err)) == 0)
			return ST_PERM;
	}
	return ST_OK;
}

enum status
question_parse(struct span line, uint64_t unix_ms, struct question *q, struct arena *a,
    struct error *err)
{
	struct options o = { q, a, unix_ms };
	struct span words[WORDS_MAX];
	size_t count;

	*q = (struct question){ .limit = QUESTION_LIMIT };
	if (split(line, words, &count, a, err) != ST_OK)
		return ST_PERM;
	if (count > 0 && span_equal(words[0], SPAN_LIT("explain")))
		q->kind = QUESTION_EXPLAIN;
	else if (count == 0 || !span_equal(words[0], SPAN_LIT("track")))
		return fail(err, ST_PERM, "question", "track or explain expected");
	if (take_words(&o, words + 1, count - 1, err) != ST_OK)
		return ST_PERM;
	if (q->kind == QUESTION_TRACK)
		return ST_OK;
	if (q->any.ptr == NULL)
		return fail(err, ST_PERM, "question",
		    "explain expects an id; track finds it");
	q->id = lowered(q->any, a);
	if (!record_id_is(q->id))
		return complain_about(err, "not an id, which has 16 letters and digits; "
		    "track finds it", q->any);
	return ST_OK;
}
