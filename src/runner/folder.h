/*
 * folder.h - the folder of one run: all that a command may write to.
 *
 * Who holds its descriptor holds a lock on it; without a holder it is left over from a run
 * whose guard was killed, and the next runner that starts removes it.
 */
#ifndef SRC_RUNNER_FOLDER_H
#define SRC_RUNNER_FOLDER_H
#include "lib/base/base.h"

/* Makes it and locks it: the descriptor, or -1 with errno.  Where one of this name is left
   over, its contents stay: names are to be unique. */
int folder_make(const char *path);
/* Empties and removes it; takes as long as there are files, but no more memory and no more
   descriptors for more or deeper ones.  False: something could not be removed. */
bool folder_remove(int fd, const char *path);
/* Removes what is left over in the directory. */
void folder_remove_old(const char *directory);
#endif
