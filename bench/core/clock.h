/* SPDX-License-Identifier: GPL-2.0-only */
/* The one clock of all timings. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/* Sleep until a time of this clock; not at all where it has passed. */
static inline void sleep_until(uint64_t due)
{
	const struct timespec until = { .tv_sec = (time_t)(due / 1000000000), .tv_nsec = (long)(due % 1000000000) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

#endif
