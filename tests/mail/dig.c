/*
 * dig.c - prints what an inspector digs out of mails, a JSON object a line.
 *
 *     dig [-t] [-w WISHES] <LIST
 * LIST names a file a line.  -t: only the test signatures, flags and CPU time, for mail
 * whose text is nobody's business.  -w: what to do, bits of enum wish; else all but digests,
 * which are not printed.
 */
#include "lib/base/text.h"
#include "src/inspector/dig.h"
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct print { struct dig_tools tools; struct buf out; unsigned wishes; bool terse; };

static bool
read_file(const char *name, struct buf *b)
{
	FILE *f = fopen(name, "rb");
	size_t n;

	if (f == NULL) {
		perror(name);
		return false;
	}
	while ((n = fread(buf_room(b, 65536), 1, 65536, f)) > 0)
		buf_added(b, n);
	fclose(f);
	return true;
}

static uint64_t
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
put_text(struct buf *out, const char *key, const struct value *v)
{
	buf_printf(out, ",\"%s\":", key);
	text_json(out, v->state == FACT_KNOWN ? v->text : SPAN_NONE);
}

static void
put_truth(struct buf *out, const char *key, const struct value *v)
{
	buf_printf(out, ",\"%s\":%s", key, v->state == FACT_KNOWN && v->truth ? "true" : "false");
}

static void
put_signatures(struct buf *out, const struct items *signatures)
{
	buf_add(out, SPAN_LIT(",\"signatures\":["));
	for (size_t i = 0; i < signatures->count; i++) {
		if (i > 0)
			buf_byte(out, ',');
		text_json(out, item_value(signatures->list[i], FACT_SIGNATURE_NAME)->text);
	}
	buf_byte(out, ']');
}

static void
put_attachments(struct buf *out, const struct items *attachments)
{
	buf_add(out, SPAN_LIT(",\"attachments\":["));
	for (size_t i = 0; i < attachments->count; i++) {
		const struct item *item = attachments->list[i];

		buf_printf(out, "%s{\"n\":%zu", i > 0 ? "," : "", i);
		put_text(out, "name", item_value(item, FACT_ATTACHMENT_NAME));
		put_text(out, "extensions", item_value(item, FACT_ATTACHMENT_EXTENSIONS));
		put_text(out, "type", item_value(item, FACT_ATTACHMENT_TYPE));
		put_truth(out, "encrypted", item_value(item, FACT_ATTACHMENT_ENCRYPTED));
		put_truth(out, "broken", item_value(item, FACT_ATTACHMENT_BROKEN));
		put_truth(out, "unscannable", item_value(item, FACT_ATTACHMENT_UNSCANNABLE));
		buf_byte(out, '}');
	}
	buf_byte(out, ']');
}

static void
put_findings(struct print *p, const char *name, const struct findings *f, uint64_t us)
{
	struct buf *out = &p->out;

	buf_add(out, SPAN_LIT("{\"file\":"));
	text_json(out, span_text(name));
	buf_printf(out, ",\"us\":%llu,\"flaws\":%lld", (unsigned long long)us,
	    (long long)f->values[FACT_MIME_FLAW_COUNT].number);
	put_signatures(out, &f->groups[GROUP_SIGNATURE]);
	put_truth(out, "ambiguous", &f->values[FACT_MIME_AMBIGUOUS]);
	put_text(out, "reading", &f->values[FACT_MIME_READING]);
	put_truth(out, "broken", &f->values[FACT_MIME_BROKEN]);
	put_truth(out, "limit", &f->values[FACT_ARCHIVE_LIMIT]);
	put_truth(out, "encrypted", &f->values[FACT_ARCHIVE_ENCRYPTED]);
	if (!p->terse)
		put_attachments(out, &f->groups[GROUP_ATTACHMENT]);
	buf_add(out, SPAN_LIT("}\n"));
}

static bool
dig_file(struct print *p, const char *name)
{
	struct findings findings = { 0 };
	struct arena arena = { 0 };
	struct buf mail = { 0 };
	bool ok = read_file(name, &mail);

	if (ok) {
		uint64_t begin = cpu_us();

		dig(&(struct dig_job){ .message = buf_span(&mail), .wishes = p->wishes },
		    &p->tools, &DIG_LIMITS, &findings, &arena);
		put_findings(p, name, &findings, cpu_us() - begin);
		fwrite(buf_span(&p->out).ptr, 1, buf_len(&p->out), stdout);
		fflush(stdout);
	}
	buf_take(&p->out, buf_len(&p->out));
	arena_free(&arena);
	buf_free(&mail);
	return ok;
}

int
main(int argc, char **argv)
{
	struct print p = { .wishes = WISH_ALL & ~(unsigned)WISH_DIGESTS };
	char line[4096];
	bool ok = true;

	for (int c; (c = getopt(argc, argv, "tw:")) != -1;)
		switch (c) {
		case 't':
			p.terse = true;
			break;
		case 'w':
			p.wishes = (unsigned)strtoul(optarg, NULL, 0);
			break;
		default:
			return 2;
		}
	dig_keep_memory();
	dig_tools_open(&p.tools);
	while (fgets(line, sizeof line, stdin) != NULL) {
		line[strcspn(line, "\n")] = 0;
		ok &= dig_file(&p, line);
	}
	buf_free(&p.out);
	dig_tools_close(&p.tools);
	return ok ? 0 : 1;
}
