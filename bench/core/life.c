// SPDX-License-Identifier: GPL-2.0-only
/*
 * The whole life of a tracker: opened, armed, asked for intervals, disarmed, closed, and opened once more. What loop.c
 * times stays as it is; here stands what is around it, each step on the clock and checked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "layers.h"
#include "marks.h"

/* One step on the clock, and in an emulated machine's ledger under its own name. A macro: a mark is a constant. */
#define STEP(phase, ns, step)                                                                                          \
	do {                                                                                                           \
		uint64_t start;                                                                                        \
                                                                                                                       \
		MARK(MARK_START, 0);                                                                                   \
		start = now();                                                                                         \
		MARK(MARK_BEGIN, phase);                                                                               \
		err = (step);                                                                                          \
		MARK(MARK_END, 0);                                                                                     \
		*(ns) = now() - start;                                                                                 \
		MARK(MARK_KEEP_PHASE, phase);                                                                          \
	} while (0)

/* Write the pattern once, whoever writes here. */
static int write_all(const struct mapping *m, const struct pattern *p, struct team *team, uint8_t value)
{
	if (!team) {
		if (p->reads)
			access_pages(m->base, m->page_size, p->order, p->reads, p->writes, value);
		else
			write_pages(m->base, m->page_size, p->order, p->writes, value);
		return 0;
	}
	team_go(team, value);
	return team_wait(team);
}

/* Write and collect, after a reset that was somebody else's doing. What was wrong is added. */
static int interval(struct tracker *t, const struct pattern *p, int (*collect)(struct tracker *), struct team *team,
		    uint8_t value, struct interval *out)
{
	const uint64_t start = now();
	uint64_t dirtied, extra = 0, missed = 0;
	int err = write_all(t->mapping, p, team, value);

	dirtied = now();
	if (!err && collect)
		err = collect(t);
	out->collect_ns = now() - dirtied;
	out->dirty_ns = team ? team_ns(team) : dirtied - start;
	if (err || !collect)
		return err;
	check_ranges(t, p, &extra, &missed);
	out->extra += extra;
	out->missed += missed;
	return 0;
}

/* Whether every page of the pattern holds what was written to it last. */
static int holds(const struct mapping *m, const struct pattern *p, uint8_t value)
{
	char path[64];
	int fd = -1, good = 1;

	if (m->process) {
		snprintf(path, sizeof(path), "/proc/%d/mem", process_id(m));
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return fail("open(/proc/PID/mem)");
	}
	for (uint64_t i = 0; i < p->writes && good; i++) {
		uint8_t *at = m->base + p->order[i] * m->page_size, found;

		if (p->reads && p->reads[i])
			continue;
		if (fd < 0)
			found = *(volatile uint8_t *)at;
		else if (pread(fd, &found, 1, (off_t)(uintptr_t)at) != 1)
			found = (uint8_t)~value; /* what can't be read has not got through */
		good = found == value;
	}
	if (fd >= 0)
		close(fd);
	if (good)
		return 0;
	errno = EIO;
	return fail("disarm: what a page holds that was written meanwhile");
}

/*
 * Whether the memory is as it was before tracking: each VMA of it writable and registered nowhere, by the flags that
 * smaps has (show_smap_vma_flags() in fs/proc/task_mmu.c).
 */
static int is_free(const struct mapping *m)
{
	static const char *const kept[] = { " um", " uw", " ui", " ur" };
	const uintptr_t base = (uintptr_t)m->base, end = base + m->watched * m->page_size;
	char line[512], path[64], rights[5] = "";
	uintptr_t first, last;
	int inside = 0, bound = 0;
	FILE *smaps;

	snprintf(path, sizeof(path), "/proc/%d/smaps", process_id(m));
	smaps = fopen(path, "re");
	if (!smaps)
		return fail("open(/proc/PID/smaps)");
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &first, &last, rights) == 3) {
			inside = first < end && last > base;
			bound |= inside && strncmp(rights, "rw", 2);
		} else if (inside && !strncmp(line, "VmFlags:", 8)) {
			for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
				bound |= strstr(line, kept[i]) != NULL;
		}
	}
	fclose(smaps);
	if (!bound)
		return 0;
	errno = EBUSY;
	return fail("disarm: memory that it was to set free");
}

/*
 * End tracking, with nobody writing, or while a team does: it has written half of its pages when this begins, and all
 * of them must get through.
 */
static int disarm(struct tracker *t, const struct pattern *p, struct team *team, uint8_t value, struct life *life)
{
	const int busy = life->busy && team;
	int err = 0;

	if (busy) {
		team_go(team, value);
		err = team_wait_half(team);
	}
	if (!err && t->interface->disarm)
		STEP(PHASE_DISARM, &life->disarm_ns, t->interface->disarm(t));
	if (busy) {
		life->overlapped = t->interface->disarm && team_busy(team); /* else nothing has ended */
		err = team_wait(team) ?: err;
		err = err ?: holds(t->mapping, p, value);
	}
	return err ?: t->interface->disarm ? is_free(t->mapping) : 0;
}

/* The program goes on without being tracked: what its first writes cost, where this thread writes. Then the rest goes. */
static int ended(struct tracker *t, const struct pattern *p, struct team *team, uint8_t value, struct life *life)
{
	int err;

	if (team)
		err = write_all(t->mapping, p, team, value);
	else
		STEP(PHASE_AFTER, &life->after_ns, write_all(t->mapping, p, NULL, value));
	err = err ?: holds(t->mapping, p, value);
	if (!err && t->interface->open)
		STEP(PHASE_CLOSE, &life->close_ns, tracker_stop(t));
	return err;
}

/* Nothing of a life may stay behind: the same once more with a new tracker. What is wrong counts as the last interval's. */
static int again(struct tracker *t, const struct pattern *p, struct team *team, uint8_t value, struct interval *last)
{
	struct interval next = *last;
	int err = t->interface->open ? tracker_start(t) : 0;

	if (!err && t->interface->reset)
		err = tracker_reset(t);
	if (!err)
		err = interval(t, p, t->interface->collect, team, value, &next);
	if (!err)
		err = intervals_settle(t, p, &next);
	last->extra = next.extra;
	last->missed = next.missed;
	return err ?: tracker_stop(t);
}

/*
 * Live once, with a tracker that has its buffers and no more: `count` intervals, of which the first is armed by the first
 * reset that there is and is a warmup; then disarm and close, and a second life that is checked and not timed. It is
 * opened and closed once before, on memory that is not armed: what a program pays when it first runs this code, page
 * faults and the linker's work, is no part of tracking.
 */
int run_life(struct tracker *t, const struct pattern *p, int atomic, struct team *team, int concurrent,
	     struct life *life, struct interval *intervals, uint64_t count)
{
	const struct interface *i = t->interface;
	int err = 0;

	MARK(MARK_RUN, 0);
	team = team ?: mapping_team(t->mapping, p);
	memset(intervals, 0, count * sizeof(*intervals));
	if (i->open)
		err = tracker_start(t) ?: tracker_stop(t);
	if (!err && i->open)
		STEP(PHASE_OPEN, &life->open_ns, tracker_start(t));
	if (!err && i->reset)
		STEP(PHASE_ARM, &life->arm_ns, t->interface->reset(t));
	intervals->reset_ns = life->arm_ns;
	if (!err)
		err = interval(t, p, atomic ? t->interface->collect_reset : t->interface->collect, team, (uint8_t)count,
			       intervals);
	if (!err)
		err = intervals_run(t, p, atomic, team, concurrent, intervals + 1, count - 1, 0);
	if (!err)
		err = disarm(t, p, team, (uint8_t)(count + 1), life);
	if (!err)
		err = ended(t, p, team, (uint8_t)(count + 2), life);
	if (!err)
		err = again(t, p, team, (uint8_t)(count + 3), &intervals[count - 1]);
	if (!err)
		MARK(MARK_DONE, 0);
	return err;
}
