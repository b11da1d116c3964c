// SPDX-License-Identifier: GPL-2.0-only
/*
 * v6: the ioctl as the series of November 2022 had it, on soft-dirty bits. GET reports, GET+CLEAR
 * reports and clears in one call. VM_SOFTDIRTY of a VMA makes all its pages dirty, as in pagemap.
 */
#include <fcntl.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "../abi.h"
#include "../layers.h"

/* The kernel allocates and clears a buffer of vec_len regions at every call: no more than needed. */
#define REGIONS 512

_Static_assert(sizeof(struct range) == sizeof(struct v6_page_region), "the ioctl fills struct range");
_Static_assert(sizeof(struct v6_scan_arg) == 72, "the v6 series' argument is 72 bytes");

/*
 * Walk [start, end) of one VMA. A full vec or max_pages is no error and leaves the walk unfinished:
 * go on after the last region. Never across VMAs: once max_pages is reached, the walk of the next VMA
 * returns -1 before the output is copied and after it was cleared (pagemap_scan_test_walk()).
 */
static int scan_vma(struct tracker *t, uint64_t start, uint64_t end, uint32_t flags, int output)
{
	const uint64_t page = t->mapping->page_size, most = t->ask.vec_len ? t->ask.vec_len : REGIONS;

	while (start < end) {
		struct v6_scan_arg arg = { .start = start,
					   .len = end - start,
					   .flags = flags,
					   .required_mask = V6_PAGE_IS_SOFTDIRTY,
					   .return_mask = V6_PAGE_IS_SOFTDIRTY };
		struct range *found = t->ranges + t->n_ranges;
		uint64_t pages = 0;
		long n;

		if (output) {
			arg.vec = (uintptr_t)found;
			arg.vec_len = t->capacity - t->n_ranges < most ? t->capacity - t->n_ranges : most;
			arg.max_pages = (uint32_t)t->ask.max_pages;
		}
		n = ioctl(t->pagemap_fd, V6_PAGEMAP_SCAN, &arg);
		if (n < 0)
			return fail("ioctl(PAGEMAP_SCAN, v6)");
		for (long i = 0; i < n; i++) {
			pages += found[i].end; /* a length in pages, until here */
			found[i].end = found[i].start + found[i].end * page;
		}
		t->n_ranges += (uint64_t)n;
		if (!n || ((uint64_t)n < arg.vec_len && (!t->ask.max_pages || pages < t->ask.max_pages)))
			break;
		start = found[n - 1].end;
	}
	return 0;
}

int v6_scan(struct tracker *t, uint32_t flags, int output)
{
	const struct mapping *m = t->mapping;
	int err = 0;

	t->n_ranges = 0;
	for (uint64_t i = 0; i < m->vmas && !err; i++) {
		uint64_t first = vma_start(m, i), end = vma_start(m, i + 1);

		if (end > m->watched)
			end = m->watched;
		if (first < end)
			err = scan_vma(t, (uintptr_t)m->base + first * m->page_size,
				       (uintptr_t)m->base + end * m->page_size, flags, output);
	}
	return err;
}

/*
 * Ask a question that only v6 and its same-sized successors answer. A zeroed argument is EINVAL in all
 * ABIs. What the bits then mean is for the probe to find out, on memory that is not registered anywhere.
 */
int v6_open(struct tracker *t)
{
	struct v6_scan_arg arg = { .start = (uintptr_t)t->mapping->base,
				   .len = t->mapping->page_size,
				   .vec = (uintptr_t)t->ranges,
				   .vec_len = 1,
				   .required_mask = V6_PAGE_IS_PRESENT,
				   .return_mask = V6_PAGE_IS_PRESENT };
	int err = open_proc(t, "pagemap", O_RDONLY, &t->pagemap_fd);

	if (!err && ioctl(t->pagemap_fd, V6_PAGEMAP_SCAN, &arg) < 0)
		err = fail("ioctl(PAGEMAP_SCAN, v6)");
	return err;
}

static int v6_reset(struct tracker *t)
{
	return v6_scan(t, V6_SOFTDIRTY_CLEAR, 0);
}

static int v6_collect(struct tracker *t)
{
	return v6_scan(t, 0, 1);
}

static int v6_collect_reset(struct tracker *t)
{
	return v6_scan(t, V6_SOFTDIRTY_CLEAR, 1);
}

struct interface interface_v6 = {
	.name = "v6",
	.open = v6_open,
	.reset = v6_reset,
	.collect = v6_collect,
	.collect_reset = v6_collect_reset,
};
