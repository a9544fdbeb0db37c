/*
 * archive_iso.c - are an ISO's Rock Ridge continuations safe to follow?
 *
 * A directory record's attributes may go on elsewhere: an entry "CE" names block, offset
 * and length (SUSP section 5.1).  libarchive 3.6 follows such entries in a circle without
 * end, taking memory.  So all of them are followed here first, wherever in the image they
 * stand: each must lead, with no fork, to an end within CHAIN steps.
 */
#include "lib/content/archive_private.h"

#define CHAIN    32u
#define AREA     4096u          /* bytes of one continuation */
#define PRIMARY  32768u         /* the primary volume descriptor */
/* "CE", length 28, version 1: only this is taken for one. */
#define MARK     SPAN_LIT("CE\x1c\x01")

/* The area that the entry at `at` names. */
static struct span
area_of(struct span s, size_t at)
{
	uint32_t block = le16(s.ptr + PRIMARY + 128);

	if (s.len - at < 28)
		return SPAN_NONE;
	uint64_t from = (uint64_t)le32(s.ptr + at + 4) * block + le32(s.ptr + at + 12);
	uint64_t len = le32(s.ptr + at + 20);

	if (from >= s.len)
		return SPAN_NONE;
	return span_slice(s, (size_t)from, len < s.len - from ? (size_t)(from + len) : s.len);
}

static bool
chain_ends(struct span s, size_t at)
{
	for (unsigned i = 0; i < CHAIN; i++) {
		struct span area = area_of(s, at);
		size_t next = archive_search(area, 0, MARK);

		if (area.len > AREA)
			return false;
		if (next == area.len)
			return true;
		if (archive_search(area, next + 1, MARK) < area.len)
			return false;
		at = (size_t)(area.ptr - s.ptr) + next;
	}
	return false;
}

bool
iso_goes_round(struct span s)
{
	if (s.len < PRIMARY + 2048)
		return true;
	for (size_t at = archive_search(s, 0, MARK); at < s.len;
	    at = archive_search(s, at + 1, MARK))
		if (!chain_ends(s, at))
			return true;
	return false;
}
