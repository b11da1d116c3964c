// SPDX-License-Identifier: GPL-2.0-only
/* A process whose memory is tracked from outside: it makes its mapping, writes it when told to, and is killed. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "abi.h"
#include "layers.h"

/* In memory that both processes share. */
struct process {
	struct mapping mapping;
	struct registration how; /* of REGISTER */
	const char *call;        /* that failed; strings are at the same place in a forked process */
	int status, uffd;
	uint64_t size;
	uint32_t *order; /* shared memory too: the pattern may be younger than the process */
	uint8_t *reads;  /* likewise */
	struct team *team;
};

/* The life of the tracked process. It never returns to Python: it shares the stack's contents, no more. */
static void live(struct process *process, const struct layout *layout, int cpu, pid_t parent)
{
	struct team *team = process->team;
	struct mapping *m = &process->mapping;

	if (die_with_parent(parent))
		_exit(1);
	if (cpu >= 0)
		pin_to(cpu);
	process->status = mapping_create(m, layout);
	process->call = failed_call();
	team->base = m->base;
	team->page_size = m->page_size;
	team_finished(team);
	for (uint32_t turn = 0;; turn++) {
		if (team_next(team, turn) == WRITE) {
			team_write(&team->writers[0]);
		} else {
			process->status = uffd_register(m, &process->how, &process->uffd);
			process->call = failed_call();
		}
		team_finished(team);
	}
}

static void end(struct mapping *m)
{
	struct process *process = m->process;
	struct team *team = process->team;

	if (team->process > 0) {
		kill(team->process, SIGKILL); /* whatever it is doing, a protected page nobody answers for included */
		reap(team->process);
	}
	munmap(team, team->size);
	munmap(process, process->size);
}

/* What failed there, as if it had failed here. */
static int status(const struct process *process)
{
	errno = -process->status;
	return errno ? fail(process->call) : 0;
}

/*
 * Make the mapping in a process of its own. CLONE_FILES: the descriptors of the process are ours too, so
 * that a userfaultfd, which serves the address space that opened it, can be had by its tracker.
 */
int mapping_create_outside(struct mapping *m, const struct layout *layout, int cpu)
{
	const pid_t self = getpid();
	const uint64_t size = sizeof(struct process) + layout->pages * (sizeof(uint32_t) + 1);
	struct process *process = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int err;

	*m = (struct mapping){ 0 };
	if (process == MAP_FAILED)
		return fail("mmap(process)");
	*process = (struct process){ .size = size, .order = (uint32_t *)(process + 1), .uffd = -1 };
	process->reads = (uint8_t *)(process->order + layout->pages);
	process->team = team_new(m, 1);
	if (!process->team) {
		err = fail("mmap(team)");
		munmap(process, size);
		return err;
	}
	process->team->busy = 1;
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (!pid)
		live(process, layout, cpu, self);
	process->team->process = pid; /* by us alone: the memory is shared */
	err = pid < 0 ? fail("clone") : team_wait(process->team);
	if (!err)
		err = status(process);
	if (err) {
		m->process = process;
		end(m);
		*m = (struct mapping){ 0 };
		return err;
	}
	*m = process->mapping;
	m->pid = pid;
	m->process = process;
	m->end = end;
	return 0;
}

/* The one writer that the process is, with what the next intervals write of its pages, the first of which is `first`. */
struct team *process_team(struct process *process, const struct pattern *p, uint64_t first)
{
	struct team *team = process->team;

	team->order = process->order;
	team->reads = p->reads ? process->reads : NULL;
	team->writes = 0;
	for (uint64_t i = 0; i < p->writes; i++) {
		if (p->order[i] < first || p->order[i] - first >= process->mapping.pages)
			continue;
		process->order[team->writes] = p->order[i] - (uint32_t)first;
		if (p->reads)
			process->reads[team->writes] = p->reads[i];
		team->writes++;
	}
	return team;
}

/* Register the mapping with userfaultfd, which serves the address space of the process that opened it. */
static int registered(struct tracker *t, const struct registration *how)
{
	struct process *process = t->mapping->process;
	int err;

	if (!process)
		return uffd_register(t->mapping, how, &t->uffd);
	process->how = *how;
	team_give(process->team, REGISTER);
	err = team_wait(process->team);
	if (err)
		return err;
	t->uffd = process->uffd;
	return status(process);
}

/* For write protection. */
int register_wp(struct tracker *t, uint64_t features, const char *api_call)
{
	const struct registration how = { UFFDIO_REGISTER_MODE_WP, features, api_call,
					  "ioctl(UFFDIO_REGISTER, MODE_WP)" };

	return registered(t, &how);
}

/* For protection against any access. */
int register_rwp(struct tracker *t, uint64_t features, const char *api_call)
{
	const struct registration how = { UFFDIO_REGISTER_MODE_RWP, features, api_call,
					  "ioctl(UFFDIO_REGISTER, MODE_RWP)" };

	return registered(t, &how);
}
