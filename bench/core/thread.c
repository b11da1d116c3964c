// SPDX-License-Identifier: GPL-2.0-only
/* Starts threads, of writers, handlers and scenarios, and keeps them to their CPUs. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>

#include "layers.h"

static cpu_set_t only(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return set;
}

/* Start a thread on one CPU; on any that this thread may use where cpu < 0. */
int thread_start(pthread_t *thread, int cpu, void *(*run)(void *), void *argument)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	if (cpu >= 0) {
		const cpu_set_t set = only(cpu);

		pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	}
	errno = pthread_create(thread, &attr, run, argument);
	pthread_attr_destroy(&attr);
	return errno ? fail("pthread_create") : 0;
}

/* Keep this thread to one CPU; where that has gone offline meanwhile, to none. */
void pin_to(int cpu)
{
	const cpu_set_t set = only(cpu);

	sched_setaffinity(0, sizeof(set), &set);
}
