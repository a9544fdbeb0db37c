/*
 * reload.c - from one configuration to the next; see master.h.
 */
#include "src/master/clock.h"
#include "src/master/master.h"
#include <stdio.h>

/* Is this Maildir a next hop of the configuration? */
static bool
has_maildir(const struct settings *s, const char *path)
{
	for (size_t i = 0; i < s->listener_count; i++)
		if (s->listeners[i].next_hop.kind == HOP_MAILDIR &&
		    strcmp(s->listeners[i].next_hop.path, path) == 0)
			return true;
	return false;
}

/* The store can only reach the Maildirs that it knew when it locked itself down. */
static bool
has_new_maildir(const struct settings *now, const struct settings *next)
{
	for (size_t i = 0; i < next->listener_count; i++)
		if (next->listeners[i].next_hop.kind == HOP_MAILDIR &&
		    !has_maildir(now, next->listeners[i].next_hop.path))
			return true;
	return false;
}

/* What the new configuration needs of the system.  Nothing else has changed yet. */
static bool
prepare(struct master *m, struct configuration *next, struct complaints *complaints)
{
	struct place place = { next->path, 1, 1 };
	struct error e;

	if (!configuration_may_follow(m->configuration, next, complaints))
		return false;
	if (accounts_directories(&m->accounts, next->settings, &e) == ST_OK &&
	    sockets_open(&m->sockets, next->settings, &e) == ST_OK)
		return true;
	complain(complaints, place, "%s: %s", e.where, e.text);
	return false;
}

static void
take_over(struct master *m, struct configuration *next)
{
	bool renew = has_new_maildir(m->configuration->settings, next->settings);
	struct error e;

	next->since_ms = clock_unix_ms();
	next->generation = m->configuration->generation + 1;
	configuration_drop(&m->configuration);
	m->configuration = next;
	/* From here there is no way back: a process that cannot be told is started anew
	   with the configuration in force when it ends. */
	if (children_reload(m, &e) != ST_OK)
		log_event(&m->log, EVENT_RELOAD, LOG_IS_ERROR, "error", e.text, NULL);
	sockets_close_others(&m->sockets, next->settings);
	if (renew)
		children_renew_store(m);
	log_event(&m->log, EVENT_RELOAD, LOG_IS_NOTICE, "revision", next->revision, NULL);
}

static void
log_complaints(struct master *m, struct complaints *complaints)
{
	char *rest = NULL;

	for (char *line = strtok_r(buf_text(&complaints->text), "\n", &rest);
	     line != NULL; line = strtok_r(NULL, "\n", &rest))
		log_event(&m->log, EVENT_CONFIG_ERROR, LOG_IS_ERROR, "error", line, NULL);
}

bool
master_reload(struct master *m, struct complaints *complaints)
{
	struct configuration *next;

	notify_reloading(&m->notify);
	next = configuration_load(m->configuration->path, complaints);
	if (next != NULL && prepare(m, next, complaints)) {
		take_over(m, next);
	} else {
		struct complaints copy = { 0 };

		buf_add(&copy.text, buf_span(&complaints->text));
		log_complaints(m, &copy);
		buf_free(&copy.text);
		configuration_drop(&next);
	}
	notify_send(
	    &m->notify, "READY=1\nSTATUS=revision %s", m->configuration->revision);
	return complaints->count == 0;
}
