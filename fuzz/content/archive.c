/*
 * archive.c - a walk ends within its budget, counts what it gives, and is the same again,
 * whether members are had whole or not.
 */
#include "lib/base/buf.h"
#include "lib/content/archive.h"

#define BYTES   300000u
#define MEMBERS 60u
#define TICKS   20000u

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct sum { struct sink sink; uint64_t bytes, hash; unsigned flaws; };

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
mix(struct sum *sum, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		sum->hash = (sum->hash ^ s.ptr[i]) * 0x100000001b3u;
}

static enum status
sum_write(struct sink *sink, struct span s, struct error *e)
{
	struct sum *sum = container_of(sink, struct sum, sink);

	must(s.len > 0 && s.len <= 65536);
	sum->bytes += s.len;
	mix(sum, s);
	return ST_OK;
}

static uint64_t
tick(void *context)
{
	return ++*(uint64_t *)context;
}

static void
check_member(const struct archive_member *m, const struct archive_limits *limits)
{
	must(m->path.len <= ARCHIVE_PATH_BYTES && m->given <= limits->member_bytes);
	must(m->flaws >> ARCHIVE_FLAW_BITS == 0 && (m->sized || m->size == 0));
	must(!m->encrypted || m->given == 0 || m->given < limits->member_bytes);
}

static void
read_members(struct archive_walk *w, struct sum *sum, const struct archive_limits *limits)
{
	struct error e;

	for (struct archive_member *m; (m = archive_next(w)) != NULL;) {
		uint64_t before = sum->bytes;

		must(archive_read(w, &sum->sink, &e) == ST_OK);
		must(sum->bytes - before == m->given);
		check_member(m, limits);
		mix(sum, m->path);
		mix(sum, m->name);
	}
	must(archive_next(w) == NULL);
}

static struct sum
walk(struct span bytes, const struct archive_form *form, const struct archive_library *library)
{
	struct archive_limits limits = { 3, 50, 50000, 200000, 100, 10000 };
	uint64_t now = 0;
	struct archive_budget budget = { MEMBERS, BYTES, tick, &now, TICKS };
	struct arena arena = { 0 };
	struct sum sum = { .sink = { .write = sum_write } };
	struct archive_walk w;
	struct archive_source source = { bytes, SPAN_LIT("outer.gz"), 0, form, &limits, &budget,
		library, &arena };

	if (archive_open(&w, &source)) {
		read_members(&w, &sum, &limits);
		must(w.members == MEMBERS - budget.members && w.members <= (MEMBERS + 1) / 2);
		must(sum.bytes <= BYTES - budget.bytes && BYTES - budget.bytes <= (BYTES + 1) / 2);
		must(w.flaws >> ARCHIVE_FLAW_BITS == 0);
		sum.flaws = w.flaws;
		mix(&sum, (struct span){ (const uint8_t *)&w.flaws, sizeof w.flaws });
		archive_close(&w);
	}
	arena_free(&arena);
	return sum;
}

/* The clock is asked less often for what is had whole. */
static void
check_same(const struct sum *a, const struct sum *b)
{
	must(((a->flaws | b->flaws) & ARCHIVE_FLAW_TIME) != 0 ||
	    (a->bytes == b->bytes && a->hash == b->hash));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct archive_library library;
	struct archive_form forms[ARCHIVE_FORMS];
	struct span in = { p, n };
	size_t count = archive_detect(in, forms);

	if (library.inflater == NULL)
		archive_library_init(&library);
	const struct archive_library piecemeal = { library.locale, NULL };

	must(count <= ARCHIVE_FORMS);
	for (size_t i = 0; i < count; i++) {
		must(forms[i].kind != ARCHIVE_KIND_NONE && forms[i].at < n);
		struct sum once = walk(in, &forms[i], &library);
		struct sum again = walk(in, &forms[i], &library);
		struct sum pieces = walk(in, &forms[i], &piecemeal);

		must(once.bytes == again.bytes && once.hash == again.hash);
		check_same(&once, &pieces);
	}
	return 0;
}
