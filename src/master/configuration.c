/*
 * configuration.c - see configuration.h.
 */
#include "src/master/configuration.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files as they are on disk, each read once, in the order of reading. */
struct disk {
	struct config_source source;
	struct arena        *arena;
	struct bundle_item  *items;
	size_t               count, bytes;
};

static enum status
read_whole(int fd, uint8_t *bytes, size_t len, struct error *why)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = read(fd, bytes + at, len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(why, ST_TEMP, "config", "%s",
			    n < 0 ? strerror(errno)
				  : "it became shorter while it was read");
		at += (size_t)n;
	}
	return ST_OK;
}

static enum status
read_open_file(struct disk *d, int fd, struct span *bytes, struct error *why)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(why, ST_TEMP, "config", "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(why, ST_TEMP, "config", "it is not a regular file");
	if (d->count == CONFIG_FILES || (uint64_t)st.st_size > CONFIG_BYTES - d->bytes)
		return fail(why, ST_TEMP, "config", "the configuration is too large");
	size_t len = (size_t)st.st_size;
	uint8_t *room = arena_alloc(d->arena, len + 1);

	*bytes = (struct span){ room, len };
	return read_whole(fd, room, len, why);
}

static bool
read_file(struct disk *d, const char *path, struct span *bytes, struct error *why)
{
	/* A fifo would block the master; it is refused once it is open. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0) {
		fail(why, ST_TEMP, "config", "%s", strerror(errno));
		return false;
	}
	enum status status = read_open_file(d, fd, bytes, why);

	close(fd);
	return status == ST_OK;
}

static bool
disk_read(struct config_source *source, const char *path, struct span *bytes,
    struct error *why)
{
	struct disk *d = container_of(source, struct disk, source);

	for (size_t i = 0; i < d->count; i++)
		if (strcmp(d->items[i].path, path) == 0) {
			*bytes = d->items[i].bytes;
			return true;
		}
	if (!read_file(d, path, bytes, why))
		return false;
	d->items[d->count].path = arena_text(d->arena, span_text(path));
	d->items[d->count++].bytes = *bytes;
	d->bytes += bytes->len;
	return true;
}

/* The program of each command: whether it can be executed by the runner's user is seen when
   it is. */
static void
command_check(const struct scanner *s, struct complaints *complaints)
{
	char path[PATH_MAX];
	struct span name = s->command.items[0];
	struct stat st;
	int n = snprintf(path, sizeof path, "%.*s", (int)name.len, (const char *)name.ptr);

	if (n < 0 || (size_t)n >= sizeof path || stat(path, &st) < 0)
		complain(complaints, s->place, "command of scanner `%s': %.300s: %s", s->name,
		    path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		complain(complaints, s->place, "command of scanner `%s': %.300s is no file",
		    s->name, path);
	else if ((st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
		complain(complaints, s->place,
		    "command of scanner `%s': %.300s is not executable", s->name, path);
}

static void
commands_check(const struct settings *s, struct complaints *complaints)
{
	for (size_t i = 0; i < s->scanner_count; i++)
		if (s->scanners[i].type == SCANNER_TYPE_COMMAND)
			command_check(&s->scanners[i], complaints);
}

bool
configuration_has_commands(const struct settings *s)
{
	for (size_t i = 0; i < s->scanner_count; i++)
		if (s->scanners[i].type == SCANNER_TYPE_COMMAND)
			return true;
	return false;
}

/* Where the files lie does not count: the same texts are the same revision. */
static void
digest_files(const struct disk *d, char out[REVISION_DIGITS + 1])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t digest[EVP_MAX_MD_SIZE];
	bool ok = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; i < d->count && ok; i++) {
		uint8_t room[8];
		struct pack len = { .ptr = room, .cap = sizeof room };

		pack_u64(&len, d->items[i].bytes.len);
		ok = EVP_DigestUpdate(context, room, len.len) == 1 &&
		     EVP_DigestUpdate(
			 context, d->items[i].bytes.ptr, d->items[i].bytes.len) == 1;
	}
	ok = ok && EVP_DigestFinal_ex(context, digest, NULL) == 1;
	EVP_MD_CTX_free(context);
	for (size_t i = 0; i < REVISION_DIGITS / 2; i++)
		snprintf(out + 2 * i, 3, "%02x", ok ? digest[i] : 0);
}

static void
make_bundle(struct configuration *c, const struct disk *d)
{
	size_t room = d->bytes + 64;

	for (size_t i = 0; i < d->count; i++)
		room += strlen(d->items[i].path) + 16;
	struct pack p = { .ptr = arena_alloc(&c->arena, room), .cap = room };

	bundle_pack(&p, d->items, d->count);
	c->bundle = (struct span){ p.ptr, p.len };
}

static void
compile(struct configuration *c, struct disk *d, struct complaints *complaints)
{
	bool ok = false;
	const struct node *tree =
	    tree_parse(&d->source, c->path, &c->arena, complaints, &ok);

	if (!ok)
		return;
	c->settings = settings_load(tree, &c->arena, complaints);
	if (c->settings == NULL)
		return;
	c->policies = policy_compile(c->settings, &c->arena, complaints);
	commands_check(c->settings, complaints);
	digest_files(d, c->revision);
	c->settings->revision = c->revision;
	make_bundle(c, d);
}

struct configuration *
configuration_load(const char *path, struct complaints *complaints)
{
	struct configuration *c = must_alloc(sizeof *c);
	struct disk disk = { .source.read = disk_read, .arena = &c->arena };

	c->refs = 1;
	c->path = arena_text(&c->arena, span_text(path));
	disk.items = arena_array(&c->arena, struct bundle_item, CONFIG_FILES);
	compile(c, &disk, complaints);
	if (complaints->count > 0 || c->policies == NULL)
		configuration_drop(&c);
	return c;
}

struct configuration *
configuration_hold(struct configuration *c)
{
	c->refs++;
	return c;
}

void
configuration_drop(struct configuration **c)
{
	struct configuration *gone = *c;

	*c = NULL;
	if (gone == NULL || --gone->refs > 0)
		return;
	policy_release(gone->policies);
	arena_free(&gone->arena);
	free(gone);
}

enum fixed_kind { FIXED_TEXT = 0, FIXED_NUMBER, FIXED_LOG, FIXED_SANDBOX };
struct fixed { const char *name; enum fixed_kind kind; size_t at; };

/* Held by processes that cannot get them anew: directories are behind landlock, users
   and limits are given up.  Sockets of more gateways would need more gateways. */
static const struct fixed fixed[] = {
	{ "state-directory", FIXED_TEXT, offsetof(struct settings, state_directory) },
	{ "spool-directory", FIXED_TEXT, offsetof(struct settings, spool_directory) },
	{ "quarantine-directory", FIXED_TEXT,
	    offsetof(struct settings, quarantine_directory) },
	{ "runner-directory", FIXED_TEXT, offsetof(struct settings, runner_directory) },
	{ "control-socket", FIXED_TEXT, offsetof(struct settings, control_socket) },
	{ "gateways", FIXED_NUMBER, offsetof(struct settings, gateways) },
	{ "user-gateway", FIXED_NUMBER, offsetof(struct settings, user_gateway) },
	{ "user-inspector", FIXED_NUMBER, offsetof(struct settings, user_inspector) },
	{ "user-store", FIXED_NUMBER, offsetof(struct settings, user_store) },
	{ "user-runner", FIXED_NUMBER, offsetof(struct settings, user_runner) },
	{ "log", FIXED_LOG, offsetof(struct settings, log) },
	{ "sandbox", FIXED_SANDBOX, offsetof(struct settings, sandbox) },
};

static bool
same(const struct fixed *f, const struct settings *a, const struct settings *b)
{
	const char *at = (const char *)a + f->at, *other = (const char *)b + f->at;

	switch (f->kind) {
	case FIXED_TEXT:
		return strcmp(*(const char *const *)(const void *)at,
		    *(const char *const *)(const void *)other) == 0;
	case FIXED_NUMBER:
		return memcmp(at, other, sizeof(uint64_t)) == 0;
	case FIXED_LOG:
		return memcmp(at, other, sizeof(enum log_target)) == 0;
	case FIXED_SANDBOX:
		return memcmp(at, other, sizeof(enum sandbox_mode)) == 0;
	}
	return false;
}

bool
configuration_may_follow(const struct configuration *now,
    const struct configuration *next, struct complaints *complaints)
{
	struct place place = { next->path, 1, 1 };
	unsigned before = complaints->count;

	for (size_t i = 0; i < COUNT_OF(fixed); i++)
		if (!same(&fixed[i], now->settings, next->settings))
			complain(complaints, place,
			    "%s has changed: this needs a restart, not a reload",
			    fixed[i].name);
	return complaints->count == before;
}
