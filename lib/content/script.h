/*
 * script.h - are the letters of a host name of one script, and do they look Latin?
 */
#ifndef LIB_CONTENT_SCRIPT_H
#define LIB_CONTENT_SCRIPT_H
#include "lib/base/base.h"

#define SCRIPT_MIXED      1u    /* a label has letters of scripts that do not go together */
#define SCRIPT_CONFUSABLE 2u    /* a label has only letters that look like Latin ones, some
                                   of which are not; its top-level domain is Latin         */

/* UTF-8; other bytes count as no letters. */
unsigned script_judge(struct span host);
#endif
