/*
 * binhex.h - BinHex 4.0 inside the decoder (RFC 1741).
 */
#ifndef LIB_MIME_BINHEX_H
#define LIB_MIME_BINHEX_H
#include "lib/mime/decode.h"

void binhex_byte(struct decoder *, uint8_t);
/* Puts a byte where at least one has room; decode.c flushes. */
void decoder_put(struct decoder *, uint8_t);
#endif
