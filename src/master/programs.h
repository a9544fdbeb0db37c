/*
 * programs.h - the executables of the other processes, found and opened once.
 *
 * Held open, so that a process that is started again is of the version of this master
 * even after an upgrade on disk.
 */
#ifndef SRC_MASTER_PROGRAMS_H
#define SRC_MASTER_PROGRAMS_H
#include "lib/packet/packet.h"

struct program { const char *name; char path[256]; int fd; };
struct programs { struct program of[PROCESS_KINDS]; };

/*
 * In this order: $SALLYPORT_LIBEXEC; beside our own executable, as a build tree has it
 * (../gateway/sallyport-gateway); where `meson install` puts them.
 */
enum status programs_find(struct programs *, struct error *);
void programs_close(struct programs *);
#endif
