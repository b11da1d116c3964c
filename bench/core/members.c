// SPDX-License-Identifier: GPL-2.0-only
/* The threads of a crew: they wait for an order, do a phase on the parts that are theirs, and say so. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>

#include "clock.h"
#include "crew.h"
#include "marks.h"

/* End one of several trackers. */
static int close_part(struct tracker *t)
{
	if (t->interface->close)
		t->interface->close(t);
	close_descriptors(t);
	t->ended = 0;
	return 0;
}

phase_function crew_function(const struct crew *crew)
{
	const struct interface *i = crew->interface;

	switch (crew->phase) {
	case PHASE_OPEN:
		return i->open;
	case PHASE_RESET:
		return i->reset;
	case PHASE_COLLECT:
		return i->collect;
	case PHASE_DISARM:
		return i->disarm;
	case PHASE_CLOSE:
		return close_part;
	default:
		return i->collect_reset;
	}
}

/* Which part is next: any that nobody has taken, or of one's own trackers the next one. */
static uint64_t next_part(struct member *member)
{
	struct crew *crew = member->crew;
	const uint64_t own = member->next;

	if (!crew->own)
		return __atomic_fetch_add(&crew->next, 1, __ATOMIC_RELAXED);
	member->next += crew->n_members;
	return own;
}

static void mark(int phase)
{
	if (phase == PHASE_RESET)
		MARK(MARK_BEGIN, PHASE_RESET);
	else if (phase == PHASE_COLLECT)
		MARK(MARK_BEGIN, PHASE_COLLECT);
	else if (phase == PHASE_COLLECT_RESET)
		MARK(MARK_BEGIN, PHASE_COLLECT_RESET);
	else if (phase == PHASE_OPEN)
		MARK(MARK_BEGIN, PHASE_OPEN);
	else if (phase == PHASE_DISARM)
		MARK(MARK_BEGIN, PHASE_DISARM);
	else
		MARK(MARK_BEGIN, PHASE_CLOSE);
}

/*
 * Wait for the others: trackers of their own are at work at the same time, and when each is woken is the scheduler's
 * doing and no cost of theirs.
 */
static void meet(struct crew *crew)
{
	__atomic_fetch_add(&crew->arrived, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&crew->arrived, __ATOMIC_ACQUIRE) < crew->n_members)
		sched_yield(); /* they may need this CPU */
}

/* Of several that fail the first one is named. */
static void note_failure(struct crew *crew, int err)
{
	pthread_mutex_lock(&crew->lock);
	if (!crew->err) {
		crew->err = err;
		crew->call = failed_call();
	}
	pthread_mutex_unlock(&crew->lock);
}

/* Take part after part until there is none. */
static void work(struct member *member)
{
	struct crew *crew = member->crew;
	phase_function phase = crew_function(crew);
	uint64_t i, start;

	if (crew->own)
		meet(crew);
	start = now();
	mark(crew->phase);
	member->next = member->index;
	while ((i = next_part(member)) < crew->n_parts) {
		struct tracker *part = &crew->parts[i].tracker;
		int err;

		if (!crew->own)
			part->entries = member->entries;
		part->n_ranges = 0;
		err = phase(part);
		if (err)
			note_failure(crew, err);
	}
	MARK(MARK_END, 0);
	member->took_ns = now() - start;
}

static void *working(void *member)
{
	struct crew *crew = ((struct member *)member)->crew;

	for (uint64_t seen = 0;; seen++) {
		pthread_mutex_lock(&crew->lock);
		while (crew->turn == seen)
			pthread_cond_wait(&crew->ordered, &crew->lock);
		pthread_mutex_unlock(&crew->lock);
		if (crew->phase == LEAVE_CREW)
			return NULL;
		work(member);
		pthread_mutex_lock(&crew->lock);
		if (!--crew->busy)
			pthread_cond_signal(&crew->finished);
		pthread_mutex_unlock(&crew->lock);
	}
}

static void order(struct crew *crew, int phase)
{
	pthread_mutex_lock(&crew->lock);
	crew->phase = phase;
	crew->next = crew->arrived = 0;
	crew->err = 0;
	crew->busy = crew->n_members - 1;
	crew->turn++;
	pthread_cond_broadcast(&crew->ordered);
	pthread_mutex_unlock(&crew->lock);
}

static void await(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	while (crew->busy)
		pthread_cond_wait(&crew->finished, &crew->lock);
	pthread_mutex_unlock(&crew->lock);
}

/* Have a phase done by all. Of those with trackers of their own the tracking thread's waiting is in no count. */
void crew_do(struct crew *crew, int phase)
{
	uint64_t most = 0;

	if (crew->own)
		MARK(MARK_END, 0);
	order(crew, phase);
	work(&crew->members[0]);
	if (!crew->own)
		mark(phase);
	await(crew);
	for (uint64_t i = 0; i < crew->n_members; i++)
		most = crew->members[i].took_ns > most ? crew->members[i].took_ns : most;
	crew->took[phase] += most;
	if (crew->err) {
		errno = -crew->err;
		fail(crew->call);
	}
}

/* Start the threads besides this one. */
int crew_members(struct crew *crew, uint64_t count)
{
	const struct tracker *t = crew->tracker;
	const struct ask *ask = &t->ask;
	int err = 0;

	for (uint64_t i = 0; i < count && !err; i++) {
		struct member *one = &crew->members[i];

		*one = (struct member){ .crew = crew, .index = i };
		if (crew->entries)
			one->entries = crew->entries + i * t->n_entries;
		if (i)
			err = thread_start(&one->thread, ask->n_cpus ? ask->cpus[(i - 1) % ask->n_cpus] : -1, working,
					   one);
		if (!err)
			crew->n_members++;
	}
	return err;
}

/* End them. */
void crew_dismiss(struct crew *crew)
{
	order(crew, LEAVE_CREW);
	for (uint64_t i = 1; i < crew->n_members; i++)
		pthread_join(crew->members[i].thread, NULL);
}
