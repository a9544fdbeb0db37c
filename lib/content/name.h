/*
 * name.h - what the name of a file claims, and the ways it is made to mislead.
 *
 * A name is read as the most trusting desktop would: marks that are not seen are left
 * out, dots that only look like dots count as dots, trailing dots and blanks fall away,
 * what stands after a path separator or before a stream's colon is the name.  Every such
 * liberty is a flag.  All extensions are told, since mail programs and people differ in
 * which one they believe.
 */
#ifndef LIB_CONTENT_NAME_H
#define LIB_CONTENT_NAME_H
#include "lib/base/arena.h"
#include "lib/content/type.h"

/* struct name.flags */
#define NAME_BIDI       0x0001u /* right-to-left or other direction marks               */
#define NAME_INVISIBLE  0x0002u /* zero-width or other invisible characters             */
#define NAME_LOOKALIKE  0x0004u /* letters of other scripts among Latin ones, or that
                                   look like ASCII letters in an extension              */
#define NAME_CONTROL    0x0008u /* C0 and C1 controls but NUL                           */
#define NAME_NUL        0x0010u
#define NAME_PATH       0x0020u /* / or \ , or one that looks like it; a drive letter   */
#define NAME_CLSID      0x0040u /* a class identifier as extension: {8-4-4-4-12}        */
#define NAME_VERSION    0x0080u /* ";1" at the end                                      */
#define NAME_STREAM     0x0100u /* NTFS stream: a.txt:b.exe, a.exe::$DATA               */
#define NAME_DOT        0x0200u /* a dot that is not '.': full width, %2e, leader       */
#define NAME_PERCENT    0x0400u /* percent-encoded bytes                                */
#define NAME_TRAILING   0x0800u /* dots or blanks at the end                            */
#define NAME_PADDED     0x1000u /* many blanks (4 or more) inside: pushes the rest away */
#define NAME_DOUBLE     0x2000u /* the last extension runs, one before it names a
                                   harmless type: invoice.pdf.exe                       */
#define NAME_CUT        0x4000u /* longer than NAME_BYTES, or more extensions           */
#define NAME_BAD_UTF8   0x8000u /* not UTF-8; taken as Latin-1                          */
#define NAME_RUNS      0x10000u /* an extension that a desktop runs is among them       */
#define NAME_DEVICE    0x20000u /* CON, NUL, COM1 ... of Windows                        */

#define NAME_BYTES      1024
#define NAME_EXTENSIONS 8

struct name {
	struct span    base;            /* as read, without path, ASCII in lower case   */
	struct span    extensions[NAME_EXTENSIONS];     /* the last one first, lower case,
	                                                   without its dot              */
	unsigned       extension_count;
	unsigned       flags;
	enum file_type claim;           /* of the last extension; FILE_UNKNOWN if there
	                                   is none or we do not know it                 */
};

/* Reads a decoded name (UTF-8).  What it holds lives in the arena; at most NAME_BYTES of
   the name are looked at: its first and last half. */
void name_read(struct name *, struct span text, struct arena *);

/* "bidi", "clsid" ...: the name of one flag, for records and rules; NULL where n is past
   the last.  Bit n of flags is flag n. */
const char *name_flag(unsigned n);

/* Does a desktop run files with this extension (lower case)? */
bool extension_runs(struct span extension);
/* What it usually is; FILE_UNKNOWN if we do not know it. */
enum file_type extension_type(struct span extension);
/* Is `extension` usual for `type`, or for something broader or narrower? */
bool extension_fits(struct span extension, enum file_type type);
/* The usual extension of a type, "" if it has none of its own. */
const char *extension_usual(enum file_type);

/* How a claim - an extension's, a declared media type's - stands to the content. */
enum claim {
	CLAIM_NONE = 0,         /* nothing claimed, or nothing known of the content     */
	CLAIM_AGREES,
	CLAIM_BROADER,          /* one is a kind of the other: text/plain for CSV, or for
	                           a script, which then is shown and not run           */
	CLAIM_DIFFERS,          /* another type, as harmless: PNG for a JPEG            */
	CLAIM_DISGUISES,        /* content that runs, or holds other files, under a claim
	                           that does neither                                    */
};
const char *claim_name(enum claim);
enum claim claim_judge(enum file_type claimed, enum file_type found);
/* The name's last extension against the content: as claim_judge, but an extension shared
   by several types (.doc, .mpg) agrees with each of them. */
enum claim name_judge(const struct name *, enum file_type found);
/* The declared media type ("image/png; x=y"); application/octet-stream and its like claim
   nothing. */
enum claim media_type_judge(struct span media_type, enum file_type found);
#endif
