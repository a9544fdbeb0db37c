/*
 * tag.h - what a `tag` writes: X-Spam fields, and an address with an extension.
 *
 * Gateway and `sallyport scan` make the bytes here, so that both say the same.
 */
#ifndef LIB_POLICY_TAG_H
#define LIB_POLICY_TAG_H
#include "lib/base/buf.h"
#include "lib/policy/policy.h"

#define TAG_STARS        64
#define TAG_TESTS_BYTES  4000           /* of X-Spam-Status; what is beyond is "..." */
#define TAG_NAME_BYTES   64             /* of a test's name there                    */
#define TAG_REPORT_BYTES 8192           /* of X-Spam-Report, as it is written        */
#define TAG_LINE_BYTES   500            /* of a line there: the rest is cut          */

/* What the scanners said. */
struct tag_source {
	const struct findings *findings;        /* spam.score, and the symbols  */
	bool        has_required;               /* a scanner's own bound: where */
	int64_t     required;                   /* no rule of ours names one    */
	struct span report;                     /* for people, or empty         */
};

/*
 * The fields of a verdict, each with its CR LF; nothing where it has no tag:
 *
 *     X-Spam-Flag: YES
 *     X-Spam-Score: 6.31
 *     X-Spam-Level: ******
 *     X-Spam-Status: Yes, score=6.31 required=5.0 tests=[A=3.5, B=0.31,
 *      SALLYPORT_RULES=2.5] autolearn=no version=Sallyport-0.1
 *     X-Spam-Report: first line
 *     	second line
 *
 * and X-Spam-Score and X-Spam-Status (with No) for `tag status'.  The score is spam.score
 * with what the rules added, which stands as SALLYPORT_RULES among the tests.  One that is
 * not known is "score=x", and there is neither Score nor Level.  A star is a whole point, at
 * most TAG_STARS; without any there is no Level.  All bytes are printable ASCII, but for the
 * tabs that begin further lines of the report; no line has more than 998.
 */
void tag_write(struct buf *, const struct verdict *, const struct tag_source *);

/*
 * user@example.com with the extension: user+spam@example.com, and so of user+x, whose
 * extension is replaced; "a b"@example.com becomes "a b+spam"@example.com.  As it is, if it
 * has no domain or begins with a +, or if its local part would have more than 64 bytes
 * (RFC 5321 section 4.5.3.1.1).
 */
struct span tag_address(struct span address, struct span extension, struct arena *);
#endif
