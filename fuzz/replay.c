/*
 * replay.c - runs a fuzz target over the files of its corpus, as a TAP test.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define FILE_BYTES (1u << 20)

static void
replay(const char *folder, const char *name, unsigned number)
{
	static uint8_t bytes[FILE_BYTES];
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "rb");
	size_t n = f != NULL ? fread(bytes, 1, sizeof bytes, f) : 0;

	if (f != NULL)
		fclose(f);
	/* A heap copy of the exact size: reading past it is seen by the sanitizer. */
	uint8_t *copy = malloc(n > 0 ? n : 1);

	for (size_t i = 0; i < n; i++)
		copy[i] = bytes[i];
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	printf("ok %u - %s\n", number, name);
}

int
main(int argc, char **argv)
{
	struct dirent **list;
	unsigned tests = 0;

	int n = argc == 2 ? scandir(argv[1], &list, NULL, alphasort) : -1;

	if (n < 0) {
		printf("1..1\nnot ok 1 - no corpus in %s\n", argc > 1 ? argv[1] : "?");
		return 1;
	}
	for (int i = 0; i < n; i++)
		if (list[i]->d_name[0] != '.')
			replay(argv[1], list[i]->d_name, ++tests);
	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
	printf("1..%u\n", tests);
	return tests == 0;
}
