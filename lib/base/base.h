/*
 * base.h - the few things every file stands on: status, error, span, sink.
 */
#ifndef LIB_BASE_BASE_H
#define LIB_BASE_BASE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Why a step failed, named by the SMTP reply it turns into. */
enum status {
	ST_OK = 0,   /* done, go on                                   */
	ST_MORE,     /* not an error: call again with more input      */
	ST_PERM,     /* the peer or the message is at fault -> 5yz    */
	ST_TEMP,     /* we, or someone we asked, are at fault -> 4yz  */
};

/* Filled by the function that first fails; callers only pass it on. */
struct error {
	const char *where;      /* module, static string            */
	char        text[200];  /* for the log; safe to print       */
};

enum status fail(struct error *, enum status, const char *where,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Borrowed bytes: never NUL-terminated, never freed by the holder. */
struct span { const uint8_t *ptr; size_t len; };
#define SPAN_LIT(s) ((struct span){ (const uint8_t *)(s), sizeof(s) - 1 })
#define SPAN_NONE   ((struct span){ NULL, 0 })

static inline struct span
span_text(const char *text)
{
	return (struct span){ (const uint8_t *)text, strlen(text) };
}

static inline struct span
span_slice(struct span s, size_t from, size_t to)
{
	return (struct span){ s.ptr == NULL ? NULL : s.ptr + from, to - from };
}

static inline bool
span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* ASCII letters compare alike; all other bytes by value. */
bool span_equal_nocase(struct span, struct span);
bool span_starts_nocase(struct span, struct span start);
/* Without blanks and tabs at both ends. */
struct span span_trim(struct span);
/* Index of the first c, or s.len. */
size_t span_find(struct span s, uint8_t c);

/* ASCII only, whatever the locale says. */
static inline bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
static inline bool
is_alpha(uint8_t c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}
static inline bool is_blank(uint8_t c) { return c == ' ' || c == '\t'; }
static inline uint8_t
to_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* One stage of a push pipeline. */
struct sink {
	enum status (*write)(struct sink *, struct span, struct error *);
	enum status (*finish)(struct sink *, struct error *);
};

static inline enum status
sink_write(struct sink *s, struct span b, struct error *e)
{
	return b.len == 0 ? ST_OK : s->write(s, b, e);
}

static inline enum status
sink_finish(struct sink *s, struct error *e)
{
	return s->finish(s, e);
}

#define container_of(p, type, member) \
	((type *)(void *)((char *)(p) - offsetof(type, member)))
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#endif
