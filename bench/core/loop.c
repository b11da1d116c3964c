// SPDX-License-Identifier: GPL-2.0-only
/* The interval loop: one for all interfaces, a clock around each phase, a check after each interval. */
#include <string.h>

#include "clock.h"
#include "layers.h"
#include "marks.h"

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

/* Add the pages of a bitmap's word to those of an example, as far as there is room. */
static void show(uint64_t *pages, uint64_t *count, uint64_t word, uint64_t bits)
{
	for (; bits; bits &= bits - 1, ++*count)
		if (*count < sizeof(((struct example *)0)->extra) / sizeof(*pages))
			pages[*count] = word * 64 + (uint64_t)__builtin_ctzll(bits);
}

/*
 * Compare the pages seen in reports with those written, all or (idle) none, and forget them. extra has what
 * take() counted. The first wrong report is kept as an example.
 */
static void compare(const struct mapping *m, const struct pattern *p, uint64_t *seen, int idle, uint64_t *extra,
		    uint64_t *missed)
{
	struct example found = { .outside = *extra, .idle = idle };
	struct example *kept = p->example;

	for (uint64_t w = 0; w < bitmap_words(m); w++) {
		const uint64_t written = idle ? 0 : p->written[w];

		if (seen[w] != written) {
			show(found.extra, &found.n_extra, w, seen[w] & ~written);
			show(found.missed, &found.n_missed, w, written & ~seen[w]);
		}
		seen[w] = 0;
	}
	*extra += found.n_extra;
	*missed += found.n_missed;
	if ((*extra || found.n_missed) && !kept->n_extra && !kept->n_missed && !kept->outside)
		*kept = found;
}

void check_ranges(const struct tracker *t, const struct pattern *p, uint64_t *extra, uint64_t *missed)
{
	memset(p->seen, 0, bitmap_words(t->mapping) * 8);
	*missed = 0;
	*extra = take(t, p);
	compare(t->mapping, p, p->seen, 0, extra, missed);
}

/* What an emulated machine counts of an interval: its phases without the readings of the clock around them. */
static void mark_collect(int atomic)
{
	if (atomic)
		MARK(MARK_BEGIN, PHASE_COLLECT_RESET);
	else
		MARK(MARK_BEGIN, PHASE_COLLECT);
}

static void mark_end(void)
{
	MARK(MARK_END, 0);
}

static void mark_kept(uint64_t interval, uint64_t warmups)
{
	if (interval >= warmups)
		MARK(MARK_KEEP, 0);
}

static int marked_reset(struct tracker *t)
{
	int err;

	MARK(MARK_BEGIN, PHASE_RESET);
	err = t->interface->reset(t);
	mark_end();
	return err;
}

/* Sleep until the next interval is due, where the caller has a rhythm: caches cool, and nothing of it is timed. */
static void pace(const struct tracker *t, uint64_t begun)
{
	const uint64_t due = begun + t->ask.every_us * 1000;
	const struct timespec until = { .tv_sec = (time_t)(due / 1000000000), .tv_nsec = (long)(due % 1000000000) };

	if (t->ask.every_us && begun)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/*
 * reset, dirty, collect; or, atomic, dirty and collect_reset, each interval armed by the one before.
 * Neighbouring phases share a clock reading; where others write, dirty is their own time.
 */
static int alternate(struct tracker *t, const struct pattern *p, int atomic, struct team *team,
		     struct interval *intervals, uint64_t count, uint64_t warmups)
{
	const struct mapping *m = t->mapping;
	const int reset = !atomic && t->interface->reset;
	int (*collect)(struct tracker *) = atomic ? t->interface->collect_reset : t->interface->collect;
	uint64_t start = 0;
	int err = 0;

	for (uint64_t i = 0; i < count; i++) {
		struct interval *out = &intervals[i];
		uint64_t armed, dirtied, collected;

		pace(t, start);
		MARK(MARK_START, 0);
		start = now();
		if (reset)
			err = marked_reset(t);
		armed = now();
		if (err) /* memory may be protected still, and its writer would not get on */
			return err;
		out->reset_ns = armed - start;
		out->extra = out->missed = out->overlapped = 0;
		if (t->interface->left) {
			err = t->interface->left(t, &out->missed);
			if (err)
				return err;
			armed = now();
		}
		if (team) {
			team_go(team, (uint8_t)i);
			err = team_wait(team);
		} else {
			MARK(MARK_BEGIN, PHASE_DIRTY);
			write_pages(m->base, m->page_size, p->order, p->writes, (uint8_t)i);
			mark_end();
		}
		dirtied = now();
		if (collect && !err) {
			mark_collect(atomic);
			err = collect(t);
			mark_end();
		}
		collected = now();
		mark_kept(i, warmups);
		if (err)
			return err;
		out->collect_ns = collected - dirtied;
		out->dirty_ns = team ? team_ns(team) : dirtied - armed;
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

	mark_collect(atomic);
	err = atomic ? t->interface->collect_reset(t) : t->interface->collect ? t->interface->collect(t) : 0;
	mark_end();
	collected = now();
	out->collect_ns += collected - start;
	if (err)
		return err;
	if (!atomic && t->interface->reset) {
		/* As soon as it can be. What is written in between is lost, which is what this measures. */
		const uint64_t reported = t->n_ranges;

		err = marked_reset(t);
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
		   struct interval *intervals, uint64_t count, uint64_t warmups)
{
	int err = t->interface->reset ? tracker_reset(t) : 0;
	uint64_t begun = 0;

	memset(p->seen, 0, bitmap_words(t->mapping) * 8);
	memset(p->before, 0, bitmap_words(t->mapping) * 8);
	for (uint64_t i = 0; i < count && !err; i++) {
		struct interval *out = &intervals[i];

		*out = (struct interval){ 0 };
		pace(t, begun);
		begun = now();
		MARK(MARK_START, 0);
		team_go(team, (uint8_t)i);
		err = team_wait_half(team);
		if (!err)
			err = collect_once(t, p, atomic, out);
		out->overlapped = !err && team_busy(team);
		err = team_wait(team) ?: err;
		if (!err)
			err = collect_once(t, p, atomic, out);
		mark_kept(i, warmups);
		out->dirty_ns = team_ns(team);
		if (t->interface->collect)
			compare(t->mapping, p, p->before, 0, &out->extra, &out->missed);
	}
	return err;
}

/*
 * A last reset, after which nobody writes: nothing may be reported. Every interval writes the same pages,
 * so a reset that did nothing would otherwise go unseen, and fast. What is reported is extra in the last interval.
 */
static int settle(struct tracker *t, const struct pattern *p, struct interval *last)
{
	uint64_t extra = 0, missed = 0;
	int err;

	if (!t->interface->collect)
		return 0;
	err = tracker_reset(t);
	if (!err)
		err = tracker_collect(t);
	if (!err && t->n_ranges) {
		memset(p->seen, 0, bitmap_words(t->mapping) * 8);
		extra = take(t, p);
		compare(t->mapping, p, p->seen, 1, &extra, &missed);
		last->extra += extra;
	}
	return err;
}

/*
 * Run and check `count` intervals, the first of them warmups. team: who writes, NULL for this thread or the mapping's own process.
 * Atomic and concurrent intervals are armed by the one before, the first by a reset that is not timed.
 */
int run_intervals(struct tracker *t, const struct pattern *p, int atomic, struct team *team, int concurrent,
		  struct interval *intervals, uint64_t count, uint64_t warmups)
{
	int err = 0;

	MARK(MARK_RUN, 0);
	if (!team && t->mapping->process)
		team = process_team(t->mapping->process, p);
	if (atomic) {
		err = tracker_reset(t);
		if (!err && !t->interface->collect_reset)
			err = tracker_collect_reset(t); /* says that there is none */
	}
	if (err)
		return err;
	err = (concurrent && team ? overlap : alternate)(t, p, atomic, team, intervals, count, warmups);
	if (!err && count)
		err = settle(t, p, &intervals[count - 1]);
	if (!err)
		MARK(MARK_DONE, 0);
	return err;
}
