/*
 * scan_print.h - what scan found, for people and as JSON.
 *
 * Every text of the message is escaped.
 */
#ifndef SRC_CLI_SCAN_PRINT_H
#define SRC_CLI_SCAN_PRINT_H
#include "lib/base/buf.h"
#include "src/cli/scan.h"

struct scan_recipient {
	struct span    address;
	bool           known;           /* false: no recipient was said */
	struct verdict verdict;
	struct span   *decided;         /* one a rule: what decided, printed; or empty */
	struct span    would_ask;       /* names of the scanners that a daemon would ask */
	struct span    fields;          /* of its tag, as tag_write gives them; or empty */
	struct span    extended;        /* the address with the tag's extension; or empty */
};

struct scan_outcome {
	const char            *file;
	const struct listener *listener;
	const struct policy   *policy;
	struct findings        findings;        /* without what differs per recipient */
	struct scan_recipient *recipients;
	size_t                 recipient_count;
	enum fate              strictest;
	struct span            missing;         /* what the inspector could not lock down */
	bool                   unmarked;        /* fields of other filters would be removed */
};

void scan_print(struct buf *, const struct scan_outcome *);
void scan_print_json(struct buf *, const struct scan_outcome *);
#endif
