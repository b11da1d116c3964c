// SPDX-License-Identifier: GPL-2.0-only
/* The interval loop: one for all interfaces, a clock around each phase, a check after each interval. */
#include <string.h>

#include "clock.h"
#include "layers.h"
#include "marks.h"

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

/*
 * Sleep until the next interval is due, where the caller has a rhythm: caches cool, and nothing of it is timed. Who
 * watches is told that it begins.
 */
static void pace(const struct tracker *t, uint64_t begun)
{
	if (t->ask.every_us && begun)
		sleep_until(begun + t->ask.every_us * 1000);
	if (t->watch)
		watch_interval(t->watch);
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
		uint64_t armed, dirtied, collected, wrong = 0;

		pace(t, start);
		MARK(MARK_START, 0);
		start = now();
		if (reset)
			err = marked_reset(t);
		armed = now();
		if (err) /* memory may be protected still, and its writer would not get on */
			return err;
		out->reset_ns = armed - start;
		out->extra = out->missed = out->overlapped = out->periods = out->late = 0;
		if (t->interface->left) {
			err = t->interface->left(t, &out->missed);
			if (err)
				return err;
			armed = now();
		}
		if (team) {
			team_go(team, (uint8_t)i);
			err = team_wait(team);
		} else if (p->reads) {
			MARK(MARK_BEGIN, PHASE_DIRTY);
			access_pages(m->base, m->page_size, p->order, p->reads, p->writes, (uint8_t)i);
			mark_end();
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
		if (t->ask.then && !err)
			err = acts_follow(t, p, i, out, &wrong);
		mark_kept(i, warmups);
		if (err)
			return err;
		out->collect_ns = collected - dirtied;
		out->dirty_ns = dirtied - armed;
		threads_took(t, team, out);
		if (collect)
			check_ranges(t, p, &out->extra, &out->missed);
		/* What was not reported was not saved either. */
		out->missed = wrong > out->missed ? wrong : out->missed;
		err = folios_follow(m);
		if (err)
			return err;
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
	out->extra += check_take(t, p);
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
		threads_took(t, team, out);
		if (t->interface->collect)
			check_compare(t->mapping, p, p->before, 0, &out->extra, &out->missed);
		err = err ?: folios_follow(t->mapping);
	}
	return err;
}

/*
 * A last reset, after which nobody writes: nothing may be reported. Every interval writes the same pages,
 * so a reset that did nothing would otherwise go unseen, and fast. What is reported is extra in the last interval.
 */
int intervals_settle(struct tracker *t, const struct pattern *p, struct interval *last)
{
	uint64_t extra = 0, missed = 0;
	int err;

	if (!t->interface->collect)
		return 0;
	err = tracker_reset(t);
	if (!err)
		err = tracker_collect(t);
	if (!err && t->interface->sums) {
		check_sum(t, p, 1, &extra, &missed);
		last->extra += extra;
	} else if (!err && t->n_ranges) {
		memset(p->seen, 0, bitmap_words(t->mapping) * 8);
		extra = check_take(t, p);
		check_compare(t->mapping, p, p->seen, 1, &extra, &missed);
		last->extra += extra;
	}
	return err;
}

/* The intervals of run_intervals(), as a part of something longer: who writes is known. */
int intervals_run(struct tracker *t, const struct pattern *p, int atomic, struct team *team, int concurrent,
		  struct interval *intervals, uint64_t count, uint64_t warmups)
{
	int err = 0;

	if (atomic) {
		err = tracker_reset(t);
		if (!err && !t->interface->collect_reset)
			err = tracker_collect_reset(t); /* says that there is none */
	}
	if (err)
		return err;
	err = (concurrent && team ? overlap : alternate)(t, p, atomic, team, intervals, count, warmups);
	if (!err && count)
		err = intervals_settle(t, p, &intervals[count - 1]);
	return err;
}

/*
 * Run and check `count` intervals, the first of them warmups. team: who writes, NULL for this thread or the mapping's
 * own process. Atomic and concurrent intervals are armed by the one before, the first by a reset that is not timed.
 */
int run_intervals(struct tracker *t, const struct pattern *p, int atomic, struct team *team, int concurrent,
		  struct interval *intervals, uint64_t count, uint64_t warmups)
{
	struct team *who = team ?: mapping_team(t->mapping, p);
	int err;

	MARK(MARK_RUN, 0);
	err = intervals_run(t, p, atomic, who, concurrent, intervals, count, warmups);
	if (!err)
		MARK(MARK_DONE, 0);
	return err;
}
