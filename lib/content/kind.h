/*
 * kind.h - kinds of text; inside lib/content only.
 *
 * Each function gets the first TEXT_BYTES of a text at most, narrowed to bytes, and gives
 * its kind or FILE_UNKNOWN.  Each is one or a few passes over them.
 */
#ifndef LIB_CONTENT_TEXT_KIND_H
#define LIB_CONTENT_TEXT_KIND_H
#include "lib/content/look.h"

#define TEXT_BYTES ((size_t)4096)

enum file_type kind_start(struct span);         /* known words at the start           */
enum file_type kind_markup(struct span);        /* XML by its root, HTML, PHP         */
enum file_type kind_html(struct span);          /* HTML by its first tag              */
enum file_type kind_json(struct span);
enum file_type kind_pdf(struct span);           /* a PDF header within the first KiB  */
enum file_type kind_mail(struct span);
enum file_type kind_program(struct span);       /* scripts, guessed from their words  */
enum file_type kind_table(struct span);         /* CSV                                */

/* Takes a line off the front, without its CR and LF.  False at the end. */
bool kind_line(struct span *rest, struct span *line);
/* Without white space at the front. */
struct span kind_skip(struct span);
/* Does `text` hold `words`, without regard to case, in its first `reach` bytes? */
bool kind_holds(struct span text, const char *words, size_t reach);
#endif
