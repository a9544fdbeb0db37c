/*
 * manual.c - a manual page from its template: lines @SETTINGS@ and @FACTS@ are replaced
 * by what the code says of itself.
 */
#include "lib/base/buf.h"
#include "lib/config/settings.h"
#include "lib/finding/fact.h"
#include <stdio.h>

struct part { const char *line; void (*print)(struct buf *); };
static const struct part parts[] = {
	{ "@SETTINGS@\n", settings_manual },
	{ "@FACTS@\n", facts_manual },
};

static void
print_line(const char *line)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < COUNT_OF(parts); i++)
		if (strcmp(line, parts[i].line) == 0) {
			parts[i].print(&text);
			line = buf_text(&text);
			break;
		}
	fputs(line, stdout);
	buf_free(&text);
}

int
main(int argc, char **argv)
{
	FILE *template = argc == 2 ? fopen(argv[1], "r") : NULL;
	char line[1024];

	if (template == NULL) {
		fprintf(stderr, "usage: manual TEMPLATE\n");
		return 64;
	}
	while (fgets(line, sizeof line, template) != NULL)
		print_line(line);
	fclose(template);
	return fflush(stdout) == 0 ? 0 : 1;
}
