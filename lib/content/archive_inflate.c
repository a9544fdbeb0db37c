/*
 * archive_inflate.c - deflated data at once, where all that is told of them proves true.
 */
#include "lib/content/archive_private.h"
#include <libdeflate.h>

#define GZIP_LEAST 18u          /* bytes of an empty one (RFC 1952 section 2.3) */

uint8_t *
inflated_room(struct archive_state *s, size_t size)
{
	if (size >= s->inflated_cap) {
		free(s->inflated);
		s->inflated_cap = size + 1;
		s->inflated = malloc(s->inflated_cap);
		if (s->inflated == NULL)
			s->inflated_cap = 0;
	}
	return s->inflated;
}

/* Its last four bytes are the size of its last member: that there is only one shows when
   nothing is left behind it. */
bool
gzip_whole(struct archive_state *s, struct span *data)
{
	struct span packed = s->bytes;
	uint32_t size = packed.len >= GZIP_LEAST ? le32(packed.ptr + packed.len - 4) : 0;
	size_t used;

	/* nothing in it is no member to libarchive */
	if (inflater_of(s) == NULL || size == 0 || !gate_open(&s->gate, size) ||
	    size / DEFLATE_RATIO > packed.len)
		return false;
	*data = (struct span){ inflated_room(s, size), size };
	return data->ptr != NULL && libdeflate_gzip_decompress_ex(inflater_of(s), packed.ptr,
	    packed.len, s->inflated, size, &used, NULL) == LIBDEFLATE_SUCCESS &&
	    used == packed.len;
}
