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
#include "marks.h"

#define NO_FOLIO 10 /* where struct folios counts pages that are not there; below it stand orders */
#define N_ORDERS 11

/*
 * Where memory under test and trackers' buffers go: far from program, libraries and stack. A page fault
 * looks its VMA up in a tree (lib/maple_tree.c), which costs up to 4 % more or less by the VMA's place in
 * it: interfaces that are compared must have the same. These are hints, and no MAP_FIXED_NOREPLACE: where
 * one is taken or out of reach, the kernel chooses another place, which is better than none.
 */
#define MAPPING_PLACE ((void *)0x7d0000000000)
#define BUFFERS_PLACE ((void *)0x7c0000000000)

/*
 * Pages that a page table maps, which are those of a huge page: 512 of 4 KiB, 2048 of 16 KiB, 8192 of 64 KiB. An entry
 * has eight bytes on every 64-bit architecture.
 */
static inline uint64_t huge_pages(uint64_t page_size)
{
	return page_size / sizeof(uint64_t);
}

static inline uint64_t bitmap_words(const struct mapping *m)
{
	return (m->watched + 63) / 64;
}

/* The page at which VMA i begins; where the mapping ends for i == vmas. */
static inline uint64_t vma_start(const struct mapping *m, uint64_t i)
{
	return i * (m->pages / m->unit) / m->vmas * m->unit;
}

/* The page at which part i of n begins, of so many pages of the mapping; no page of any size is parted. */
static inline uint64_t part_start(const struct mapping *m, uint64_t pages, uint64_t i, uint64_t n)
{
	const uint64_t unit = m->unit > m->granule ? m->unit : m->granule;

	return i * (pages / unit) / n * unit;
}

static inline void close_descriptors(struct tracker *t)
{
	int *fds[] = { &t->clear_refs_fd, &t->pagemap_fd, &t->uffd, &t->source_fd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
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

/*
 * As write_pages(), but some accesses are reads. A loop of its own: results that are kept have counted the other one,
 * without the branch.
 */
__attribute__((no_sanitize("thread"))) static inline void access_pages(uint8_t *base, uint64_t page_size,
								       const uint32_t *order, const uint8_t *reads,
								       uint64_t count, uint8_t value)
{
	for (uint64_t i = 0; i < count; i++) {
		volatile uint8_t *byte = base + order[i] * page_size;

		if (reads[i])
			(void)*byte;
		else
			*byte = value;
	}
}

/* fail.c: remember which call failed and return its -errno. */
int fail(const char *call);

/* The same of a call that has moved fewer bytes than it was to, or none (-1): only then errno is its own. */
int fail_short(const char *call, int64_t moved);

/* system.c: wait for a child that ends, whatever signals come meanwhile, and return its status; -1: it is gone already. */
int reap(pid_t pid);

/* thread.c */
int thread_start(pthread_t *thread, int cpu, void *(*run)(void *), void *argument);
void pin_to(int cpu);

typedef int (*phase_function)(struct tracker *);

/* members.c */
phase_function crew_function(const struct crew *crew);
void crew_do(struct crew *crew, int phase);
int crew_members(struct crew *crew, uint64_t count);
void crew_dismiss(struct crew *crew);

/* crew.c. What struct interface's parts say; collect_reset is done in parts where both are. */
#define RESETS_PARTS 1
#define COLLECTS_PARTS 2
int crew_of_scanners(struct tracker *tracker);
int crew_of_trackers(struct tracker *tracker);
uint64_t crew_trackers(const struct tracker *tracker);
void crew_gather(struct tracker *tracker);
void crew_took(struct tracker *tracker, struct interval *interval);
void crew_end(struct tracker *tracker);

/* folios.c */
int folios_populate(const struct mapping *mapping, uint64_t folio);
int folios_by_ptes(const struct mapping *mapping);
int folios_follow(const struct mapping *mapping);

/* uffd.c */
struct registration {
	uint64_t mode, features;
	const char *api_call, *register_call; /* what they are called where they fail */
};
int uffd_register(const struct mapping *mapping, const struct registration *how, int *fd);
int uffd_disarm(struct tracker *tracker);

/* writers.c */
enum order { WRITE, REGISTER, LEAVE };

struct writer {
	pthread_t thread;
	struct team *team;
	uint64_t index;
	uint64_t start_ns, end_ns;
	uint64_t periods, late; /* of one who has a rhythm: how many there were, and in which it did not get done */
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
	pid_t process;        /* 0: threads */
	const uint8_t *reads; /* as in struct pattern */
	struct rhythm rhythm;
	struct team **members; /* teams that do what this one is told, of processes that are tracked at once */
	uint64_t n_members;
	struct writer writers[];
};

struct team *team_new(const struct mapping *mapping, uint64_t count);
void team_give(struct team *team, enum order what);
void team_go(struct team *team, uint8_t value);
int team_wait(struct team *team);
int team_wait_half(struct team *team);
int team_busy(const struct team *team);
uint64_t team_ns(const struct team *team);
void team_took(const struct team *team, struct interval *interval);
enum order team_next(struct team *team, uint32_t turn);
void team_write(struct writer *writer);
void team_finished(struct team *team);

/* process.c */
struct team *process_team(struct process *process, const struct pattern *pattern, uint64_t first);
int register_wp(struct tracker *tracker, uint64_t features, const char *api_call);
int register_rwp(struct tracker *tracker, uint64_t features, const char *api_call);

/* targets.c */
struct team *mapping_team(const struct mapping *mapping, const struct pattern *pattern);

/* acts.c */
int acts_open(struct tracker *tracker);
void acts_close(struct tracker *tracker);
int acts_follow(struct tracker *tracker, const struct pattern *pattern, uint64_t interval, struct interval *out,
		uint64_t *wrong);
int copy_all(struct tracker *tracker);
int hold_snapshot(struct tracker *tracker);

/* tracker.c */
void *tracker_buffer(struct tracker *tracker, uint64_t size);
int tracker_start(struct tracker *tracker);
int tracker_stop(struct tracker *tracker);
void threads_took(struct tracker *tracker, const struct team *team, struct interval *interval);

/* What PAGEMAP_SCAN is asked for: a page matches that has all of `all` and any of `anyof`, once `inverted` are. */
struct query {
	uint64_t inverted, all, anyof;
	uint64_t returned; /* what is said of a range */
};

/* errands.c: one that a bystander does over and over. */
struct errand {
	int (*once)(struct errand *);
	int outside; /* by another process, in whose /proc it reads this: */
	const char *name;
	pid_t tracked;
	int file;
	uint8_t *area; /* else memory of its own */
	uint64_t page_size, turn;
	uint64_t first, entries; /* of the memory under test in pagemap */
	char bytes[4096];        /* that are read at once: 512 entries of pagemap, one page table's */
};

void errand_choose(struct errand *errand, enum bystanding what, const struct mapping *mapping);
int errand_begin(struct errand *errand);
void errand_end(struct errand *errand);

/* watch.c: what somebody is told of a tracker that runs intervals, in memory that processes may share. */
enum doing {
	/* PHASE_* of marks.h; or between two intervals; or in none that counts: a warmup, before or after all */
	APART = N_PHASES,
	OFF
};
#define WATCHED 256 /* turns from one to another that are known */

struct turn {
	uint64_t ns;
	uint32_t what;
};

struct watch {
	uint64_t turns; /* how many there were */
	struct turn last[WATCHED];
	struct interface substitute; /* what the tracker has as its interface */
	const struct interface *interface;
	int (*act)(struct tracker *);
	struct tracker *tracker; /* NULL: not yet, or no more */
	uint64_t interval, warmups, count;
	int atomic, on;
};

void watch_start(struct watch *watch, struct tracker *tracker, int atomic, uint64_t warmups, uint64_t count);
void watch_interval(struct watch *watch);
uint32_t watch_between(const struct watch *watch, uint64_t from, uint64_t to, enum doing *last);
void watch_stop(struct watch *watch);

/* pagemap.c */
int open_proc(const struct tracker *tracker, const char *name, int flags, int *fd);
int soft_dirty_clear(struct tracker *tracker);
int ask_nothing(struct tracker *tracker);
int open_pagemap_scan(struct tracker *tracker);
int pagemap_scan(struct tracker *tracker, const struct query *query, uint64_t flags, int output);

/* check.c */
uint64_t check_take(struct tracker *tracker, const struct pattern *pattern);
void check_compare(const struct mapping *mapping, const struct pattern *pattern, uint64_t *seen, int idle,
		   uint64_t *extra, uint64_t *missed);
void check_sum(const struct tracker *tracker, const struct pattern *pattern, int idle, uint64_t *extra,
	       uint64_t *missed);

/* slots.c */
int slot_open(struct tracker *tracker);
int slot_drop(uint64_t from, uint64_t end);
int slot_kept(struct tracker *tracker, uint64_t *kept);

/* noted.c */
void noted_open(struct tracker *tracker);
void noted_clear(struct tracker *tracker);
void note_page(struct tracker *tracker, uint64_t page);
int noted_collect(struct tracker *tracker);

/* loop.c */
int intervals_settle(struct tracker *tracker, const struct pattern *pattern, struct interval *last);
int intervals_run(struct tracker *tracker, const struct pattern *pattern, int atomic, struct team *team, int concurrent,
		  struct interval *intervals, uint64_t count, uint64_t warmups);

/* interfaces/scan_wp.c */
int scan_wp_open(struct tracker *tracker);

/* interfaces/scan_wp_general.c */
int general_reset(struct tracker *tracker);

/* interfaces/uffd_sync.c */
int sync_start(struct tracker *tracker, unsigned long protects);
int sync_reset(struct tracker *tracker);
int sync_collect(struct tracker *tracker);
void sync_close(struct tracker *tracker);
int sync_disarm(struct tracker *tracker);

/* interfaces/mprotect.c */
int mprotect_open(struct tracker *tracker);
int mprotect_none_reset(struct tracker *tracker);
int mprotect_collect(struct tracker *tracker);
void mprotect_close(struct tracker *tracker);
int mprotect_disarm(struct tracker *tracker);

/* interfaces/v6.c */
int v6_open(struct tracker *tracker);
int v6_scan(struct tracker *tracker, uint32_t flags, int output);

#endif
