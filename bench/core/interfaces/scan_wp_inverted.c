// SPDX-License-Identifier: GPL-2.0-only
/*
 * scan-wp-inverted: asks for the pages that were not written, as somebody does who wants to know what he may leave
 * alone; all others count as written. A page that no range names is thus reported, where scan-wp misses it.
 */
#include <stddef.h>

#include "../abi.h"
#include "../layers.h"

/* Make what lies between the ranges out of the ranges: where none of them touch, there is at most one more. */
static void complement(struct tracker *t)
{
	const struct mapping *m = t->mapping;
	const uint64_t end = (uintptr_t)m->base + m->watched * m->page_size;
	uint64_t from = (uintptr_t)m->base, count = 0;

	for (uint64_t i = 0; i < t->n_ranges; i++) {
		const struct range clean = t->ranges[i];

		if (clean.start > from)
			t->ranges[count++] = (struct range){ from, clean.start, 0 };
		from = clean.end;
	}
	if (from < end)
		t->ranges[count++] = (struct range){ from, end, 0 };
	t->n_ranges = count;
}

static int inverted_collect(struct tracker *t)
{
	static const struct query clean = { .inverted = PAGE_IS_WRITTEN,
					    .all = PAGE_IS_WRITTEN,
					    .returned = PAGE_IS_PRESENT | PAGE_IS_SWAPPED };
	int err = pagemap_scan(t, &clean, PM_SCAN_CHECK_WPASYNC, 1);

	if (!err)
		complement(t);
	return err;
}

struct interface interface_scan_wp_inverted = {
	.name = "scan-wp-inverted",
	.open = scan_wp_open,
	.reset = general_reset,
	.collect = inverted_collect,
	.disarm = uffd_disarm,
};
