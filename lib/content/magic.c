/*
 * magic.c - see magic.h.
 */
#include "lib/content/magic.h"
#ifdef HAVE_LIBMAGIC
#include <magic.h>

/* struct magic is libmagic's cookie under our own name: there is nothing to add. */
static magic_t
cookie(struct magic *m)
{
	return (magic_t)(void *)m;
}

/* Text is our own table's; packed content is not to be unpacked, nor other parsers of
   containers (OLE2, tar, CSV, JSON) run over what a hostile hand made. */
#define MAGIC_WANTED (MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_TAR | \
	MAGIC_NO_CHECK_APPTYPE | MAGIC_NO_CHECK_ELF | MAGIC_NO_CHECK_TEXT | \
	MAGIC_NO_CHECK_CDF | MAGIC_NO_CHECK_CSV | MAGIC_NO_CHECK_TOKENS | \
	MAGIC_NO_CHECK_ENCODING | MAGIC_NO_CHECK_JSON)
#define NOISE_BYTES     64
#define NOISE_DIFFERENT 48
/* Without a path libmagic reads /etc/magic and the user's own files as well. */
#define MAGIC_DATABASE "/usr/share/misc/magic.mgc"

enum status
magic_create(struct magic **m, const char *database, struct error *e)
{
	magic_t c = magic_open(MAGIC_WANTED);
	size_t bytes = MAGIC_HEAD_BYTES;

	if (c == NULL)
		return fail(e, ST_TEMP, "magic", "libmagic does not open");
	if (magic_setparam(c, MAGIC_PARAM_BYTES_MAX, &bytes) != 0 ||
	    magic_load(c, database != NULL ? database : MAGIC_DATABASE) != 0) {
		enum status st = fail(e, ST_PERM, "magic", "%s", magic_error(c));

		magic_close(c);
		return st;
	}
	*m = (struct magic *)(void *)c;
	return ST_OK;
}

void
magic_destroy(struct magic **m)
{
	if (*m != NULL)
		magic_close(cookie(*m));
	*m = NULL;
}

/* What is compressed or encrypted from its first bytes on has no mark to know it by: of 64
   random bytes 57 are different, of a header's hardly as many. */
static bool
is_noise(struct span head)
{
	bool seen[256] = { false };
	unsigned different = 0;

	for (size_t i = 0; i < NOISE_BYTES && i < head.len; i++) {
		different += !seen[head.ptr[i]];
		seen[head.ptr[i]] = true;
	}
	return different >= NOISE_DIFFERENT;
}

enum magic_answer
magic_ask(struct magic *m, struct span head, char media[MAGIC_MEDIA_BYTES],
    enum file_type *type)
{
	size_t len = head.len < MAGIC_HEAD_BYTES ? head.len : MAGIC_HEAD_BYTES;

	if (len == 0 || is_noise(head))
		return MAGIC_UNKNOWN;
	const char *said = magic_buffer(cookie(m), head.ptr, len);

	if (said == NULL)
		return MAGIC_FAILED;
	struct span text = span_text(said);

	if (text.len >= MAGIC_MEDIA_BYTES || span_find(text, '/') == text.len ||
	    span_equal_nocase(text, SPAN_LIT("application/octet-stream")))
		return MAGIC_UNKNOWN;
	memcpy(media, text.ptr, text.len);
	media[text.len] = 0;
	*type = file_type_of_media_type(text);
	return MAGIC_KNOWN;
}
#else

enum status
magic_create(struct magic **m, const char *database, struct error *e)
{
	return fail(e, ST_PERM, "magic", "built without libmagic");
}

void
magic_destroy(struct magic **m)
{
}

enum magic_answer
magic_ask(struct magic *m, struct span head, char media[MAGIC_MEDIA_BYTES],
    enum file_type *type)
{
	return MAGIC_UNKNOWN;
}
#endif
