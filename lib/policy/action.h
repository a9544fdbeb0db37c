/*
 * action.h - what a rule does: `header add X-Virus "yes", quarantine virus`.
 */
#ifndef LIB_POLICY_ACTION_H
#define LIB_POLICY_ACTION_H
#include "lib/policy/policy.h"
#include "lib/policy/reader.h"

#define REPLY_BYTES     400     /* of a reject's text: it must fit a reply line (512) */
#define CLASS_BYTES     40      /* of a quarantine class */
#define SUBJECT_BYTES   100     /* before a Subject's text */
#define FIELD_BYTES 900 /* name and value of a header field (RFC 5322: 998 a line) */

/* All actions up to the end of the statement, into the rule's has_fate, fate, reply,
   quarantine, changes, score and tag; false and complaints on errors. */
bool actions_parse(struct reader *, struct rule *);
#endif
