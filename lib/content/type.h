/*
 * type.h - what a file is, told from its bytes.
 *
 * The table of type_list.h is the list of types; the bytes decide, never a name or a
 * declared media type (name.h compares those with it).  Every look is bounded: whatever
 * the size, a few KiB of text, 64 zip members, 512 entries of an OLE2 directory at most.
 *
 * Many formats are plain text that a program takes as more: there the answer is a guess
 * from typical words, made in favour of what can do harm (script before text).
 */
#ifndef LIB_CONTENT_TYPE_H
#define LIB_CONTENT_TYPE_H
#include "lib/base/base.h"

enum file_type {
	FILE_UNKNOWN = 0,       /* binary, of no kind we know */
#define TYPE(id, name, media, class, broader, flags) FILE_##id,
#include "lib/content/type_list.h"
#undef TYPE
	FILE_TYPES,
};

enum file_class {
	CLASS_UNKNOWN = 0,
	CLASS_EXECUTABLE,       /* the machine runs it, or a runtime does      */
	CLASS_SCRIPT,           /* text that is run                            */
	CLASS_ARCHIVE,          /* holds or compresses other files             */
	CLASS_DOCUMENT,
	CLASS_IMAGE,
	CLASS_AUDIO,
	CLASS_VIDEO,
	CLASS_FONT,
	CLASS_TEXT,
	CLASS_MAIL,
	CLASS_CERTIFICATE,      /* certificates, keys, signatures, ciphertext  */
	CLASS_DATA,
	CLASSES,
};

/* Flags of a type. */
#define FILE_RUNS    1u /* opened on a desktop it can run what is in it, without a macro */
#define FILE_MACROS  2u /* may carry macros                                             */
#define FILE_MEMBERS 4u /* libarchive can list or decompress it                         */

struct file_type_row {
	const char     *name;           /* "docx": in rules, records and log lines  */
	const char     *media_type;
	enum file_class class;
	enum file_type  broader;        /* or FILE_UNKNOWN                          */
	unsigned        flags;
};

/* Never NULL; FILE_UNKNOWN is "unknown", application/octet-stream. */
const struct file_type_row *file_type_row(enum file_type);
const char *file_class_name(enum file_class);

/* `type` is `kind`, or a kind of it: DOCX is a ZIP.  Everything is FILE_UNKNOWN. */
bool file_type_is(enum file_type type, enum file_type kind);

/* The type of a short name ("docx") or of a media type, its aliases included, without
   regard to case and without parameters.  FILE_UNKNOWN if we do not know it; of several
   types with one media type, the broadest. */
enum file_type file_type_of_name(struct span name);
enum file_type file_type_of_media_type(struct span media_type);

/* What the caller should have at hand, so that the answer is as good as it can be. */
#define CONTENT_HEAD_BYTES ((size_t)64 << 10)
#define CONTENT_TAIL_BYTES ((size_t)66 << 10)

/*
 * The type of a file of `size` bytes that begins with `head` and ends with `tail`.  Both
 * may overlap; each may be the whole file, the best case (head all of it, tail SPAN_NONE
 * or all of it).  Shorter ones cost precision, never correctness: a docx whose directory
 * is out of reach may be called zip.  A name of more than one answer, a polyglot, is
 * called what its first bytes say; see content_also.
 */
enum file_type content_type(struct span head, struct span tail, uint64_t size);

/*
 * What another reader would take the same file for: a zip directory at the end of what is
 * no zip (then FILE_ZIP; an installer or a disguise), a PDF header within the first KiB
 * of what is no PDF.  `type` is what content_type said.  FILE_UNKNOWN if there is
 * nothing.
 */
enum file_type content_also(enum file_type type, struct span head, struct span tail,
    uint64_t size);
#endif
