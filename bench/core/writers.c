// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writers other than the tracking thread: threads of this process, or another process whose memory is
 * tracked from outside. Both wait for the same word in shared memory, write their part and say so.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "core.h"

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

/* A process whose memory is tracked from outside, and the words through which it is told what to do. */
struct process {
	struct mapping mapping;
	uint64_t features; /* of REGISTER */
	const char *call;  /* that failed; strings are at the same place in a forked process */
	int status, uffd;
	uint64_t size;
	uint32_t *order; /* shared memory too: the pattern may be younger than the process */
	struct team *team;
};

static long futex(uint32_t *word, int op, uint32_t value, const struct timespec *limit)
{
	return syscall(SYS_futex, word, op, value, limit, NULL, 0); /* not FUTEX_PRIVATE: processes share it */
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set); /* gone offline meanwhile: then anywhere */
}

static void finished(struct team *team)
{
	if (!__atomic_sub_fetch(&team->busy, 1, __ATOMIC_RELEASE))
		futex(&team->busy, FUTEX_WAKE, 1, NULL);
}

static void write_part(struct writer *w)
{
	struct team *team = w->team;
	const uint64_t first = team->shared ? 0 : team->writes * w->index / team->count;
	const uint64_t end = team->shared ? team->writes : team->writes * (w->index + 1) / team->count;
	const uint64_t middle = (first + end) / 2;

	w->start_ns = now();
	write_pages(team->base, team->page_size, team->order + first, middle - first, team->value);
	__atomic_fetch_add(&team->half, 1, __ATOMIC_RELEASE);
	write_pages(team->base, team->page_size, team->order + middle, end - middle, team->value);
	w->end_ns = now();
}

/* Wait for the next order. The last one seen is `turn`. */
static enum order next_order(struct team *team, uint32_t turn)
{
	while (__atomic_load_n(&team->turn, __ATOMIC_ACQUIRE) == turn)
		futex(&team->turn, FUTEX_WAIT, turn, NULL);
	return team->what;
}

static void *writing(void *writer)
{
	struct writer *w = writer;

	for (uint32_t turn = 0; next_order(w->team, turn) == WRITE; turn++) {
		write_part(w);
		finished(w->team);
	}
	return NULL;
}

static void give(struct team *team, enum order what)
{
	team->what = what;
	team->half = 0;
	__atomic_store_n(&team->busy, (uint32_t)team->count, __ATOMIC_RELAXED);
	__atomic_fetch_add(&team->turn, 1, __ATOMIC_RELEASE);
	futex(&team->turn, FUTEX_WAKE, INT32_MAX, NULL);
}

void team_go(struct team *team, uint8_t value)
{
	team->value = value;
	give(team, WRITE);
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

	while ((busy = __atomic_load_n(&team->busy, __ATOMIC_ACQUIRE)))
		if (futex(&team->busy, FUTEX_WAIT, busy, &second) && errno == ETIMEDOUT && died(team))
			return fail("the tracked process");
	return 0;
}

/* Wait until every writer has written half of its part. They don't wake us: that would be on their clock. */
int team_wait_half(struct team *team)
{
	for (uint32_t turns = 1; __atomic_load_n(&team->half, __ATOMIC_ACQUIRE) < team->count; turns++) {
		if (!(turns % 4096) && died(team))
			return fail("the tracked process");
		sched_yield(); /* they may need this CPU */
	}
	return 0;
}

/* Whether anybody is still writing. */
int team_busy(const struct team *team)
{
	return __atomic_load_n(&team->busy, __ATOMIC_ACQUIRE) > 0;
}

/* The time of the slowest writer: when each is woken is the scheduler's doing and no cost of tracking. */
uint64_t team_ns(const struct team *team)
{
	uint64_t most = 0;

	for (uint64_t i = 0; i < team->count; i++) {
		uint64_t took = team->writers[i].end_ns - team->writers[i].start_ns;

		most = took > most ? took : most;
	}
	return most;
}

static struct team *team_new(const struct mapping *m, uint64_t count)
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
	cpu_set_t set;

	if (!team)
		return fail("mmap(team)");
	team->order = p->order;
	team->writes = p->writes;
	team->shared = shared;
	for (team->count = 0; team->count < count; team->count++) {
		struct writer *w = &team->writers[team->count];
		pthread_attr_t attr;

		CPU_ZERO(&set);
		CPU_SET(cpus[team->count % n_cpus], &set);
		pthread_attr_init(&attr);
		pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
		errno = pthread_create(&w->thread, &attr, writing, w);
		pthread_attr_destroy(&attr);
		if (errno) {
			int err = fail("pthread_create(writer)");

			writers_stop(team);
			return err;
		}
	}
	*out = team;
	return 0;
}

void writers_stop(struct team *team)
{
	if (!team)
		return;
	give(team, LEAVE);
	for (uint64_t i = 0; i < team->count; i++)
		pthread_join(team->writers[i].thread, NULL);
	munmap(team, team->size);
}

/* The life of the tracked process. It never returns to Python: it shares the stack's contents, no more. */
static void process_live(struct process *process, const struct layout *layout, int cpu, pid_t parent)
{
	struct team *team = process->team;
	struct mapping *m = &process->mapping;
	enum order what = REGISTER;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	if (cpu >= 0)
		pin(cpu);
	process->status = mapping_create(m, layout);
	process->call = failed_call();
	team->base = m->base;
	team->page_size = m->page_size;
	finished(team);
	for (uint32_t turn = 0; what != LEAVE; turn++) {
		what = next_order(team, turn);
		if (what == WRITE)
			write_part(&team->writers[0]);
		else if (what == REGISTER) {
			process->status = uffd_wp(m, process->features, process->call, &process->uffd);
			process->call = failed_call();
		}
		finished(team);
	}
	_exit(0);
}

/*
 * Make the mapping in a process of its own. CLONE_FILES: the descriptors of the process are ours too, so
 * that a userfaultfd, which serves the address space that opened it, can be had by its tracker.
 */
int mapping_create_outside(struct mapping *m, const struct layout *layout, int cpu)
{
	const pid_t self = getpid();
	const uint64_t size = sizeof(struct process) + layout->pages * sizeof(uint32_t);
	struct process *process = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int err;

	*m = (struct mapping){ 0 };
	if (process == MAP_FAILED)
		return fail("mmap(process)");
	*process = (struct process){ .size = size, .order = (uint32_t *)(process + 1), .uffd = -1 };
	process->team = team_new(m, 1);
	if (!process->team) {
		err = fail("mmap(team)");
		munmap(process, size);
		return err;
	}
	process->team->busy = 1;
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (!pid)
		process_live(process, layout, cpu, self);
	process->team->process = pid; /* by us alone: the memory is shared */
	err = pid < 0 ? fail("clone") : team_wait(process->team);
	if (!err && process->status) {
		err = process->status;
		errno = -err;
		fail(process->call);
	}
	if (err) {
		process_end(process);
		return err;
	}
	*m = process->mapping;
	m->process = process;
	return 0;
}

void process_end(struct process *process)
{
	struct team *team = process->team;

	if (team->process > 0) {
		kill(team->process, SIGKILL); /* whatever it is doing, a protected page nobody answers for included */
		waitpid(team->process, NULL, 0);
	}
	munmap(team, team->size);
	munmap(process, process->size);
}

/* Its id, or this process's own where the mapping is its own. */
int process_id(const struct mapping *m)
{
	return m->process ? m->process->team->process : getpid();
}

/* The one writer that the process is, with the pattern of the next intervals. */
struct team *process_team(struct process *process, const struct pattern *p)
{
	struct team *team = process->team;

	for (uint64_t i = 0; i < p->writes; i++)
		process->order[i] = p->order[i];
	team->order = process->order;
	team->writes = p->writes;
	return team;
}

int process_uffd_wp(const struct mapping *m, uint64_t features, const char *api_call, int *fd)
{
	struct process *process = m->process;
	int err;

	process->features = features;
	process->call = api_call;
	give(process->team, REGISTER);
	err = team_wait(process->team);
	if (err)
		return err;
	*fd = process->uffd;
	errno = -process->status;
	return errno ? fail(process->call) : 0;
}
