// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes of scenarios that meet a reset or a collect: loops in which a write follows so closely, or so
 * concurrently, that Python would be in the way.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "abi.h"
#include "clock.h"
#include "layers.h"

#define WAIT_NS 1000000000ULL /* how long a write by another CPU may take to be seen */
#define SWITCHES 16           /* of modes, at most, while pages are read */
#define TAKES 16              /* collects while the writers are busy */

/* Words that one thread writes and others read: atomic, and plain moves to the CPU. */
static uint64_t load(uint64_t address)
{
	return __atomic_load_n((volatile uint64_t *)(uintptr_t)address, __ATOMIC_RELAXED);
}

static void add_one(uint64_t address)
{
	__atomic_store_n((volatile uint64_t *)(uintptr_t)address, load(address) + 1, __ATOMIC_RELAXED);
}

/* Where there are no addresses, nothing else is touched in these rounds. */
static int reported(const struct tracker *t, uint64_t address)
{
	if (t->interface->sums)
		return t->sum > 0;
	for (uint64_t i = 0; i < t->n_ranges; i++)
		if (address >= t->ranges[i].start && address < t->ranges[i].end)
			return 1;
	return 0;
}

/* Reset as the interface does it in a running program: atomically where it can. */
static int rearm(struct tracker *t)
{
	return t->interface->collect_reset ? tracker_collect_reset(t) : tracker_reset(t);
}

/*
 * Write, reset, write again with nothing in between: the CPU's TLB still holds the writable entry of
 * the first write, unless the reset flushed it. Counts the second writes that are not reported.
 */
int stage_rewrite(struct tracker *t, uint64_t address, uint64_t rounds, uint64_t *missed)
{
	volatile uint64_t *word = (volatile uint64_t *)(uintptr_t)address;
	int err = 0;

	*missed = 0;
	for (uint64_t i = 0; i < rounds && !err; i++) {
		*word = 2 * i;
		err = rearm(t);
		*word = 2 * i + 1;
		if (!err)
			err = tracker_collect(t);
		*missed += !err && !reported(t, address);
	}
	return err;
}

/* As stage_rewrite(), but reads: an accessed bit is set only where the CPU looks the page table up. */
int stage_reread(struct tracker *t, uint64_t address, uint64_t rounds, uint64_t *missed)
{
	int err = 0;

	*missed = 0;
	for (uint64_t i = 0; i < rounds && !err; i++) {
		load(address);
		err = rearm(t);
		load(address);
		if (!err)
			err = tracker_collect(t);
		*missed += !err && !reported(t, address);
	}
	return err;
}

struct racer {
	pthread_t thread;
	uint64_t base, first, pages, step, page_size; /* page numbers first, first + step ... below pages */
	int go, stop, done;                           /* atomics */
};

static void *write_on(void *argument)
{
	struct racer *w = argument;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED))
		add_one(w->base);
	return NULL;
}

/* Whether the word at address changes within the time in which any machine would have let it. */
static int advances(uint64_t address)
{
	const uint64_t before = load(address), start = now();

	while (load(address) - before < 2) { /* the first may have begun before the reset */
		if (now() - start > WAIT_NS)
			return 0;
		sched_yield(); /* a handler's thread may need this CPU */
	}
	return 1;
}

/*
 * As stage_rewrite(), but the writer is a thread on another CPU that never stops: its TLB must be
 * flushed by the reset too. A round in which it was not seen to write counts for nothing; `seen` are the others.
 */
int stage_rewrite_elsewhere(struct tracker *t, uint64_t address, uint64_t rounds, int cpu, uint64_t *missed,
			    uint64_t *seen)
{
	struct racer w = { .base = address };
	int err;

	*missed = *seen = 0;
	err = thread_start(&w.thread, cpu, write_on, &w);
	if (err)
		return err;
	for (uint64_t i = 0; i < rounds && !err; i++) {
		int wrote;

		err = rearm(t);
		wrote = !err && advances(address);
		if (!err)
			err = tracker_collect(t);
		*missed += !err && wrote && !reported(t, address);
		*seen += !err && wrote;
	}
	__atomic_store_n(&w.stop, 1, __ATOMIC_RELAXED);
	pthread_join(w.thread, NULL);
	return err;
}

static void *write_once(void *argument)
{
	struct racer *w = argument;

	while (!__atomic_load_n(&w->go, __ATOMIC_ACQUIRE))
		sched_yield();
	for (uint64_t i = w->first; i < w->pages; i += w->step)
		add_one(w->base + i * w->page_size);
	__atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* What a migration does with an interval's result: copy what was reported, here one word a page. */
static void copy_out(const struct tracker *t, uint64_t *copy)
{
	const uint64_t base = (uintptr_t)t->mapping->base, size = t->mapping->page_size;

	for (uint64_t r = 0; r < t->n_ranges; r++)
		for (uint64_t a = t->ranges[r].start; a < t->ranges[r].end; a += size)
			if (a >= base && (a - base) / size < t->mapping->pages)
				copy[(a - base) / size] = load(a);
}

static int take(struct tracker *t, int atomic, uint64_t *copy, uint64_t *found)
{
	int err = atomic ? tracker_collect_reset(t) : tracker_collect(t);

	if (err)
		return err;
	*found = t->n_ranges;
	copy_out(t, copy);
	return atomic ? 0 : tracker_reset(t);
}

/*
 * Threads write each page once while the caller collects, resets and copies what was reported. In the
 * end the copy must be that of the memory: a page that differs was written and never reported. `met` are
 * the collects that found some pages written and ended before others were.
 */
int stage_writers(struct tracker *t, int threads, int atomic, uint64_t *lost, uint64_t *met)
{
	const struct mapping *m = t->mapping;
	struct racer *w = calloc((size_t)threads, sizeof(*w));
	uint64_t *copy = calloc(m->pages, sizeof(*copy));
	int started = 0, busy = 1, takes = 0, err = 0;

	*met = *lost = 0;
	if (!w || !copy) {
		err = fail("malloc(copy)");
		free(copy);
		free(w);
		return err;
	}
	for (uint64_t i = 0; i < m->pages; i++)
		copy[i] = load((uintptr_t)m->base + i * m->page_size);
	for (; started < threads && !err; started += !err) {
		w[started] = (struct racer){ .base = (uintptr_t)m->base,
					     .first = (uint64_t)started,
					     .pages = m->pages,
					     .step = (uint64_t)threads,
					     .page_size = m->page_size };
		err = thread_start(&w[started].thread, -1, write_once, &w[started]);
	}
	if (!err)
		err = tracker_reset(t);
	for (int i = 0; i < started; i++)
		__atomic_store_n(&w[i].go, 1, __ATOMIC_RELEASE);
	while (busy && !err) {
		uint64_t found = 0;

		busy = 0;
		for (int i = 0; i < threads; i++)
			busy |= !__atomic_load_n(&w[i].done, __ATOMIC_ACQUIRE);
		if (busy) /* let them write between collects, and in the end without any: or they would never finish */
			usleep(takes < TAKES ? 20 : 100);
		if (!busy || takes++ < TAKES)
			err = take(t, atomic, copy, &found); /* the last one after the last write */
		*met += busy && found;
	}
	for (int i = 0; i < started; i++)
		pthread_join(w[i].thread, NULL);
	for (uint64_t i = 0; i < m->pages && !err; i++)
		*lost += copy[i] != load((uintptr_t)m->base + i * m->page_size);
	free(copy);
	free(w);
	return err;
}

static void *read_once(void *argument)
{
	struct racer *w = argument;

	while (!__atomic_load_n(&w->go, __ATOMIC_ACQUIRE))
		sched_yield();
	for (uint64_t i = w->first; i < w->pages; i += w->step)
		load(w->base + i * w->page_size);
	__atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Change to sync until an access waits, and back. Returns whether one did, or a negative errno. */
static int switch_once(const struct tracker *t, struct racer *w)
{
	struct uffdio_set_mode sync = { .disable = UFFD_FEATURE_RWP_ASYNC },
			       async = { .enable = UFFD_FEATURE_RWP_ASYNC };
	struct uffdio_range all = { .start = (uintptr_t)t->mapping->base,
				    .len = t->mapping->pages * t->mapping->page_size };
	struct pollfd waiting = { .fd = t->uffd, .events = POLLIN };
	struct uffd_msg message;
	int waits;

	if (ioctl(t->uffd, UFFDIO_SET_MODE, &sync))
		return fail("ioctl(UFFDIO_SET_MODE, sync)");
	__atomic_store_n(&w->go, 1, __ATOMIC_RELEASE);
	waits = poll(&waiting, 1, WAIT_NS / 1000000) == 1 && read(t->uffd, &message, sizeof(message)) > 0;
	if (ioctl(t->uffd, UFFDIO_SET_MODE, &async))
		return fail("ioctl(UFFDIO_SET_MODE, async)");
	/* whoever waits tries again, and finds that nobody has to be asked */
	return ioctl(t->uffd, UFFDIO_WAKE, &all) ? fail("ioctl(UFFDIO_WAKE)") : waits;
}

/* A thread reads each page once while the mode changes. `met` are the changes in which an access waited. */
int stage_switch_modes(struct tracker *t, uint64_t *met)
{
	const struct mapping *m = t->mapping;
	struct racer w = { .base = (uintptr_t)m->base, .pages = m->pages, .step = 1, .page_size = m->page_size };
	int err = thread_start(&w.thread, -1, read_once, &w), waited = 0;

	*met = 0;
	if (err)
		return err;
	for (int i = 0; i < SWITCHES && waited >= 0 && !__atomic_load_n(&w.done, __ATOMIC_ACQUIRE); i++) {
		waited = switch_once(t, &w);
		*met += waited > 0;
	}
	if (waited < 0) { /* nobody may wait for ever: closing ends all protection */
		__atomic_store_n(&w.go, 1, __ATOMIC_RELEASE);
		close(t->uffd);
		t->uffd = -1;
	}
	pthread_join(w.thread, NULL);
	return waited < 0 ? waited : 0;
}
