/*
 * sockets.c - see sockets.h.
 */
#include "src/master/sockets.h"
#include "lib/base/arena.h"
#include "sys/net.h"
#include <stdio.h>
#include <unistd.h>

static struct socket_set *
find_set(const struct sockets *s, const struct endpoint *address)
{
	char text[128];

	net_endpoint_text(text, address);
	for (struct socket_set *set = s->sets; set != NULL; set = set->next)
		if (strcmp(set->text, text) == 0)
			return set;
	return NULL;
}

static void
destroy_set(struct socket_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		close(set->fds[i]);
	if (set->path != NULL && set->count > 0)
		unlink(set->path);
	free(set->path);
	free(set->fds);
	free(set);
}

/*
 * With SO_REUSEPORT another program of the same user could share the port, and take a
 * part of the mail.  So the port is first asked for alone.
 */
static enum status
ask_alone(const struct endpoint *address, struct error *e)
{
	int fd;

	if (net_listen(address, false, &fd, e) != ST_OK)
		return ST_TEMP;
	close(fd);
	return ST_OK;
}

static enum status
fill_set(struct socket_set *set, const struct endpoint *address, size_t count,
    struct error *e)
{
	bool tcp = address->path == NULL;

	if (tcp && ask_alone(address, e) != ST_OK)
		return ST_TEMP;
	for (; set->count < count; set->count++)
		if (net_listen(address, tcp, &set->fds[set->count], e) != ST_OK)
			return ST_TEMP;
	return ST_OK;
}

static enum status
open_set(struct sockets *s, const struct endpoint *address, struct error *e)
{
	size_t count = address->path == NULL ? s->gateways : 1;
	struct socket_set *set = must_alloc(sizeof *set);

	net_endpoint_text(set->text, address);
	if (address->path != NULL)
		set->path = strdup(address->path);
	set->fds = must_alloc(count * sizeof *set->fds);
	if (fill_set(set, address, count, e) != ST_OK) {
		destroy_set(set);
		return ST_TEMP;
	}
	set->next = s->sets;
	s->sets = set;
	return ST_OK;
}

static enum status
open_listener(struct sockets *s, const struct listener *l, struct error *e)
{
	for (size_t i = 0; i < l->address_count; i++)
		if (find_set(s, &l->addresses[i]) == NULL &&
		    open_set(s, &l->addresses[i], e) != ST_OK)
			return ST_TEMP;
	return ST_OK;
}

/* New sets are put in front: those before `old` are closed. */
static void
undo(struct sockets *s, struct socket_set *old)
{
	while (s->sets != old) {
		struct socket_set *set = s->sets;

		s->sets = set->next;
		destroy_set(set);
	}
}

enum status
sockets_open(struct sockets *s, const struct settings *settings, struct error *e)
{
	struct socket_set *old = s->sets;

	for (size_t i = 0; i < settings->listener_count; i++)
		if (open_listener(s, &settings->listeners[i], e) != ST_OK) {
			undo(s, old);
			return ST_TEMP;
		}
	return ST_OK;
}

void
sockets_close_others(struct sockets *s, const struct settings *settings)
{
	for (size_t i = 0; i < settings->listener_count; i++)
		for (size_t k = 0; k < settings->listeners[i].address_count; k++)
			find_set(s, &settings->listeners[i].addresses[k])->wanted = true;
	for (struct socket_set **at = &s->sets; *at != NULL;) {
		struct socket_set *set = *at;

		if (set->wanted) {
			set->wanted = false;
			at = &set->next;
		} else {
			*at = set->next;
			destroy_set(set);
		}
	}
}

void
sockets_close(struct sockets *s)
{
	undo(s, NULL);
}

int
sockets_for(const struct sockets *s, const struct endpoint *address, size_t gateway)
{
	const struct socket_set *set = find_set(s, address);

	return set->fds[set->count == 1 ? 0 : gateway];
}
