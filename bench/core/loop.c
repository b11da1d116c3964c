// SPDX-License-Identifier: GPL-2.0-only
/* The interval loop: one for all interfaces, a clock around each phase, a check after each interval. */
#define _GNU_SOURCE
#include <string.h>

#include "clock.h"
#include "core.h"

/* One byte a page: what makes a page dirty is the write, not its size. */
static inline void write_pages(const struct mapping *m, const struct pattern *p, uint8_t value)
{
	for (uint64_t i = 0; i < p->writes; i++)
		*(volatile uint8_t *)(m->base + p->order[i] * m->page_size) = value;
}

/*
 * Compare what was reported with what was written, page by page. A page reported twice or outside
 * the mapping is one the caller would handle for nothing: it counts as extra.
 */
void check_ranges(const struct tracker *t, const struct pattern *p, uint64_t *extra, uint64_t *missed)
{
	const struct mapping *m = t->mapping;
	const uint64_t base = (uintptr_t)m->base, words = (m->pages + 63) / 64;

	*extra = *missed = 0;
	memset(p->seen, 0, words * 8);
	for (uint64_t r = 0; r < t->n_ranges; r++)
		/* The second bound: a kernel that reports nonsense must not keep us counting it. */
		for (uint64_t a = t->ranges[r].start; a < t->ranges[r].end && *extra <= m->pages; a += m->page_size) {
			uint64_t page = (a - base) / m->page_size, bit = 1ULL << page % 64;

			if (a < base || page >= m->pages || p->seen[page / 64] & bit)
				++*extra;
			else
				p->seen[page / 64] |= bit;
		}
	for (uint64_t w = 0; w < words; w++) {
		*extra += (uint64_t)__builtin_popcountll(p->seen[w] & ~p->written[w]);
		*missed += (uint64_t)__builtin_popcountll(p->written[w] & ~p->seen[w]);
	}
}

/*
 * reset, dirty, collect; or, atomic, dirty and collect_reset, each interval armed by the one before
 * (the first by a reset that is not timed). Neighbouring phases share a clock reading.
 */
int run_intervals(struct tracker *t, const struct pattern *p, int atomic, struct interval *intervals, uint64_t count)
{
	int (*reset)(struct tracker *) = atomic ? NULL : t->interface->reset;
	int (*collect)(struct tracker *) = atomic ? t->interface->collect_reset : t->interface->collect;
	int err = 0;

	if (atomic) {
		err = tracker_reset(t);
		if (!err && !collect)
			err = tracker_collect_reset(t); /* says that there is none */
		if (err)
			return err;
	}
	for (uint64_t i = 0; i < count; i++) {
		struct interval *out = &intervals[i];
		uint64_t start, armed, dirtied, collected;

		start = now();
		if (reset)
			err = reset(t);
		armed = now();
		write_pages(t->mapping, p, (uint8_t)i);
		dirtied = now();
		if (collect && !err)
			err = collect(t);
		collected = now();
		if (err)
			return err;
		*out = (struct interval){ armed - start, dirtied - armed, collected - dirtied, 0, 0 };
		if (collect)
			check_ranges(t, p, &out->extra, &out->missed);
	}
	return 0;
}
