/*
 * archivelist.c - lists archives with the limits of an inspector, for the tests.
 *
 *	archivelist [-m MUTATIONS] [-b BYTES] [-t MILLISECONDS] FILE ...
 *
 * For each file: a line for each archive (those inside others too) and each member, then
 * "end MILLISECONDS BYTES ARCHIVES".  With -m only the worst of that many damaged copies:
 * "worst MILLISECONDS BYTES", after which the driver knows that none crashed.
 */
#include "lib/base/buf.h"
#include "lib/base/text.h"
#include "lib/content/archive.h"
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define QUEUE 200
#define MEMORY_BYTES (512u << 20)       /* as an inspector has */

struct job { struct span bytes, name; unsigned depth; };

struct run {
	struct archive_library library;
	struct archive_limits  limits;
	struct archive_budget  budget;
	struct arena           arena;
	struct job             queue[QUEUE];
	size_t                 count;
	uint64_t               bytes, end_us;
	bool                   quiet;
};

struct collect { struct sink sink; struct buf out; };

static uint64_t
cpu_us(void *context)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static enum status
collect_write(struct sink *sink, struct span s, struct error *e)
{
	buf_add(&container_of(sink, struct collect, sink)->out, s);
	return ST_OK;
}

static void
print_flaws(unsigned flaws)
{
	printf(" flaws=");
	for (unsigned bit = 0, n = 0; bit < ARCHIVE_FLAW_BITS; bit++)
		if ((flaws >> bit & 1) != 0)
			printf("%s%s", n++ > 0 ? "," : "",
			    archive_flaw_name((enum archive_flaw)(1u << bit)));
}

static void
print_name(const char *word, struct span s)
{
	struct buf out = { 0 };

	text_value(&out, s, ARCHIVE_PATH_BYTES);
	printf(" %s=%s", word, buf_text(&out));
	buf_free(&out);
}

static void
print_member(const struct archive_member *m)
{
	static const char types[] = "fdlo";
	char size[24] = "-";

	if (m->sized)
		snprintf(size, sizeof size, "%llu", (unsigned long long)m->size);
	printf("member type=%c size=%s given=%llu%s", types[m->type], size,
	    (unsigned long long)m->given, m->encrypted ? " encrypted" : "");
	print_flaws(m->flaws);
	print_name("name", m->name);
	if (m->local_name.len > 0)
		print_name("local", m->local_name);
	printf("\n");
}

static void
read_member(struct run *r, struct archive_walk *w, unsigned depth)
{
	struct collect c = { .sink = { .write = collect_write } };
	struct archive_form forms[ARCHIVE_FORMS];
	struct error e;

	archive_read(w, &c.sink, &e);
	r->bytes += buf_len(&c.out);
	if (r->count < QUEUE && archive_detect(buf_span(&c.out), forms) > 0)
		r->queue[r->count++] = (struct job){ arena_span(&r->arena, buf_span(&c.out)),
			w->member.name, depth + 1 };
	buf_free(&c.out);
}

static void
list(struct run *r, const struct job *job, const struct archive_form *form)
{
	struct archive_walk w;
	struct archive_source source = { job->bytes, job->name, job->depth, form, &r->limits,
		&r->budget, &r->library, &r->arena };

	if (!archive_open(&w, &source))
		return;
	/* What a failed allocation of long ago may have left there. */
	errno = ENOMEM;
	for (struct archive_member *m; (m = archive_next(&w)) != NULL;) {
		read_member(r, &w, job->depth);
		if (!r->quiet)
			print_member(m);
	}
	if (!r->quiet) {
		printf("archive depth=%u kind=%s packing=%s members=%u%s", job->depth,
		    archive_kind_name(w.form.kind), archive_packing_name(w.form.packing),
		    w.members, w.encrypted ? " encrypted" : "");
		print_flaws(w.flaws);
		print_name("name", job->name);
		printf("\n");
	}
	archive_close(&w);
}

/* Milliseconds of CPU. */
static double
run_file(struct run *r, struct span bytes, struct span name, uint64_t budget)
{
	struct archive_form forms[ARCHIVE_FORMS];
	uint64_t start = cpu_us(NULL);

	r->budget = (struct archive_budget){ 20000, budget, cpu_us, NULL, start + r->end_us };
	r->queue[0] = (struct job){ bytes, name, 0 };
	r->count = 1;
	r->bytes = 0;
	for (size_t i = 0; i < r->count; i++) {
		size_t n = archive_detect(r->queue[i].bytes, forms);

		for (size_t k = 0; k < n; k++)
			list(r, &r->queue[i], &forms[k]);
	}
	arena_free(&r->arena);
	return (double)(cpu_us(NULL) - start) / 1000;
}

/* The same for the same seed: a few bits turned, cut off, a piece moved. */
static size_t
damage(uint8_t *to, struct span s, unsigned seed)
{
	size_t n = s.len;

	srandom(seed);
	memcpy(to, s.ptr, n);
	if (n < 2)
		return n;
	if (seed % 4 == 0)
		n = (size_t)random() % n;
	for (unsigned i = 0; i < 1 + seed % 9 && n > 0; i++)
		to[(size_t)random() % (seed % 2 != 0 && n > 64 ? 64 : n)] ^=
		    (uint8_t)(seed % 3 == 0 ? random() : 1 << random() % 8);
	if (seed % 7 == 0 && n > 8)
		memmove(to + (size_t)random() % (n / 2), to + n / 2, n / 4);
	return n;
}

static void
mutate(struct run *r, struct span s, struct span name, unsigned count, uint64_t budget)
{
	double worst = 0;
	uint64_t most = 0;

	r->quiet = true;
	for (unsigned i = 1; i <= count; i++) {
		uint8_t *copy = must_alloc(s.len + 1);
		size_t n = damage(copy, s, i);
		uint8_t *exact = realloc(copy, n > 0 ? n : 1);
		double ms = run_file(r, (struct span){ exact, n }, name, budget);

		worst = ms > worst ? ms : worst;
		most = r->bytes > most ? r->bytes : most;
		free(exact);
	}
	printf("worst %.1f %llu\n", worst, (unsigned long long)most);
}

static struct span
load(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct buf b = { 0 };
	size_t n;

	if (f == NULL)
		return SPAN_NONE;
	while ((n = fread(buf_room(&b, 65536), 1, 65536, f)) > 0)
		buf_added(&b, n);
	fclose(f);
	return buf_span(&b);
}

/* A sanitizer's shadow needs more; there ASAN_OPTIONS bounds a single allocation. */
static void
limit_memory(void)
{
#if !defined __SANITIZE_ADDRESS__
	setrlimit(RLIMIT_AS, &(struct rlimit){ MEMORY_BYTES, MEMORY_BYTES });
#endif
}

int
main(int argc, char **argv)
{
	struct run r = { .limits = ARCHIVE_LIMITS_DEFAULT, .end_us = 2000000 };
	uint64_t budget = 64u << 20;
	unsigned mutations = 0;

	for (int c; (c = getopt(argc, argv, "m:b:t:")) != -1;) {
		uint64_t value = strtoull(optarg, NULL, 10);

		if (c == 'm')
			mutations = (unsigned)value;
		else if (c == 'b')
			budget = value;
		else if (c == 't')
			r.end_us = value * 1000;
		else
			return 2;
	}
	archive_library_init(&r.library);
	limit_memory();
	for (int i = optind; i < argc; i++) {
		struct span bytes = load(argv[i]), name = span_text(basename(argv[i]));

		if (mutations > 0) {
			mutate(&r, bytes, name, mutations, budget);
		} else {
			double ms = run_file(&r, bytes, name, budget);

			printf("end %.1f %llu %zu\n", ms, (unsigned long long)r.bytes, r.count);
		}
		fflush(stdout);
		free((void *)bytes.ptr);
	}
	archive_library_finish(&r.library);
	return 0;
}
