/*
 * signature.h - built-in signatures: the EICAR and GTUBE test strings, lists of SHA-256.
 *
 * A search takes decoded content in pieces of any size; what it finds does not depend on
 * the cuts.  The digest of the content is the caller's.
 */
#ifndef LIB_CONTENT_SIGNATURE_H
#define LIB_CONTENT_SIGNATURE_H
#include "lib/base/base.h"

enum signature {
	SIGNATURE_EICAR = 0,
	SIGNATURE_GTUBE,
	SIGNATURES,
};

#define SIGNATURE_BYTES 68      /* both test strings are as long */
#define SIGNATURE_EICAR_FILE_BYTES 128

/* Zeroed to begin. */
struct signature_search {
	uint64_t size;                  /* bytes fed                                    */
	uint8_t  last[SIGNATURE_BYTES - 1];     /* the end of what was fed              */
	size_t   last_len;
	bool     found[SIGNATURES];
	uint64_t at[SIGNATURES];        /* offset of the first one found                */
	bool     trail;                 /* something that an EICAR test file may not have
	                                   behind the string; see signature_eicar_file  */
};

void signature_feed(struct signature_search *, struct span);
/* "EICAR-Test-File", "GTUBE". */
const char *signature_name(enum signature);
/*
 * What has been fed is an EICAR test file by its definition: the string at the very
 * start, then at most white space (blank, tab, CR, LF, Ctrl-Z), 128 bytes in all.  Found
 * anywhere else (found[]) it is what scanners commonly report too.
 */
bool signature_eicar_file(const struct signature_search *);

#define DIGEST_BYTES 32

/* Sorted SHA-256 digests, without doubles. */
struct digest_list { uint8_t (*digests)[DIGEST_BYTES]; size_t count; };

/* 64 hexadecimal digits, either case. */
bool digest_parse(struct span, uint8_t out[DIGEST_BYTES]);
/*
 * A list as text: a digest a line, anything after a blank or '#' is a remark; empty lines
 * do not count.  ST_PERM names the first bad line; then the list is empty.  At most `max`
 * digests.  digest_list_finish frees it.
 */
enum status digest_list_parse(struct digest_list *, struct span text, size_t max,
    struct error *);
bool digest_list_has(const struct digest_list *, const uint8_t digest[DIGEST_BYTES]);
void digest_list_finish(struct digest_list *);
#endif
