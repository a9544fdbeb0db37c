/*
 * action.c - one function an action; what goes into replies, headers and paths is
 * checked here, so that nobody has to later.
 */
#include "lib/policy/action.h"
#include "lib/base/text.h"
#include "lib/finding/score.h"
#include "lib/policy/expression.h"

static bool parse_accept(struct reader *, struct rule *);
static bool parse_reject(struct reader *, struct rule *);
static bool parse_defer(struct reader *, struct rule *);
static bool parse_discard(struct reader *, struct rule *);
static bool parse_quarantine(struct reader *, struct rule *);
static bool parse_hold(struct reader *, struct rule *);
static bool parse_header(struct reader *, struct rule *);
static bool parse_score(struct reader *, struct rule *);
static bool parse_tag(struct reader *, struct rule *);

static const struct action {
	const char *name;
	bool        final;
	enum fate   fate;
	bool      (*parse)(struct reader *, struct rule *);
} actions[] = {
	{ "accept",     true,  FATE_ACCEPT,     parse_accept },
	{ "reject",     true,  FATE_REJECT,     parse_reject },
	{ "defer",      true,  FATE_DEFER,      parse_defer },
	{ "discard",    true,  FATE_DISCARD,    parse_discard },
	{ "quarantine", true,  FATE_QUARANTINE, parse_quarantine },
	{ "hold",       true,  FATE_HOLD,       parse_hold },
	{ "header",     false, FATE_ACCEPT,     parse_header },
	{ "score",      false, FATE_ACCEPT,     parse_score },
	{ "tag",        false, FATE_ACCEPT,     parse_tag },
};

static bool parse_accept(struct reader *r, struct rule *rule)  { return true; }
static bool parse_defer(struct reader *r, struct rule *rule)   { return true; }
static bool parse_discard(struct reader *r, struct rule *rule) { return true; }
static bool parse_hold(struct reader *r, struct rule *rule)    { return true; }

static bool
is_printable(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x20 || s.ptr[i] > 0x7e)
			return false;
	return true;
}

/* 1 to 3 digits, or 0: none. */
static size_t
digits(struct span s, size_t from)
{
	size_t n = 0;

	while (n < 3 && from + n < s.len && is_digit(s.ptr[from + n]))
		n++;
	return n;
}

/* Bytes of "5.7.1 " (RFC 3463 section 2), or 0. */
static size_t
enhanced_code(struct span s)
{
	if (s.len < 2 || s.ptr[0] != '5' || s.ptr[1] != '.')
		return 0;
	size_t subject = digits(s, 2), at = 2 + subject;

	if (subject == 0 || at == s.len || s.ptr[at] != '.')
		return 0;
	size_t detail = digits(s, at + 1);

	at += 1 + detail;
	return detail > 0 && at < s.len && s.ptr[at] == ' ' ? at + 1 : 0;
}

static bool
is_reply(struct span s)
{
	bool basic = s.len > 4 && s.ptr[0] == '5' && digits(s, 0) == 3 && s.ptr[3] == ' ';
	struct span rest = basic ? span_slice(s, 4, s.len) : s;
	size_t code = enhanced_code(rest);

	return code > 0 && span_trim(span_slice(rest, code, rest.len)).len > 0 &&
	    s.len <= REPLY_BYTES && is_printable(s);
}

static bool
parse_reject(struct reader *r, struct rule *rule)
{
	static const char what[] = "a reply such as \"5.7.1 text\" or \"550 5.7.1 text\"";
	const struct token *t = reader_peek(r);

	if (t == NULL || t->kind != TOKEN_TEXT || !is_reply(t->text))
		return reader_expected(r, what);
	r->at++;
	rule->reply = t->text;
	return true;
}

/* The class may become a folder's name. */
static bool
is_class(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_alpha(s.ptr[i]) && !is_digit(s.ptr[i]) && s.ptr[i] != '-' &&
		    s.ptr[i] != '_')
			return false;
	return s.len > 0 && s.len <= CLASS_BYTES;
}

static bool
parse_quarantine(struct reader *r, struct rule *rule)
{
	const struct token *t = reader_peek(r);

	if (t == NULL || t->kind != TOKEN_WORD || !is_class(t->text))
		return reader_expected(r, "a class: at most 40 letters, digits, - and _");
	if (span_equal(t->text, SPAN_LIT("hold")))
		return reader_expected(r, "another class, since hold is that of held mail");
	r->at++;
	rule->quarantine = t->text;
	return true;
}

/* RFC 5322 section 2.2: printable, no colon. */
static bool
is_field_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= 0x20 || s.ptr[i] > 0x7e || s.ptr[i] == ':')
			return false;
	return s.len > 0 && s.len <= 76;
}

static bool
parse_field_name(struct reader *r, struct change *change)
{
	const struct token *t = reader_peek(r);

	if (t == NULL || t->kind != TOKEN_WORD || !is_field_name(t->text))
		return reader_expected(
		    r, "the name of a header field, without its colon");
	r->at++;
	change->name = t->text;
	return true;
}

static bool
parse_field_value(struct reader *r, struct change *change)
{
	const struct token *t = reader_peek(r);

	if (t == NULL || (t->kind != TOKEN_TEXT && t->kind != TOKEN_WORD) ||
	    !is_printable(t->text) || t->text.len > FIELD_BYTES - change->name.len)
		return reader_expected(
		    r, "the field's value: one line of printable ASCII");
	r->at++;
	change->value = t->text;
	return true;
}

static bool
parse_header(struct reader *r, struct rule *rule)
{
	struct change *change = &rule->changes[rule->change_count++];

	if (reader_takes(r, "add"))
		return parse_field_name(r, change) && parse_field_value(r, change);
	if (!reader_takes(r, "remove"))
		return reader_expected(r, "add or remove");
	change->kind = CHANGE_REMOVE;
	return parse_field_name(r, change);
}

static bool
parse_score(struct reader *r, struct rule *rule)
{
	const struct token *t = reader_peek(r);
	int64_t n;

	if (t == NULL || t->kind != TOKEN_WORD || !score_parse(t->text, &n))
		return reader_expected(r, "a score such as 5, 6.31 or -2.5");
	r->at++;
	rule->score = score_bounded(rule->score + n);
	return true;
}

static bool
parse_subject(struct reader *r, struct tag *tag)
{
	const struct token *t = reader_peek(r);

	if (t == NULL || t->kind != TOKEN_TEXT || t->text.len == 0 ||
	    t->text.len > SUBJECT_BYTES || !is_printable(t->text))
		return reader_expected(r, "what stands before the subject: printable ASCII in "
		    "\"\", at most 100 bytes");
	r->at++;
	tag->subject = t->text;
	return true;
}

static bool
parse_extension(struct reader *r, struct tag *tag)
{
	const struct token *t = reader_peek(r);

	if (t == NULL || t->kind != TOKEN_WORD || !is_class(t->text))
		return reader_expected(r, "an address extension: at most 40 letters, digits, "
		    "- and _");
	r->at++;
	tag->extension = t->text;
	return true;
}

static bool
parse_tag(struct reader *r, struct rule *rule)
{
	struct tag tag = { .kind = TAG_SPAM };
	struct place place = { 0 };

	for (;;) {
		struct place at = reader_place(r);

		if (reader_takes(r, "status")) {
			tag.kind = TAG_STATUS;
			place = at;
		} else if (reader_takes(r, "subject")) {
			if (!parse_subject(r, &tag))
				return false;
		} else if (!reader_takes(r, "extension"))
			break;
		else if (!parse_extension(r, &tag))
			return false;
	}
	if (tag.kind == TAG_STATUS && tag.subject.len + tag.extension.len > 0) {
		complain(r->complaints, place, "`status' says that the mail is no spam: neither "
		    "subject nor extension can stand beside it");
		return false;
	}
	tag_add(&rule->tag, &tag);
	return true;
}

static bool
unknown_action(struct reader *r, const struct token *t)
{
	struct nearest n = { .word = t->text };

	for (size_t i = 0; i < COUNT_OF(actions); i++)
		nearest_try(&n, actions[i].name);
	complain(r->complaints, t->place, "unknown action %s%s", token_shown(t).text,
	    n.name != NULL ? nearest_hint(&n).text : ": expected accept, reject, defer, "
	    "hold, discard, quarantine, header, score or tag");
	return false;
}

static bool
parse_action(struct reader *r, struct rule *rule)
{
	const struct token *t = reader_peek(r);

	if (t == NULL || t->kind != TOKEN_WORD)
		return reader_expected(r, "an action");
	for (size_t i = 0; i < COUNT_OF(actions); i++) {
		const struct action *a = &actions[i];

		if (!token_is(t, a->name))
			continue;
		r->at++;
		if (a->final) {
			rule->has_fate = true;
			rule->fate = a->fate;
		}
		return a->parse(r, rule);
	}
	return unknown_action(r, t);
}

bool
actions_parse(struct reader *r, struct rule *rule)
{
	/* An action has two tokens at least, or is final. */
	rule->changes = arena_array(r->arena, struct change, (r->count - r->at) / 2 + 1);
	do {
		if (rule->has_fate) {
			complain(r->complaints, reader_place(r),
			    "no action can stand after `%s', "
			    "which ends the walk",
			    fate_name(rule->fate));
			return false;
		}
		if (!parse_action(r, rule))
			return false;
	} while (reader_takes(r, ","));
	return reader_peek(r) == NULL || reader_expected(r, "a comma or the end");
}
