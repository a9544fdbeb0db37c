/*
 * decode.c - see decode.h; embedded.c finds files in text.
 */
#include "lib/mime/decode.h"
#include "lib/mime/base64.h"
#include "lib/mime/binhex.h"
#include "lib/mime/block.h"
#include "lib/mime/lane.h"

static enum status
flush(struct decoder *d, struct error *err)
{
	size_t n = d->made_len;

	d->made_len = 0;
	return sink_write(d->next, (struct span){ d->made, n }, err);
}

/* The caller sees to it that a full buffer is flushed before the next byte. */
void
decoder_put(struct decoder *d, uint8_t c)
{
	if (d->out == d->limit) {
		d->flaws |= DECODE_CUT;
		return;
	}
	d->out++;
	d->made[d->made_len++] = c;
}

/* Base64. */

enum { BLANK = 0x80, EQUALS = 0x81, JUNK = 0xff };

static inline uint8_t
base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint8_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint8_t)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (uint8_t)(c - '0' + 52);
	if (c == '+')
		return 62;
	if (c == '/')
		return 63;
	if (c == '=')
		return EQUALS;
	return c == ' ' || (c >= '\t' && c <= '\r') ? BLANK : JUNK;
}

static void
base64_group_end(struct decoder *d)
{
	unsigned n = d->held;

	d->bits <<= 6 * (4 - n);
	for (unsigned i = 1; i < n; i++)
		decoder_put(d, (uint8_t)(d->bits >> (16 - 8 * (i - 1))));
	d->bits = 0;
	d->held = d->places = 0;
}

static void
base64_character(struct decoder *d, uint8_t v)
{
	if (d->padded)
		d->flaws |= DECODE_PADDING;
	if (d->junk)
		d->flaws |= DECODE_INSIDE;
	if (d->newlines > 0 && d->held > 0) {
		d->flaws |= DECODE_BROKEN;
		if (d->way.manner == DECODE_RESET)
			d->held = d->places = 0, d->bits = 0;
	}
	d->newlines = 0;
	if ((d->padded && d->way.manner == DECODE_STOP) ||
	    (d->junk && d->way.manner == DECODE_LINE_JUNK))
		return;
	d->bits = d->bits << 6 | v;
	d->places++;
	if (++d->held == 4 || (d->way.manner == DECODE_GROUP && d->places == 4))
		base64_group_end(d);
}

static void
base64_equals(struct decoder *d)
{
	if (d->way.manner == DECODE_ZERO) {
		base64_character(d, 0);
		d->padded = true;
		return;
	}
	d->padded = true;
	if (d->way.manner == DECODE_SKIP)
		return;
	if (d->way.manner == DECODE_GROUP) {
		if (++d->places == 4)
			base64_group_end(d);
	} else if (d->held >= 2)
		base64_group_end(d);
}

static void
base64_byte(struct decoder *d, uint8_t c)
{
	uint8_t v = base64_value(c);

	if (v < 64)
		base64_character(d, v);
	else if (v == EQUALS)
		base64_equals(d);
	else if (v == JUNK) {
		d->flaws |= DECODE_JUNK | (c >= 0x80 ? DECODE_EIGHT_BIT : 0);
		d->junk = true;
	} else if (c == '\n') {
		d->newlines++;
		d->junk = false;
	}
}

static size_t
smaller(uint64_t a, size_t b)
{
	return a < b ? (size_t)a : b;
}

/* How many more bytes go into made[]. */
static size_t
room_left(const struct decoder *d)
{
	return smaller(d->limit - d->out, sizeof d->made - d->made_len);
}

static void
made_more(struct decoder *d, size_t n)
{
	d->made_len += n;
	d->out += n;
}

/* Between two groups, and none of what went before matters: newlines do not either. */
static bool
base64_between(const struct decoder *d)
{
	return d->held == 0 && d->places == 0 && !d->padded && !d->junk;
}

/* Lines of whole groups without anything odd, while there is room for them. */
static size_t
base64_run(struct decoder *d, struct span s)
{
	size_t room = room_left(d), groups, n;

	room = room > BASE64_SLACK ? (room - BASE64_SLACK) / 3 : 0;
	n = base64_lines(s, room, d->made + d->made_len, &groups);
	made_more(d, 3 * groups);
	return n;
}

static enum status
base64_write(struct decoder *d, struct span s, struct error *err)
{
	for (size_t i = 0, n; i < s.len; i += n) {
		if (sizeof d->made - d->made_len < BASE64_SLACK + 3 &&
		    flush(d, err) != ST_OK)
			return ST_TEMP;
		n = base64_between(d) ? base64_run(d, span_slice(s, i, s.len)) : 0;
		if (n == 0) {
			base64_byte(d, s.ptr[i]);
			n = 1;
		}
	}
	return ST_OK;
}

/* Quoted-printable. */

enum { QP_TEXT = 0, QP_EQUALS, QP_DIGIT, QP_SOFT };

static inline int
hex_value(uint8_t c)
{
	uint8_t letter = (uint8_t)((c | 0x20) - 'a');

	return is_digit(c) ? c - '0' : letter < 6 ? letter + 10 : -1;
}

static void
quoted_release(struct decoder *d)
{
	for (size_t i = 0; i < d->line_len; i++)
		decoder_put(d, d->line[i]);
	d->line_len = 0;
}

/* Blanks at the end of a line were added on the way, and do not count. */
static void
quoted_text(struct decoder *d, uint8_t c)
{
	if (c == '=') {
		quoted_release(d);
		d->state = QP_EQUALS;
	} else if (is_blank(c)) {
		d->line[d->line_len++] = c;
		if (d->line_len == sizeof d->line)
			quoted_release(d);
	} else {
		if (c == '\n')
			d->line_len = d->line_len > 0 && d->line[d->line_len - 1] == '\r';
		if (c == '\n' && d->line_len == 1)
			d->line[0] = '\r';
		if (c == '\r') {        /* of a newline, or not: kept till then */
			while (d->line_len > 0 && is_blank(d->line[d->line_len - 1]))
				d->line_len--;
			d->line[d->line_len++] = c;
			if (d->line_len == sizeof d->line)
				quoted_release(d);
			return;
		}
		quoted_release(d);
		decoder_put(d, c);
	}
}

static void
quoted_bad(struct decoder *d)
{
	d->flaws |= DECODE_ESCAPE;
	if (d->way.manner != DECODE_SKIP)
		decoder_put(d, '=');
	d->state = QP_TEXT;
}

static void
quoted_byte(struct decoder *d, uint8_t c)
{
	switch (d->state) {
	case QP_EQUALS:
		if (hex_value(c) >= 0) {
			d->bits = c;
			d->state = QP_DIGIT;
		} else if (is_blank(c) || c == '\r')
			d->state = QP_SOFT;
		else if (c == '\n')
			d->state = QP_TEXT;
		else {
			quoted_bad(d);
			quoted_text(d, c);
		}
		return;
	case QP_DIGIT:
		if (hex_value(c) >= 0) {
			decoder_put(d, (uint8_t)(hex_value((uint8_t)d->bits) << 4 | hex_value(c)));
			d->state = QP_TEXT;
			return;
		}
		quoted_bad(d);
		quoted_text(d, (uint8_t)d->bits);
		quoted_text(d, c);
		return;
	case QP_SOFT:
		if (is_blank(c) || c == '\r')
			return;
		d->state = QP_TEXT;
		if (c == '\n')
			return;
		d->flaws |= DECODE_ESCAPE;
		if (d->way.manner != DECODE_SKIP) {
			decoder_put(d, '=');
			decoder_put(d, ' ');
		}
		quoted_text(d, c);
		return;
	default:
		quoted_text(d, c);
	}
}

/* Copies what stands for itself, up to an escape or a line's end; the length.  As much of
   `to` as s is long may be written. */
static size_t
quoted_plain(struct span s, uint8_t *to)
{
	size_t n = 0, hit = LANE_BYTES;

	for (; hit == LANE_BYTES && s.len - n >= LANE_BYTES; n += hit) {
		lane v = lane_load(s.ptr + n);

		memcpy(to + n, &v, LANE_BYTES);
		hit = lane_first((lane)((v == '=') | (v == '\r') | (v == '\n')));
	}
	while (n < s.len && s.ptr[n] != '=' && s.ptr[n] != '\r' && s.ptr[n] != '\n') {
		to[n] = s.ptr[n];
		n++;
	}
	return n;
}

/* A run of plain text at once, behind what is held; only the blanks it ends with, which may
   not count, go the long way. */
static size_t
quoted_run(struct decoder *d, struct span s)
{
	size_t room = room_left(d), n, end;

	if (room <= d->line_len)
		return 0;
	s.len = smaller(s.len, room - d->line_len);
	n = end = quoted_plain(s, d->made + d->made_len + d->line_len);
	while (end > 0 && is_blank(s.ptr[end - 1]))
		end--;
	if (n < s.len && s.ptr[n] == '=')
		end = n;        /* they do count before an escape, whatever it is */
	if (end > 0) {
		quoted_release(d);
		made_more(d, end);
	}
	for (size_t i = end; i < n; i++)
		quoted_text(d, s.ptr[i]);
	return n;
}

static bool
is_soft(const uint8_t *p)
{
	return p[0] == '\r' && p[1] == '\n';
}

/* Whole escapes and soft line ends, as many as stand one behind the other. */
static size_t
quoted_escapes(struct decoder *d, struct span s)
{
	size_t i = 0, n = 0, room;
	uint8_t *to;

	if (s.len < 3 || (!is_soft(s.ptr + 1) &&
	    (hex_value(s.ptr[1]) < 0 || hex_value(s.ptr[2]) < 0)))
		return 0;
	quoted_release(d);
	room = room_left(d);
	to = d->made + d->made_len;
	for (; s.len - i >= 3 && s.ptr[i] == '=' && n < room; i += 3) {
		int high = hex_value(s.ptr[i + 1]), low = hex_value(s.ptr[i + 2]);

		if ((high | low) >= 0)
			to[n++] = (uint8_t)(high << 4 | low);
		else if (!is_soft(s.ptr + i + 1))
			break;
	}
	made_more(d, n);
	return i;
}

/* A line's end with no blanks before it. */
static size_t
quoted_newline(struct decoder *d, struct span s)
{
	if (s.len < 2 || !is_soft(s.ptr) || d->line_len > 0 || room_left(d) < 2)
		return 0;
	memcpy(d->made + d->made_len, s.ptr, 2);
	made_more(d, 2);
	return 2;
}

/* What stands for itself or is whole; 0: byte by byte. */
static size_t
quoted_piece(struct decoder *d, struct span s)
{
	if (d->state != QP_TEXT)
		return 0;
	return s.ptr[0] == '=' ? quoted_escapes(d, s) : s.ptr[0] == '\r' ?
	    quoted_newline(d, s) : quoted_run(d, s);
}

static enum status
quoted_write(struct decoder *d, struct span s, struct error *err)
{
	d->flaws |= block_eight_bit(s) ? DECODE_EIGHT_BIT : 0;
	for (size_t i = 0, n; i < s.len; i += n) {
		if (sizeof d->made - d->made_len < sizeof d->line + 8 &&
		    flush(d, err) != ST_OK)
			return ST_TEMP;
		n = quoted_piece(d, span_slice(s, i, s.len));
		if (n == 0) {
			quoted_byte(d, s.ptr[i]);
			n = 1;
		}
	}
	return ST_OK;
}

/* Uuencode. */

static unsigned
uu_value(struct span line, size_t i)
{
	return i < line.len ? (unsigned)(line.ptr[i] - ' ') & 0x3f : 0;
}

static bool
uu_plausible(struct span line)
{
	if (line.len == 0 || line.ptr[0] < ' ' || line.ptr[0] > '`')
		return false;
	for (size_t i = 0; i < line.len; i++)
		if (line.ptr[i] < ' ' || line.ptr[i] > '`')
			return false;
	size_t want = (uu_value(line, 0) + 2) / 3 * 4 + 1;

	return line.len >= want - (want > 1) && line.len <= want + 2;
}

static void
uu_data(struct decoder *d, struct span line)
{
	unsigned n = uu_value(line, 0), at = 1;

	if (!uu_plausible(line))
		d->flaws |= DECODE_LINE;
	for (; n > 0; at += 4) {
		uint32_t v = uu_value(line, at) << 18 | uu_value(line, at + 1) << 12 |
		    uu_value(line, at + 2) << 6 | uu_value(line, at + 3);

		for (unsigned k = 0; k < 3 && n > 0; k++, n--)
			decoder_put(d, (uint8_t)(v >> (16 - 8 * k)));
	}
}

static void
uu_line(struct decoder *d, struct span line)
{
	if (span_starts_nocase(line, SPAN_LIT("begin "))) {
		d->begun = true;
		d->ended = false;
	} else if (d->begun && !d->ended && span_starts_nocase(line, SPAN_LIT("end")) &&
	    span_trim(line).len == 3)
		d->ended = true;
	else if (!d->begun && uu_plausible(line)) {
		d->flaws |= DECODE_NO_BEGIN;
		d->begun = true;
		uu_data(d, line);
	} else if (d->begun && !d->ended && line.len > 0)
		uu_data(d, line);
}

static enum status
uu_write(struct decoder *d, struct span s, struct error *err)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i];

		if (c == '\n') {
			if (sizeof d->made - d->made_len < 64 && flush(d, err) != ST_OK)
				return ST_TEMP;
			uu_line(d, (struct span){ d->line, d->line_len });
			d->line_len = 0;
		} else if (c != '\r' && d->line_len < sizeof d->line)
			d->line[d->line_len++] = c;
	}
	return ST_OK;
}

/* yEnc. */

enum { Y_START = 0, Y_EQUALS_START, Y_CONTROL, Y_DATA, Y_ESCAPE };

static uint64_t
y_size(struct span line)
{
	static const char key[] = " size=";
	const uint8_t *p = line.len == 0 ? NULL : memmem(line.ptr, line.len, key, 6);
	uint64_t n = 0;

	for (size_t i = p == NULL ? line.len : (size_t)(p - line.ptr) + 6;
	    i < line.len && is_digit(line.ptr[i]) && n < UINT32_MAX; i++)
		n = n * 10 + (unsigned)(line.ptr[i] - '0');
	return n;
}

static void
y_control(struct decoder *d, struct span line)
{
	if (span_starts_nocase(line, SPAN_LIT("begin"))) {
		d->begun = true;
		d->ended = false;
		d->size = y_size(line);
	} else if (span_starts_nocase(line, SPAN_LIT("part")))
		d->size = 0;            /* of the whole, which is not here */
	else if (span_starts_nocase(line, SPAN_LIT("end"))) {
		d->ended = true;
		if (d->size > 0 && d->size != d->out)
			d->flaws |= DECODE_SUM;
	}
}

static void
y_data(struct decoder *d, uint8_t c, unsigned off)
{
	if (!d->begun)
		d->flaws |= DECODE_NO_BEGIN;
	if (!d->ended)
		decoder_put(d, (uint8_t)(c - off));
}

static void
y_byte(struct decoder *d, uint8_t c)
{
	if (c == '\r' || c == '\n') {
		if (d->state == Y_CONTROL && c == '\n')
			y_control(d, (struct span){ d->line, d->line_len });
		if (c == '\n')
			d->state = Y_START;
		return;
	}
	if (d->state == Y_CONTROL) {
		if (d->line_len < sizeof d->line)
			d->line[d->line_len++] = c;
	} else if (d->state == Y_EQUALS_START && c == 'y') {
		d->state = Y_CONTROL;
		d->line_len = 0;
	} else if (d->state == Y_EQUALS_START || d->state == Y_ESCAPE) {
		y_data(d, c, 64 + 42);
		d->state = Y_DATA;
	} else if (c == '=')
		d->state = d->state == Y_START ? Y_EQUALS_START : Y_ESCAPE;
	else {
		y_data(d, c, 42);
		d->state = Y_DATA;
	}
}

static enum status
each_byte(struct decoder *d, struct span s, void (*byte)(struct decoder *, uint8_t),
    struct error *err)
{
	for (size_t i = 0; i < s.len; i++) {
		/* BinHex repeats a byte up to 255 times, for each of 3 bytes. */
		if (sizeof d->made - d->made_len < 768 && flush(d, err) != ST_OK)
			return ST_TEMP;
		byte(d, s.ptr[i]);
	}
	return ST_OK;
}

static enum status
none_write(struct decoder *d, struct span s, struct error *err)
{
	if (s.len > d->limit - d->out) {
		d->flaws |= DECODE_CUT;
		s.len = (size_t)(d->limit - d->out);
	}
	d->out += s.len;
	return sink_write(d->next, s, err);
}

static enum status
decoder_write(struct sink *sink, struct span s, struct error *err)
{
	struct decoder *d = container_of(sink, struct decoder, sink);

	switch (d->way.encoding) {
	case ENCODING_BASE64:
		return base64_write(d, s, err);
	case ENCODING_QUOTED:
		return quoted_write(d, s, err);
	case ENCODING_UU:
		return uu_write(d, s, err);
	case ENCODING_YENC:
		return each_byte(d, s, y_byte, err);
	case ENCODING_BINHEX:
		return each_byte(d, s, binhex_byte, err);
	case ENCODING_NONE:
	case ENCODING_UNKNOWN:
		break;
	}
	return none_write(d, s, err);
}

static void
finish_quoted(struct decoder *d)
{
	if (d->state == QP_DIGIT) {
		quoted_bad(d);
		decoder_put(d, (uint8_t)d->bits);
	}
	d->line_len = 0;
}

static void
finish_lines(struct decoder *d)
{
	struct span line = { d->line, d->line_len };

	if (d->way.encoding == ENCODING_UU && line.len > 0)
		uu_line(d, line);
	if (d->way.encoding == ENCODING_YENC && d->state == Y_CONTROL)
		y_control(d, line);
	if (!d->begun)
		d->flaws |= DECODE_NO_BEGIN;
	if (!d->ended)
		d->flaws |= DECODE_NO_END;
}

static enum status
decoder_finish(struct sink *sink, struct error *err)
{
	struct decoder *d = container_of(sink, struct decoder, sink);

	/* Room for what is still held back. */
	if (flush(d, err) != ST_OK)
		return ST_TEMP;
	if (d->way.encoding == ENCODING_BASE64 && d->held > 0) {
		d->flaws |= DECODE_UNPADDED;
		base64_group_end(d);
	} else if (d->way.encoding == ENCODING_QUOTED)
		finish_quoted(d);
	else if (d->way.encoding >= ENCODING_UU && d->way.encoding <= ENCODING_BINHEX)
		finish_lines(d);
	enum status st = flush(d, err);

	return st != ST_OK ? st : sink_finish(d->next, err);
}

void
decoder_init(struct decoder *d, struct decode_way way, uint64_t limit, struct sink *next)
{
	*d = (struct decoder){ .sink = { decoder_write, decoder_finish }, .next = next,
		.way = way, .limit = limit };
}

struct buf_sink { struct sink sink; struct buf *buf; };

static enum status
buf_sink_write(struct sink *s, struct span bytes, struct error *err)
{
	buf_add(container_of(s, struct buf_sink, sink)->buf, bytes);
	return ST_OK;
}

static enum status
buf_sink_finish(struct sink *s, struct error *err)
{
	return ST_OK;
}

/* What a body of base64 begins with goes straight to where it is wanted: mostly that is all
   but its last line. */
static size_t
base64_begin(struct decoder *d, struct span s, struct buf *out)
{
	uint64_t most = d->limit / 3, whole = s.len / 4;
	size_t groups, n;

	most = most < whole ? most : whole;
	n = base64_lines(s, (size_t)most, buf_room(out, 3 * (size_t)most + BASE64_SLACK),
	    &groups);
	buf_added(out, 3 * groups);
	d->out = 3 * groups;
	return n;
}

unsigned
decode_all(struct decode_way way, struct span s, uint64_t limit, struct buf *out)
{
	struct buf_sink to = { { buf_sink_write, buf_sink_finish }, out };
	struct decoder d;
	struct error err;
	size_t begun = 0;

	decoder_init(&d, way, limit, &to.sink);
	if (way.encoding == ENCODING_BASE64)
		begun = base64_begin(&d, s, out);
	else    /* no encoding but BinHex grows */
		buf_room(out, smaller(limit, s.len));
	sink_write(&d.sink, span_slice(s, begun, s.len), &err);
	sink_finish(&d.sink, &err);
	return d.flaws;
}
