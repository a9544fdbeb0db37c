/*
 * page.h - the pages of counters, and their sums over processes and generations.
 */
#ifndef SRC_MASTER_PAGE_H
#define SRC_MASTER_PAGE_H
#include "lib/packet/counters.h"
#include "src/master/configuration.h"

/* One process and generation; the process writes it, so nothing in it is trusted. */
struct page {
	struct page          *next;
	struct configuration *configuration;    /* held: whose rules it counts */
	volatile struct counters *counters;
	size_t                bytes;
	int                   fd;
};

/* NULL and the error where there is no memory for it. */
struct page *page_create(struct configuration *, struct error *);
void page_destroy(struct page **);
/* Of the scanner with that index in the page's configuration. */
const volatile struct scanner_row *page_scanner(const struct page *, size_t index);
/* The process is gone, and with it what it held. */
void page_clear_gauges(struct page *);

struct rule_sum {
	const char *policy, *rule;
	bool monitor;
	uint64_t values[RULE_COUNTERS];
};
struct scanner_sum {
	const char *name;
	enum scanner_type type;
	uint64_t values[SCANNER_COUNTERS];
};
struct sums {
	struct arena     arena;
	const struct configuration *configuration;      /* NULL: of all, by name */
	uint64_t         values[COUNTER_COUNT];
	struct rule_sum *rules;
	size_t           rule_count, rule_room;
	struct scanner_sum scanners[SCANNERS];
	size_t           scanner_count;
};

/* The rules and scanners of this configuration, all zero. */
void sums_begin(struct sums *, const struct configuration *);
/* Rules are found by name, so one that stayed through a reload keeps its count; those
   that the configuration has not are left out, or put in where there is none.  Gauges
   count only where the page is the one that its process writes now. */
void sums_add_page(struct sums *, const struct page *, bool current);
void sums_add(struct sums *, const struct sums *);
void sums_free(struct sums *);
#endif
