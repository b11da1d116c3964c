// SPDX-License-Identifier: GPL-2.0-only
/*
 * The core without Python, for the leak checker and valgrind: each interface on several kinds of memory, written by the
 * tracking thread, by threads, and, given "outside", by a process of its own. `make sanitize` compiles it with
 * INTERFACES(X), which is X(name) for each file of bench/core/interfaces. Its answers are the tests' to judge.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../bench/core/core.h"

#define PAGES 200
#define WRITES 50
#define INTERVALS 4

#ifndef INTERFACES
#define INTERFACES(X) X(none)
#endif

#define DECLARE(name) extern struct interface interface_##name;
#define LIST(name) &interface_##name,
INTERFACES(DECLARE)
static const struct interface *const all[] = { INTERFACES(LIST) };

enum who { ALONE, THREADS, CONCURRENT, TRACKERS, OUTSIDE, TARGETS };

static const int cpus[] = { 0 };
static int refused;

static int refuse(const char *name)
{
	printf("%s: %s is refused\n", name, failed_call());
	return ++refused;
}

static void track(const struct interface *interface, const struct mapping *m, struct pattern *p, enum who who)
{
	const struct ask ask = {
		.vec_len = 7, .max_pages = 30, .read_bytes = 64, .trackers = who == TRACKERS || who == TARGETS ? 2 : 1
	};
	const struct rhythm rhythm = { .paced = 1, .budget = 8, .period_ns = 1000 };
	struct interval intervals[INTERVALS];
	struct team *team = NULL;
	struct tracker t;

	if (tracker_open(&t, interface, m, &ask)) {
		refuse(interface->name);
		return;
	}
	if ((who == THREADS || who == CONCURRENT) && writers_start(&team, m, p, 2, who == CONCURRENT, cpus, 1))
		refuse("threads");
	if (team && who == THREADS)
		writers_pace(team, &rhythm);
	for (int atomic = 0; atomic <= (interface->collect_reset ? 1 : 0); atomic++)
		if (run_intervals(&t, p, atomic, team, who == CONCURRENT, intervals, INTERVALS, 1))
			refuse(interface->name);
	writers_stop(team);
	tracker_close(&t);
}

static int make(struct mapping *m, const struct layout *layout, enum who who)
{
	if (who == TARGETS)
		return mapping_create_targets(m, layout, 3, cpus, 1);
	return who == OUTSIDE ? mapping_create_outside(m, layout, -1) : mapping_create(m, layout);
}

static void measure(const struct interface *interface, enum kind kind, enum who who)
{
	static uint32_t order[PAGES];
	static uint64_t bitmaps[4][(PAGES + 63) / 64];
	static struct example example;
	struct layout layout = { .pages = PAGES,
				 .kind = kind,
				 .populate = kind == KIND_SHMEM ? POPULATE_READ : POPULATE_WRITE,
				 .populated = kind == KIND_ANON ? PAGES / 2 : PAGES,
				 .vmas = kind == KIND_ANON ? 4 : 1,
				 .watched = PAGES - 3,
				 .directory = "/tmp" };
	struct pattern p = { order, WRITES, bitmaps[0], bitmaps[1], bitmaps[2], &example, NULL, bitmaps[3], NULL };
	struct mapping m;
	uint64_t kib;

	sample_pages(order, PAGES, WRITES, 7);
	pattern_init(&p, layout.watched);
	if (who == TRACKERS || who == TARGETS)
		layout.vmas = 1;
	if (who == TARGETS)
		layout.watched = PAGES;
	if (make(&m, &layout, who)) {
		refuse("the mapping");
		return;
	}
	mapping_huge_kib(&m, &kib);
	track(interface, &m, &p, who);
	mapping_destroy(&m);
}

/* What no interval comes by. */
static void others(void)
{
	uint64_t missed, seen, lost, met;
	char signature[13];
	struct events events;
	const struct ask ask = { 0 };
	struct layout layout = {
		.pages = PAGES, .kind = KIND_ANON, .populated = PAGES, .vmas = 1, .watched = PAGES, .directory = "/tmp"
	};
	struct mapping m;
	struct tracker t;

	hypervisor_signature(signature);
	printf("%s %.0f %.0f\n", signature, clock_cost_ns(), syscall_cost_ns());
	if (forgo_huge_pages() || hold_memory(1 << 20))
		refuse("ballast");
	events_open(&events, 0);
	events_close(&events);
	if (mapping_create(&m, &layout))
		return;
	for (uint64_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (!all[i]->collect || tracker_open(&t, all[i], &m, &ask))
			continue;
		if (stage_rewrite(&t, (uint64_t)(uintptr_t)m.base, 3, &missed) ||
		    stage_rewrite_elsewhere(&t, (uint64_t)(uintptr_t)m.base, 3, -1, &missed, &seen) ||
		    stage_writers(&t, 2, all[i]->collect_reset != NULL, &lost, &met))
			refuse(all[i]->name);
		tracker_close(&t);
	}
	if (stage_pin((uint64_t)(uintptr_t)m.base, 4096))
		refuse("io_uring");
	stage_unpin();
	mapping_destroy(&m);
}

int main(int argc, char **argv)
{
	const enum kind kinds[] = { KIND_ANON, KIND_SHMEM, KIND_FILE_PRIVATE };
	const enum who most = argc > 1 && !strcmp(argv[1], "outside") ? TARGETS : TRACKERS;

	for (uint64_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		for (uint64_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
			for (enum who who = ALONE; who <= most; who++)
				measure(all[i], kinds[k], who);
	others();
	printf("done, %d refused\n", refused);
	return 0;
}
