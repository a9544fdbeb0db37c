/*
 * kept.h - the block of fields that a file in quarantine begins with: all that is known of
 * a mail beside its bytes, written so that it can be read back.
 *
 * A field a line, ended by an empty line; then the message follows, byte for byte.  Texts
 * are escaped as text_escape and (in NAME=VALUE) text_value do it:
 *
 *     X-Sallyport-Id: 0dkz...
 *     X-Envelope-From: <sender> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=xtext
 *     X-Envelope-To: <recipient> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;xtext
 *     X-Sallyport-Class, -Rule, -Reason, -Listener, -Client
 *     X-Sallyport-Session: PEER=192.0.2.1 PORT=2525 HELO=mx.example.com WITH=ESMTP
 *     X-Sallyport-Xforward: NAME=... ADDR=... (only if it came)
 *     X-Sallyport-Arrival, -Size
 */
#ifndef LIB_PACKET_KEPT_H
#define LIB_PACKET_KEPT_H
#include "lib/base/buf.h"
#include "lib/packet/packet.h"

#define KEPT_BYTES (8u << 20)           /* more is not an envelope */
#define KEPT_CLASS_BYTES 64

/* A class is a folder's name: letters, digits, - and _ only. */
bool kept_class_is(struct span);

void kept_write(struct buf *, const struct packet_quarantine *);
/* The block at the start of `in`; *head is its length, the empty line included.  ST_MORE:
   its end is not in `in`; ST_PERM: it is none.  Fields that are not known are passed over;
   arrived is the time of the id.  Texts are in the arena. */
enum status kept_read(struct span in, struct packet_quarantine *, size_t *head,
    struct arena *);
#endif
