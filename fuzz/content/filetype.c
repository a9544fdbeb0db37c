/*
 * filetype.c - a file shown whole, and shown as any two ends: a type each time, the same
 * for the same bytes, and what claims of it follow.
 *
 * The first two bytes say how much of each end is shown.
 */
#include "lib/content/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
must(bool good)
{
	if (!good)
		abort();
}

static enum file_type
checked(struct span head, struct span tail, uint64_t size)
{
	enum file_type type = content_type(head, tail, size);
	const struct file_type_row *row = file_type_row(type);
	enum file_type also;

	must(type < FILE_TYPES && (type == FILE_EMPTY) == (size == 0));
	must(file_type_is(type, FILE_UNKNOWN) && file_type_is(type, row->broader));
	must(claim_judge(type, type) == CLAIM_AGREES || type == FILE_UNKNOWN ||
	    type == FILE_EMPTY);
	also = content_also(type, head, tail, size);
	must(also == FILE_UNKNOWN || also != type);
	return type;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	size_t head, tail;
	struct span all;

	if (n < 2)
		return 0;
	all = (struct span){ p + 2, n - 2 };
	must(checked(all, SPAN_NONE, all.len) == checked(all, all, all.len));
	head = all.len * p[0] / 255;
	tail = all.len * p[1] / 255;
	checked(span_slice(all, 0, head), span_slice(all, all.len - tail, all.len),
	    all.len);
	checked(span_slice(all, 0, head), SPAN_NONE, all.len);
	checked(span_slice(all, 0, head), all, UINT64_C(1) << 40);
	return 0;
}
