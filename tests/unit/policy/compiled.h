/*
 * compiled.h - policies for tests, compiled from text.
 */
#ifndef TESTS_UNIT_POLICY_COMPILED_H
#define TESTS_UNIT_POLICY_COMPILED_H
#include "lib/policy/policy.h"

struct compiled {
	struct arena       arena;
	struct complaints  complaints;
	struct settings    settings;
	struct listener    listener;    /* "in" */
	const struct policy_set *set;   /* NULL: see complaints */
};

/* The text, policies and scanners, stands in a file "t".  The listener "in" of the given place has policy
   "p"; NULL: there is no listener. */
void compiled_init(struct compiled *, const char *text, const enum queue_place *);
void compiled_finish(struct compiled *);

/* "client.local=yes; sender='a@b'; message.size=?": sets facts by their written form; a
   question mark is unknown. */
void findings_read(struct findings *, const char *text, struct arena *);
#endif
