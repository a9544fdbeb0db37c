/*
 * control.h - the control socket: one command a connection, one answer, closed.
 *
 *     status [--json|--prometheus]   reload   stop        answered here
 *     track ...   explain ...                             the connection goes to the
 * reader
 *
 * A command is a line of words divided by blanks; a word in double quotes may hold
 * blanks, with \" and \\ for a quote and a backslash.  The first line of an answer is
 * `ok`, `degraded` or `error`; the rest is for people or machines, as asked.
 */
#ifndef SRC_MASTER_CONTROL_H
#define SRC_MASTER_CONTROL_H
#include "src/master/master.h"

#define CONTROL_LINE_BYTES 2048

/* Binds the socket of the settings, mode 0660 (group `sallyport` if there is one).  It is
   an error if a master answers there. */
enum status control_open(struct master *, struct error *);
void control_close(struct master *);
#endif
