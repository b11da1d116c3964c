/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads that do a tracker's phases together: what members.c and crew.c know of them. */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include "layers.h"
#include "marks.h"

#define LEAVE_CREW (-1) /* what members are told besides PHASE_* */

struct part {
	struct mapping mapping;
	struct tracker tracker; /* the crew's, looking at this part alone; or one of its own */
	uint64_t reported;      /* ranges that wait for crew_gather() */
};

struct member {
	pthread_t thread;
	struct crew *crew;
	uint64_t index, next; /* next: the part that is its turn, where it has its own */
	uint64_t took_ns;     /* by it, for the order before */
	uint64_t *entries;    /* a buffer of its own, where the interface reads pagemap */
};

struct crew {
	struct interface substitute; /* what the tracker has as its interface */
	const struct interface *interface;
	struct tracker *tracker;
	const struct mapping *mapping;
	pthread_mutex_t lock;
	pthread_cond_t ordered, finished;
	uint64_t turn, busy; /* rises with each order; threads that have not finished it */
	int phase;           /* PHASE_*, or LEAVE_CREW */
	int err;
	const char *call;        /* that failed */
	int own;                 /* each part has a tracker of its own, and one member that works with it */
	int scattered;           /* what they reported waits for crew_gather() */
	uint64_t arrived;        /* of those with trackers of their own, who begin together */
	uint64_t took[N_PHASES]; /* nanoseconds of the slowest of these, until crew_took() */
	uint64_t next, n_parts, n_members;
	struct part *parts;
	uint64_t *entries;
	struct member members[];
};

#endif
