// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writers other than the tracking thread: a team of threads of this process, or of the process that
 * process.c starts. All wait for the same word in shared memory, write their part and say so.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "clock.h"
#include "layers.h"
#include "marks.h"

static long futex(uint32_t *word, int op, uint32_t value, const struct timespec *limit)
{
	return syscall(SYS_futex, word, op, value, limit, NULL, 0); /* not FUTEX_PRIVATE: processes share it */
}

void team_finished(struct team *team)
{
	if (!__atomic_sub_fetch(&team->busy, 1, __ATOMIC_RELEASE))
		futex(&team->busy, FUTEX_WAKE, 1, NULL);
}

/* As team_write(), but some accesses are reads. */
static void team_access(struct writer *w, uint64_t first, uint64_t middle, uint64_t end)
{
	struct team *team = w->team;

	w->start_ns = now();
	MARK(MARK_BEGIN, PHASE_DIRTY);
	access_pages(team->base, team->page_size, team->order + first, team->reads + first, middle - first,
		     team->value);
	__atomic_fetch_add(&team->half, 1, __ATOMIC_RELEASE);
	access_pages(team->base, team->page_size, team->order + middle, team->reads + middle, end - middle,
		     team->value);
	MARK(MARK_END, 0);
	w->end_ns = now();
}

void team_write(struct writer *w)
{
	struct team *team = w->team;
	const uint64_t first = team->shared ? 0 : team->writes * w->index / team->count;
	const uint64_t end = team->shared ? team->writes : team->writes * (w->index + 1) / team->count;
	const uint64_t middle = (first + end) / 2;

	if (team->reads) {
		team_access(w, first, middle, end);
		return;
	}
	w->start_ns = now();
	MARK(MARK_BEGIN, PHASE_DIRTY);
	write_pages(team->base, team->page_size, team->order + first, middle - first, team->value);
	__atomic_fetch_add(&team->half, 1, __ATOMIC_RELEASE);
	write_pages(team->base, team->page_size, team->order + middle, end - middle, team->value);
	MARK(MARK_END, 0);
	w->end_ns = now();
}

/* Write one period's pages, and note what that took. */
static void write_some(struct writer *w, uint64_t first, uint64_t count)
{
	const struct team *team = w->team;
	const uint32_t *order = team->order + first;
	const uint64_t start = now();

	MARK(MARK_BEGIN, PHASE_DIRTY);
	if (team->reads)
		access_pages(team->base, team->page_size, order, team->reads + first, count, team->value);
	else
		write_pages(team->base, team->page_size, order, count, team->value);
	MARK(MARK_END, 0);
	w->end_ns += now() - start;
}

/*
 * Write with a rhythm: some pages a period, then sleep until the next one begins, which is at once for who is late. A
 * period is late that has ended before its pages are written. The time taken is that of the writes alone.
 */
static void write_paced(struct writer *w)
{
	struct team *team = w->team;
	const struct rhythm *r = &team->rhythm;
	const uint64_t first = team->shared ? 0 : team->writes * w->index / team->count;
	const uint64_t end = team->shared ? team->writes : team->writes * (w->index + 1) / team->count;
	const uint64_t begun = now();
	int half = 0;

	w->start_ns = w->end_ns = begun;
	w->periods = w->late = 0;
	for (uint64_t at = first; at < end || !half; w->periods++) {
		const uint64_t due = begun + w->periods * r->period_ns;
		const uint64_t count = end - at < r->budget ? end - at : r->budget;

		sleep_until(due);
		write_some(w, at, count);
		w->late += now() > due + r->period_ns;
		at += count;
		if (!half && at >= (first + end) / 2) {
			half = 1;
			__atomic_fetch_add(&team->half, 1, __ATOMIC_RELEASE);
		}
	}
}

/* Wait for the next order. The last one seen is `turn`. */
enum order team_next(struct team *team, uint32_t turn)
{
	while (__atomic_load_n(&team->turn, __ATOMIC_ACQUIRE) == turn)
		futex(&team->turn, FUTEX_WAIT, turn, NULL);
	return team->what;
}

static void *writing(void *writer)
{
	struct writer *w = writer;

	for (uint32_t turn = 0; team_next(w->team, turn) == WRITE; turn++) {
		if (w->index < w->team->rhythm.paced)
			write_paced(w);
		else
			team_write(w);
		team_finished(w->team);
	}
	return NULL;
}

void team_give(struct team *team, enum order what)
{
	team->what = what;
	team->half = 0;
	__atomic_store_n(&team->busy, (uint32_t)team->count, __ATOMIC_RELAXED);
	__atomic_fetch_add(&team->turn, 1, __ATOMIC_RELEASE);
	futex(&team->turn, FUTEX_WAKE, INT32_MAX, NULL);
}

void team_go(struct team *team, uint8_t value)
{
	for (uint64_t i = 0; i < team->n_members; i++)
		team_go(team->members[i], value);
	team->value = value;
	team_give(team, WRITE);
}

/* Whether the process that should write has died; errno says so. */
static int died(const struct team *team)
{
	siginfo_t info = { 0 };

	if (!team->process)
		return 0;
	if (!waitid(P_PID, (id_t)team->process, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid)
		return 0;
	errno = ECHILD;
	return 1;
}

/* Wait until everybody has finished. ECHILD where the process that should has died. */
int team_wait(struct team *team)
{
	const struct timespec second = { .tv_sec = 1 };
	uint32_t busy;
	int err = 0;

	for (uint64_t i = 0; i < team->n_members; i++)
		err = team_wait(team->members[i]) ?: err;
	while ((busy = __atomic_load_n(&team->busy, __ATOMIC_ACQUIRE)))
		if (futex(&team->busy, FUTEX_WAIT, busy, &second) && errno == ETIMEDOUT && died(team))
			return fail("the tracked process");
	return err;
}

/* Wait until every writer has written half of its part. They don't wake us: that would be on their clock. */
int team_wait_half(struct team *team)
{
	int err = 0;

	for (uint64_t i = 0; i < team->n_members; i++)
		err = team_wait_half(team->members[i]) ?: err;
	for (uint32_t turns = 1; __atomic_load_n(&team->half, __ATOMIC_ACQUIRE) < team->count; turns++) {
		if (!(turns % 4096) && died(team))
			return fail("the tracked process");
		sched_yield(); /* they may need this CPU */
	}
	return err;
}

/* Whether anybody is still writing. */
int team_busy(const struct team *team)
{
	for (uint64_t i = 0; i < team->n_members; i++)
		if (team_busy(team->members[i]))
			return 1;
	return __atomic_load_n(&team->busy, __ATOMIC_ACQUIRE) > 0;
}

/* The time of the slowest writer: when each is woken is the scheduler's doing and no cost of tracking. */
uint64_t team_ns(const struct team *team)
{
	uint64_t most = 0;

	for (uint64_t i = 0; i < team->n_members; i++) {
		const uint64_t took = team_ns(team->members[i]);

		most = took > most ? took : most;
	}
	for (uint64_t i = 0; i < team->count; i++) {
		uint64_t took = team->writers[i].end_ns - team->writers[i].start_ns;

		most = took > most ? took : most;
	}
	return most;
}

/* What an interval's writes took, and what became of the writers' rhythm. */
void team_took(const struct team *team, struct interval *interval)
{
	interval->dirty_ns = team_ns(team);
	for (uint64_t i = 0; i < team->rhythm.paced; i++) {
		interval->periods += team->writers[i].periods;
		interval->late += team->writers[i].late;
	}
}

struct team *team_new(const struct mapping *m, uint64_t count)
{
	const uint64_t size = sizeof(struct team) + count * sizeof(struct writer);
	struct team *team = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (team == MAP_FAILED)
		return NULL;
	*team = (struct team){ .count = count, .size = size, .base = m->base, .page_size = m->page_size };
	for (uint64_t i = 0; i < count; i++)
		team->writers[i] = (struct writer){ .team = team, .index = i };
	return team;
}

/* Start threads on the CPUs given, in turn; they wait for team_go(). */
int writers_start(struct team **out, const struct mapping *m, const struct pattern *p, uint64_t count, int shared,
		  const int *cpus, uint64_t n_cpus)
{
	struct team *team = team_new(m, count);

	if (!team)
		return fail("mmap(team)");
	team->order = p->order;
	team->writes = p->writes;
	team->reads = p->reads;
	team->shared = shared;
	for (team->count = 0; team->count < count; team->count++) {
		struct writer *w = &team->writers[team->count];
		int err = thread_start(&w->thread, cpus[team->count % n_cpus], writing, w);

		if (err) {
			writers_stop(team);
			return err;
		}
	}
	*out = team;
	return 0;
}

/* Give the writers a rhythm, before their first interval. */
void writers_pace(struct team *team, const struct rhythm *rhythm)
{
	team->rhythm = *rhythm;
}

void writers_stop(struct team *team)
{
	if (!team)
		return;
	team_give(team, LEAVE);
	for (uint64_t i = 0; i < team->count; i++)
		pthread_join(team->writers[i].thread, NULL);
	munmap(team, team->size);
}
