// SPDX-License-Identifier: GPL-2.0-only
/*
 * slot-scan: PAGEMAP_SCAN says which pages of a slot are its own, those are wiped, and what the walk did not come to is
 * dropped. One call, as a sandbox runtime makes it: 32 ranges, and as many pages as are to stay (max_pages). Pages that
 * are there, and neither the zero page's nor a file's: without PAGE_IS_WRITTEN, which memory that is not registered
 * has in all its pages before Linux 7.3, and in none from then on.
 */
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../abi.h"
#include "../layers.h"

#define RANGES 32

static int open_slot(struct tracker *t)
{
	int err = slot_open(t);

	return err ? err : ask_nothing(t);
}

static int wipe_found(struct tracker *t)
{
	const uint64_t base = (uintptr_t)t->mapping->base, end = base + t->mapping->watched * t->mapping->page_size;
	const uint64_t wanted = t->ask.vec_len ? t->ask.vec_len : RANGES;
	struct pm_scan_arg arg = { .size = sizeof(arg),
				   .start = base,
				   .end = end,
				   .vec = (uintptr_t)t->ranges,
				   .vec_len = wanted < t->capacity ? wanted : t->capacity,
				   .max_pages = t->ask.max_pages,
				   .category_inverted = PAGE_IS_PFNZERO | PAGE_IS_FILE,
				   .category_mask = PAGE_IS_PRESENT | PAGE_IS_PFNZERO | PAGE_IS_FILE };
	const int n = ioctl(t->pagemap_fd, PAGEMAP_SCAN, &arg);

	if (n < 0)
		return fail("ioctl(PAGEMAP_SCAN)");
	for (int i = 0; i < n; i++)
		memset((void *)(uintptr_t)t->ranges[i].start, 0, t->ranges[i].end - t->ranges[i].start);
	return slot_drop(arg.walk_end, end);
}

struct interface interface_slot_scan = {
	.name = "slot-scan",
	.open = open_slot,
	.reset = wipe_found,
	.left = slot_kept,
};
