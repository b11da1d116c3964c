// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a tracker does with the pages that were reported to it: copies them to a backup, or wipes them. And what does the
 * same without one, to all pages: a copy of everything, or a forked process that holds the memory as it was.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "clock.h"
#include "layers.h"
#include "marks.h"

static uint64_t tracked_bytes(const struct tracker *t)
{
	return t->mapping->watched * t->mapping->page_size;
}

/* The part of a reported range that is tracked: what a kernel makes up must not be written to. */
static uint64_t inside(const struct tracker *t, const struct range *r, uint8_t **start)
{
	const uint64_t base = (uintptr_t)t->mapping->base, end = base + tracked_bytes(t);
	const uint64_t from = r->start < base ? base : r->start, to = r->end > end ? end : r->end;

	*start = t->mapping->base + (from - base);
	return from < to ? to - from : 0;
}

static int copy_reported(struct tracker *t)
{
	for (uint64_t i = 0; i < t->n_ranges; i++) {
		uint8_t *start;
		const uint64_t length = inside(t, &t->ranges[i], &start);

		if (length)
			memcpy(t->backup + (start - t->mapping->base), start, length);
	}
	return 0;
}

static int wipe_reported(struct tracker *t)
{
	for (uint64_t i = 0; i < t->n_ranges; i++) {
		uint8_t *start;
		const uint64_t length = inside(t, &t->ranges[i], &start);

		if (length)
			memset(start, 0, length);
	}
	return 0;
}

int copy_all(struct tracker *t)
{
	memcpy(t->backup, t->mapping->base, tracked_bytes(t));
	return 0;
}

static void let_go(struct tracker *t)
{
	if (t->holder > 0) {
		kill(t->holder, SIGKILL);
		reap(t->holder);
	}
	t->holder = 0;
}

/*
 * Fork a process that holds the memory as it is now, in place of the last one. What is written from here on is copied by
 * the page fault of the first write. A bare system call: the process never returns to Python, and needs no libc.
 */
int hold_snapshot(struct tracker *t)
{
	const pid_t self = getpid();

	t->holder = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (t->holder < 0) {
		t->holder = 0;
		return fail("fork");
	}
	if (t->holder)
		return 0;
	if (die_with_parent(self))
		_exit(1);
	for (;;)
		pause();
}

/* What a page of the snapshot is, wherever that is. */
static int saved_page(const struct tracker *t, uint64_t page, const uint8_t **out)
{
	const uint64_t size = t->mapping->page_size;
	uint8_t *room = t->backup + tracked_bytes(t);
	const struct iovec here = { room, size }, there = { t->mapping->base + page * size, size };

	*out = t->holder ? room : t->backup + page * size;
	if (t->holder) {
		const ssize_t got = process_vm_readv(t->holder, &here, 1, &there, 1, 0);

		if (got != (ssize_t)size)
			return fail_short("process_vm_readv(snapshot)", got);
	}
	return 0;
}

static int is_written(const struct pattern *p, uint64_t page)
{
	return p->written[page / 64] >> page % 64 & 1;
}

/* Count the pages of a snapshot that differ from memory; before: the pattern's pages began with this byte then. */
static int check_saved(const struct tracker *t, const struct pattern *p, const uint8_t *before, uint64_t *wrong)
{
	const struct mapping *m = t->mapping;

	for (uint64_t page = 0; page < m->watched; page++) {
		const uint8_t *here = m->base + page * m->page_size, *saved;
		const int err = saved_page(t, page, &saved);

		if (err)
			return err;
		*wrong += saved[0] != (before && is_written(p, page) ? *before : here[0]) ||
			  memcmp(saved + 1, here + 1, m->page_size - 1);
	}
	return 0;
}

static uint64_t count_unwiped(const struct mapping *m)
{
	uint64_t found = 0;

	for (uint64_t page = 0; page < m->watched; page++) {
		const uint8_t *first = m->base + page * m->page_size;

		found += first[0] || memcmp(first, first + 1, m->page_size - 1);
	}
	return found;
}

/*
 * Count the pages that an act has not left as it should: saved as they are, or zero. Who does not act is looked at too,
 * and not counted: what a look does to the caches is to be the same for all.
 */
static int check(const struct tracker *t, const struct pattern *p, uint64_t *wrong)
{
	uint64_t found = 0;
	int err = 0;

	if (t->ask.then == THEN_WIPE)
		found = count_unwiped(t->mapping);
	else
		err = check_saved(t, p, NULL, &found);
	*wrong += t->act ? found : 0;
	return err;
}

/* Whether what a process holds is still what memory was, when the pattern's pages began with `value`. */
static int check_held(const struct tracker *t, const struct pattern *p, uint8_t value, uint64_t *wrong)
{
	return t->holder ? check_saved(t, p, &value, wrong) : 0;
}

/*
 * What follows the report of an interval, on a clock of its own. How it has left things nobody times: wrong has the pages
 * that are not as they should be, those that a process holds since the interval before included. Not in loop.c: the
 * registers that it needs would make what is timed there an instruction longer than results that are kept.
 */
int acts_follow(struct tracker *t, const struct pattern *p, uint64_t i, struct interval *out, uint64_t *wrong)
{
	int err = check_held(t, p, (uint8_t)(i - 1), wrong);
	uint64_t start;

	crew_gather(t); /* several trackers have not brought theirs together */
	if (!err && t->act) {
		let_go(t); /* the end of the snapshot before is no part of making one */
		start = now();
		MARK(MARK_BEGIN, PHASE_ACT);
		err = t->act(t);
		MARK(MARK_END, 0);
		out->act_ns = now() - start;
	}
	return err ? err : check(t, p, wrong);
}

/* Find out what is to be done after a report, and have the backup: touched, and memory as it is now. */
int acts_open(struct tracker *t)
{
	const uint64_t size = tracked_bytes(t) + t->mapping->page_size; /* and room for a page of somebody else's */

	if (t->interface->act)
		t->act = t->interface->act;
	else if (t->interface->collect)
		t->act = t->ask.then == THEN_COPY ? copy_reported : wipe_reported;
	if (t->ask.then != THEN_COPY)
		return 0;
	t->backup = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t->backup == MAP_FAILED) {
		t->backup = NULL;
		return fail("mmap(backup)");
	}
	madvise(t->backup, size, MADV_NOHUGEPAGE);
	return t->act == hold_snapshot ? 0 : copy_all(t);
}

void acts_close(struct tracker *t)
{
	let_go(t);
	if (t->backup)
		munmap(t->backup, tracked_bytes(t) + t->mapping->page_size);
	t->backup = NULL;
}
