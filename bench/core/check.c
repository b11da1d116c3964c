// SPDX-License-Identifier: GPL-2.0-only
/* What was reported against the truth: page by page, or, of an interface that tells no pages, the sum. */
#include <string.h>

#include "layers.h"

/*
 * Take note of the pages reported. A page reported twice or outside the mapping is one the caller would
 * handle for nothing: it counts as extra. Returns how many of those there were.
 */
uint64_t check_take(struct tracker *t, const struct pattern *p)
{
	const struct mapping *m = t->mapping;
	const uint64_t base = (uintptr_t)m->base;
	uint64_t extra = 0;

	crew_gather(t);
	for (uint64_t r = 0; r < t->n_ranges; r++)
		/* The second bound: a kernel that reports nonsense must not keep us counting it. */
		for (uint64_t a = t->ranges[r].start; a < t->ranges[r].end && extra <= m->pages; a += m->page_size) {
			uint64_t page = (a - base) / m->page_size, bit = 1ULL << page % 64;

			if (a < base || page >= m->watched || p->seen[page / 64] & bit)
				++extra;
			else
				p->seen[page / 64] |= bit;
		}
	return extra;
}

/* Add the pages of a bitmap's word to those of an example, as far as there is room. */
static void show(uint64_t *pages, uint64_t *count, uint64_t word, uint64_t bits)
{
	for (; bits; bits &= bits - 1, ++*count)
		if (*count < sizeof(((struct example *)0)->extra) / sizeof(*pages))
			pages[*count] = word * 64 + (uint64_t)__builtin_ctzll(bits);
}

/*
 * Compare the pages seen in reports with the truth, or (idle) with none, and forget them. extra has what
 * check_take() counted. The first wrong report is kept as an example.
 */
void check_compare(const struct mapping *m, const struct pattern *p, uint64_t *seen, int idle, uint64_t *extra,
		   uint64_t *missed)
{
	struct example found = { .outside = *extra, .idle = idle };
	struct example *kept = p->example;

	for (uint64_t w = 0; w < bitmap_words(m); w++) {
		const uint64_t truth = idle ? 0 : p->truth[w];

		if (seen[w] != truth) {
			show(found.extra, &found.n_extra, w, seen[w] & ~truth);
			show(found.missed, &found.n_missed, w, truth & ~seen[w]);
		}
		seen[w] = 0;
	}
	*extra += found.n_extra;
	*missed += found.n_missed;
	if ((*extra || found.n_missed) && !kept->n_extra && !kept->n_missed && !kept->outside)
		*kept = found;
}

/* Of a sum no page can be told: what it has too much or too little is compared, and one may hide the other. */
void check_sum(const struct tracker *t, const struct pattern *p, int idle, uint64_t *extra, uint64_t *missed)
{
	uint64_t truth = 0;

	for (uint64_t w = 0; w < bitmap_words(t->mapping) && !idle; w++)
		truth += (uint64_t)__builtin_popcountll(p->truth[w]);
	*extra = t->sum > truth ? t->sum - truth : 0;
	*missed = t->sum < truth ? truth - t->sum : 0;
}

void check_ranges(struct tracker *t, const struct pattern *p, uint64_t *extra, uint64_t *missed)
{
	if (t->interface->sums) {
		check_sum(t, p, 0, extra, missed);
		return;
	}
	memset(p->seen, 0, bitmap_words(t->mapping) * 8);
	*missed = 0;
	*extra = check_take(t, p);
	check_compare(t->mapping, p, p->seen, 0, extra, missed);
}
