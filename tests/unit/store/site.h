/*
 * site.h - a store in a directory of its own, for tests.
 */
#ifndef TESTS_UNIT_STORE_SITE_H
#define TESTS_UNIT_STORE_SITE_H
#include "src/store/child.h"
#include "src/store/store.h"
#include "sys/ipc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID "0123456789abcdef"

struct site {
	char             root[64], quarantine[96], maildir[96];
	struct settings  settings;
	struct listener  listener;
	struct log       log;
	struct counters *counters;
	struct ledger_page page;
	struct store     store;
};

static inline void
site_make(struct site *p)
{
	*p = (struct site){ .root = "/tmp/test-store-XXXXXX" };
	assert_non_null(mkdtemp(p->root));
	snprintf(p->quarantine, sizeof p->quarantine, "%s/quarantine", p->root);
	snprintf(p->maildir, sizeof p->maildir, "%s/mail/box", p->root);
	assert_int_equal(mkdir(p->quarantine, 0700), 0);
	p->listener.next_hop = (struct next_hop){ .kind = HOP_MAILDIR, .path = p->maildir };
	p->settings = (struct settings){ .state_directory = p->root,
		.quarantine_directory = p->quarantine, .listeners = &p->listener,
		.listener_count = 1 };
	p->counters = must_alloc(sizeof *p->counters);
	p->log = (struct log){ .fd = open("/dev/null", O_WRONLY), .target = LOG_STDERR,
		.name = "store" };
}

static inline enum status
site_open(struct site *p, struct error *err)
{
	p->store = (struct store){ .settings = &p->settings, .log = &p->log,
		.counters = p->counters, .page = &p->page, .hostname = "mx.example.com" };
	return store_open(&p->store, err);
}

static inline void
site_start(struct site *p)
{
	struct error err;

	site_make(p);
	assert_int_equal(site_open(p, &err), ST_OK);
}

static inline void
site_remove(struct site *p)
{
	char command[128];

	free(p->counters);
	close(p->log.fd);
	snprintf(command, sizeof command, "rm -rf '%s'", p->root);
	assert_int_equal(system(command), 0);
}

static inline void
site_end(struct site *p)
{
	store_close(&p->store);
	site_remove(p);
}

/* The whole file, NUL-terminated; NULL if there is none. */
static inline char *
file_read(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	char *bytes;

	if (f == NULL)
		return NULL;
	fseek(f, 0, SEEK_END);
	*len = (size_t)ftell(f);
	rewind(f);
	bytes = must_alloc(*len + 1);
	assert_int_equal(fread(bytes, 1, *len, f), *len);
	fclose(f);
	return bytes;
}

/* How many lines a shell command prints. */
static inline unsigned
count_lines(const char *fmt, const char *path)
{
	char command[512], line[512];
	unsigned n = 0;

	snprintf(command, sizeof command, fmt, path);
	FILE *f = popen(command, "r");

	while (fgets(line, sizeof line, f) != NULL)
		n += strchr(line, '\n') != NULL;
	pclose(f);
	return n;
}

/* SELECT of one number. */
static inline int64_t
ask_number(struct site *p, const char *sql)
{
	sqlite3_stmt *st;

	assert_int_equal(sqlite3_prepare_v2(p->store.database.db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(st, 0);

	sqlite3_finalize(st);
	return n;
}
#endif
