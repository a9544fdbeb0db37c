/*
 * scanner.c - what one setting of a scanner asks of another; see schema.h.
 */
#include "lib/config/schema.h"

static size_t
row_of(const char *name)
{
	size_t i = 0;

	while (strcmp(schema_scanner.rows[i].name, name) != 0)
		i++;
	return i;
}

static void
check_rows(const struct scanner *s, const struct node *const seen[SCHEMA_ROWS],
    struct complaints *c)
{
	for (size_t i = 0; i < schema_scanner.count; i++) {
		const struct row *row = &schema_scanner.rows[i];
		bool serves = row_serves(row, s->type);

		if (!serves && seen[i] != NULL)
			complain(c, seen[i]->tokens->place, "`%s' is no setting of a scanner "
			    "of type %s", row->name, scanner_type_name(s->type));
		if (serves && row->required && seen[i] == NULL)
			complain(c, s->place, "expected `%s' in scanner `%s'", row->name,
			    s->name);
	}
}

static void
check_servers(const struct scanner *s, struct complaints *c)
{
	if (s->at.count > SCANNER_SERVERS)
		complain(c, s->at.places[SCANNER_SERVERS], "expected at most %d addresses for "
		    "`at' of a scanner", SCANNER_SERVERS);
}

static void
check_statuses(const struct scanner *s, const struct node *const seen[SCHEMA_ROWS],
    struct complaints *c)
{
	const struct node *clean = seen[row_of("clean-status")];
	const struct node *infected = seen[row_of("infected-status")];

	for (unsigned i = 0; i < 256; i++)
		if ((s->clean_status.bits[i / 64] & s->infected_status.bits[i / 64]) >>
		    i % 64 & 1) {
			complain(c, infected != NULL ? infected->tokens->place :
			    clean != NULL ? clean->tokens->place : s->place,
			    "exit status %u of scanner `%s' means both clean and infected", i,
			    s->name);
			return;
		}
}

static void
resolve(struct scanner *s, const struct node *const seen[SCHEMA_ROWS])
{
	const struct node *failure = seen[row_of("on-failure")];

	s->on_failure_place = failure != NULL && failure->token_count > 1 ?
	    failure->tokens[1].place : s->place;
	s->user_is_recipient = s->user != NULL && strcmp(s->user, "recipient") == 0;
	if (s->type == SCANNER_TYPE_RSPAMD && s->path == NULL)
		s->path = "/checkv2";
}

void
scanner_check(struct scanner *s, const struct node *const seen[SCHEMA_ROWS],
    struct complaints *c)
{
	if (seen[row_of("type")] == NULL)
		complain(c, s->place, "expected `type' in scanner `%s'", s->name);
	if (s->type == SCANNER_TYPES)
		return;
	check_rows(s, seen, c);
	check_servers(s, c);
	if (s->type == SCANNER_TYPE_ICAP && s->path == NULL && seen[row_of("path")] == NULL)
		complain(c, s->place, "expected `path' in scanner `%s': the name of the "
		    "service behind the address, such as /avscan", s->name);
	if (s->type == SCANNER_TYPE_COMMAND)
		check_statuses(s, seen, c);
	resolve(s, seen);
}
