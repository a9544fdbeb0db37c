/*
 * filetype.c - prints what the files named on standard input are.
 *
 *	filetype [-c BYTES] < NAMES
 *
 * One line a file: name, our name of the type, its media type, with tabs between.  With
 * -c only that many bytes of each end are shown to the table, as of a file too large for
 * memory.
 */
#include "lib/base/arena.h"
#include "lib/content/type.h"
#include <stdio.h>

#define FILE_BYTES_MAX ((size_t)256 << 20)

static struct span
read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes = NULL;
	size_t len = 0, cap = 0, n = 1;

	while (f != NULL && n > 0 && len < FILE_BYTES_MAX) {
		if (len == cap)
			bytes = must_realloc(bytes, cap = cap == 0 ? 65536 : cap * 2);
		n = fread(bytes + len, 1, cap - len, f);
		len += n;
	}
	if (f == NULL) {
		perror(path);
		exit(1);
	}
	fclose(f);
	return (struct span){ bytes, len };
}

static void
print_type(const char *path, size_t cut)
{
	struct span all = read_file(path), head = all, tail = SPAN_NONE;
	enum file_type type;

	if (all.len > cut) {
		head = span_slice(all, 0, cut);
		tail = span_slice(all, all.len - cut, all.len);
	}
	type = content_type(head, tail, all.len);
	printf("%s\t%s\t%s\n", path, file_type_row(type)->name,
	    file_type_row(type)->media_type);
	free((uint8_t *)all.ptr);
}

int
main(int argc, char **argv)
{
	size_t cut = argc == 3 && strcmp(argv[1], "-c") == 0 ?
	    (size_t)strtoull(argv[2], NULL, 10) : FILE_BYTES_MAX;
	char path[4096];

	while (fgets(path, sizeof path, stdin) != NULL) {
		path[strcspn(path, "\n")] = 0;
		print_type(path, cut);
	}
	return 0;
}
