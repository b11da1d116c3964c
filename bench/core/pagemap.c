// SPDX-License-Identifier: GPL-2.0-only
/* Files of /proc/PID that tell what was written: clear_refs, pagemap, and PAGEMAP_SCAN on it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "abi.h"
#include "layers.h"

_Static_assert(sizeof(struct range) == sizeof(struct page_region), "PAGEMAP_SCAN fills struct range");
_Static_assert(sizeof(struct pm_scan_arg) == 96, "the merged ABI's argument is 96 bytes");

int open_proc(const struct tracker *t, const char *name, int flags, int *fd)
{
	static char what[80];
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", process_id(t->mapping), name);
	*fd = open(path, flags | O_CLOEXEC);
	if (*fd >= 0)
		return 0;
	snprintf(what, sizeof(what), "open(/proc/PID/%s)", name);
	return fail(what);
}

/* "4" clears the soft-dirty bits of the whole process: there is no smaller unit. */
int soft_dirty_clear(struct tracker *t)
{
	if (pwrite(t->clear_refs_fd, "4", 1, 0) != 1)
		return fail("write(clear_refs, 4)");
	t->n_ranges = 0;
	return 0;
}

/*
 * Ask for nothing at all: a kernel without the ioctl says ENOTTY here, before anything else (userfaultfd,
 * say) can fail for a less helpful reason.
 */
int ask_nothing(struct tracker *t)
{
	struct pm_scan_arg nothing = { .size = sizeof(nothing) };

	return ioctl(t->pagemap_fd, PAGEMAP_SCAN, &nothing) ? fail("ioctl(PAGEMAP_SCAN)") : 0;
}

int open_pagemap_scan(struct tracker *t)
{
	int err = open_proc(t, "pagemap", O_RDONLY, &t->pagemap_fd);

	return err ? err : ask_nothing(t);
}

/* Pages in the ranges from `first` on. */
static uint64_t pages_in(const struct tracker *t, uint64_t first)
{
	uint64_t bytes = 0;

	for (uint64_t i = first; i < t->n_ranges; i++)
		bytes += t->ranges[i].end - t->ranges[i].start;
	return bytes / t->mapping->page_size;
}

/*
 * Walk the mapping with PAGEMAP_SCAN, resuming at walk_end where the vec was full or max_pages reached.
 * With output, the ranges are appended to t->ranges. all == returned == PAGE_IS_WRITTEN, nothing else: that is
 * what the kernel's fast path asks for. With extra masks it is not taken.
 *
 * Neither full nor at max_pages means that the walk reached the end, whatever walk_end says: it keeps the
 * value of the last refill of the kernel's bounce buffer of 512 ranges when the final part of the walk
 * succeeds (do_pagemap_scan() sets it to end only if it is still 0). Resuming there reports pages twice.
 */
int pagemap_scan(struct tracker *t, const struct query *query, uint64_t flags, int output)
{
	uint64_t start = (uintptr_t)t->mapping->base;
	const uint64_t end = start + t->mapping->watched * t->mapping->page_size;
	const uint64_t more = t->ask.extra_masks ? PAGE_IS_PRESENT | PAGE_IS_FILE | PAGE_IS_SWAPPED : 0;

	t->n_ranges = 0;
	while (start < end) {
		struct pm_scan_arg arg = { .size = sizeof(arg),
					   .flags = flags,
					   .start = start,
					   .end = end,
					   .category_inverted = query->inverted,
					   .category_mask = query->all,
					   .category_anyof_mask = query->anyof };
		const uint64_t before = t->n_ranges;
		long n;

		if (output) {
			arg.vec = (uintptr_t)(t->ranges + before);
			arg.vec_len = t->capacity - before;
			if (t->ask.vec_len && t->ask.vec_len < arg.vec_len)
				arg.vec_len = t->ask.vec_len;
			arg.max_pages = t->ask.max_pages;
			arg.return_mask = query->returned | more;
		}
		n = ioctl(t->pagemap_fd, PAGEMAP_SCAN, &arg);
		if (n < 0)
			return fail("ioctl(PAGEMAP_SCAN)");
		t->n_ranges += (uint64_t)n;
		if ((uint64_t)n < arg.vec_len && (!arg.max_pages || pages_in(t, before) < arg.max_pages))
			break;
		/* Part of a huge page can stop the walk where it began: never spin. */
		if (arg.walk_end <= start) {
			errno = ELOOP;
			return fail("ioctl(PAGEMAP_SCAN): walk_end");
		}
		start = arg.walk_end;
		if (n && t->ranges[t->n_ranges - 1].end > start)
			start = t->ranges[t->n_ranges - 1].end;
	}
	return 0;
}
