/*
 * look.h - one file under examination: reading at offsets that may be out of reach.
 *
 * Inside lib/content only.  A look_* function of a family gets a file whose first bytes
 * fit it and gives the exact type, or FILE_UNKNOWN where it is none of the family after
 * all; then the search goes on.
 */
#ifndef LIB_CONTENT_LOOK_H
#define LIB_CONTENT_LOOK_H
#include "lib/content/type.h"

struct look { struct span head, tail; uint64_t size; };

/* Bytes at..at+n, or SPAN_NONE where they are not at hand. */
struct span look_bytes(const struct look *, uint64_t at, size_t n);
bool look_is(const struct look *, uint64_t at, const char *bytes, size_t n);
#define LOOK_IS(look, at, literal) look_is((look), (at), (literal), sizeof(literal) - 1)
/* A number of 1 to 8 bytes; 0 where it is not at hand. */
uint64_t look_le(const struct look *, uint64_t at, unsigned bytes);
uint64_t look_be(const struct look *, uint64_t at, unsigned bytes);
static inline uint8_t
look_byte(const struct look *l, uint64_t at)
{
	return (uint8_t)look_le(l, at, 1);
}

/* One of these bytes (0 is not one). */
static inline bool
byte_in(uint8_t c, const char *set)
{
	return c != 0 && strchr(set, c) != NULL;
}

/* Where `want` stands in s, or NULL. */
static inline const uint8_t *
find_bytes(struct span s, struct span want)
{
	return s.len < want.len || s.ptr == NULL ? NULL :
	    memmem(s.ptr, s.len, want.ptr, want.len);
}
#define HOLDS(s, literal) (find_bytes((s), SPAN_LIT(literal)) != NULL)

/* The offset of what the central directory of a zip begins with, by its end record; false
   if there is no end record in reach.  `entries` is what the record says. */
bool zip_directory(const struct look *, uint64_t *at, uint64_t *entries);

typedef enum file_type look_function(const struct look *);
look_function look_zip, look_ole, look_text, look_magic, look_weak;
look_function look_aac, look_ac3, look_ar, look_arc, look_arj, look_biff,
    look_bmp, look_bzip2, look_cafe, look_coff, look_compress, look_der, look_disk,
    look_dwg, look_eps, look_exe, look_elf, look_flash, look_form, look_ftyp, look_gzip,
    look_ico, look_id3, look_jpeg, look_jxl_naked, look_lha, look_marc, look_matroska,
    look_mpegts, look_netpbm, look_ogg, look_old_tar, look_pcx, look_pfb, look_pgp,
    look_ps, look_pyc, look_quicktime, look_riff, look_sgi, look_sound_frame, look_tar,
    look_tiff, look_torrent, look_ttf, look_zstd, look_fli, look_eot, look_avro;
#endif
