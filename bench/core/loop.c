// SPDX-License-Identifier: GPL-2.0-only
/* The interval loop: one for all interfaces, a clock around each phase, a check after each interval. */
#include <string.h>

#include "clock.h"
#include "layers.h"

/*
 * Take note of the pages reported. A page reported twice or outside the mapping is one the caller would
 * handle for nothing: it counts as extra. Returns how many of those there were.
 */
static uint64_t take(const struct tracker *t, const struct pattern *p)
{
	const struct mapping *m = t->mapping;
	const uint64_t base = (uintptr_t)m->base;
	uint64_t extra = 0;

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

/* Compare the pages seen in reports with those written, and forget them. */
static void compare(const struct mapping *m, const struct pattern *p, uint64_t *seen, uint64_t *extra, uint64_t *missed)
{
	for (uint64_t w = 0; w < bitmap_words(m); w++) {
		*extra += (uint64_t)__builtin_popcountll(seen[w] & ~p->written[w]);
		*missed += (uint64_t)__builtin_popcountll(p->written[w] & ~seen[w]);
		seen[w] = 0;
	}
}

void check_ranges(const struct tracker *t, const struct pattern *p, uint64_t *extra, uint64_t *missed)
{
	memset(p->seen, 0, bitmap_words(t->mapping) * 8);
	*missed = 0;
	*extra = take(t, p);
	compare(t->mapping, p, p->seen, extra, missed);
}

/*
 * reset, dirty, collect; or, atomic, dirty and collect_reset, each interval armed by the one before.
 * Neighbouring phases share a clock reading; where others write, dirty is their own time.
 */
static int alternate(struct tracker *t, const struct pattern *p, int atomic, struct team *team,
		     struct interval *intervals, uint64_t count)
{
	const struct mapping *m = t->mapping;
	int (*reset)(struct tracker *) = atomic ? NULL : t->interface->reset;
	int (*collect)(struct tracker *) = atomic ? t->interface->collect_reset : t->interface->collect;
	int err = 0;

	for (uint64_t i = 0; i < count; i++) {
		struct interval *out = &intervals[i];
		uint64_t start, armed, dirtied, collected;

		start = now();
		if (reset)
			err = reset(t);
		armed = now();
		if (team) {
			team_go(team, (uint8_t)i);
			err = team_wait(team) ?: err;
		} else {
			write_pages(m->base, m->page_size, p->order, p->writes, (uint8_t)i);
		}
		dirtied = now();
		if (collect && !err)
			err = collect(t);
		collected = now();
		if (err)
			return err;
		*out = (struct interval){ .reset_ns = armed - start,
					  .collect_ns = collected - dirtied,
					  .dirty_ns = team ? team_ns(team) : dirtied - armed };
		if (collect)
			check_ranges(t, p, &out->extra, &out->missed);
	}
	return 0;
}

/* collect and reset, in one call or in two, on the clock; what was reported is noted outside it. */
static int collect_once(struct tracker *t, const struct pattern *p, int atomic, struct interval *out)
{
	const uint64_t start = now();
	uint64_t collected;
	int err;

	err = atomic ? t->interface->collect_reset(t) : t->interface->collect ? t->interface->collect(t) : 0;
	collected = now();
	out->collect_ns += collected - start;
	if (err)
		return err;
	if (!atomic && t->interface->reset) {
		/* As soon as it can be. What is written in between is lost, which is what this measures. */
		const uint64_t reported = t->n_ranges;

		err = t->interface->reset(t);
		out->reset_ns += now() - collected;
		t->n_ranges = reported;
	}
	out->extra += take(t, p);
	for (uint64_t w = 0; w < bitmap_words(t->mapping); w++) {
		p->before[w] |= p->seen[w];
		p->seen[w] = 0;
	}
	return err;
}

/*
 * The tracker collects while the writers write: once when they are half through, once when they have
 * finished. Every page written is to be in one of the two reports, the one that a write and a report
 * race for too, and no page that nobody wrote. A page may be in both: a handler notes it before the write,
 * and a reset may fall between the two.
 */
static int overlap(struct tracker *t, const struct pattern *p, int atomic, struct team *team,
		   struct interval *intervals, uint64_t count)
{
	int err = t->interface->reset ? tracker_reset(t) : 0;

	memset(p->seen, 0, bitmap_words(t->mapping) * 8);
	memset(p->before, 0, bitmap_words(t->mapping) * 8);
	for (uint64_t i = 0; i < count && !err; i++) {
		struct interval *out = &intervals[i];

		*out = (struct interval){ 0 };
		team_go(team, (uint8_t)i);
		err = team_wait_half(team);
		if (!err)
			err = collect_once(t, p, atomic, out);
		out->overlapped = !err && team_busy(team);
		err = team_wait(team) ?: err;
		if (!err)
			err = collect_once(t, p, atomic, out);
		out->dirty_ns = team_ns(team);
		if (t->interface->collect)
			compare(t->mapping, p, p->before, &out->extra, &out->missed);
	}
	return err;
}

/*
 * A last reset, after which nobody writes: nothing may be reported. Every interval writes the same pages,
 * so a reset that did nothing would otherwise go unseen, and fast. What is reported is extra in the last interval.
 */
static int settle(struct tracker *t, const struct pattern *p, struct interval *last)
{
	int err;

	if (!t->interface->collect)
		return 0;
	err = tracker_reset(t);
	if (!err)
		err = tracker_collect(t);
	if (!err && t->n_ranges) {
		memset(p->seen, 0, bitmap_words(t->mapping) * 8);
		last->extra += take(t, p);
		for (uint64_t w = 0; w < bitmap_words(t->mapping); w++)
			last->extra += (uint64_t)__builtin_popcountll(p->seen[w]);
	}
	return err;
}

/*
 * Run and check `count` intervals. team: who writes, NULL for this thread or the mapping's own process.
 * Atomic and concurrent intervals are armed by the one before, the first by a reset that is not timed.
 */
int run_intervals(struct tracker *t, const struct pattern *p, int atomic, struct team *team, int concurrent,
		  struct interval *intervals, uint64_t count)
{
	int err = 0;

	if (!team && t->mapping->process)
		team = process_team(t->mapping->process, p);
	if (atomic) {
		err = tracker_reset(t);
		if (!err && !t->interface->collect_reset)
			err = tracker_collect_reset(t); /* says that there is none */
	}
	if (err)
		return err;
	err = (concurrent && team ? overlap : alternate)(t, p, atomic, team, intervals, count);
	return err || !count ? err : settle(t, p, &intervals[count - 1]);
}
