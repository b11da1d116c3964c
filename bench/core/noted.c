// SPDX-License-Identifier: GPL-2.0-only
/* The bitmap that a fault handler keeps, for interfaces where the kernel keeps none. */
#include <string.h>

#include "layers.h"

void noted_open(struct tracker *t)
{
	t->noted = tracker_buffer(t, bitmap_words(t->mapping) * 8);
}

void noted_clear(struct tracker *t)
{
	memset(t->noted, 0, bitmap_words(t->mapping) * 8);
}

/*
 * Note what one fault gives away: a page, or a whole huge page of hugetlb. Called from a signal handler or
 * another thread: atomic instructions and nothing else.
 */
void note_page(struct tracker *t, uint64_t page)
{
	const struct mapping *m = t->mapping;
	const uint64_t first = page / m->granule * m->granule;

	for (uint64_t p = first; p < first + m->granule && p < m->watched; p++)
		__atomic_fetch_or(&t->noted[p / 64], 1ULL << p % 64, __ATOMIC_RELAXED);
}

int noted_collect(struct tracker *t)
{
	const uint64_t size = t->mapping->page_size, base = (uintptr_t)t->mapping->base;
	struct range *ranges = t->ranges;
	uint64_t count = 0;

	for (uint64_t w = 0; w < bitmap_words(t->mapping); w++)
		for (uint64_t rest = __atomic_load_n(&t->noted[w], __ATOMIC_RELAXED); rest; rest &= rest - 1) {
			uint64_t address = base + (w * 64 + (uint64_t)__builtin_ctzll(rest)) * size;

			if (count && ranges[count - 1].end == address)
				ranges[count - 1].end += size;
			else
				ranges[count++] = (struct range){ address, address + size, 0 };
		}
	t->n_ranges = count;
	return 0;
}
