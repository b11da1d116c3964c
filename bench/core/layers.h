/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the core's files offer each other, the lowest first: no file calls one further down here, which
 * tests/core checks. What stands in core.h is for Python, and for files that stand higher.
 */
#ifndef BENCH_LAYERS_H
#define BENCH_LAYERS_H

#include <pthread.h>
#include <unistd.h>

#include "core.h"

#define HUGE_PAGES 512 /* of 4 KiB, in a huge page of 2 MiB */

/*
 * Where memory under test and trackers' buffers go: far from program, libraries and stack. A page fault
 * looks its VMA up in a tree (lib/maple_tree.c), which costs up to 4 % more or less by the VMA's place in
 * it: interfaces that are compared must have the same. These are hints, and no MAP_FIXED_NOREPLACE: where
 * one is taken or out of reach, the kernel chooses another place, which is better than none.
 */
#define MAPPING_PLACE ((void *)0x7d0000000000)
#define BUFFERS_PLACE ((void *)0x7c0000000000)

static inline uint64_t bitmap_words(const struct mapping *m)
{
	return (m->watched + 63) / 64;
}

/* The page at which VMA i begins; where the mapping ends for i == vmas. */
static inline uint64_t vma_start(const struct mapping *m, uint64_t i)
{
	return i * (m->pages / m->unit) / m->vmas * m->unit;
}

/*
 * One byte a page: what makes a page dirty is the write, not its size. Shared writers race for a page on purpose, and an
 * atomic store, which would say so, is compiled to one instruction less than results that are kept were counted with.
 */
__attribute__((no_sanitize("thread"))) static inline void
write_pages(uint8_t *base, uint64_t page_size, const uint32_t *order, uint64_t count, uint8_t value)
{
	for (uint64_t i = 0; i < count; i++)
		*(volatile uint8_t *)(base + order[i] * page_size) = value;
}

/* fail.c: remember which call failed and return its -errno. */
int fail(const char *call);

/* thread.c */
int thread_start(pthread_t *thread, int cpu, void *(*run)(void *), void *argument);
void pin_to(int cpu);

/* crew.c. What struct interface's parts say; collect_reset is done in parts where both are. */
#define RESETS_PARTS 1
#define COLLECTS_PARTS 2
int crew_start(struct tracker *tracker);

/* uffd.c */
int uffd_wp(const struct mapping *mapping, uint64_t features, const char *api_call, int *fd);

/* writers.c */
enum order { WRITE, REGISTER, LEAVE };

struct writer {
	pthread_t thread;
	struct team *team;
	uint64_t index;
	uint64_t start_ns, end_ns;
};

/* Everybody who writes one mapping. In memory that a forked process shares. */
struct team {
	uint32_t turn; /* futex: rises with each order */
	uint32_t busy; /* futex: writers that have not finished it */
	uint32_t half; /* writers that have written half of their part */
	enum order what;
	uint8_t value;
	int shared; /* every writer writes all pages, not a part of them */
	uint64_t count, writes, size;
	const uint32_t *order;
	uint8_t *base;
	uint64_t page_size;
	pid_t process; /* 0: threads */
	struct writer writers[];
};

struct team *team_new(const struct mapping *mapping, uint64_t count);
void team_give(struct team *team, enum order what);
void team_go(struct team *team, uint8_t value);
int team_wait(struct team *team);
int team_wait_half(struct team *team);
int team_busy(const struct team *team);
uint64_t team_ns(const struct team *team);
enum order team_next(struct team *team, uint32_t turn);
void team_write(struct writer *writer);
void team_finished(struct team *team);

/* process.c */
struct team *process_team(struct process *process, const struct pattern *pattern);
int register_wp(struct tracker *tracker, uint64_t features, const char *api_call);

/* tracker.c */
void *tracker_buffer(struct tracker *tracker, uint64_t size);

/* What PAGEMAP_SCAN is asked for: a page matches that has all of `all` and any of `anyof`, once `inverted` are. */
struct query {
	uint64_t inverted, all, anyof;
	uint64_t returned; /* what is said of a range */
};

/* pagemap.c */
int open_proc(const struct tracker *tracker, const char *name, int flags, int *fd);
int soft_dirty_clear(struct tracker *tracker);
int ask_nothing(struct tracker *tracker);
int open_pagemap_scan(struct tracker *tracker);
int pagemap_scan(struct tracker *tracker, const struct query *query, uint64_t flags, int output);

/* slots.c */
int slot_open(struct tracker *tracker);
int slot_drop(uint64_t from, uint64_t end);
int slot_kept(struct tracker *tracker, uint64_t *kept);

/* noted.c */
void noted_open(struct tracker *tracker);
void noted_clear(struct tracker *tracker);
void note_page(struct tracker *tracker, uint64_t page);
int noted_collect(struct tracker *tracker);

/* interfaces/scan_wp.c */
int scan_wp_open(struct tracker *tracker);

/* interfaces/scan_wp_general.c */
int general_reset(struct tracker *tracker);

/* interfaces/v6.c */
int v6_open(struct tracker *tracker);
int v6_scan(struct tracker *tracker, uint32_t flags, int output);

#endif
