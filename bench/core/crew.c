// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several threads that do a tracker's phases together, on parts of what is tracked. Either they ask about chunks of one
 * mapping through the tracker's own descriptors, as a checkpoint of a large address space does; or each part has a
 * tracker of its own, with its own descriptors and registration: a part of one mapping, or another process. They stand in
 * for the tracker's interface. The tracking thread is one of them.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "crew.h"
#include "marks.h"

#define CHUNK 16384 /* pages, at most: 64 MiB, what such callers take */

/* Have a phase done by all. What scanners were told comes to the tracker, in order: they are one caller. */
static int together(struct tracker *t, int phase)
{
	struct crew *crew = t->crew;

	if (t->mapping != crew->mapping) { /* somebody looks at a part of it: that is small */
		crew->phase = phase;
		return crew_function(crew)(t);
	}
	crew_do(crew, phase);
	t->n_ranges = t->sum = 0;
	for (uint64_t i = 0; i < crew->n_parts; i++) {
		struct part *part = &crew->parts[i];

		if (!crew->own)
			memmove(t->ranges + t->n_ranges, part->tracker.ranges,
				part->tracker.n_ranges * sizeof(*t->ranges));
		else if (phase != PHASE_RESET)
			part->reported = part->tracker.n_ranges;
		t->n_ranges += part->tracker.n_ranges;
		t->sum += part->tracker.sum;
	}
	crew->scattered |= crew->own && phase != PHASE_RESET;
	return crew->err;
}

/* A part's range as one of the whole; one that leaves the part is nowhere, and is found to be wrong there. */
static struct range placed(const struct crew *crew, const struct part *part, struct range range)
{
	const struct mapping *m = &part->mapping;
	const uint64_t base = (uintptr_t)m->base, first = (uint64_t)(part->tracker.ranges - crew->tracker->ranges);
	const uint64_t whole = (uintptr_t)crew->mapping->base + first * m->page_size;

	if (range.start < base || range.end > base + m->watched * m->page_size)
		return (struct range){ 0, range.end - range.start, 0 };
	return (struct range){ range.start - base + whole, range.end - base + whole, range.categories };
}

/*
 * Bring what several trackers have reported to one place, in the order of their parts: for the check, since each of them
 * has what it wants where it is.
 */
void crew_gather(struct tracker *t)
{
	struct crew *crew = t->crew;
	uint64_t n = 0;

	if (!crew || !crew->scattered)
		return;
	for (uint64_t i = 0; i < crew->n_parts; i++) {
		const struct part *part = &crew->parts[i];

		for (uint64_t r = 0; r < part->reported; r++)
			t->ranges[n++] = placed(crew, part, part->tracker.ranges[r]);
	}
	t->n_ranges = n;
	crew->scattered = 0;
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

static int open_parts(struct tracker *t)
{
	crew_do(t->crew, PHASE_OPEN);
	return t->crew->err;
}

static int disarm_parts(struct tracker *t)
{
	crew_do(t->crew, PHASE_DISARM);
	return t->crew->err;
}

static void close_parts(struct tracker *t)
{
	crew_do(t->crew, PHASE_CLOSE);
}

/*
 * What several trackers took for an interval's phases: the slowest one, as of several writers. Those who ask through one
 * tracker are one caller, who waits for all of them.
 */
void crew_took(struct tracker *t, struct interval *interval)
{
	uint64_t *took = t->crew ? t->crew->took : NULL;

	if (!took || !t->crew->own)
		return;
	interval->reset_ns = took[PHASE_RESET];
	interval->collect_ns = took[PHASE_COLLECT] + took[PHASE_COLLECT_RESET];
	memset(took, 0, sizeof(t->crew->took));
}

/* Send a crew home, where there is one. */
void crew_end(struct tracker *t)
{
	struct crew *crew = t->crew;

	if (!crew)
		return;
	crew_dismiss(crew);
	t->interface = crew->interface;
	t->crew = NULL;
	free(crew->parts);
	free(crew->entries);
	free(crew);
}

static void leave(struct tracker *t)
{
	crew_end(t);
	if (t->interface->close)
		t->interface->close(t);
}

/* Let part i look at pages [first, end) of the mapping. Each has the place for its ranges that no other can need. */
static void look(struct crew *crew, uint64_t i, uint64_t first, uint64_t end)
{
	const struct mapping *m = crew->mapping;
	struct part *part = &crew->parts[i];

	part->tracker = *crew->tracker;
	part->tracker.interface = crew->interface;
	part->tracker.mapping = &part->mapping;
	part->tracker.crew = NULL;
	part->tracker.ranges += first;
	part->tracker.capacity = end - first;
	part->mapping = m->n_targets ? m->targets[i] : *m;
	if (m->n_targets)
		return;
	part->mapping.base = m->base + first * m->page_size;
	part->mapping.pages = part->mapping.watched = end - first;
}

/* Give a part's tracker its share of the buffers behind the ranges: for entries and a bitmap, each rounded up. */
static void share_buffers(struct tracker *whole, struct tracker *part)
{
	const uint64_t page = whole->mapping->page_size;

	part->buffers = whole->buffers + whole->buffers_used;
	part->buffers_used = 0;
	whole->buffers_used += (part->capacity * sizeof(*part->entries) / page + part->capacity / 8 / page + 2) * page;
}

/* Cut the mapping into parts. */
static void cut(struct crew *crew, uint64_t chunk)
{
	const uint64_t watched = crew->mapping->watched, n = crew->n_parts;

	for (uint64_t i = 0; i < n; i++) {
		if (crew->own) {
			look(crew, i, part_start(crew->mapping, watched, i, n),
			     part_start(crew->mapping, watched, i + 1, n));
			share_buffers(crew->tracker, &crew->parts[i].tracker);
			if (crew->interface->buffers)
				crew->interface->buffers(&crew->parts[i].tracker);
		} else {
			look(crew, i, i * chunk, watched - i * chunk < chunk ? watched : (i + 1) * chunk);
		}
	}
}

/* Phases that the interface can't do in parts stay its own: one thread does them. */
static struct interface substitute(const struct interface *i, int own)
{
	struct interface made = *i;

	made.close = own ? close_parts : leave;
	if (own)
		made.open = open_parts;
	if (own && i->disarm)
		made.disarm = disarm_parts;
	if (own || i->parts & RESETS_PARTS)
		made.reset = reset;
	if (own || i->parts & COLLECTS_PARTS)
		made.collect = collect;
	if (i->collect_reset && (own || i->parts == (RESETS_PARTS | COLLECTS_PARTS)))
		made.collect_reset = collect_reset;
	return made;
}

static struct crew *new_crew(struct tracker *t, uint64_t members, uint64_t parts, int own)
{
	struct crew *crew = calloc(1, sizeof(*crew) + members * sizeof(*crew->members));

	if (!crew)
		return NULL;
	*crew = (struct crew){ .substitute = substitute(t->interface, own),
			       .interface = t->interface,
			       .tracker = t,
			       .mapping = t->mapping,
			       .lock = PTHREAD_MUTEX_INITIALIZER,
			       .ordered = PTHREAD_COND_INITIALIZER,
			       .finished = PTHREAD_COND_INITIALIZER,
			       .own = own,
			       .n_parts = parts,
			       .parts = calloc(parts, sizeof(*crew->parts)) };
	t->crew = crew;
	return crew;
}

/* Let ask->scanners threads stand in for the interface of a tracker that is open. */
int crew_of_scanners(struct tracker *t)
{
	const uint64_t watched = t->mapping->watched, n = t->ask.scanners;
	const uint64_t unit = huge_pages(t->mapping->page_size);
	const uint64_t share = ((watched + n - 1) / n + unit - 1) / unit * unit;
	const uint64_t chunk = share < CHUNK ? share : CHUNK;
	struct crew *crew = new_crew(t, n, (watched + chunk - 1) / chunk, 0);

	if (!crew)
		return fail("calloc(crew)");
	if (t->entries)
		crew->entries = calloc(n * t->n_entries, sizeof(*t->entries));
	t->interface = &crew->substitute;
	if (!crew->parts || (t->entries && !crew->entries))
		return fail("calloc(crew)");
	if (crew->entries) /* no phase is to meet its page faults */
		memset(crew->entries, 1, n * t->n_entries * sizeof(*t->entries));
	cut(crew, chunk);
	return crew_members(crew, n);
}

/* How many trackers are at work: one for each process that is tracked, or as many as were asked for. */
uint64_t crew_trackers(const struct tracker *t)
{
	const uint64_t asked = t->ask.trackers > 1 ? t->ask.trackers : 1;

	return t->mapping->n_targets ? t->mapping->n_targets : asked;
}

/* Let trackers of their own stand in for a tracker that has buffers and is not open: it opens them. */
int crew_of_trackers(struct tracker *t)
{
	const uint64_t members = t->ask.trackers > 1 ? t->ask.trackers : 1;
	struct crew *crew = new_crew(t, members, crew_trackers(t), 1);

	if (!crew)
		return fail("calloc(crew)");
	if (!crew->parts)
		return fail("calloc(crew)"); /* crew_end() is the tracker's, and nothing is open */
	cut(crew, 0);
	t->interface = &crew->substitute;
	return crew_members(crew, members);
}
