/*
 * mimedump.c - prints what lib/mime sees in mails, a JSON object a line.
 *
 *     mimedump [-c] [-t COUNT] FILE...
 * -c: with the decoded content of leaves, in hexadecimal.  -t: parses each file COUNT
 * times and prints the CPU nanoseconds of one.
 */
#include "lib/base/text.h"
#include "lib/mime/mime.h"
#include <stdio.h>
#include <time.h>

#define CONTAINERS 200u

struct container { struct span bytes; unsigned depth; };
struct dump {
	struct charsets *charsets;
	struct buf out;
	struct arena arena;
	struct container queue[CONTAINERS];
	size_t done, count;
	unsigned ambiguities;
	bool content;
};

static struct span
read_file(const char *name)
{
	struct buf b = { 0 };
	FILE *f = fopen(name, "rb");
	size_t n;

	if (f == NULL) {
		perror(name);
		exit(1);
	}
	while ((n = fread(buf_room(&b, 65536), 1, 65536, f)) > 0)
		buf_added(&b, n);
	fclose(f);
	return buf_span(&b);
}

static void
key(struct dump *d, const char *name, struct span value)
{
	buf_printf(&d->out, ",\"%s\":", name);
	text_json(&d->out, value);
}

static void
put_content(struct dump *d, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		buf_printf(&d->out, "%02x", s.ptr[i]);
}

/* One way to decode a leaf; messages in it wait for their turn. */
static unsigned
put_way(struct dump *d, const struct mime_part *p, struct decode_way way, struct span body)
{
	struct buf b = { 0 };
	unsigned flaws = decode_all(way, body, UINT64_MAX, &b);

	if (p->is_message && p->encoding != ENCODING_NONE && d->count < CONTAINERS)
		d->queue[d->count++] = (struct container){ arena_span(&d->arena, buf_span(&b)),
			p->depth + 1 };
	buf_printf(&d->out, "{\"way\":\"%s %d\",\"flaws\":%u,\"size\":%zu", encoding_name(
	    way.encoding), (int)way.manner, flaws, buf_len(&b));
	if (d->content) {
		buf_printf(&d->out, ",\"content\":\"");
		put_content(d, buf_span(&b));
		buf_byte(&d->out, '"');
	}
	buf_byte(&d->out, '}');
	buf_free(&b);
	return flaws;
}

static void
put_ways(struct dump *d, const struct mime_part *p, struct span body)
{
	struct decode_way others[DECODE_OTHERS];

	buf_printf(&d->out, ",\"ways\":[");
	unsigned flaws = put_way(d, p, decode_first(p->encoding, body), body);
	size_t n = decode_others(p->encoding, flaws, body, others);

	if (flaws & DECODE_AMBIGUOUS)
		d->ambiguities |= MIME_DECODED;
	for (size_t i = 0; i < n; i++) {
		buf_byte(&d->out, ',');
		put_way(d, p, others[i], body);
	}
	buf_byte(&d->out, ']');
}

static void
put_part(struct dump *d, const struct mime *m, const struct mime_part *p)
{
	static const char *const kinds[MIME_KINDS] = {
		"leaf", "multipart", "message", "preamble", "epilogue", "embedded",
	};
	struct span body = mime_body(m, p);

	buf_printf(&d->out, "{\"kind\":\"%s\",\"parent\":%d,\"depth\":%u,\"at\":%zu,"
	    "\"body\":%zu,\"end\":%zu,\"fields\":%zu", kinds[p->kind], (int)p->parent,
	    p->depth, (size_t)p->at, (size_t)p->body, (size_t)p->end, p->header.count);
	key(d, "type", p->type);
	key(d, "subtype", p->subtype);
	key(d, "charset", p->charset);
	key(d, "disposition", p->disposition);
	key(d, "encoding", span_text(encoding_name(p->encoding)));
	key(d, "id", p->content_id);
	buf_printf(&d->out, ",\"names\":[");
	for (size_t i = 0; i < p->name_count; i++) {
		if (i > 0)
			buf_byte(&d->out, ',');
		text_json(&d->out, p->names[i].text);
	}
	buf_byte(&d->out, ']');
	if (p->kind != MIME_MULTIPART && p->kind != MIME_MESSAGE)
		put_ways(d, p, body);
	buf_byte(&d->out, '}');
}

static void
put_reading(struct dump *d, const struct mime *m, unsigned reading, unsigned depth)
{
	buf_printf(&d->out, "{\"reading\":%u,\"depth\":%u,\"seen\":%zu,\"ambiguities\":[", reading,
	    depth, (size_t)m->seen);
	for (unsigned i = 0, n = 0; i < MIME_AMBIGUITIES; i++)
		if (m->ambiguities & 1u << i)
			buf_printf(&d->out, "%s\"%s\"", n++ > 0 ? "," : "",
			    mime_ambiguity_name(1u << i));
	buf_printf(&d->out, "],\"flaws\":[");
	for (uint32_t i = 0; i < m->flaw_count; i++)
		buf_printf(&d->out, "%s\"%s\"", i > 0 ? "," : "",
		    mime_flaw_name(m->flaws[i].kind));
	buf_printf(&d->out, "],\"parts\":[");
	for (uint32_t i = 0; i < m->count; i++) {
		if (i > 0)
			buf_byte(&d->out, ',');
		put_part(d, m, &m->parts[i]);
	}
	buf_printf(&d->out, "]}");
}

static void
put_container(struct dump *d, struct container c)
{
	struct mime_options options = MIME_OPTIONS;
	struct mime m;

	options.depth = c.depth;
	options.charsets = d->charsets;
	for (enum mime_reading r = MIME_FIRST; r < MIME_READINGS; r++) {
		mime_parse(c.bytes, r, &options, &m, &d->arena);
		if (r > MIME_FIRST || d->done > 1)
			buf_byte(&d->out, ',');
		put_reading(d, &m, r, c.depth);
		if (r == MIME_FIRST)
			d->ambiguities |= m.ambiguities;
		if (r == MIME_FIRST && m.ambiguities == 0)
			break;
	}
}

static void
put_file(struct dump *d, const char *name)
{
	struct span bytes = read_file(name);

	d->done = 0;
	d->count = 1;
	d->ambiguities = 0;
	d->queue[0] = (struct container){ bytes, 0 };
	buf_printf(&d->out, "{\"file\":");
	text_json(&d->out, span_text(name));
	buf_printf(&d->out, ",\"readings\":[");
	while (d->done < d->count)
		put_container(d, d->queue[d->done++]);
	buf_printf(&d->out, "],\"ambiguous\":%s}\n", d->ambiguities != 0 ? "true" : "false");
	struct span out = buf_span(&d->out);

	fwrite(out.ptr, 1, out.len, stdout);
	buf_take(&d->out, out.len);
	arena_free(&d->arena);
	free((void *)(uintptr_t)bytes.ptr);
}

static void
time_file(struct dump *d, const char *name, unsigned count)
{
	struct span bytes = read_file(name);
	struct mime_options options = MIME_OPTIONS;
	struct timespec a, b;
	struct mime m;

	options.charsets = d->charsets;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	for (unsigned i = 0; i < count; i++) {
		mime_parse(bytes, MIME_FIRST, &options, &m, &d->arena);
		arena_free(&d->arena);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	double ns = (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec);

	printf("%s %zu bytes %.0f ns\n", name, bytes.len, ns / count);
	free((void *)(uintptr_t)bytes.ptr);
}

int
main(int argc, char **argv)
{
	struct dump d = { .charsets = charsets_create() };
	unsigned count = 0;
	int i = 1;

	for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
		d.content |= argv[i][1] == 'c';
		if (argv[i][1] == 't' && i + 1 < argc)
			count = (unsigned)strtoul(argv[++i], NULL, 10);
	}
	for (; i < argc; i++) {
		if (count > 0)
			time_file(&d, argv[i], count);
		else
			put_file(&d, argv[i]);
	}
	buf_free(&d.out);
	charsets_destroy(&d.charsets);
	return 0;
}
