// SPDX-License-Identifier: GPL-2.0-only
/*
 * Watches a tracker, for who wants to know afterwards what it did when: stands between it and its interface meanwhile, and
 * writes down when a phase begins and ends. Nothing is in the way of a tracker that nobody watches.
 */
#include "clock.h"
#include "layers.h"
#include "marks.h"

/* Only the tracker writes. Readers see an entry once `turns` counts it, and none that is being overwritten. */
static void begins(struct watch *w, enum doing what)
{
	struct turn *turn = &w->last[w->turns % WATCHED];

	__atomic_store_n(&turn->what, what, __ATOMIC_RELAXED);
	__atomic_store_n(&turn->ns, now(), __ATOMIC_RELAXED);
	__atomic_store_n(&w->turns, w->turns + 1, __ATOMIC_RELEASE);
}

/*
 * What the tracker did from one time to another, as bits of enum doing; as far back as is known. The last one is what it
 * did in the end.
 */
uint32_t watch_between(const struct watch *w, uint64_t from, uint64_t to, enum doing *last)
{
	const uint64_t turns = __atomic_load_n(&w->turns, __ATOMIC_ACQUIRE);
	const uint64_t oldest = turns < WATCHED ? 0 : turns - WATCHED + 1;
	uint32_t found = 0;

	*last = OFF;
	for (uint64_t i = turns; i > oldest; i--) {
		const struct turn *turn = &w->last[(i - 1) % WATCHED];
		const uint64_t began = __atomic_load_n(&turn->ns, __ATOMIC_RELAXED);

		if (began >= to)
			continue;
		if (!found)
			*last = __atomic_load_n(&turn->what, __ATOMIC_RELAXED);
		found |= 1U << __atomic_load_n(&turn->what, __ATOMIC_RELAXED);
		if (began <= from)
			return found;
	}
	return found | (oldest ? 0 : 1U << OFF);
}

/*
 * The loop begins an interval: that of an atomic form with its writes. So does one without tracking, and nothing ends it: an
 * operation at any time then is one that no tracker disturbs, which is what others are compared with.
 */
void watch_interval(struct watch *w)
{
	w->on = w->interval++ >= w->warmups;
	if (w->on && (w->atomic || !w->interface->reset))
		begins(w, PHASE_DIRTY);
}

static int reset(struct tracker *t)
{
	struct watch *w = t->watch;
	int err;

	if (!w->on)
		return w->interface->reset(t);
	begins(w, PHASE_RESET);
	err = w->interface->reset(t);
	begins(w, PHASE_DIRTY);
	return err;
}

/* An interval ends, unless there is more of it. What comes after the last one is no part of any. */
static void ends(struct watch *w, int more)
{
	w->on = w->interval < w->count || more;
	begins(w, w->on ? APART : OFF);
}

static int last(struct tracker *t, enum doing phase, int (*collect)(struct tracker *))
{
	struct watch *w = t->watch;
	int err;

	if (!w->on)
		return collect(t);
	begins(w, phase);
	err = collect(t);
	ends(w, w->act != NULL);
	return err;
}

static int act(struct tracker *t)
{
	struct watch *w = t->watch;
	int err;

	if (!w->on)
		return w->act(t);
	begins(w, PHASE_ACT);
	err = w->act(t);
	ends(w, 0);
	return err;
}

static int collect(struct tracker *t)
{
	return last(t, PHASE_COLLECT, t->watch->interface->collect);
}

static int collect_reset(struct tracker *t)
{
	return last(t, PHASE_COLLECT_RESET, t->watch->interface->collect_reset);
}

/* Stand between the tracker and its interface, for `count` intervals of which the first are warmups. */
void watch_start(struct watch *w, struct tracker *t, int atomic, uint64_t warmups, uint64_t count)
{
	w->tracker = t;
	w->interface = t->interface;
	w->substitute = *t->interface;
	w->atomic = atomic;
	w->warmups = warmups;
	w->count = count;
	if (w->substitute.reset)
		w->substitute.reset = reset;
	if (w->substitute.collect)
		w->substitute.collect = collect;
	if (w->substitute.collect_reset)
		w->substitute.collect_reset = collect_reset;
	w->act = t->act;
	if (w->act)
		t->act = act;
	t->watch = w;
	t->interface = &w->substitute;
}

/* Give the tracker its interface back. */
void watch_stop(struct watch *w)
{
	begins(w, OFF);
	w->tracker->interface = w->interface;
	w->tracker->act = w->act;
	w->tracker->watch = NULL;
	w->tracker = NULL;
}
