// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who has nothing to do with tracking and is there all the same: it does one thing of errands.c over and over, and notes how
 * long each took, by the phases of the tracker that this overlapped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "clock.h"
#include "layers.h"

#define START_SECONDS 20 /* for its first operation, on a busy machine that is emulated */

/* Rows of struct latencies; those before are phases, and APART. */
#define ANY (APART + 1) /* an operation that overlapped any phase, once */

struct bystander {
	struct latencies found;
	uint32_t ready; /* it has done it once, or failed */
	uint32_t leave;
	int err;
	const char *call; /* that failed */

	struct watch watch;
	struct errand errand;
	int cpu;
	uint64_t pause_ns; /* between two operations; 0: none */
	uint64_t random;
	pthread_t thread;
	pid_t process; /* 0 for a thread */
};

/* 32 buckets for each power of two: a time is known to 3 %. Those below 32 have one each; the last one has all above. */
static uint64_t bucket(uint64_t ns)
{
	const uint64_t last = sizeof(((struct latencies *)0)->counts[0]) / sizeof(uint64_t) - 1;
	unsigned int power;
	uint64_t found;

	if (ns < 32)
		return ns;
	power = 63 - (unsigned int)__builtin_clzll(ns);
	found = (power - 4) * 32ULL + (ns >> (power - 5) & 31);
	return found < last ? found : last;
}

static void note(struct latencies *found, int row, uint64_t took)
{
	found->counts[row][bucket(took)]++;
	if (took > found->most[row])
		found->most[row] = took;
}

/*
 * An operation is noted with every phase that it overlapped. It begins when it was to: its own waiting is the bystander's,
 * wherever it is met, and who resets soft-dirty bits makes even the next write to a stack wait.
 */
static void take_note(struct bystander *b, uint64_t began, uint64_t ended)
{
	enum doing last;
	const uint32_t during = watch_between(&b->watch, began, ended, &last);
	const uint32_t phases = during & ((1U << APART) - 1);

	for (int i = 0; i < APART; i++)
		if (phases & 1U << i)
			note(&b->found, i, ended - began);
	if (phases)
		note(&b->found, ANY, ended - began);
	else if (during & 1U << APART)
		note(&b->found, APART, ended - began);
	if (last < APART) {
		b->found.ended++;
		b->found.ended_ns += ended - began;
	}
}

/*
 * Wait until the next one is due, and return when that is. At once, where it has a CPU. Else after a pause that is half as
 * long or half longer: a rhythm of its own would meet that of the tracker always or never. It is as long as the last
 * operation took, at least, since the tracker needs the CPU too.
 */
static uint64_t await_next(struct bystander *b, uint64_t ended, uint64_t took)
{
	uint64_t ns = took > b->pause_ns ? took : b->pause_ns;
	struct timespec due;

	if (!b->pause_ns)
		return ended;
	b->random = b->random * 6364136223846793005ULL + 1442695040888963407ULL;
	ns = ended + ns / 2 + ns * (b->random >> 48) / (1ULL << 16);
	due = (struct timespec){ .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
	return ns;
}

static void act(struct bystander *b)
{
	b->err = b->errand.once(&b->errand);
	b->call = failed_call();
}

static void live(struct bystander *b)
{
	const struct sched_param first = { .sched_priority = 1 };
	uint64_t began, ended;

	prctl(PR_SET_TIMERSLACK, 1);
	if (b->pause_ns)
		b->found.urgent = !sched_setscheduler(0, SCHED_FIFO, &first);
	act(b);
	began = ended = now();
	__atomic_store_n(&b->ready, 1, __ATOMIC_RELEASE);
	while (!b->err && !__atomic_load_n(&b->leave, __ATOMIC_ACQUIRE)) {
		began = await_next(b, ended, ended - began);
		act(b);
		ended = now();
		take_note(b, began, ended);
	}
}

static void *living(void *bystander)
{
	live(bystander);
	return NULL;
}

/* The life of another process. It never returns. */
static void live_outside(struct bystander *b, pid_t parent)
{
	if (die_with_parent(parent))
		_exit(1);
	if (b->cpu >= 0)
		pin_to(b->cpu);
	b->err = errand_begin(&b->errand);
	b->call = failed_call();
	if (!b->err)
		live(b);
	__atomic_store_n(&b->ready, 1, __ATOMIC_RELEASE);
	_exit(0);
}

/* A thread, where it works in the tracked process's memory; else the process that does so elsewhere. */
static int start(struct bystander *b, const struct mapping *m)
{
	const pid_t self = getpid();
	pid_t pid;
	int err;

	if (!b->errand.outside) {
		err = errand_begin(&b->errand);
		return err ? err : thread_start(&b->thread, b->cpu, living, b);
	}
	/* It must not have the memory under test as well: each first write would be a copy, and huge pages would split. */
	if (!m->pid && madvise(m->area, m->area_len, MADV_DONTFORK))
		return fail("madvise(MADV_DONTFORK)");
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (!pid)
		live_outside(b, self);
	if (!m->pid)
		madvise(m->area, m->area_len, MADV_DOFORK);
	b->process = pid; /* by us alone: the memory is shared */
	return pid < 0 ? fail("clone(a bystander)") : 0;
}

/* Wait until it is at work: where many want its CPU, that takes a while. ETIMEDOUT where it never is. */
static int await(const struct bystander *b)
{
	const struct timespec moment = { .tv_nsec = 100 * 1000 };
	const uint64_t end = now() + START_SECONDS * 1000000000ULL;

	while (!__atomic_load_n(&b->ready, __ATOMIC_ACQUIRE)) {
		if (now() > end) {
			errno = ETIMEDOUT;
			return fail("a bystander's first operation");
		}
		clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
	}
	return 0;
}

/*
 * Let a bystander begin on a CPU, before `count` intervals of which the first are warmups. pause_ns: between its
 * operations, where it has no CPU to itself.
 */
int bystander_start(struct bystander **out, struct tracker *t, enum bystanding what, int cpu, uint64_t pause_ns,
		    int atomic, uint64_t warmups, uint64_t count)
{
	const struct mapping *m = t->mapping;
	struct bystander *b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int err;

	if (b == MAP_FAILED)
		return fail("mmap(bystander)");
	*b = (struct bystander){ .cpu = cpu, .pause_ns = pause_ns, .random = now() };
	errand_choose(&b->errand, what, m);
	err = start(b, m);
	if (err) {
		errand_end(&b->errand);
		munmap(b, sizeof(*b));
		return err;
	}
	watch_start(&b->watch, t, atomic, warmups, count);
	*out = b;
	return await(b);
}

/* End it, and give the tracker its interface back. found: what it noted, if anybody wants to know. */
int bystander_stop(struct bystander *b, struct latencies *found)
{
	int err, status = 0;

	if (b->watch.tracker)
		watch_stop(&b->watch);
	__atomic_store_n(&b->leave, 1, __ATOMIC_RELEASE);
	if (b->process)
		status = reap(b->process);
	else
		pthread_join(b->thread, NULL);
	errno = -b->err;
	if (!errno && status)
		errno = ECHILD; /* it was killed */
	err = errno ? fail(b->call ? b->call : "a bystander's life") : 0;
	if (found)
		*found = b->found;
	errand_end(&b->errand);
	munmap(b, sizeof(*b));
	return err;
}
