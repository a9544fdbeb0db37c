/*
 * tools.c - what digging needs, opened while files may still be opened.
 */
#include "src/inspector/dig.h"
#include <malloc.h>
#include <openssl/evp.h>

#define KEPT_BYTES      (4 << 20)       /* at the end of the heap, between jobs */
#define MAPPED_BYTES    (2200 << 10)    /* from here on, a mapping of its own: buffers have
                                           powers of two */
#define GROWTH_BYTES    (256 << 10)

void
dig_tools_open(struct dig_tools *t)
{
	struct error err;

	*t = (struct dig_tools){ .charsets = charsets_create(),
	    .suffixes = suffixes_create(NULL) };
	archive_library_init(&t->library);
	if (magic_create(&t->magic, NULL, &err) != ST_OK)
		t->magic = NULL;
	/* The first digest loads what later ones use. */
	EVP_Digest("", 0, (uint8_t[EVP_MAX_MD_SIZE]){ 0 }, NULL, EVP_sha256(), NULL);
}

void
dig_tools_close(struct dig_tools *t)
{
	charsets_destroy(&t->charsets);
	suffixes_destroy(&t->suffixes);
	archive_library_finish(&t->library);
	magic_destroy(&t->magic);
}

/* Memory that goes back to the system comes again page by page, which costs more than what
   is done with it.  These also end malloc's own guesses, which have no bound. */
void
dig_keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
	mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
	mallopt(M_TOP_PAD, GROWTH_BYTES);
}
