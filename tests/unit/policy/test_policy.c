/*
 * test_policy.c - policies compiled from text: what is refused and where, what may be
 * rejected behind a queue, and walks against a naive walk.
 */
#include "compiled.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* Each stands in file t; what is said is the whole of it. */
static const struct { const char *text, *want; } errors[] = {
	/* conditions */
	{ "policy p { rule r when client.adress = ::1 then accept; otherwise accept; }",
	  "t:1:24: unknown fact `client.adress': did you mean `client.address'?\n" },
	{ "policy p {\n\trule r when dmarc.result = fail then accept;\n\totherwise accept;\n}",
	  "t:2:14: unknown fact `dmarc.result'\n" },
	{ "policy p { rule r when client.local = ja then accept; otherwise accept; }",
	  "t:1:39: expected no or yes, not `ja'\n" },
	{ "policy p { rule r when client.local = yess then accept; otherwise accept; }",
	  "t:1:39: expected no or yes, not `yess': did you mean `yes'?\n" },
	{ "policy p { rule r when client.local > 3 then accept; otherwise accept; }",
	  "t:1:37: expected = or != after client.local, a fact of type truth, not `>'\n" },
	{ "policy p { rule r when message.size > 10Q then accept; otherwise accept; }",
	  "t:1:39: expected a size such as 10M, not `10Q'\n" },
	{ "policy p { rule r when message.size > 9223372036854775808 then accept; "
	  "otherwise accept; }",
	  "t:1:39: expected a size such as 10M, not `9223372036854775808'\n" },
	{ "policy p { rule r when recipient.count > 10M then accept; otherwise accept; }",
	  "t:1:42: expected a number, not `10M'\n" },
	{ "policy p { rule r when recipient.count > -1 then accept; otherwise accept; }",
	  "t:1:42: expected a number, not `-1'\n" },
	{ "policy p { rule r when recipient.count then accept; otherwise accept; }",
	  "t:1:40: expected = != < <= > or >= after recipient.count, a fact of type number, "
	  "not `then'\n" },
	{ "policy p { rule r when recipient.count in @x then accept; otherwise accept; }",
	  "t:1:40: expected = != < <= > or >= after recipient.count, a fact of type number, "
	  "not `in'\n" },
	{ "policy p { rule r when sender < x@y then accept; otherwise accept; }",
	  "t:1:31: expected = != in or matches after sender, a fact of type mailbox, not `<'\n" },
	{ "policy p { rule r when sender = then accept; otherwise accept; }",
	  "t:1:33: expected a mailbox, not `then'\n" },
	{ "policy p { rule r when sender = example.com then accept; otherwise accept; }",
	  "t:1:33: expected a mailbox, not `example.com': a mailbox has an @; a domain "
	  "stands after `in'\n" },
	{ "policy p { rule r when sender = @friends then accept; otherwise accept; }",
	  "t:1:33: expected a mailbox, not `@friends': a list stands after `in'\n" },
	{ "policy p { rule r when header.subject = @x then accept; otherwise accept; }",
	  "t:1:41: expected a text, not `@x': a list stands after `in'\n" },
	{ "policy p { rule r when header.subject in \"x\" then accept; otherwise accept; }",
	  "t:1:42: expected @list, not `x'\n" },
	{ "policy p { rule r when sender.domain = .a.b then accept; otherwise accept; }",
	  "t:1:40: expected a domain, not `.a.b': more than one stand after `in'\n" },
	{ "policy p { rule r when sender.domain = a@b then accept; otherwise accept; }",
	  "t:1:40: expected a domain, not `a@b': a domain has no @\n" },
	{ "policy p { rule r when sender.domain in \"a b\" then accept; otherwise accept; }",
	  "t:1:41: expected a domain, .domain or @list, not `a b'\n" },
	{ "policy p { rule r when client.address = 10.0.0.0/8 then accept; otherwise accept; }",
	  "t:1:41: expected an IP address (a network stands after `in'), not `10.0.0.0/8'\n" },
	{ "policy p { rule r when client.address in 10.0.0.1/8 then accept; "
	  "otherwise accept; }",
	  "t:1:42: `10.0.0.1/8' is no network: too many bits, or the address has bits set "
	  "behind them\n" },
	{ "policy p { rule r when client.address in example.com then accept; "
	  "otherwise accept; }",
	  "t:1:42: expected ADDRESS/BITS or @list, not `example.com'\n" },
	{ "policy p { rule r when header.subject matches x then accept; "
	  "otherwise accept; }",
	  "t:1:47: expected a regular expression /.../, not `x'\n" },
	{ "policy p { rule r when header.subject matches /(x/ then accept; "
	  "otherwise accept; }",
	  "t:1:47: bad regular expression, at its byte 3: missing closing parenthesis\n" },
	{ "policy p { rule r when header.subject matches /x/q then accept; "
	  "otherwise accept; }",
	  "t:1:47: bad regular expression, at its byte 1: expected the flags i, m, s and u\n" },
	{ "policy p { rule r when header.subject matches /x/ii then accept; "
	  "otherwise accept; }",
	  "t:1:47: bad regular expression, at its byte 1: a flag is there twice\n" },
	{ "policy p { rule r when client.local matches /x/ then accept; "
	  "otherwise accept; }",
	  "t:1:37: expected = or != after client.local, a fact of type truth, not `matches'\n" },
	{ "policy p { rule r when any attachment (client.local) then accept; "
	  "otherwise accept; }",
	  "t:1:40: expected a fact of the group attachment, not `client.local'\n" },
	{ "policy p { rule r when any attachment (link.url = x) then accept; "
	  "otherwise accept; }",
	  "t:1:40: expected a fact of the group attachment, not `link.url'\n" },
	{ "policy p { rule r when any attachment (typ = exe) then accept; "
	  "otherwise accept; }",
	  "t:1:40: expected a fact of the group attachment, not `typ': did you mean `type'?\n" },
	{ "policy p { rule r when any atachment (type = exe) then accept; "
	  "otherwise accept; }",
	  "t:1:28: unknown group `atachment': did you mean `attachment'?\n" },
	{ "policy p { rule r when any attachment type = exe then accept; "
	  "otherwise accept; }",
	  "t:1:39: expected ( and a condition, not `type'\n" },
	{ "policy p { rule r when any attachment (type = exe then accept; "
	  "otherwise accept; }",
	  "t:1:51: expected and, or, or a ), not `then'\n" },
	{ "policy p { rule r when any attachment ((type = exe) then accept; "
	  "otherwise accept; }",
	  "t:1:53: expected and, or, or a ), not `then'\n" },
	{ "policy p { rule r when any attachment () then accept; "
	  "otherwise accept; }",
	  "t:1:40: expected a fact, not `)'\n" },
	{ "policy p { rule r when any attachment (any link (punycode)) then accept; "
	  "otherwise accept; }",
	  "t:1:40: `any' cannot stand in the parentheses of another any, all, no or count\n" },
	{ "policy p { rule r when count link (punycode) then accept; "
	  "otherwise accept; }",
	  "t:1:46: expected = != < <= > or >= and a number, not `then'\n" },
	{ "policy p { rule r when count link (punycode) in 3 then accept; "
	  "otherwise accept; }",
	  "t:1:46: expected = != < <= > or >= and a number, not `in'\n" },
	{ "policy p { rule r when count link (punycode) > x then accept; "
	  "otherwise accept; }",
	  "t:1:48: expected a number, not `x'\n" },
	{ "policy p { rule r when any attachment (class = exe) then accept; "
	  "otherwise accept; }",
	  "t:1:48: expected unknown, executable, script, archive, document, image, audio, "
	  "video, text, mail, certificate or data, not `exe'\n" },
	{ "policy p { rule r when pattern.x then accept; "
	  "otherwise accept; }",
	  "t:1:24: there is no pattern for `pattern.x'\n" },
	{ "pattern abc /x/ in text; policy p { rule r when pattern.abd then accept; "
	  "otherwise accept; }",
	  "t:1:49: there is no pattern for `pattern.abd': did you mean `abc'?\n" },
	{ "pattern; pattern a; pattern a x; pattern a /x/; pattern a /x/ in; "
	  "pattern a /x/ in body;",
	  "t:1:8: expected the name of a pattern before the end\n"
	  "t:1:19: expected a regular expression /.../ before the end\n"
	  "t:1:31: expected a regular expression /.../, not `x'\n"
	  "t:1:47: expected `in' and where to look before the end\n"
	  "t:1:65: expected text, subject or url before the end\n"
	  "t:1:84: expected text, subject or url, not `body'\n" },
	{ "pattern a /x/ in text now; pattern a /x/ in text {}",
	  "t:1:23: expected ; after where to look, not `now'\n"
	  "t:1:28: a pattern ends with ; and has no block\n" },
	{ "pattern a /x/ in text; pattern a /y/ in url; pattern b /x(/ in url;",
	  "t:1:32: there already is a pattern `a', at t:1:9\n"
	  "t:1:56: bad regular expression, at its byte 3: missing closing parenthesis\n" },
	{ "policy p { rule r when then accept; otherwise accept; }",
	  "t:1:24: expected a fact, not `then'\n" },
	{ "policy p { rule r when (client.local then accept; otherwise accept; }",
	  "t:1:38: expected and, or, or a ) for the ( of line 1, column 24, not `then'\n" },
	{ "policy p { rule r when client.local) then accept; otherwise accept; }",
	  "t:1:36: expected and, or, or the condition's end, not `)'\n" },
	{ "policy p { rule r when client.local sender = x@y then accept; otherwise accept; }",
	  "t:1:37: expected and, or, or `then', not `sender'\n" },
	{ "policy p { rule r when client.local; otherwise accept; }",
	  "t:1:36: expected and, or, or `then' before the end\n" },
	/* lists */
	{ "list l inline a.example; policy p { rule r when sender in @k then accept; "
	  "otherwise accept; }",
	  "t:1:59: unknown list `@k'\n" },
	{ "list friends inline a.example; policy p { rule r when sender in @freinds then "
	  "accept; otherwise accept; }",
	  "t:1:65: unknown list `@freinds': did you mean `friends'?\n" },
	{ "list l inline a.example; policy p { rule r when client.address in @l then accept; "
	  "otherwise accept; }",
	  "t:1:67: list `@l' has no network, so client.address is never in it\n" },
	{ "list l inline ::1; policy p { rule r when sender in @l then accept; "
	  "otherwise accept; }",
	  "t:1:53: list `@l' has no mailbox or domain, so sender is never in it\n" },
	{ "list l file /etc/x;",
	  "t:1:8: lists from a file or map are not in this version: write `inline' and the "
	  "entries\n" },
	{ "list l inline;", "t:1:14: expected an entry before the end\n" },
	{ "list l a b;", "t:1:8: expected `inline' and the entries, not `a'\n" },
	{ "list l inline a, b;", "t:1:16: expected an entry, not `,'\n" },
	{ "list l inline 192.0.2.0/33 a 10.0.0.1/8;",
	  "t:1:15: `192.0.2.0/33' is no network: too many bits, or the address has bits set "
	  "behind them\n"
	  "t:1:30: `10.0.0.1/8' is no network: too many bits, or the address has bits set "
	  "behind them\n" },
	{ "list l inline a; list l inline b;",
	  "t:1:23: there already is a list `l', at t:1:6\n" },
	{ "list \"l\" inline a;", "t:1:6: expected the name of a list, not `l'\n" },
	{ "list l inline a { }", "t:1:1: a list ends with ; and has no block\n" },
	/* actions */
	{ "policy p { otherwise acept; }",
	  "t:1:22: unknown action `acept': did you mean `accept'?\n" },
	{ "policy p { rule r when client.local then strip; otherwise accept; }",
	  "t:1:42: unknown action `strip': expected accept, reject, defer, hold, discard, "
	  "quarantine, header, score or tag\n" },
	{ "policy p { rule r when client.local then hold, accept; otherwise accept; }",
	  "t:1:48: no action can stand after `hold', which ends the walk\n" },
	{ "policy p { rule r when client.local then score 1.2345; otherwise accept; }",
	  "t:1:48: expected a score such as 5, 6.31 or -2.5, not `1.2345'\n" },
	{ "policy p { rule r when client.local then score; otherwise accept; }",
	  "t:1:47: expected a score such as 5, 6.31 or -2.5 before the end\n" },
	{ "policy p { rule r when client.local then score \"1\"; otherwise accept; }",
	  "t:1:48: expected a score such as 5, 6.31 or -2.5, not `1'\n" },
	{ "policy p { rule r when client.local then tag subjct \"x\"; otherwise accept; }",
	  "t:1:46: expected a comma or the end, not `subjct'\n" },
	{ "policy p { rule r when client.local then tag subject spam; otherwise accept; }",
	  "t:1:54: expected what stands before the subject: printable ASCII in \"\", at most "
	  "100 bytes, not `spam'\n" },
	{ "policy p { rule r when client.local then tag subject \"a\\n\"; otherwise accept; }",
	  "t:1:54: expected what stands before the subject: printable ASCII in \"\", at most "
	  "100 bytes, not `a\\x0a'\n" },
	{ "policy p { rule r when client.local then tag subject \"\"; otherwise accept; }",
	  "t:1:54: expected what stands before the subject: printable ASCII in \"\", at most "
	  "100 bytes, not `'\n" },
	{ "policy p { rule r when client.local then tag extension +spam; otherwise accept; }",
	  "t:1:56: expected an address extension: at most 40 letters, digits, - and _, not "
	  "`+spam'\n" },
	{ "policy p { rule r when client.local then tag extension spam status; "
	  "otherwise accept; }",
	  "t:1:61: `status' says that the mail is no spam: neither subject nor extension can "
	  "stand beside it\n" },
	/* scores */
	{ "policy p { rule r when spam.score >= five then accept; otherwise accept; }",
	  "t:1:38: expected a score such as 5, 6.31 or -2.5, not `five'\n" },
	{ "policy p { rule r when spam.score >= 5.0000 then accept; otherwise accept; }",
	  "t:1:38: expected a score such as 5, 6.31 or -2.5, not `5.0000'\n" },
	{ "policy p { rule r when spam.score then accept; otherwise accept; }",
	  "t:1:35: expected = != < <= > or >= after spam.score, a fact of type score, not "
	  "`then'\n" },
	{ "policy p { rule r when spam.score in @x then accept; otherwise accept; }",
	  "t:1:35: expected = != < <= > or >= after spam.score, a fact of type score, not "
	  "`in'\n" },
	/* scanners */
	{ "policy p { rule r when virus.found then discard; otherwise accept; }",
	  "t:1:24: there is no virus scanner that could tell virus.found: add one, such as "
	  "`scanner clamd { type clamd; at unix:/run/clamav/clamd.ctl; }'\n" },
	{ "scanner s { type spamd; at 127.0.0.1:783; }\n"
	  "policy p { monitor rule r when not virus.name = x then discard; otherwise accept; }",
	  "t:2:36: there is no virus scanner that could tell virus.name: add one, such as "
	  "`scanner clamd { type clamd; at unix:/run/clamav/clamd.ctl; }'\n" },
	{ "scanner c { type clamd; at 127.0.0.1:3310; }\n"
	  "policy p { rule r when any symbol (name = x) then discard; otherwise accept; }",
	  "t:2:36: there is no spam scanner that could tell symbol.name: add one, such as "
	  "`scanner spamd { type spamd; at 127.0.0.1:783; }'\n" },
	{ "policy p { rule r when scanner.cached then discard; otherwise accept; }",
	  "t:1:24: there is no scanner that could tell scanner.cached: add one, such as "
	  "`scanner clamd { type clamd; at unix:/run/clamav/clamd.ctl; }'\n" },
	{ "scanner c { type command; command /bin/true; infected-pattern /(x/; }\n"
	  "policy p { otherwise accept; }",
	  "t:1:63: bad regular expression, at its byte 3: missing closing parenthesis\n" },
	{ "policy p { rule r when client.local then; otherwise accept; }",
	  "t:1:41: expected an action before the end\n" },
	{ "policy p { rule r when client.local then accept, header remove X; "
	  "otherwise accept; }",
	  "t:1:50: no action can stand after `accept', which ends the walk\n" },
	{ "policy p { rule r when client.local then accept discard; otherwise accept; }",
	  "t:1:49: expected a comma or the end, not `discard'\n" },
	{ "policy p { otherwise reject; }",
	  "t:1:28: expected a reply such as \"5.7.1 text\" or \"550 5.7.1 text\" "
	  "before the end\n" },
	{ "policy p { otherwise reject \"No.\"; }",
	  "t:1:29: expected a reply such as \"5.7.1 text\" or \"550 5.7.1 text\", "
	  "not `No.'\n" },
	{ "policy p { otherwise reject \"450 4.7.1 No.\"; }",
	  "t:1:29: expected a reply such as \"5.7.1 text\" or \"550 5.7.1 text\", "
	  "not `450 4.7.1 No.'\n" },
	{ "policy p { otherwise reject \"5.7.1 a\\nb\"; }",
	  "t:1:29: expected a reply such as \"5.7.1 text\" or \"550 5.7.1 text\", "
	  "not `5.7.1 a\\x0ab'\n" },
	{ "policy p { otherwise reject \"5.7.1 \"; }",
	  "t:1:29: expected a reply such as \"5.7.1 text\" or \"550 5.7.1 text\", "
	  "not `5.7.1 '\n" },
	{ "policy p { otherwise reject \"5.7. a\"; }",
	  "t:1:29: expected a reply such as \"5.7.1 text\" or \"550 5.7.1 text\", "
	  "not `5.7. a'\n" },
	{ "policy p { otherwise reject \"550 no\"; }",
	  "t:1:29: expected a reply such as \"5.7.1 text\" or \"550 5.7.1 text\", "
	  "not `550 no'\n" },
	{ "policy p { otherwise quarantine; }",
	  "t:1:32: expected a class: at most 40 letters, digits, - and _ before the end\n" },
	{ "policy p { otherwise quarantine ../x; }",
	  "t:1:33: expected a class: at most 40 letters, digits, - and _, not `../x'\n" },
	{ "policy p { otherwise quarantine hold; }",
	  "t:1:33: expected another class, since hold is that of held mail, not `hold'\n" },
	{ "policy p { otherwise header add X: y, accept; }",
	  "t:1:33: expected the name of a header field, without its colon, not `X:'\n" },
	{ "policy p { otherwise header add X \"a\\nb\", accept; }",
	  "t:1:35: expected the field's value: one line of printable ASCII, "
	  "not `a\\x0ab'\n" },
	{ "policy p { otherwise header X, accept; }",
	  "t:1:29: expected add or remove, not `X'\n" },
	/* policies */
	{ "policy p { rule r when client.local then accept; }",
	  "t:1:50: expected `otherwise' and what becomes of mail that no rule decides\n" },
	{ "policy p { otherwise header remove X; }",
	  "t:1:37: `otherwise' must end with accept, reject, defer, hold, discard or "
	  "quarantine\n" },
	{ "policy p { otherwise accept; rule r when client.local then accept; }",
	  "t:1:30: nothing can stand after `otherwise'\n" },
	{ "policy p { otherwise accept; otherwise accept; }",
	  "t:1:30: nothing can stand after `otherwise'\n" },
	{ "policy p { sign yes; otherwise accept; }",
	  "t:1:12: unknown word `sign': a policy holds rule, monitor rule, include and "
	  "otherwise\n" },
	{ "policy p { rul r when client.local then accept; otherwise accept; }",
	  "t:1:12: unknown word `rul': did you mean `rule'?\n" },
	{ "policy p { monitor r when client.local then accept; otherwise accept; }",
	  "t:1:20: expected `rule', not `r'\n" },
	{ "policy p { rule when client.local then accept; otherwise accept; }",
	  "t:1:22: expected `when' and a condition, not `client.local'\n" },
	{ "policy p { rule otherwise when client.local then accept; otherwise accept; }",
	  "t:1:17: expected another name: `otherwise' stands for the last rule\n" },
	{ "policy p { rule r when client.local then accept { } otherwise accept; }",
	  "t:1:12: a policy's statement ends with ; and has no block\n" },
	{ "policy p { rule r when client.local then accept;\n"
	  "rule r when client.local then accept; otherwise accept; }",
	  "t:2:1: there already is a rule `r', at t:1:12\n" },
	{ "policy p { otherwise accept; } policy p { otherwise accept; }",
	  "t:1:39: there already is a policy `p', at t:1:8\n" },
	{ "policy p;", "t:1:9: expected { and the rules before the end\n" },
	{ "policy p q { otherwise accept; }", "t:1:10: expected { and the rules, not `q'\n" },
	{ "policy { otherwise accept; }",
	  "t:1:28: expected the name of a policy before the end\n" },
	/* includes */
	{ "policy base { otherwise accept; } policy p { include bas; otherwise accept; }",
	  "t:1:54: unknown policy `bas': did you mean `base'?\n" },
	{ "policy p { include p; otherwise accept; }",
	  "t:1:8: policy `p' includes itself, by way of `p'\n" },
	{ "policy a { include b; otherwise accept; } policy b { include c; otherwise accept; }\n"
	  "policy c { include b; otherwise accept; } policy d { otherwise accept; }",
	  "t:1:50: policy `b' includes itself, by way of `c'\n"
	  "t:2:8: policy `c' includes itself, by way of `b'\n" },
	{ "policy a { rule r when client.local then accept; otherwise accept; }\n"
	  "policy p { include a; include a; otherwise accept; }",
	  "t:2:31: there already is a rule `r', at t:1:12\n" },
	{ "policy p { include; otherwise accept; }",
	  "t:1:19: expected the name of a policy before the end\n" },
	{ "policy p { include a b; otherwise accept; }",
	  "t:1:22: expected ; after the policy's name, not `b'\n" },
};

static void
test_errors(void **state)
{
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		struct compiled c;

		compiled_init(&c, errors[i].text, NULL);
		if (c.set != NULL)
			fail_msg("%s\nis taken", errors[i].text);
		if (strcmp(buf_text(&c.complaints.text), errors[i].want) != 0)
			fail_msg("%s\ngives  %swanted %s", errors[i].text,
			    buf_text(&c.complaints.text), errors[i].want);
		compiled_finish(&c);
	}
}

static void
check_listener(const char *text, enum queue_place queue, const char *want)
{
	struct compiled c;

	compiled_init(&c, text, &queue);
	assert_true((c.set == NULL) == (want[0] != '\0'));
	if (strcmp(want, buf_text(&c.complaints.text)) != 0)
		fail_msg("%s\ngives  %swanted %s", text, buf_text(&c.complaints.text), want);
	compiled_finish(&c);
}

/* May this condition reject behind a queue? */
static const struct { const char *condition; bool may; } own_clients[] = {
	{ "client.local", true },
	{ "client.authenticated", true },
	{ "client.local = yes", true },
	{ "client.local != no", true },
	{ "client.local = no", false },
	{ "client.local != yes", false },
	{ "client.trusted", false },
	{ "not client.local", false },
	{ "not not client.local", false },
	{ "not client.local = no", false },
	{ "message.size > 1M", false },
	{ "message.size > 1M and client.local", true },
	{ "client.local and message.size > 1M", true },
	{ "message.size > 1M and (client.authenticated)", true },
	{ "message.size > 1M and client.local and sender = \"\"", true },
	{ "message.size > 1M and (sender = \"\" and client.local)", true },
	{ "message.size > 1M or client.local", false },
	{ "message.size > 1M or sender = \"\" and client.local", false },
	{ "(message.size > 1M or sender = \"\") and client.local", true },
	{ "(client.local or client.authenticated) and message.size > 1M", true },
	{ "client.local and message.size > 1M or client.authenticated", true },
	{ "client.local and message.size > 1M or client.trusted", false },
	{ "(client.local or client.trusted) and message.size > 1M", false },
	{ "not (client.local and message.size > 1M)", false },
	{ "not (message.size > 1M) and client.local", true },
};

static void
test_own_clients(void **state)
{
	static const char said[] = "t:1:12: rule `r' rejects behind a queue (listener `in') and "
	    "makes the MTA bounce, often to a forged sender: write `(...) and "
	    "client.authenticated' or `(...) and client.local', or use quarantine, discard or "
	    "defer\n";

	for (size_t i = 0; i < COUNT_OF(own_clients); i++) {
		char text[300];

		snprintf(text, sizeof text, "policy p { rule r when %s then reject \"5.7.1 no\"; "
		    "otherwise accept; }", own_clients[i].condition);
		check_listener(text, QUEUE_AFTER, own_clients[i].may ? "" : said);
		check_listener(text, QUEUE_BEFORE, "");
		/* Monitor rules change nothing, and so do other actions. */
		snprintf(text, sizeof text, "policy p { monitor rule r when %s then reject "
		    "\"5.7.1 no\"; otherwise accept; }", own_clients[i].condition);
		check_listener(text, QUEUE_AFTER, "");
		snprintf(text, sizeof text, "policy p { rule r when %s then discard; "
		    "rule s when %s then header remove X; otherwise defer; }",
		    own_clients[i].condition, own_clients[i].condition);
		check_listener(text, QUEUE_AFTER, "");
		/* An included rule counts for the policy that includes it. */
		snprintf(text, sizeof text, "policy a { rule r when %s then reject "
		    "\"5.7.1 no\"; otherwise accept; } policy p { include a; otherwise "
		    "accept; }", own_clients[i].condition);
		check_listener(text, QUEUE_AFTER, own_clients[i].may ? "" : said);
	}
}

static void
test_listeners(void **state)
{
	check_listener("policy p { otherwise reject \"5.7.1 no\"; }", QUEUE_BEFORE, "");
	check_listener("policy p { otherwise reject \"5.7.1 no\"; }", QUEUE_AFTER,
	    "t:1:12: `otherwise reject' behind a queue (listener `in') makes the MTA bounce, "
	    "often to a forged sender: use quarantine, discard or defer\n");
	/* Another policy's reject, and an included otherwise, do not matter. */
	check_listener("policy a { otherwise reject \"5.7.1 no\"; } policy p { include a; "
	    "otherwise accept; }", QUEUE_AFTER, "");
	check_listener("policy pp { otherwise accept; }", QUEUE_AFTER,
	    "t:900:9: unknown policy `p'\n");
	check_listener("", QUEUE_AFTER, "t:900:9: unknown policy `p'\n");
}

/* Nothing is held behind a queue: by no rule, and by no scanner that a rule needs. */
static void
test_holds(void **state)
{
	static const struct { const char *text, *after; } table[] = {
		{ "policy p { rule r when client.local then score 1, hold; otherwise accept; }",
		  "t:1:12: `r' holds mail behind a queue (listener `in'), where the MTA keeps it "
		  "and tries again: use defer\n" },
		{ "policy p { otherwise hold; }",
		  "t:1:12: `otherwise' holds mail behind a queue (listener `in'), where the MTA "
		  "keeps it and tries again: use defer\n" },
		{ "policy p { monitor rule r when client.local then hold; otherwise accept; }", "" },
		{ "policy q { otherwise hold; } policy p { otherwise accept; }", "" },
		{ "scanner s { type clamd; at unix:/c;\non-failure hold; }\n"
		  "policy p { rule r when not virus.found then accept; otherwise accept; }",
		  "t:2:12: scanner `s' cannot hold mail behind a queue (listener `in', policy `p'), "
		  "where the MTA keeps it and tries again: use `on-failure defer'\n" },
		{ "scanner s { type rspamd; at unix:/c; on-failure hold; }\n"
		  "policy a { rule r when spam.score > 5 then tag; otherwise accept; }\n"
		  "policy p { include a; otherwise accept; }",
		  "t:1:49: scanner `s' cannot hold mail behind a queue (listener `in', policy `p'), "
		  "where the MTA keeps it and tries again: use `on-failure defer'\n" },
		{ "scanner s { type clamd; at unix:/c; on-failure hold; }\n"
		  "policy p { monitor rule r when virus.found then discard; otherwise accept; }", "" },
		{ "scanner s { type clamd; at unix:/c; on-failure accept; }\n"
		  "policy p { rule r when virus.found then discard; otherwise accept; }", "" },
		{ "scanner s { type spamd; at unix:/c; on-failure hold; }\n"
		  "scanner c { type clamd; at unix:/c; }\n"
		  "policy p { rule r when virus.found then discard; otherwise accept; }", "" },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		check_listener(table[i].text, QUEUE_AFTER, table[i].after);
		check_listener(table[i].text, QUEUE_BEFORE, "");
	}
}

static void
test_include(void **state)
{
	static const char *const names[] = { "first", "a1", "b1", "b2", "last", "otherwise" };
	struct compiled c;

	compiled_init(&c, "policy p { rule first when client.local then defer; include b;\n"
	    "rule last when client.local then defer; otherwise discard; }\n"
	    "policy b { include a; rule b1 when (client.local  and not(sender=\"\")) then defer;"
	    "rule b2 when recipient.local then header add X \"y\", header remove Z, accept;"
	    "otherwise accept; }\n"
	    "policy a { rule a1 when client.local then quarantine q; otherwise accept; }", NULL);
	assert_non_null(c.set);
	assert_int_equal(c.set->policy_count, 3);
	assert_int_equal(c.set->slots, 6 + 4 + 2);
	assert_null(policy_find(c.set, SPAN_LIT("x")));
	const struct policy *p = policy_find(c.set, SPAN_LIT("p"));
	bool used[12] = { false };

	assert_int_equal(p->rule_count, COUNT_OF(names));
	for (size_t i = 0; i < COUNT_OF(names); i++)
		assert_true(span_equal(p->rules[i].name, span_text(names[i])));
	assert_int_equal(p->rules[5].fate, FATE_DISCARD);
	assert_true(span_equal(p->rules[1].quarantine, SPAN_LIT("q")));
	assert_true(span_equal(p->rules[2].text, SPAN_LIT("(client.local and not (sender = \"\"))"
	    )));
	assert_false(p->rules[2].per_recipient);
	assert_true(p->rules[3].per_recipient);
	assert_int_equal(p->rules[3].change_count, 2);
	assert_int_equal(p->rules[3].changes[1].kind, CHANGE_REMOVE);
	for (size_t i = 0; i < c.set->policy_count; i++)
		for (size_t j = 0; j < c.set->policies[i].rule_count; j++) {
			unsigned slot = c.set->policies[i].rules[j].slot;

			assert_true(slot < 12 && !used[slot]);
			used[slot] = true;
		}
	compiled_finish(&c);
}

static bool
takes_rules(size_t own, size_t included)
{
	struct buf b = { 0 };
	struct compiled c;

	buf_printf(&b, "policy p { include a; ");
	for (size_t i = 0; i < own; i++)
		buf_printf(&b, "rule p%zu when client.local then accept;\n", i);
	buf_printf(&b, "otherwise accept; } policy a { ");
	for (size_t i = 0; i < included; i++)
		buf_printf(&b, "rule a%zu when client.local then accept;\n", i);
	buf_printf(&b, "otherwise accept; }");
	compiled_init(&c, buf_text(&b), NULL);
	bool ok = c.set != NULL;

	assert_true(ok || strstr(buf_text(&c.complaints.text), "at most 1000 rules") != NULL);
	compiled_finish(&c);
	buf_free(&b);
	return ok;
}

static void
test_limits(void **state)
{
	assert_true(takes_rules(POLICY_RULES - 10, 10));
	assert_false(takes_rules(POLICY_RULES - 10, 11));
	assert_false(takes_rules(POLICY_RULES + 10, 0));
}

/* Walks: rules of every kind, three in a row, against a plain walk. */

static const char *const conditions[] = { "client.trusted", "client.local",
	"client.authenticated" };       /* yes, no, unknown */
static const struct { const char *text; bool final; enum fate fate; unsigned changes; } ends[] = {
	{ "accept", true, FATE_ACCEPT, 0 },
	{ "reject \"5.7.1 no\"", true, FATE_REJECT, 0 },
	{ "header remove X", false, FATE_ACCEPT, 1 },
	{ "header add X y, header remove Y, quarantine q", true, FATE_QUARANTINE, 2 },
};
#define KINDS (3u * 2 * 4)      /* condition, monitor, actions */

struct naive { enum fate fate; size_t rule; unsigned changes; bool unknown; };

static struct naive
naive_walk(const unsigned *kinds, size_t n)
{
	struct naive v = { FATE_DEFER, n, 0, false };

	for (size_t i = 0; i < n; i++) {
		unsigned condition = kinds[i] % 3, monitor = kinds[i] / 3 % 2, end = kinds[i] / 6;

		if (monitor)
			continue;
		if (condition == 2)
			v.unknown = true;
		if (condition != 0)
			continue;
		v.changes += ends[end].changes;
		if (ends[end].final) {
			v.fate = ends[end].fate;
			v.rule = i;
			return v;
		}
	}
	v.changes++;
	return v;
}

static void
check_traces(const unsigned *kinds, size_t n, const struct verdict *v, size_t last)
{
	static const enum trace_result results[] = { TRACE_FIRED, TRACE_NO, TRACE_UNKNOWN };
	static const enum fact facts[] = { FACT_CLIENT_TRUSTED, FACT_CLIENT_LOCAL,
		FACT_CLIENT_AUTHENTICATED };

	for (size_t i = 0; i < n; i++) {
		bool skipped = i > last;

		assert_int_equal(v->traces[i].result,
		    skipped ? TRACE_SKIPPED : results[kinds[i] % 3]);
		assert_int_equal(v->traces[i].fact, skipped ? FACT_COUNT : facts[kinds[i] % 3]);
	}
	assert_int_equal(v->traces[n].result, last == n ? TRACE_FIRED : TRACE_SKIPPED);
	assert_int_equal(v->traces[n].fact, FACT_COUNT);
}

static void
check_walk(const unsigned *kinds, size_t n)
{
	struct naive want = naive_walk(kinds, n);
	struct buf b = { 0 };
	struct compiled c;
	struct findings f;
	struct verdict v;

	buf_printf(&b, "policy p { ");
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s rule r%zu when %s then %s;\n",
		    kinds[i] / 3 % 2 ? "monitor" : "", i, conditions[kinds[i] % 3],
		    ends[kinds[i] / 6].text);
	buf_printf(&b, "otherwise header remove Z, defer; }");
	compiled_init(&c, buf_text(&b), NULL);
	assert_non_null(c.set);
	findings_read(&f, "client.trusted=yes;client.local=no;client.authenticated=?", &c.arena);
	policy_evaluate(&c.set->policies[0], &f, &c.arena, &v);
	if (v.fate != want.fate || v.rule != &c.set->policies[0].rules[want.rule] ||
	    v.change_count != want.changes || v.unknown_met != want.unknown)
		fail_msg("%s\ngives %s", buf_text(&b), fate_name(v.fate));
	assert_int_equal(v.fact, want.rule == n ? FACT_COUNT : FACT_CLIENT_TRUSTED);
	assert_true(span_equal(v.reply, v.fate == FATE_REJECT ? SPAN_LIT("5.7.1 no") :
	    SPAN_NONE));
	assert_true(span_equal(v.quarantine, v.fate == FATE_QUARANTINE ? SPAN_LIT("q") :
	    SPAN_NONE));
	check_traces(kinds, n, &v, want.rule);
	compiled_finish(&c);
	buf_free(&b);
}

static void
test_walks(void **state)
{
	unsigned kinds[3];

	for (size_t n = 0; n <= 3; n++) {
		unsigned all = 1;

		for (size_t i = 0; i < n; i++)
			all *= KINDS;
		for (unsigned number = 0; number < all; number++) {
			unsigned rest = number;

			for (size_t i = 0; i < n; i++, rest /= KINDS)
				kinds[i] = rest % KINDS;
			check_walk(kinds, n);
		}
	}
}

/* Of all rules together, wherever in a condition the fact stands. */
static void
test_wishes(void **state)
{
	static const struct { const char *rules; unsigned wishes; } table[] = {
		{ "", 0 },
		{ "rule a when sender = \"\" then accept;", 0 },
		{ "rule a when any header (name = \"x\") then accept;", WISH_HEADER },
		{ "monitor rule a when bad-header = \"x\" then discard;", WISH_STRUCTURE },
		{ "rule a when not (sender = \"\" or attachment.name = \"x\") then accept;",
		    WISH_STRUCTURE | WISH_PARTS },
		{ "rule a when count attachment (class = script) > 1 then discard;"
		    "rule b when any link (differs) then discard;",
		    WISH_STRUCTURE | WISH_PARTS | WISH_TYPES | WISH_TEXT | WISH_LINKS },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct compiled c;
		char text[400];

		snprintf(text, sizeof text, "policy p { %s otherwise accept; }", table[i].rules);
		compiled_init(&c, text, NULL);
		if (c.set == NULL)
			fail_msg("%s: %s", text, buf_text(&c.complaints.text));
		assert_int_equal(policy_wishes(policy_find(c.set, SPAN_LIT("p"))),
		    table[i].wishes);
		compiled_finish(&c);
	}
}

/* One walk for many recipients says what policy_evaluate says of each. */
static void
test_recipients(void **state)
{
	static const char *const recipients[] = { "a@local.example", "b@far.example", "c" };
	static const enum fate fates[] = { FATE_DISCARD, FATE_DEFER, FATE_ACCEPT };
	struct compiled c;
	struct findings f;
	struct policy_walk w;
	struct verdict one, other;

	compiled_init(&c, "policy p {\n"
	    "rule a when recipient = a@local.example and client.local then discard;\n"
	    "rule b when client.local then header add L yes;\n"
	    "monitor rule m when recipient.count > 2 then discard;\n"
	    "rule c when recipient.domain in .far.example then header remove X, defer;\n"
	    "rule d when header.subject = x then discard;\n"
	    "otherwise accept; }", NULL);
	assert_non_null(c.set);
	const struct policy *p = &c.set->policies[0];

	findings_read(&f, "client.local=yes;recipient.count=3;header.subject=?", &c.arena);
	policy_walk_begin(&w, p, &f, &c.arena);
	for (size_t i = 0; i < COUNT_OF(recipients); i++) {
		const char *at = strchr(recipients[i], '@');

		findings_set_text(&f, FACT_RECIPIENT, span_text(recipients[i]));
		if (at != NULL)
			findings_set_text(&f, FACT_RECIPIENT_DOMAIN, span_text(at + 1));
		else
			findings_set_absent(&f, FACT_RECIPIENT_DOMAIN);
		policy_walk_recipient(&w, &c.arena, &one);
		policy_evaluate(p, &f, &c.arena, &other);
		assert_int_equal(one.fate, fates[i]);
		assert_int_equal(one.fate, other.fate);
		assert_ptr_equal(one.rule, other.rule);
		assert_int_equal(one.unknown_met, i == 2);
		assert_int_equal(one.unknown_met, other.unknown_met);
		assert_int_equal(one.change_count, other.change_count);
		assert_memory_equal(one.traces, other.traces,
		    p->rule_count * sizeof *one.traces);
	}
	/* A condition without recipient terms is asked once a message. */
	findings_set_truth(&f, FACT_CLIENT_LOCAL, false);
	policy_walk_recipient(&w, &c.arena, &one);
	assert_int_equal(one.traces[0].result, TRACE_NO);
	assert_int_equal(one.traces[1].result, TRACE_FIRED);
	compiled_finish(&c);
}

static struct verdict
verdict_of(struct compiled *c, const char *actions)
{
	struct findings f = { 0 };
	struct verdict v;
	char text[200];

	snprintf(text, sizeof text, "policy p { otherwise %s; }", actions);
	compiled_init(c, text, NULL);
	assert_non_null(c->set);
	policy_evaluate(&c->set->policies[0], &f, &c->arena, &v);
	return v;
}

static void
test_same_changes(void **state)
{
	static const struct { const char *a, *b; bool same; } table[] = {
		{ "accept", "accept", true },
		{ "discard", "discard", false },
		{ "accept", "defer", false },
		{ "header add X y, accept", "header add x \"y\", accept", true },
		{ "header add X y, accept", "header add X Y, accept", false },
		{ "header add X y, accept", "accept", false },
		{ "header remove X, accept", "header add X \"\", accept", false },
		{ "header remove X, header remove Y, accept",
		  "header remove Y, header remove X, accept", false },
		{ "tag, accept", "accept", false },
		{ "tag, accept", "tag, tag, accept", true },
		{ "tag, accept", "tag status, accept", false },
		{ "tag status, tag, accept", "tag, accept", true },
		{ "tag subject \"a\", accept", "tag, accept", false },
		{ "tag subject \"b\", tag subject \"a\", accept", "tag subject \"a\", accept", true },
		{ "tag subject \"a\", tag, accept", "tag subject \"a\", accept", true },
		{ "tag extension x, accept", "tag extension y, accept", true },
		{ "score 2, accept", "accept", true },
		{ "score 2, tag, accept", "tag, accept", false },
		{ "score 2, tag, accept", "tag, score 2.5, score -0.5, accept", true },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct compiled a, b;
		struct verdict va = verdict_of(&a, table[i].a), vb = verdict_of(&b, table[i].b);

		assert_int_equal(verdict_same_changes(&va, &vb), table[i].same);
		assert_int_equal(verdict_same_changes(&vb, &va), table[i].same);
		compiled_finish(&a);
		compiled_finish(&b);
	}
}

static struct tag
tag_of(struct compiled *c, const char *rules)
{
	struct findings f;
	struct verdict v;
	char text[400];

	snprintf(text, sizeof text, "policy p { %s otherwise accept; }", rules);
	compiled_init(c, text, NULL);
	assert_non_null(c->set);
	findings_read(&f, "client.local=yes;spam.score=6000", &c->arena);
	policy_evaluate(&c->set->policies[0], &f, &c->arena, &v);
	return v.tag;
}

static void
test_tags(void **state)
{
	static const struct {
		const char *rules;
		enum tag_kind kind;
		const char *subject, *extension;
		int64_t required;       /* -1: none */
	} table[] = {
		{ "", TAG_NONE, "", "", -1 },
		{ "rule a when client.local then tag;", TAG_SPAM, "", "", -1 },
		{ "rule a when spam.score >= 5 then tag subject \"***SPAM*** \" extension spam;",
		  TAG_SPAM, "***SPAM*** ", "spam", 5000 },
		{ "rule a when spam.score > 2.5 or spam.score >= 6 then tag extension a-b_1 "
		  "subject \"x\";", TAG_SPAM, "x", "a-b_1", 2500 },
		/* A No names the bound of the rule that would say Yes. */
		{ "rule a when spam.score >= 2 then tag status; rule b when spam.score >= 7.5 "
		  "then tag;", TAG_STATUS, "", "", 7500 },
		{ "rule a when spam.score >= 2 then tag status; rule b when spam.score >= 5 "
		  "then tag;", TAG_SPAM, "", "", 5000 },
		{ "rule b when spam.score >= 5 then tag subject \"x\"; rule a when spam.score >= 2 "
		  "then tag status;", TAG_SPAM, "x", "", 5000 },
		{ "rule a when spam.score >= 2 then tag status;", TAG_STATUS, "", "", 2000 },
		{ "rule a when spam.score >= 3 then tag subject \"3\" extension e; "
		  "rule b when spam.score >= 5 then tag subject \"5\";", TAG_SPAM, "5", "e", 5000 },
		{ "monitor rule a when client.local then tag;", TAG_NONE, "", "", -1 },
		{ "rule a when not client.local then tag;", TAG_NONE, "", "", -1 },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct compiled c;
		struct tag t = tag_of(&c, table[i].rules);

		if (t.kind != table[i].kind || t.has_required != (table[i].required >= 0) ||
		    (t.has_required && t.required != table[i].required))
			fail_msg("%s", table[i].rules);
		assert_true(span_equal(t.subject, span_text(table[i].subject)));
		assert_true(span_equal(t.extension, span_text(table[i].extension)));
		compiled_finish(&c);
	}
}

/* Scores: four rules in a row, three recipients in one walk, against a plain count. */

static const char *const scoring[] = {
	"rule r%zu when recipient = a@x then score 3;",
	"rule r%zu when client.local then score -1.5;",
	"rule r%zu when client.trusted then score 4;",
	"rule r%zu when spam.score >= 3 then header add A 1;",
	"rule r%zu when spam.score < 1 then score 2;",
	"monitor rule r%zu when client.local then score 50;",
	"rule r%zu when spam.score > 1.5 and recipient = b@x then discard;",
	"rule r%zu when client.authenticated then score 50;",
};
#define SCORING COUNT_OF(scoring)
#define LONG_ROW 4

struct tally { int64_t score; unsigned changes; bool discarded, unknown; };

/* `base` is in thousandths; INT64_MIN is unknown. */
static struct tally
naive_scores(unsigned number, int64_t base, char recipient)
{
	struct tally t = { 0 };

	for (unsigned i = 0; i < LONG_ROW && !t.discarded; i++, number /= SCORING) {
		bool known = base != INT64_MIN;
		int64_t sum = known ? base + t.score : 0;

		switch (number % SCORING) {
		case 0: t.score += recipient == 'a' ? 3000 : 0; break;
		case 1: t.score -= 1500; break;
		case 3: t.changes += known && sum >= 3000; t.unknown |= !known; break;
		case 4: t.score += known && sum < 1000 ? 2000 : 0; t.unknown |= !known; break;
		case 6:
			t.discarded = known && sum > 1500 && recipient == 'b';
			t.unknown |= !known && recipient == 'b';
			break;
		case 7: t.unknown = true; break;
		}
	}
	return t;
}

static void
check_scores(const struct policy *p, unsigned number, int64_t base, struct arena *a)
{
	struct policy_walk w;
	struct findings f;
	struct verdict v;

	findings_read(&f, "client.local=yes;client.trusted=no;client.authenticated=?", a);
	if (base == INT64_MIN)
		findings_set_unknown(&f, FACT_SPAM_SCORE, "test");
	else if (base != 0)
		findings_set_number(&f, FACT_SPAM_SCORE, base);
	policy_walk_begin(&w, p, &f, a);
	for (const char *r = "abcba"; *r != '\0'; r++) {
		struct tally want = naive_scores(number, base, *r);
		char mailbox[] = { *r, '@', 'x', '\0' };

		findings_set_text(&f, FACT_RECIPIENT, span_text(mailbox));
		policy_walk_recipient(&w, a, &v);
		if (v.score != want.score || v.change_count != want.changes ||
		    v.unknown_met != want.unknown ||
		    (v.fate == FATE_DISCARD) != want.discarded)
			fail_msg("rules %o, base %lld, %s: score %lld not %lld, %zu changes, %s",
			    number, (long long)base, mailbox, (long long)v.score,
			    (long long)want.score, v.change_count, fate_name(v.fate));
		assert_int_equal(v.unknown_met, !fact_set_is_empty(&v.unknown_facts));
	}
}

static void
test_scores(void **state)
{
	for (unsigned number = 0; number < SCORING * SCORING * SCORING * SCORING; number++) {
		struct buf b = { 0 };
		struct compiled c;
		unsigned rest = number;

		buf_printf(&b, "policy p { ");
		for (size_t i = 0; i < LONG_ROW; i++, rest /= SCORING) {
			char rule[100];

			snprintf(rule, sizeof rule, scoring[rest % SCORING], i);
			buf_printf(&b, "%s", rule);
		}
		buf_printf(&b, " otherwise accept; }");
		compiled_init(&c, buf_text(&b), NULL);
		assert_non_null(c.set);
		check_scores(&c.set->policies[0], number, 0, &c.arena);
		check_scores(&c.set->policies[0], number, 2000, &c.arena);
		check_scores(&c.set->policies[0], number, INT64_MIN, &c.arena);
		compiled_finish(&c);
		buf_free(&b);
	}
}

/* Whose unknown facts they are, and who has judged what is unscannable. */
static void
test_unknown_facts(void **state)
{
	static const struct { const char *rules, *facts; bool judged, unseen; } table[] = {
		{ "rule a when virus.found then discard;", "virus.found", false, false },
		{ "monitor rule a when virus.found then discard;", "", false, false },
		{ "rule a when client.local then accept; rule b when virus.found then discard;", "",
		  false, false },
		{ "rule a when virus.found and client.trusted then discard;", "", false, false },
		{ "rule a when virus.found and virus.unscannable then discard; "
		  "rule b when header.subject = x or client.trusted then tag;",
		  "header.subject virus.found", false, false },
		{ "rule a when (virus.found and client.trusted) or header.subject = x then tag;",
		  "header.subject", false, false },
		{ "rule a when any symbol (name = x and score > 1) then tag;",
		  "symbol.name symbol.score", false, false },
		{ "rule a when header.from matches /(a+)+[bc]/ then tag;", "header.from", false, false },
		{ "rule a when virus.unscannable then accept;", "", true, false },
		{ "rule a when virus.unscannable and client.local then accept;", "", true, false },
		{ "rule a when client.local and virus.unscannable then accept;", "", true, false },
		{ "rule a when client.local or virus.unscannable then accept;", "", false, false },
		{ "rule a when not virus.unscannable then discard; rule b when client.local then "
		  "accept;", "", false, false },
		{ "rule a when virus.found then discard; rule b when virus.unscannable or "
		  "message.unscannable then accept;", "virus.found", true, false },
		{ "rule a when any attachment (type = exe) then discard; rule b when "
		  "archive.encrypted then accept;", "attachment.type", false, true },
		{ "rule a when any attachment (type = exe) then discard; rule b when mime.broken "
		  "or any attachment (broken or unscannable) then accept;", "attachment.type",
		  false, true },
		{ "rule a when any attachment (type = exe) then discard; rule b when "
		  "any attachment (inline) or archive.encrypted then accept;",
		  "attachment.type", false, false },
		{ "rule a when archive.encrypted and virus.unscannable then accept;", "", true,
		  true },
		{ "rule a when archive.encrypted or virus.unscannable then accept;", "", true,
		  true },
		{ "rule a when archive.limit or virus.unscannable then accept;", "", true, false },
		{ "rule a when archive.encrypted or virus.unscannable or client.local then accept;",
		  "", false, false },
		{ "rule a when virus.unscannable then score 1, tag; rule b when spam.score > 1 "
		  "then accept;", "spam.score", false, false },
	};
	char as[101];

	memset(as, 'a', 100);
	as[100] = '\0';
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct buf b = { 0 };
		struct compiled c;
		struct findings f;
		struct verdict v;

		buf_printf(&b, "scanner c { type clamd; at unix:/c; } scanner s { type spamd; "
		    "at unix:/s; } policy p { %s otherwise accept; }", table[i].rules);
		compiled_init(&c, buf_text(&b), NULL);
		assert_non_null(c.set);
		findings_read(&f, "client.local=yes;client.trusted=no;header.subject=?;"
		    "virus.found=?;virus.unscannable=yes;spam.score=?;symbol.name=?", &c.arena);
		findings_set_text(&f, FACT_HEADER_FROM, span_text(as));
		findings_set_truth(&f, FACT_ARCHIVE_ENCRYPTED, true);
		struct item *zip = findings_add(&f, GROUP_ATTACHMENT, &c.arena);

		item_set_truth(zip, FACT_ATTACHMENT_UNSCANNABLE, true);
		item_set_truth(zip, FACT_ATTACHMENT_INLINE, true);
		findings_cut(&f, GROUP_ATTACHMENT);
		policy_evaluate(&c.set->policies[0], &f, &c.arena, &v);
		buf_take(&b, buf_len(&b));
		for (unsigned fact = 0; fact < FACT_COUNT; fact++)
			if (fact_set_has(&v.unknown_facts, (enum fact)fact))
				buf_printf(&b, "%s%s", buf_len(&b) > 0 ? " " : "",
				    fact_row((enum fact)fact)->name);
		if (strcmp(buf_text(&b), table[i].facts) != 0 ||
		    v.decided_by_unscannable != table[i].judged ||
		    v.decided_by_unseen != table[i].unseen)
			fail_msg("%s\n'%s', not '%s'", table[i].rules, buf_text(&b),
			    table[i].facts);
		buf_free(&b);
		compiled_finish(&c);
	}
}

static void
test_changes_cut(void **state)
{
	for (size_t n = POLICY_CHANGES - 1; n <= POLICY_CHANGES + 1; n++) {
		struct findings f = { 0 };
		struct buf b = { 0 };
		struct compiled c;
		struct verdict v;

		findings_set_truth(&f, FACT_CLIENT_LOCAL, true);
		buf_printf(&b, "policy p { rule r when client.local then header add N 0");
		for (size_t i = 1; i < n; i++)
			buf_printf(&b, ", header add N %zu", i);
		buf_printf(&b, "; otherwise accept; }");
		compiled_init(&c, buf_text(&b), NULL);
		policy_evaluate(&c.set->policies[0], &f, &c.arena, &v);
		assert_int_equal(v.change_count, n < POLICY_CHANGES ? n : POLICY_CHANGES);
		assert_int_equal(v.changes_cut, n > POLICY_CHANGES);
		assert_true(span_equal(v.changes[98]->value, SPAN_LIT("98")));
		compiled_finish(&c);
		buf_free(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_own_clients),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_holds),
		cmocka_unit_test(test_include),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_walks),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_same_changes),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_scores),
		cmocka_unit_test(test_unknown_facts),
		cmocka_unit_test(test_changes_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
