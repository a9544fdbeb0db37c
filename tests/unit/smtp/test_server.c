/*
 * test_server.c - dialogues, each whole and at every cut; limits, memory, smuggling.
 */
#include "tests/unit/smtp/talk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define OFFERS_SIZE(size, xforward) \
	"250-mx.test\r\n250-PIPELINING\r\n" size "250-VRFY\r\n" \
	"250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n" \
	"250-CHUNKING\r\n" xforward "250 HELP\r\n"
#define OFFERS OFFERS_SIZE("250-SIZE 100\r\n", \
	"250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n")
#define FEW_OFFERS "250-mx.test\r\n250-PIPELINING\r\n250-VRFY\r\n" \
	"250-ENHANCEDSTATUSCODES\r\n" \
	"250-8BITMIME\r\n250-CHUNKING\r\n250 HELP\r\n"

#define EHLO    "EHLO c\r\n"
#define MAIL    "MAIL FROM:<a@b>\r\n"
#define RCPT    "RCPT TO:<c@d>\r\n"
#define MAIL_OK "250 2.1.0 Ok\r\n"
#define RCPT_OK "250 2.1.5 Ok\r\n"
#define OK      "250 2.0.0 Ok\r\n"
#define GO      "354 End data with <CR><LF>.<CR><LF>\r\n"
#define TAKEN   "250 2.0.0 Taken\r\n"
#define CHUNK   "250 2.0.0 Chunk received\r\n"
#define BYE     "221 2.0.0 Bye\r\n"
#define BAD_SEQUENCE  "503 5.5.1 Bad sequence of commands\r\n"
#define NOT_KNOWN     "500 5.5.2 Command not recognised\r\n"
#define NO_PARAMETER  "555 5.5.4 Parameter not recognised\r\n"
#define BAD_VALUE     "501 5.5.4 Bad parameter value\r\n"
#define TOO_BIG       "552 5.3.4 Message too big\r\n"
#define NO_RECIPIENT  "503 5.5.1 BDAT needs MAIL and RCPT first\r\n"

static const struct smtp_server_config full = {
	.hostname = "mx.test", .repair = true, .xforward = true, .dsn = true, .smtputf8 =
	    true,
	.size = true, .size_offer = 100, .size_limit = 100, .recipient_limit = 3,
	.command_limit = 600, .error_limit = 100,
};
static const struct smtp_server_config bare = {
	.hostname = "mx.test", .command_limit = 40, .line_limit = 6, .error_limit = 3,
};
static const struct smtp_server_config only_lmtp = {
	.hostname = "mx.test", .protocol = SERVER_LMTP, .repair = true, .size_limit = 20,
};
static const struct smtp_server_config only_smtp = {
	.hostname = "mx.test", .protocol = SERVER_SMTP, .repair = true,
};

/* What the client says, what comes back after the greeting, and what the driver saw. */
struct dialogue {
	const char *name;
	const struct smtp_server_config *config;
	const char *in, *out, *log;
};

static const struct dialogue commands[] = {
	{ "one mail", &full,
	  EHLO MAIL RCPT "DATA\r\nHi\r\n..b\r\n.\r\nQUIT\r\n",
	  OFFERS MAIL_OK RCPT_OK GO TAKEN BYE,
	  "mail(a@b) rcpt(c@d) body message{Hi\r\n.b\r\n} dot(4) close " },
	{ "two mails, any case, bare LF behind commands", &full,
	  "ehlo c\nmail from:<>\nrcpt to:<c@d>\ndata\na\r\n.\r\nMail From:<a@b>\r\n"
	  "RCPT TO:c@d\r\nDATA \r\n.\r\nQuit\r\n",
	  OFFERS MAIL_OK RCPT_OK GO TAKEN MAIL_OK RCPT_OK GO TAKEN BYE,
	  "mail() rcpt(c@d) body message{a\r\n} mail(a@b) rcpt(c@d) body message{} close "
	  },
	{ "few offers", &bare, EHLO "QUIT\r\n", FEW_OFFERS BYE, "close " },
	{ "HELO has no extensions", &full,
	  "HELO c\r\nMAIL FROM:<a@b> SIZE=3\r\nMAIL FROM:<a@b>\r\n"
	  "RCPT TO:<c@d> NOTIFY=NEVER\r\n",
	  "250 mx.test\r\n" NO_PARAMETER MAIL_OK NO_PARAMETER, "mail(a@b) " },
	{ "not offered, not known", &bare,
	  EHLO "MAIL FROM:<a@b> SIZE=3\r\n" MAIL
	  "RCPT TO:<c@d> ORCPT=a;b\r\nXFORWARD PORT=1\r\n",
	  FEW_OFFERS NO_PARAMETER MAIL_OK NO_PARAMETER
	  "550 5.7.0 XFORWARD is not for you\r\n",
	  "mail(a@b) " },
	{ "before EHLO", &full,
	  MAIL RCPT
	  "DATA\r\nNOOP x\r\nRSET\r\nHELP me\r\nVRFY x\r\nXFORWARD PORT=1\r\nQUIT\r\n",
	  "503 5.5.1 Say EHLO first\r\n503 5.5.1 Say EHLO first\r\n"
	  "503 5.5.1 Say EHLO first\r\n"
	  OK OK "214 2.0.0 RFC 5321 and RFC 2033 are spoken here\r\n"
	  "252 2.0.0 Send some mail and see\r\n503 5.5.1 XFORWARD comes before MAIL\r\n"
	  BYE,
	  "close " },
	{ "bad sequences", &full,
	  EHLO RCPT "DATA\r\n" MAIL MAIL "DATA\r\nXFORWARD PORT=1\r\n" RCPT MAIL,
	  OFFERS BAD_SEQUENCE BAD_SEQUENCE MAIL_OK BAD_SEQUENCE BAD_SEQUENCE
	  "503 5.5.1 XFORWARD comes before MAIL\r\n" RCPT_OK BAD_SEQUENCE,
	  "mail(a@b) rcpt(c@d) " },
	{ "never implemented", &full,
	  "EXPN\r\nTURN\r\nETRN x\r\nSEND\r\nSOML\r\nSAML\r\nVRFY\r\n",
	  "502 5.5.1 Command not implemented\r\n502 5.5.1 Command not implemented\r\n"
	  "502 5.5.1 Command not implemented\r\n502 5.5.1 Command not implemented\r\n"
	  "502 5.5.1 Command not implemented\r\n502 5.5.1 Command not implemented\r\n"
	  "501 5.5.4 Syntax: VRFY address\r\n", "" },
	{ "garbage", &full,
	  "\r\n\n \r\nMAILX\r\nMAI\r\n\x80\xff\x01\r\n MAIL FROM:<a@b>\r\nRSET\rx\r\n",
	  NOT_KNOWN NOT_KNOWN NOT_KNOWN NOT_KNOWN NOT_KNOWN NOT_KNOWN NOT_KNOWN NOT_KNOWN,
	  "" },
	{ "syntax", &full,
	  "EHLO\r\nHELO \r\nEHLO a\x01\r\n" EHLO
	  "MAIL\r\nMAIL <a@b>\r\nMAIL FROM:\r\nMAIL FROM:<a\r\nMAIL FROM:<a@b>SIZE=1\r\n"
	  MAIL
	  "RCPT\r\nRCPT TO:<>\r\nRCPT TO:<a@>\r\n" RCPT "RSET x\r\nDATA x\r\nQUIT x\r\n",
	  "501 5.5.4 Say your name, too\r\n501 5.5.4 Say your name, too\r\n"
	  "501 5.5.4 Say your name, too\r\n" OFFERS
	  "501 5.5.4 Syntax: MAIL FROM:<address>\r\n"
	  "501 5.5.4 Syntax: MAIL FROM:<address>\r\n"
	  "501 5.1.7 Bad sender address syntax\r\n501 5.1.7 Bad sender address syntax\r\n"
	  "501 5.1.7 Bad sender address syntax\r\n" MAIL_OK
	  "501 5.5.4 Syntax: RCPT TO:<address>\r\n"
	  "501 5.1.3 Bad recipient address syntax\r\n"
	  "501 5.1.3 Bad recipient address syntax\r\n" RCPT_OK
	  "501 5.5.4 This command takes no argument\r\n"
	  "501 5.5.4 This command takes no argument\r\n"
	  "501 5.5.4 This command takes no argument\r\n", "mail(a@b) rcpt(c@d) " },
	{ "parameters of MAIL", &full,
	  EHLO "MAIL FROM:<a@b> X=1\r\nMAIL FROM:<a@b> NOTIFY=NEVER\r\n"
	  "MAIL FROM:<a@b> SIZE\r\n"
	  "MAIL FROM:<a@b> SIZE=1 SIZE=1\r\nMAIL FROM:<a@b> SIZE=x\r\n"
	  "MAIL FROM:<a@b> SIZE=101\r\n"
	  "MAIL FROM:<a@b> BODY=BINARYMIME\r\nMAIL FROM:<a@b> SMTPUTF8=1\r\n"
	  "MAIL FROM:<a@b> RET=\r\nMAIL FROM:<a@b> ENVID=+1\r\n"
	  "MAIL FROM:<a@b> ENVID=+07\r\n"
	  "MAIL FROM: <a@b>  size=100\tBody=8bitmime SMTPUTF8 RET=hdrs ENVID=x+20y \r\n",
	  OFFERS NO_PARAMETER NO_PARAMETER BAD_VALUE "501 5.5.4 Parameter given twice\r\n"
	  BAD_VALUE
	  TOO_BIG BAD_VALUE BAD_VALUE BAD_VALUE BAD_VALUE BAD_VALUE MAIL_OK, "mail(a@b) "
	  },
	{ "parameters of RCPT", &full,
	  EHLO MAIL
	  "RCPT TO:<c@d> X\r\nRCPT TO:<c@d> NOTIFY=\r\n"
	  "RCPT TO:<c@d> NOTIFY=NEVER,DELAY\r\n"
	  "RCPT TO:<c@d> NOTIFY=DELAY,NEVER\r\nRCPT TO:<c@d> NOTIFY=DELAY,\r\n"
	  "RCPT TO:<c@d> ORCPT=rfc822\r\nRCPT TO:<c@d> ORCPT=;x\r\n"
	  "RCPT TO:<c@d> ORCPT=a;+0A\r\n"
	  "RCPT TO:<c@d> ORCPT=a b;x\r\nRCPT TO:<c@d> NOTIFY=NEVER NOTIFY=NEVER\r\n"
	  "RCPT TO:<c@d> ORCPT=utf-8;\xc3\xb6\r\n"
	  "RCPT TO:<c@d> NOTIFY=delay,SUCCESS ORCPT=rfc822;x+2By@z\r\n",
	  OFFERS MAIL_OK NO_PARAMETER BAD_VALUE BAD_VALUE BAD_VALUE BAD_VALUE BAD_VALUE
	  BAD_VALUE
	  BAD_VALUE BAD_VALUE "501 5.5.4 Parameter given twice\r\n"
	  "553 5.6.7 A recipient outside ASCII needs SMTPUTF8\r\n" RCPT_OK,
	  "mail(a@b) rcpt(c@d) " },
	{ "SMTPUTF8", &full,
	  EHLO "MAIL FROM:<\xc3\xb6@b>\r\n" MAIL "RCPT TO:<\xc3\xb6@b>\r\nRSET\r\n"
	  "MAIL FROM:<\xc3\xb6@b> SMTPUTF8\r\nRCPT TO:<\xc3\xb6@b>\r\n"
	  "RCPT TO:<\xff@b>\r\n",
	  OFFERS "550 5.6.7 A sender outside ASCII needs SMTPUTF8\r\n" MAIL_OK
	  "553 5.6.7 A recipient outside ASCII needs SMTPUTF8\r\n" OK MAIL_OK RCPT_OK
	  "501 5.1.3 Bad recipient address syntax\r\n",
	  "mail(a@b) abort mail(\xc3\xb6@b) rcpt(\xc3\xb6@b) " },
	{ "RSET, EHLO and QUIT end a transaction", &full,
	  EHLO MAIL "RSET\r\n" MAIL RCPT EHLO MAIL RCPT "QUIT\r\nNOOP\r\n",
	  OFFERS MAIL_OK OK MAIL_OK RCPT_OK OFFERS MAIL_OK RCPT_OK BYE,
	  "mail(a@b) abort mail(a@b) rcpt(c@d) abort mail(a@b) rcpt(c@d) abort close " },
	{ "the driver refuses", &full,
	  EHLO "MAIL FROM:<refuse@b>\r\n" RCPT MAIL "RCPT TO:<refuse@d>\r\nDATA\r\n" RCPT
	  "RSET\r\n"
	  "MAIL FROM:<nobody@b>\r\n" RCPT "DATA\r\nNOOP\r\n" MAIL,
	  OFFERS "550 5.7.1 No sender\r\n" BAD_SEQUENCE MAIL_OK
	  "550 5.1.1 No recipient\r\n"
	  BAD_SEQUENCE RCPT_OK OK MAIL_OK RCPT_OK "554 5.7.1 No body\r\n" OK MAIL_OK,
	  "mail(refuse@b) mail(a@b) rcpt(refuse@d) rcpt(c@d) abort mail(nobody@b) "
	  "rcpt(c@d) body "
	  "abort mail(a@b) " },
	{ "the driver stops at MAIL", &full, EHLO "MAIL FROM:<stop@b>\r\n" RCPT,
	  OFFERS "421 4.3.2 Stop\r\n", "mail(stop@b) close " },
	{ "the driver stops at RCPT", &full, EHLO MAIL "RCPT TO:<stop@b>\r\n" RCPT,
	  OFFERS MAIL_OK "421 4.3.2 Stop\r\n", "mail(a@b) rcpt(stop@b) abort close " },
	{ "too many recipients", &full, EHLO MAIL RCPT RCPT RCPT RCPT "DATA\r\n.\r\n",
	  OFFERS MAIL_OK RCPT_OK RCPT_OK RCPT_OK "452 4.5.3 Too many recipients\r\n" GO
	  TAKEN,
	  "mail(a@b) rcpt(c@d) rcpt(c@d) rcpt(c@d) body message{} " },
	{ "too many errors", &bare, "a\r\nb\r\nc\r\nd\r\ne\r\n",
	  NOT_KNOWN NOT_KNOWN NOT_KNOWN "421 4.7.0 Too many errors\r\n", "close " },
	{ "errors inside a transaction", &bare, EHLO MAIL "a\r\nb\r\nc\r\nd\r\n",
	  FEW_OFFERS MAIL_OK NOT_KNOWN NOT_KNOWN NOT_KNOWN
	  "421 4.7.0 Too many errors\r\n",
	  "mail(a@b) abort close " },
	{ "a message taken forgives errors", &bare,
	  "a\r\nb\r\n" EHLO MAIL RCPT "DATA\r\n.\r\na\r\nb\r\nc\r\nd\r\n",
	  NOT_KNOWN NOT_KNOWN FEW_OFFERS MAIL_OK RCPT_OK GO TAKEN
	  NOT_KNOWN NOT_KNOWN NOT_KNOWN "421 4.7.0 Too many errors\r\n",
	  "mail(a@b) rcpt(c@d) body message{} close " },
	{ "a line of the limit, and one more byte", &bare,
	  "NOOP 67890123456789012345678901234567890\nNOOP 678901234567890123456789012345678\r\n"
	  "NOOP 678901234567890123456789012345678901\nNOOP 6789012345678901234567890123456789\r\n"
	  "NOOP 6789012345678901234567890123456789012345678901234567890123456789012345\r\nNOOP\r\n",
	  "500 5.5.2 Line too long\r\n" OK "500 5.5.2 Line too long\r\n"
	  "500 5.5.2 Line too long\r\n421 4.7.0 Too many errors\r\n", "close " },
	{ "a browser", &full, "POST / HTTP/1.1\r\nHost: mx\r\n\r\n" EHLO MAIL,
	  "421 4.7.0 This is no web server\r\n", "close " },
};

static const struct dialogue forwards[] = {
	{ "XFORWARD", &full,
	  EHLO "XFORWARD NAME=n.test ADDR=192.0.2.1\r\n"
	  "xforward port=25 proto=ESMTP helo=[h] ident=Q1 "
	  "source=local\r\n" MAIL,
	  OFFERS OK OK MAIL_OK, "mail(a@b) " },
	{ "bad values", &full,
	  EHLO "XFORWARD\r\nXFORWARD NAME\r\nXFORWARD X=1\r\nXFORWARD NAME=\r\n"
	  "XFORWARD NAME=+0\r\n"
	  "XFORWARD NAME=a+20b\r\nXFORWARD NAME=<a>\r\nXFORWARD NAME=\xc3\xb6\r\n"
	  "XFORWARD ADDR=1.2.3\r\nXFORWARD ADDR=[1.2.3.4]\r\n"
	  "XFORWARD ADDR=IPV6:1.2.3.4\r\n"
	  "XFORWARD PORT=65536\r\nXFORWARD SOURCE=x\r\nXFORWARD NAME=ok PORT=x\r\n",
	  OFFERS "501 5.5.4 Syntax: XFORWARD attribute=value ...\r\n"
#define BAD "501 5.5.4 Bad XFORWARD attribute\r\n"
	  BAD BAD BAD BAD BAD BAD BAD BAD BAD BAD BAD BAD BAD, "" },
};

static const struct dialogue messages[] = {
	{ "newlines repaired", &full, EHLO MAIL RCPT "DATA\r\na\nb\rc\n.\n.\r\n\r\n.\r\n",
	  OFFERS MAIL_OK RCPT_OK GO TAKEN,
	  "mail(a@b) rcpt(c@d) body message{a\r\nb c\r\n.\r\n.\r\n\r\n} bare(1,3) dot(8) "
	  "dot(11) " },
	{ "newlines refused", &bare, EHLO MAIL RCPT "DATA\r\na\nb\r\n.\r\n" MAIL,
	  FEW_OFFERS MAIL_OK RCPT_OK GO "550 5.5.2 Lines must end in CR LF\r\n" MAIL_OK,
	  "mail(a@b) rcpt(c@d) body abort mail(a@b) " },
	{ "line too long", &bare,
	  EHLO MAIL RCPT "DATA\r\n123456\r\n.\r\n" MAIL RCPT
	  "DATA\r\n1234567\r\na\r\n.\r\n",
	  FEW_OFFERS MAIL_OK RCPT_OK GO TAKEN MAIL_OK RCPT_OK GO
	  "554 5.6.0 Line too long\r\n",
	  "mail(a@b) rcpt(c@d) body message{123456\r\n} mail(a@b) rcpt(c@d) body abort "
	  },
	{ "too big", &only_lmtp,
	  "LHLO c\r\n" MAIL RCPT RCPT "DATA\r\n1234567890123456789\r\n.\r\n" MAIL,
	  FEW_OFFERS MAIL_OK RCPT_OK RCPT_OK GO TOO_BIG TOO_BIG MAIL_OK,
	  "mail(a@b) rcpt(c@d) rcpt(c@d) body abort mail(a@b) " },
};

static const struct dialogue chunks[] = {
	{ "chunks", &full,
	  EHLO MAIL RCPT
	  "BDAT 3\r\na\r\nBDAT 0\r\nBDAT 4\r\n.\r\nbBDAT 2 last\r\n\r\nQUIT\r\n",
	  OFFERS MAIL_OK RCPT_OK CHUNK CHUNK CHUNK TAKEN BYE,
	  "mail(a@b) rcpt(c@d) body chunks{a\r\n.\r\nb\r\n} dot(3) close " },
	{ "an empty message", &full, EHLO MAIL RCPT "BDAT 0 LAST\r\n",
	  OFFERS MAIL_OK RCPT_OK TAKEN, "mail(a@b) rcpt(c@d) body chunks{} " },
	{ "DATA after BDAT after DATA", &full,
	  EHLO MAIL RCPT "DATA\r\n.\r\n" MAIL RCPT "BDAT 1\r\naDATA\r\n" MAIL RCPT
	  "NOOP\r\nBDAT 0 LAST\r\n",
	  OFFERS MAIL_OK RCPT_OK GO TAKEN MAIL_OK RCPT_OK CHUNK BAD_SEQUENCE BAD_SEQUENCE
	  BAD_SEQUENCE OK TAKEN,
	  "mail(a@b) rcpt(c@d) body message{} mail(a@b) rcpt(c@d) body chunks{a} " },
	{ "after LAST, before MAIL, before RCPT", &full,
	  "BDAT 6\r\nQUIT\r\n" EHLO "BDAT 6 LAST\r\nQUIT\r\n" MAIL "BDAT 6\r\nQUIT\r\n"
	  RCPT
	  "BDAT 0 LAST\r\nBDAT 6 LAST\r\nQUIT\r\n",
	  NO_RECIPIENT OFFERS NO_RECIPIENT MAIL_OK NO_RECIPIENT RCPT_OK TAKEN
	  NO_RECIPIENT,
	  "mail(a@b) rcpt(c@d) body chunks{} " },
	{ "RSET between chunks drops all", &full,
	  EHLO MAIL RCPT "BDAT 2\r\nabRSET\r\n" MAIL RCPT "BDAT 1 LAST\r\nc",
	  OFFERS MAIL_OK RCPT_OK CHUNK OK MAIL_OK RCPT_OK TAKEN,
	  "mail(a@b) rcpt(c@d) body abort mail(a@b) rcpt(c@d) body chunks{c} " },
	{ "no size", &full, EHLO MAIL RCPT "BDAT x\r\n" EHLO,
	  OFFERS MAIL_OK RCPT_OK "501 5.5.4 Syntax: BDAT size [LAST]\r\n",
	  "mail(a@b) rcpt(c@d) abort close " },
	{ "no size at all", &full, "BDAT\r\n", "501 5.5.4 Syntax: BDAT size [LAST]\r\n",
	  "close " },
	{ "a size past 64 bits", &full, "BDAT 18446744073709551616\r\nQUIT\r\n",
	  "501 5.5.4 Syntax: BDAT size [LAST]\r\n", "close " },
	{ "bad LAST", &full, EHLO MAIL RCPT
	  "BDAT 6 LASTT\r\nQUIT\r\nBDAT 6 LAST x\r\nQUIT\r\n" MAIL,
	  OFFERS MAIL_OK RCPT_OK "501 5.5.4 Syntax: BDAT size [LAST]\r\n"
	  "501 5.5.4 Syntax: BDAT size [LAST]\r\n" MAIL_OK,
	  "mail(a@b) rcpt(c@d) abort mail(a@b) " },
	{ "more behind LAST", &full, EHLO MAIL RCPT "BDAT 6 LAST x\r\nQUIT\r\n",
	  OFFERS MAIL_OK RCPT_OK "501 5.5.4 Syntax: BDAT size [LAST]\r\n",
	  "mail(a@b) rcpt(c@d) abort " },
	{ "too big at once", &only_lmtp,
	  "LHLO c\r\n" MAIL RCPT
	  "BDAT 21\r\nQUIT\r\nQUIT\r\nQUIT\r\nQUIBDAT 6 LAST\r\nQUIT\r\n" MAIL,
	  FEW_OFFERS MAIL_OK RCPT_OK TOO_BIG TOO_BIG MAIL_OK,
	  "mail(a@b) rcpt(c@d) abort mail(a@b) " },
	{ "too big by the second", &only_lmtp,
	  "LHLO c\r\n" MAIL RCPT RCPT
	  "BDAT 20\r\n12345678901234567890BDAT 1\r\nxBDAT 1 LAST\r\nx"
	  "BDAT 1\r\nx",
	  FEW_OFFERS MAIL_OK RCPT_OK RCPT_OK CHUNK TOO_BIG TOO_BIG TOO_BIG TOO_BIG,
	  "mail(a@b) rcpt(c@d) rcpt(c@d) body abort " },
	{ "a body refused", &full,
	  EHLO "MAIL FROM:<nobody@b>\r\n" RCPT
	  "BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nRSET\r\n"
	  "BDAT 6 LAST\r\nQUIT\r\n",
	  OFFERS MAIL_OK RCPT_OK "554 5.7.1 No body\r\n554 5.7.1 No body\r\n" OK
	  NO_RECIPIENT,
	  "mail(nobody@b) rcpt(c@d) body abort " },
	{ "newlines repaired across chunks", &full,
	  EHLO MAIL RCPT "BDAT 2\r\na\rBDAT 2\r\n\n.BDAT 2\r\n\n.BDAT 1 LAST\r\n\r",
	  OFFERS MAIL_OK RCPT_OK CHUNK CHUNK CHUNK TAKEN,
	  "mail(a@b) rcpt(c@d) body chunks{a\r\n.\r\n. } bare(1,1) dot(3) dot(6) " },
	{ "newlines refused", &bare,
	  EHLO MAIL RCPT "BDAT 2\r\na\rBDAT 2\r\n\n.BDAT 2\r\n\n.BDAT 1 LAST\r\na",
	  FEW_OFFERS MAIL_OK RCPT_OK CHUNK CHUNK "550 5.5.2 Lines must end in CR LF\r\n"
	  "550 5.5.2 Lines must end in CR LF\r\n",
	  "mail(a@b) rcpt(c@d) body abort " },
	{ "a CR as the last byte refused", &bare, EHLO MAIL RCPT "BDAT 2 LAST\r\na\r",
	  FEW_OFFERS MAIL_OK RCPT_OK "550 5.5.2 Lines must end in CR LF\r\n",
	  "mail(a@b) rcpt(c@d) body abort " },
};

static const struct dialogue lmtp[] = {
	{ "a reply for each", &full,
	  "LHLO c\r\n" MAIL RCPT
	  "RCPT TO:<refuse@d>\r\nRCPT TO:<late@d>\r\nDATA\r\n.\r\nQUIT\r\n",
	  OFFERS MAIL_OK RCPT_OK "550 5.1.1 No recipient\r\n" RCPT_OK GO TAKEN
	  "550 5.7.1 Too late\r\n" BYE,
	  "mail(a@b) rcpt(c@d) rcpt(refuse@d) rcpt(late@d) body message{} close " },
	{ "no recipient", &full,
	  "LHLO c\r\n" MAIL
	  "RCPT TO:<refuse@d>\r\nDATA\r\nBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\n"
	  "NOOP\r\n",
	  OFFERS MAIL_OK "550 5.1.1 No recipient\r\n" BAD_SEQUENCE NO_RECIPIENT OK,
	  "mail(a@b) rcpt(refuse@d) " },
	{ "chunks", &full, "LHLO c\r\n" MAIL RCPT RCPT "BDAT 1\r\naBDAT 1 LAST\r\nb",
	  OFFERS MAIL_OK RCPT_OK RCPT_OK CHUNK TAKEN TAKEN,
	  "mail(a@b) rcpt(c@d) rcpt(c@d) body chunks{ab} " },
	{ "a body refused", &full,
	  "LHLO c\r\nMAIL FROM:<nobody@b>\r\n" RCPT RCPT "BDAT 1 LAST\r\na"
	  "MAIL FROM:<nobody@b>\r\n" RCPT RCPT "DATA\r\n",
	  OFFERS MAIL_OK RCPT_OK RCPT_OK "554 5.7.1 No body\r\n554 5.7.1 No body\r\n"
	  MAIL_OK RCPT_OK RCPT_OK "554 5.7.1 No body\r\n",
	  "mail(nobody@b) rcpt(c@d) rcpt(c@d) body abort mail(nobody@b) rcpt(c@d) "
	  "rcpt(c@d) body "
	  "abort " },
	{ "the protocol is fixed", &only_lmtp, "EHLO c\r\nHELO c\r\nLHLO c\r\n",
	  "500 5.5.1 This is LMTP: say LHLO\r\n500 5.5.1 This is LMTP: say LHLO\r\n"
	  FEW_OFFERS, "" },
	{ "to SMTP", &only_smtp, "LHLO c\r\nHELO c\r\nEHLO c\r\n",
	  "500 5.5.1 This is SMTP: say EHLO\r\n250 mx.test\r\n" FEW_OFFERS, "" },
	{ "LHLO, then EHLO", &full, "LHLO c\r\n" EHLO MAIL RCPT RCPT "DATA\r\n.\r\n",
	  OFFERS OFFERS MAIL_OK RCPT_OK RCPT_OK GO TAKEN,
	  "mail(a@b) rcpt(c@d) rcpt(c@d) body message{} " },
};

static void
check(const struct dialogue *d, size_t step)
{
	struct talk t = talk_begin(d->config);
	struct buf want = { 0 };

	buf_printf(&want, "220 mx.test %s\r\n%s",
	    d->config->protocol == SERVER_LMTP ? "LMTP" : "ESMTP", d->out);
	talk_feed_steps(&t, span_text(d->in), step);
	if (strcmp(buf_text(&t.out), buf_text(&want)) != 0 ||
	    strcmp(buf_text(&t.log), d->log) != 0)
		print_message("# %s, step %zu\n", d->name, step);
	assert_string_equal(buf_text(&t.out), buf_text(&want));
	assert_string_equal(buf_text(&t.log), d->log);
	talk_end(&t);
	buf_free(&want);
}

static void
check_all(const struct dialogue *d, size_t n)
{
	for (size_t c = 0; c < n; c++)
		for (size_t step = strlen(d[c].in); step > 0; step--)
			check(&d[c], step);
}

static void test_commands(void **state) { check_all(commands, COUNT_OF(commands)); }
static void test_forwards(void **state) { check_all(forwards, COUNT_OF(forwards)); }
static void test_messages(void **state) { check_all(messages, COUNT_OF(messages)); }
static void test_chunks(void **state)   { check_all(chunks, COUNT_OF(chunks)); }
static void test_lmtp(void **state)     { check_all(lmtp, COUNT_OF(lmtp)); }

/* A pipelined group is answered in one piece. */
static void
test_group(void **state)
{
	struct talk t = talk_begin(&full);

	talk_feed(&t, SPAN_LIT(EHLO));
	assert_int_equal(t.flushes, 1);
	talk_feed(&t, SPAN_LIT(MAIL RCPT RCPT "DATA\r\n"));
	assert_int_equal(t.flushes, 2);
	assert_int_equal(smtp_server_state(t.server), SERVER_IN_DATA);
	talk_feed(&t, SPAN_LIT("a\r\n.\r\n" MAIL RCPT "BDAT 1 LAST\r\nxQUIT\r\n"));
	assert_int_equal(t.flushes, 3);
	assert_true(t.closed);
	talk_end(&t);
}

static bool
is_text(struct span s, const char *text)
{
	return span_equal(s, span_text(text));
}

/* Everything of the envelope, at MESSAGE, while the answer is awaited. */
static void
test_envelope(void **state)
{
	struct smtp_server *s = smtp_server_create(&full);
	struct memsink sink = memsink();
	struct span in =
	    SPAN_LIT("LHLO c.test x\r\nXFORWARD NAME=n ADDR=IPV6:2001:db8::1 PORT=25\r\n"
	    "XFORWARD NAME=[unavailable] PROTO=ES=MTP HELO=h+2Bi IDENT=4X SOURCE=REMOTE\r\n"
	    "MAIL FROM:<a@b> SIZE=7 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=e+20f\r\n"
	    "RCPT TO:<@x:c@d> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c+2Bx\r\n"
	    "RCPT TO:<postmaster>\r\n"
	    "DATA\r\n.a\r\n.\r\nNOOP\r\n");
	const struct envelope *e = smtp_server_envelope(s);
	enum server_event ev = SERVER_WAIT;
	size_t used;

	while (ev != SERVER_MESSAGE) {
		ev = smtp_server_feed(s, in, &used);
		in = span_slice(in, used, in.len);
		if (ev == SERVER_MAIL || ev == SERVER_RCPT)
			smtp_server_go(s);
		if (ev == SERVER_BODY)
			smtp_server_collect(s, &sink.sink);
	}
	assert_true(is_text(e->sender, "a@b") && is_text(e->envid, "e+20f"));
	assert_true(e->size == 7 && e->body == BODY_8BITMIME && e->smtputf8);
	assert_int_equal(e->ret, RETURN_FULL);
	assert_int_equal(e->recipient_count, 2);
	assert_true(is_text(e->recipients[0].address, "c@d"));
	assert_true(is_text(e->recipients[0].orcpt, "rfc822;c+2Bx"));
	assert_int_equal(e->recipients[0].notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
	assert_true(is_text(e->recipients[1].address, "postmaster"));
	assert_true(e->xforward.given && e->xforward.name.len == 0);
	assert_true(is_text(e->xforward.addr, "2001:db8::1") && is_text(e->xforward.port,
	    "25"));
	assert_true(is_text(e->xforward.helo, "h+i") && is_text(e->xforward.proto,
	    "ES=MTP"));
	assert_true(is_text(e->xforward.ident, "4X") && is_text(e->xforward.source,
	    "REMOTE"));
	assert_true(is_text(smtp_server_helo(s), "c.test"));
	assert_string_equal(smtp_server_with(s), "UTF8LMTP");
	assert_true(smtp_server_data(s)->ends_with_crlf && !smtp_server_data(s)->chunked);
	/* Nothing is read before the answers. */
	assert_int_equal(smtp_server_feed(s, in, &used), SERVER_WAIT);
	assert_int_equal(used, 0);
	smtp_server_answer(s, "250 2.0.0 Taken");
	assert_int_equal(smtp_server_feed(s, in, &used), SERVER_WAIT);
	assert_int_equal(used, 0);
	assert_true(is_text(e->sender, "a@b"));
	smtp_server_answer(s, "250 2.0.0 Taken");
	assert_int_equal(smtp_server_state(s), SERVER_READY);
	assert_true(e->sender.len == 0 && e->recipient_count == 0 && !e->xforward.given);
	assert_int_equal(smtp_server_feed(s, in, &used), SERVER_WAIT);
	assert_int_equal(used, in.len);
	smtp_server_destroy(&s);
	buf_free(&sink.bytes);
}

/* XFORWARD: gone after RSET, EHLO and a message; kept over a refused MAIL. */
static void
test_forwards_end(void **state)
{
	static const struct { const char *between; bool kept; } rows[] = {
		{ "", true }, { "NOOP\r\n", true }, { "MAIL FROM:<refuse@b>\r\n", true },
		{ "MAIL FROM:<\r\n", true }, { "XFORWARD PORT=x\r\n", true },
		{ "RSET\r\n", false }, { EHLO, false }, { MAIL "RSET\r\n", false },
		{ MAIL RCPT "DATA\r\n.\r\n", false }, { MAIL RCPT "BDAT 0 LAST\r\n",
		    false },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct talk t = talk_begin(&full);
		const struct xforward *x = &smtp_server_envelope(t.server)->xforward;

		print_message("# %zu\n", i);
		talk_feed(&t, SPAN_LIT(EHLO
		    "XFORWARD NAME=n\r\nXFORWARD ADDR=192.0.2.1\r\n"));
		talk_feed(&t, span_text(rows[i].between));
		talk_feed(&t, SPAN_LIT(MAIL));
		assert_int_equal(x->given, rows[i].kept);
		assert_true(!rows[i].kept || is_text(x->name, "n"));
		assert_true(!rows[i].kept || is_text(x->addr, "192.0.2.1"));
		assert_true(rows[i].kept || x->name.len + x->addr.len == 0);
		talk_end(&t);
	}
}

static void
test_forward_lengths(void **state)
{
	static const struct { const char *name; int most; } rows[] = {
		{ "NAME", 255 }, { "HELO", 255 }, { "IDENT", 255 }, { "PROTO", 64 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		for (int n = rows[i].most; n <= rows[i].most + 1; n++) {
			struct talk t = talk_begin(&full);
			struct buf in = { 0 };

			talk_feed(&t, SPAN_LIT(EHLO));
			buf_take(&t.out, buf_len(&t.out));
			buf_printf(&in, "XFORWARD %s=+41%0*d\r\n", rows[i].name, n - 1, 1);
			talk_feed(&t, buf_span(&in));
			assert_string_equal(buf_text(&t.out), n == rows[i].most ? OK : BAD);
			buf_free(&in);
			talk_end(&t);
		}
}

static const struct { const char *hello, *parameter, *with; } withs[] = {
	{ "HELO c\r\n", "", "SMTP" }, { EHLO, "", "ESMTP" }, { EHLO, " SMTPUTF8",
	  "UTF8SMTP" },
	{ "LHLO c\r\n", "", "LMTP" }, { "LHLO c\r\n", " SMTPUTF8", "UTF8LMTP" },
};

static void
test_with(void **state)
{
	for (size_t i = 0; i < COUNT_OF(withs); i++) {
		struct talk t = talk_begin(&full);
		struct buf in = { 0 };

		buf_printf(&in, "%sMAIL FROM:<a@b>%s\r\n", withs[i].hello,
		    withs[i].parameter);
		talk_feed(&t, buf_span(&in));
		assert_string_equal(smtp_server_with(t.server), withs[i].with);
		buf_free(&in);
		talk_end(&t);
	}
}

/* The sink fails at any byte, or at its end: read on, reply, ABORT. */
static void
test_sink_fails(void **state)
{
	static const char *const bodies[] = { "DATA\r\nabc\r\ndef\r\n.\r\n",
	    "BDAT 4\r\nabc\rBDAT 6\r\n\ndef\r\nBDAT 0 LAST\r\n" };
	static const enum status failures[] = { ST_TEMP, ST_PERM };

	for (size_t room = 0; room < 10; room++)
		for (size_t i = 0; i < 4; i++) {
			struct talk t = talk_begin(&full);
			enum status st = failures[i & 1];

			t.sink.room = room;
			t.sink.failure = st;
			t.sink.finish_failure = room == 0 ? st : ST_OK;
			talk_feed(&t, SPAN_LIT("LHLO c\r\n" MAIL RCPT));
			buf_take(&t.out, buf_len(&t.out));
			talk_feed_steps(&t, span_text(bodies[i / 2]), 1 + room % 3);
			assert_string_equal(buf_text(&t.log),
			    "mail(a@b) rcpt(c@d) body abort ");
			assert_non_null(strstr(buf_text(&t.out), st == ST_TEMP ?
			    "452 4.3.1 no" : "554 5.6.0 no"));
			assert_int_equal(smtp_server_state(t.server), SERVER_READY);
			buf_take(&t.out, buf_len(&t.out));
			talk_feed(&t, SPAN_LIT("NOOP\r\n"));
			assert_string_equal(buf_text(&t.out), OK);
			talk_end(&t);
		}
}

/* 421 in any state: the reply, ABORT if a transaction was open, CLOSE. */
static void
test_hangup(void **state)
{
	static const struct { const char *in; bool open; } rows[] = {
		{ "", false }, { "EHL", false }, { EHLO, false }, { EHLO MAIL, true },
		{ EHLO MAIL RCPT, true }, { EHLO MAIL RCPT "DATA\r\n", true },
		{ EHLO MAIL RCPT "DATA\r\nabc\r", true }, { EHLO MAIL RCPT "BDAT 9\r\nab",
		    true },
		{ EHLO MAIL RCPT "BDAT 1\r\nb", true }, { EHLO "BDAT 9\r\nab", false },
		{ EHLO MAIL RCPT "BDAT 200\r\nab", true },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct talk t = talk_begin(&full);

		talk_feed(&t, span_text(rows[i].in));
		smtp_server_hangup(t.server, "421 4.3.2 Shutting down");
		smtp_server_hangup(t.server, "421 4.3.2 Twice");
		buf_take(&t.log, buf_len(&t.log));
		buf_take(&t.out, buf_len(&t.out));
		talk_feed(&t, SPAN_NONE);
		assert_string_equal(buf_text(&t.log), rows[i].open ? "abort close " :
		    "close ");
		assert_string_equal(buf_text(&t.out), "421 4.3.2 Shutting down\r\n");
		assert_int_equal(smtp_server_state(t.server), SERVER_CLOSED);
		talk_end(&t);
	}
}

/* While the driver owes an answer: 421, and what it says later is not heard. */
static void
test_hangup_while_owed(void **state)
{
	static const enum server_event at[] = { SERVER_MAIL, SERVER_RCPT, SERVER_BODY,
	    SERVER_MESSAGE };

	for (size_t i = 0; i < COUNT_OF(at); i++) {
		struct talk t = talk_begin(&full);
		struct span in = SPAN_LIT(EHLO MAIL RCPT "DATA\r\n.\r\n");
		enum server_event e = SERVER_WAIT;
		size_t used;

		for (;;) {
			e = smtp_server_feed(t.server, in, &used);
			in = span_slice(in, used, in.len);
			if (e == at[i])
				break;
			talk_event(&t, e);
		}
		smtp_server_hangup(t.server, "421 4.3.2 Shutting down");
		smtp_server_go(t.server);
		smtp_server_refuse(t.server, "550 5.0.0 No");
		smtp_server_collect(t.server, &t.sink.sink);
		smtp_server_answer(t.server, "250 2.0.0 Ok");
		t.open = true;
		buf_take(&t.log, buf_len(&t.log));
		talk_feed(&t, SPAN_LIT("NOOP\r\n"));
		assert_string_equal(buf_text(&t.log), "abort close ");
		talk_end(&t);
	}
}

/* 421 as the answer of the first of two recipients: the second is not said. */
static void
test_answer_421(void **state)
{
	struct talk t = talk_begin(&full);
	struct span in = SPAN_LIT("LHLO c\r\n" MAIL RCPT RCPT "BDAT 0 LAST\r\n");
	enum server_event e = SERVER_WAIT;
	size_t used;

	while ((e = smtp_server_feed(t.server, in, &used)) != SERVER_MESSAGE) {
		in = span_slice(in, used, in.len);
		talk_event(&t, e);
	}
	const char *reply = arena_printf(smtp_server_arena(t.server), "421 4.3.2 %s",
	    "\x01stop\\");

	smtp_server_answer(t.server, reply);
	smtp_server_answer(t.server, reply);
	talk_feed(&t, SPAN_NONE);
	assert_non_null(strstr(buf_text(&t.out), RCPT_OK "421 4.3.2 \\x01stop\\\r\n"));
	assert_true(t.closed && strstr(buf_text(&t.log), "abort") == NULL);
	talk_end(&t);
}

static void
test_long_reply(void **state)
{
	struct talk t = talk_begin(&full);
	struct span in = SPAN_LIT(EHLO MAIL);
	char reply[1000] = "550 5.7.1 ";
	size_t used;

	memset(reply + 10, '\n', sizeof reply - 11);
	while (smtp_server_feed(t.server, in, &used) != SERVER_MAIL)
		in = span_slice(in, used, in.len);
	buf_take(smtp_server_output(t.server), buf_len(smtp_server_output(t.server)));
	smtp_server_refuse(t.server, reply);
	assert_int_equal(buf_len(smtp_server_output(t.server)), 512);
	talk_feed(&t, SPAN_NONE);
	assert_memory_equal(buf_text(&t.out), "550 5.7.1 \\x0a\\x0a", 18);
	assert_string_equal(buf_text(&t.out) + 510, "\r\n");
	talk_end(&t);
}

/* What an idle session holds, after all kinds of use. */
static void
test_memory(void **state)
{
	struct talk t = talk_begin(&full);
	struct buf in = { 0 };

	talk_feed(&t, SPAN_LIT(EHLO MAIL RCPT "DATA\r\na\r\n.\r\n" MAIL RCPT RCPT
	    "RSET\r\n"));
	for (int i = 0; i < 100; i++)
		buf_printf(&in, "NOOP %560d\r\n", i);
	talk_feed(&t, buf_span(&in));
	buf_free(&in);
	talk_feed(&t, SPAN_LIT(MAIL RCPT "BDAT 1\r\nx"));
	talk_feed(&t, SPAN_LIT("BDAT 200\r\nx"));
	assert_false(smtp_server_is_idle(t.server));
	for (int i = 0; i < 199; i++)
		talk_feed(&t, SPAN_LIT("x"));
	talk_feed(&t, SPAN_NONE);
	smtp_server_output(t.server);
	assert_true(smtp_server_is_idle(t.server));
	assert_true(smtp_server_memory(t.server) < 1536);
	print_message("# %zu bytes\n", smtp_server_memory(t.server));
	talk_feed(&t, SPAN_LIT("N"));
	assert_false(smtp_server_is_idle(t.server));
	talk_end(&t);
}

/* What a client can make a session hold does not grow with what it repeats. */
static void
test_memory_bounded(void **state)
{
	static const char *const repeats[] = {
		"XFORWARD NAME=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
		"XFORWARD NAME=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa PORT=x\r\n",
		"MAIL FROM:<refuse@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa>\r\n",
		MAIL "RSET\r\n",
	};
	struct smtp_server_config config = full;

	config.error_limit = 0;
	for (size_t i = 0; i < COUNT_OF(repeats); i++) {
		struct talk t = talk_begin(&config);

		talk_feed(&t, SPAN_LIT(EHLO));
		for (int n = 0; n < 500; n++)
			talk_feed(&t, span_text(repeats[i]));
		assert_true(smtp_server_memory(t.server) < 8192);
		talk_end(&t);
	}
	struct talk t = talk_begin(&config);

	talk_feed(&t, SPAN_LIT(EHLO MAIL));
	for (int n = 0; n < 500; n++) {
		struct buf in = { 0 };

		buf_printf(&in, "RCPT TO:<refuse@%0*d>\r\n", n + 1, n);
		talk_feed(&t, buf_span(&in));
		buf_free(&in);
	}
	assert_true(smtp_server_memory(t.server) < 8192);
	talk_feed(&t, SPAN_LIT(RCPT "RCPT TO:<refuse@d>\r\nRCPT TO:<e@f>\r\n"));
	assert_true(is_text(smtp_server_envelope(t.server)->recipients[0].address,
	    "c@d"));
	assert_true(is_text(smtp_server_envelope(t.server)->recipients[1].address,
	    "e@f"));
	talk_end(&t);
}

/* A line without end holds no more than the limit. */
static void
test_endless_line(void **state)
{
	struct talk t = talk_begin(&full);

	for (int i = 0; i < 10000; i++) {
		talk_feed(&t, SPAN_LIT("MAIL FROM:<aaaaaaaaaaaaaaaaaaaaa"));
		assert_true(smtp_server_memory(t.server) < 2048 + full.command_limit);
	}
	buf_take(&t.out, buf_len(&t.out));
	talk_feed(&t, SPAN_LIT("\r\nNOOP\r\n"));
	assert_string_equal(buf_text(&t.out), "500 5.5.2 Line too long\r\n" OK);
	talk_end(&t);
}

/* Without a message in sight, the hundred-and-first NOOP is an error. */
static void
test_junk(void **state)
{
	struct smtp_server_config config = full;
	struct talk t;
	int n = 0;

	config.error_limit = 5;
	t = talk_begin(&config);
	for (; !t.closed && n < 1000; n++)
		talk_feed(&t, SPAN_LIT("NOOP\r\n"));
	assert_int_equal(n, 106);
	assert_non_null(strstr(buf_text(&t.out), OK "421 4.7.0 Too many errors\r\n"));
	talk_end(&t);
}

/* What senders have tried as an end of data that only the next server sees. */
#define ROW(s) { (const uint8_t *)(s), sizeof(s) - 1 }
static const struct span smuggling[] = {
	ROW("\n.\n"), ROW("\n.\r"), ROW("\r.\n"), ROW("\r.\r"), ROW("\n.\r\n"),
	    ROW("\r.\r\n"),
	ROW("\r\n\0.\r\n"), ROW("\r\n.\r\r\n"), ROW("\r\r\n.\r\r\n"), ROW("\r\n.\n"),
	    ROW("\r\n.\r"),
	ROW("\n\n.\r\n"), ROW("\r\n.\0\r\n"), ROW("\r\n.\r\0\n"), ROW("\r\n \r\n"),
	    ROW("\r\n. \r\n"),
	ROW("\r\n.\x0b\r\n"), ROW("\r\n..\r\n"), ROW("\n\r.\n\r"), ROW("\r\n\r.\r\n"),
	ROW("\x85.\x85"), ROW("\r\n.\x8d\x8a"), ROW("\r\r.\r\r\n"),
};

/* Bytes that our next hop would end the message at: there must be none. */
static void
check_safe(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '\n')
			assert_true(i > 0 && s.ptr[i - 1] == '\r');
		if (s.ptr[i] == '\r')
			assert_true(i + 1 < s.len && s.ptr[i + 1] == '\n');
	}
}

static void
smuggle(const struct smtp_server_config *config, struct span sequence, size_t step,
    bool really_ends)
{
	struct buf in = { 0 };
	struct talk t = talk_begin(config);
	unsigned mails = 0;

	buf_add(&in, SPAN_LIT(EHLO MAIL RCPT "DATA\r\nSubject: 1\r\n\r\none"));
	buf_add(&in, sequence);
	buf_add(&in, SPAN_LIT(MAIL RCPT "DATA\r\nSubject: 2\r\n\r\ntwo\r\n.\r\n"));
	talk_feed_steps(&t, buf_span(&in), step);
	for (const char *p = buf_text(&t.log); (p = strstr(p, "mail(")) != NULL; p++)
		mails++;
	assert_int_equal(mails, really_ends ? 2 : 1);
	if (strstr(buf_text(&t.log), "message{") != NULL)
		check_safe(buf_span(&t.sink.bytes));
	if (config->repair && !really_ends)
		assert_non_null(memmem(t.sink.bytes.ptr, buf_len(&t.sink.bytes),
		    "Subject: 2", 10));
	buf_free(&in);
	talk_end(&t);
}

static void
test_smuggling(void **state)
{
	struct smtp_server_config repair = full, strict = full;

	repair.size_limit = strict.size_limit = 0;
	strict.repair = false;
	for (size_t i = 0; i < COUNT_OF(smuggling); i++)
		for (size_t step = 1; step < 140; step++) {
			smuggle(&repair, smuggling[i], step, false);
			smuggle(&strict, smuggling[i], step, false);
		}
	smuggle(&repair, SPAN_LIT("\r\n.\r\n"), 1000, true);
}

/* All short bodies over { . CR LF a }, as DATA and as two chunks of every division: the
   same message comes out of both, unless the dots of the wire make it another. */
static void
test_data_and_chunks(void **state)
{
	char body[8], in[64];
	struct talk t = talk_begin(&only_smtp);

	talk_feed(&t, SPAN_LIT(EHLO));
	for (size_t n = 1; n <= 5; n++)
		for (unsigned code = 0; code < 1u << (2 * n); code++) {
			struct buf want = { 0 };

			for (size_t i = 0; i < n; i++)
				body[i] = ".\r\na"[code >> (2 * i) & 3];
			for (size_t cut = 0; cut <= n; cut++) {
				talk_feed(&t, SPAN_LIT(MAIL RCPT));
				buf_take(&t.log, buf_len(&t.log));
				snprintf(in, sizeof in,
				    "BDAT %zu\r\n%.*sBDAT %zu LAST\r\n%.*s", cut,
				    (int)cut,
				    body, n - cut, (int)(n - cut), body + cut);
				talk_feed(&t, span_text(in));
				if (cut == 0)
					buf_add(&want, buf_span(&t.log));
				assert_string_equal(buf_text(&t.log), buf_text(&want));
				check_safe(buf_span(&t.sink.bytes));
			}
			buf_free(&want);
			buf_take(&t.out, buf_len(&t.out));
		}
	talk_end(&t);
}

/* Big pieces reach the sink as they are; small repairs are gathered. */
static void
test_writes(void **state)
{
	struct talk t = talk_begin(&only_smtp);
	struct buf text = { 0 };

	for (int i = 0; i < 2000; i++)
		buf_printf(&text, "Some words of a letter, a line of it.\r\n");
	talk_feed(&t, SPAN_LIT(EHLO MAIL RCPT "DATA\r\n"));
	talk_feed(&t, buf_span(&text));
	assert_int_equal(t.sink.writes, 1);
	talk_feed(&t, SPAN_LIT(".\r\n" MAIL RCPT "BDAT 82000 LAST\r\n"));
	t.sink.writes = 0;
	for (size_t i = 0; i < 2000; i++)
		buf_add(&text, SPAN_LIT(".\n"));
	talk_feed(&t, buf_span(&text));
	/* What is text, 4 KiB of repairs, the rest. */
	assert_int_equal(t.sink.writes, 3);
	assert_int_equal(buf_len(&t.sink.bytes), 78000 + 2000 * 3);
	talk_end(&t);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_forwards),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_lmtp),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_forwards_end),
		cmocka_unit_test(test_forward_lengths),
		cmocka_unit_test(test_with),
		cmocka_unit_test(test_sink_fails),
		cmocka_unit_test(test_hangup),
		cmocka_unit_test(test_hangup_while_owed),
		cmocka_unit_test(test_answer_421),
		cmocka_unit_test(test_long_reply),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_memory_bounded),
		cmocka_unit_test(test_endless_line),
		cmocka_unit_test(test_junk),
		cmocka_unit_test(test_smuggling),
		cmocka_unit_test(test_data_and_chunks),
		cmocka_unit_test(test_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
