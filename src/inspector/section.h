/*
 * section.h - the header section of a message that is a descriptor.
 */
#ifndef SRC_INSPECTOR_SECTION_H
#define SRC_INSPECTOR_SECTION_H
#include "lib/mime/header.h"

#define SECTION_FIRST_BYTES 65536u      /* nearly all header sections are shorter */

struct section {
	struct header header;
	bool   whole;                   /* every field is in it: neither cut by the limit
	                                   nor more than HEADER_FIELDS */
};

/*
 * Reads the first SECTION_FIRST_BYTES into `room` (which has that size): a message that is
 * no longer stands there whole.  More goes into the arena only if the section is longer.
 * Never more than `limit` is looked at.  Spans point there.
 * The descriptor's offset is not used: the gateway has the same open file.
 * ST_TEMP: it cannot be read, or does not have `size` bytes.
 */
enum status header_section_read(int fd, uint64_t size, uint32_t limit, uint8_t *room,
    struct section *, struct arena *, struct error *);
#endif
