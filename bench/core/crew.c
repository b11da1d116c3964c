// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several threads that ask about one mapping at once, chunk by chunk, as a checkpoint of a large address space does: they
 * stand in for the tracker's interface, and do its phases on parts of the mapping. The tracking thread is one of them.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "layers.h"
#include "marks.h"

#define CHUNK 16384 /* pages, at most: 64 MiB, what such callers take */

#define LEAVE_CREW (-1)

struct part {
	struct mapping mapping;
	struct tracker tracker; /* the crew's, looking at this part alone */
};

struct scanner {
	pthread_t thread;
	struct crew *crew;
	uint64_t *entries; /* a buffer of its own, where the interface reads pagemap */
};

struct crew {
	struct interface substitute; /* what the tracker has as its interface */
	const struct interface *interface;
	struct tracker *tracker;
	const struct mapping *mapping;
	pthread_mutex_t lock;
	pthread_cond_t ordered, finished;
	uint64_t turn, busy; /* rises with each order; threads that have not finished it */
	int phase;           /* PHASE_*, or LEAVE_CREW */
	int err;
	uint64_t next, n_parts, n_scanners;
	struct part *parts;
	uint64_t *entries;
	struct scanner scanners[];
};

static int (*function(const struct crew *crew))(struct tracker *)
{
	const struct interface *i = crew->interface;

	return crew->phase == PHASE_RESET ? i->reset : crew->phase == PHASE_COLLECT ? i->collect : i->collect_reset;
}

/* Take part after part until there is none. */
static void work(struct scanner *scanner)
{
	struct crew *crew = scanner->crew;
	int (*phase)(struct tracker *) = function(crew);
	uint64_t i;

	while ((i = __atomic_fetch_add(&crew->next, 1, __ATOMIC_RELAXED)) < crew->n_parts) {
		struct tracker *part = &crew->parts[i].tracker;
		int err;

		part->entries = scanner->entries;
		part->n_ranges = 0;
		err = phase(part);
		if (err)
			__atomic_store_n(&crew->err, err, __ATOMIC_RELAXED);
	}
}

static void mark(int phase)
{
	if (phase == PHASE_RESET)
		MARK(MARK_BEGIN, PHASE_RESET);
	else if (phase == PHASE_COLLECT)
		MARK(MARK_BEGIN, PHASE_COLLECT);
	else
		MARK(MARK_BEGIN, PHASE_COLLECT_RESET);
}

static void *scanning(void *scanner)
{
	struct crew *crew = ((struct scanner *)scanner)->crew;

	for (uint64_t seen = 0;; seen++) {
		pthread_mutex_lock(&crew->lock);
		while (crew->turn == seen)
			pthread_cond_wait(&crew->ordered, &crew->lock);
		pthread_mutex_unlock(&crew->lock);
		if (crew->phase == LEAVE_CREW)
			return NULL;
		mark(crew->phase);
		work(scanner);
		MARK(MARK_END, 0);
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
	crew->next = 0;
	crew->err = 0;
	crew->busy = crew->n_scanners - 1;
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

/* Have a phase done by all; what they were told comes to the tracker, in order. */
static int together(struct tracker *t, int phase)
{
	struct crew *crew = t->crew;

	if (t->mapping != crew->mapping) { /* somebody looks at a part of it: that is small */
		crew->phase = phase;
		return function(crew)(t);
	}
	order(crew, phase);
	work(&crew->scanners[0]);
	await(crew);
	t->n_ranges = 0;
	for (uint64_t i = 0; i < crew->n_parts; i++) {
		const struct tracker *part = &crew->parts[i].tracker;

		memmove(t->ranges + t->n_ranges, part->ranges, part->n_ranges * sizeof(*t->ranges));
		t->n_ranges += part->n_ranges;
	}
	return crew->err;
}

static int reset(struct tracker *t)
{
	return together(t, PHASE_RESET);
}

static int collect(struct tracker *t)
{
	return together(t, PHASE_COLLECT);
}

static int collect_reset(struct tracker *t)
{
	return together(t, PHASE_COLLECT_RESET);
}

static void leave(struct tracker *t)
{
	struct crew *crew = t->crew;

	order(crew, LEAVE_CREW);
	for (uint64_t i = 1; i < crew->n_scanners; i++)
		pthread_join(crew->scanners[i].thread, NULL);
	t->interface = crew->interface;
	t->crew = NULL;
	free(crew->parts);
	free(crew->entries);
	free(crew);
	if (t->interface->close)
		t->interface->close(t);
}

/* Cut the mapping into parts. Each has the place for its ranges that no other can need. */
static void cut(struct crew *crew, uint64_t chunk)
{
	const struct mapping *m = crew->mapping;

	for (uint64_t i = 0; i < crew->n_parts; i++) {
		struct part *part = &crew->parts[i];
		const uint64_t first = i * chunk;

		part->mapping = *m;
		part->mapping.base = m->base + first * m->page_size;
		part->mapping.pages = part->mapping.watched = m->watched - first < chunk ? m->watched - first : chunk;
		part->tracker = *crew->tracker;
		part->tracker.interface = crew->interface;
		part->tracker.mapping = &part->mapping;
		part->tracker.ranges += first;
		part->tracker.capacity = part->mapping.watched;
	}
}

/* Start the threads besides this one. */
static int start(struct crew *crew, const struct ask *ask)
{
	const struct tracker *t = crew->tracker;
	int err = 0;

	for (uint64_t i = 0; i < ask->scanners && !err; i++) {
		struct scanner *one = &crew->scanners[i];

		*one = (struct scanner){ .crew = crew };
		if (crew->entries)
			one->entries = crew->entries + i * t->n_entries;
		if (i)
			err = thread_start(&one->thread, ask->n_cpus ? ask->cpus[(i - 1) % ask->n_cpus] : -1, scanning,
					   one);
		if (!err)
			crew->n_scanners++;
	}
	return err;
}

/* Phases that the interface can't do in parts stay its own: one thread does them. */
static struct interface substitute(const struct interface *i)
{
	struct interface made = *i;

	made.close = leave;
	if (i->parts & RESETS_PARTS)
		made.reset = reset;
	if (i->parts & COLLECTS_PARTS)
		made.collect = collect;
	if (i->collect_reset && i->parts == (RESETS_PARTS | COLLECTS_PARTS))
		made.collect_reset = collect_reset;
	return made;
}

/* Let ask->scanners threads stand in for the interface of a tracker that is open. */
int crew_start(struct tracker *t)
{
	const uint64_t watched = t->mapping->watched, n = t->ask.scanners;
	const uint64_t share = ((watched + n - 1) / n + HUGE_PAGES - 1) / HUGE_PAGES * HUGE_PAGES;
	const uint64_t chunk = share < CHUNK ? share : CHUNK;
	struct crew *crew = calloc(1, sizeof(*crew) + n * sizeof(*crew->scanners));

	if (!crew)
		return fail("calloc(crew)");
	*crew = (struct crew){ .substitute = substitute(t->interface),
			       .interface = t->interface,
			       .tracker = t,
			       .mapping = t->mapping,
			       .lock = PTHREAD_MUTEX_INITIALIZER,
			       .ordered = PTHREAD_COND_INITIALIZER,
			       .finished = PTHREAD_COND_INITIALIZER,
			       .n_parts = (watched + chunk - 1) / chunk };
	t->crew = crew;
	crew->parts = calloc(crew->n_parts, sizeof(*crew->parts));
	if (t->entries)
		crew->entries = calloc(n * t->n_entries, sizeof(*t->entries));
	if (!crew->parts || (t->entries && !crew->entries)) {
		int err = fail("calloc(crew)");

		t->interface = &crew->substitute;
		return err;
	}
	if (crew->entries)
		memset(crew->entries, 1,
		       n * t->n_entries * sizeof(*t->entries)); /* no phase is to meet its page faults */
	cut(crew, chunk);
	t->interface = &crew->substitute;
	return start(crew, &t->ask);
}
