/*
 * section.c - see section.h.
 */
#include "src/inspector/section.h"
#include <errno.h>
#include <unistd.h>

/* Reads until `least` bytes are there, or the file has no more: in one call as a rule. */
static ssize_t
read_at(int fd, uint8_t *bytes, size_t cap, size_t least, uint64_t at)
{
	size_t have = 0;

	do {
		ssize_t n = pread(fd, bytes + have, cap - have, (off_t)(at + have));

		if (n < 0 && errno != EINTR)
			return -1;
		if (n == 0)
			break;
		if (n > 0)
			have += (size_t)n;
	} while (have < least);
	return (ssize_t)have;
}

static enum status
wrong_size(struct error *err)
{
	return fail(err, ST_TEMP, "inspector", "the message has not the size it should");
}

static enum status
cannot_read(struct error *err)
{
	return fail(err, ST_TEMP, "inspector", "cannot read the message: %s",
	    strerror(errno));
}

/* Is the byte at size - 1 the last? */
static enum status
check_end(int fd, uint64_t size, struct error *err)
{
	uint8_t two[2];
	ssize_t n = read_at(fd, two, sizeof two, 1, size - 1);

	return n < 0 ? cannot_read(err) : n == 1 ? ST_OK : wrong_size(err);
}

/* A read that came back short has met the end: the size is known without a question. */
static enum status
read_first(int fd, uint64_t size, uint8_t *room, size_t *len, struct error *err)
{
	size_t want = size < SECTION_FIRST_BYTES ? (size_t)size : SECTION_FIRST_BYTES;
	ssize_t n = read_at(fd, room, SECTION_FIRST_BYTES, want, 0);

	if (n < 0)
		return cannot_read(err);
	if ((size_t)n != want)
		return wrong_size(err);
	*len = want;
	return size < SECTION_FIRST_BYTES ? ST_OK : check_end(fd, size, err);
}

/* As much as may be looked at, the first bytes again: long sections are rare. */
static enum status
read_long(int fd, size_t want, struct span *bytes, struct arena *arena, struct error *err)
{
	uint8_t *room = arena_alloc(arena, want);
	ssize_t n = read_at(fd, room, want, want, 0);

	*bytes = (struct span){ room, want };
	return n < 0 ? cannot_read(err) : (size_t)n == want ? ST_OK : wrong_size(err);
}

enum status
header_section_read(int fd, uint64_t size, uint32_t limit, uint8_t *room, struct section *s,
    struct arena *arena, struct error *err)
{
	size_t may = size < limit ? (size_t)size : limit;
	struct span bytes = { room, 0 };
	enum status st = read_first(fd, size, room, &bytes.len, err);

	if (st != ST_OK)
		return st;
	if (bytes.len > may)
		bytes.len = may;
	header_parse(bytes, &s->header, arena);
	if (!s->header.ended && bytes.len < may) {
		st = read_long(fd, may, &bytes, arena, err);
		if (st != ST_OK)
			return st;
		header_parse(bytes, &s->header, arena);
	}
	s->whole = (s->header.ended || bytes.len == size) && !s->header.cut;
	return ST_OK;
}
