// SPDX-License-Identifier: GPL-2.0-only
/* The interval loop: one for all interfaces, a clock around each phase, a check after each interval. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "core.h"

static inline uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/* One byte a page: what makes a page dirty is the write, not its size. */
static inline void write_pages(const struct mapping *m, const struct pattern *p, uint8_t value)
{
	for (uint64_t i = 0; i < p->writes; i++)
		*(volatile uint8_t *)(m->base + p->order[i] * m->page_size) = value;
}

/* Fill the bitmap of written pages from the order. Returns how many distinct pages that is. */
uint64_t pattern_init(struct pattern *p, uint64_t pages)
{
	uint64_t count = 0;

	memset(p->written, 0, (pages + 63) / 64 * 8);
	for (uint64_t i = 0; i < p->writes; i++) {
		uint64_t *word = &p->written[p->order[i] / 64], bit = 1ULL << p->order[i] % 64;

		count += !(*word & bit);
		*word |= bit;
	}
	return count;
}

/*
 * Compare what was reported with what was written, page by page. A page reported twice or outside
 * the mapping is one the caller would handle for nothing: it counts as extra.
 */
void check_ranges(const struct tracker *t, const struct pattern *p, uint64_t *extra, uint64_t *missed)
{
	const struct mapping *m = t->mapping;
	const uint64_t base = (uintptr_t)m->base, words = (m->pages + 63) / 64;

	*extra = *missed = 0;
	memset(p->seen, 0, words * 8);
	for (uint64_t r = 0; r < t->n_ranges; r++)
		for (uint64_t a = t->ranges[r].start; a < t->ranges[r].end; a += m->page_size) {
			uint64_t page = (a - base) / m->page_size, bit = 1ULL << page % 64;

			if (a < base || page >= m->pages || p->seen[page / 64] & bit)
				++*extra;
			else
				p->seen[page / 64] |= bit;
		}
	for (uint64_t w = 0; w < words; w++) {
		*extra += (uint64_t)__builtin_popcountll(p->seen[w] & ~p->written[w]);
		*missed += (uint64_t)__builtin_popcountll(p->written[w] & ~p->seen[w]);
	}
}

/*
 * reset, dirty, collect; or, atomic, dirty and collect_reset, each interval armed by the one before
 * (the first by a reset that is not timed). Neighbouring phases share a clock reading.
 */
int run_intervals(struct tracker *t, const struct pattern *p, int atomic, struct interval *intervals, uint64_t count)
{
	int (*reset)(struct tracker *) = atomic ? NULL : t->interface->reset;
	int (*collect)(struct tracker *) = atomic ? t->interface->collect_reset : t->interface->collect;
	int err = 0;

	if (atomic) {
		err = tracker_reset(t);
		if (!err && !collect)
			err = tracker_collect_reset(t); /* says that there is none */
		if (err)
			return err;
	}
	for (uint64_t i = 0; i < count; i++) {
		struct interval *out = &intervals[i];
		uint64_t start, armed, dirtied, collected;

		start = now();
		if (reset)
			err = reset(t);
		armed = now();
		write_pages(t->mapping, p, (uint8_t)i);
		dirtied = now();
		if (collect && !err)
			err = collect(t);
		collected = now();
		if (err)
			return err;
		*out = (struct interval){ armed - start, dirtied - armed, collected - dirtied, 0, 0 };
		if (collect)
			check_ranges(t, p, &out->extra, &out->missed);
	}
	return 0;
}

/* splitmix64 (Steele, Lea, Flood 2014): the same numbers on every machine and Python. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* A uniform number below bound, without the bias of a bare modulo. */
static uint64_t random_below(uint64_t *state, uint64_t bound)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % bound, x;

	do
		x = next_random(state);
	while (x >= limit);
	return x % bound;
}

/* count distinct pages of total, uniform, in random order; out has room for total (Fisher-Yates). */
void sample_pages(uint32_t *out, uint64_t total, uint64_t count, uint64_t seed)
{
	for (uint64_t i = 0; i < total; i++)
		out[i] = (uint32_t)i;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t j = i + random_below(&seed, total - i);
		uint32_t page = out[i];

		out[i] = out[j];
		out[j] = page;
	}
}

/* count pages of total, uniform, the same page as often as chance has it. */
void draw_pages(uint32_t *out, uint64_t total, uint64_t count, uint64_t seed)
{
	for (uint64_t i = 0; i < count; i++)
		out[i] = (uint32_t)random_below(&seed, total);
}

#define COST_ROUNDS 64
#define COST_CALLS 1024

/* The least of many rounds: an interrupt only ever adds. */
double clock_cost_ns(void)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < COST_ROUNDS; round++) {
		uint64_t start = now(), took;

		for (int i = 1; i < COST_CALLS; i++)
			(void)now();
		took = now() - start;
		best = took < best ? took : best;
	}
	return (double)best / COST_CALLS;
}

double syscall_cost_ns(void)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < COST_ROUNDS; round++) {
		uint64_t start = now(), took;

		for (int i = 0; i < COST_CALLS; i++)
			syscall(SYS_getppid);
		took = now() - start;
		best = took < best ? took : best;
	}
	return (double)best / COST_CALLS;
}

/* Twelve characters of CPUID leaf 0x40000000 and a NUL; empty where no hypervisor shows itself. */
void hypervisor_signature(char *out)
{
	memset(out, 0, 13);
#ifdef __x86_64__
	unsigned int eax, ebx, ecx, edx;

	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx >> 31 & 1))
		return;
	__cpuid(0x40000000, eax, ebx, ecx, edx);
	memcpy(out, &ebx, 4);
	memcpy(out + 4, &ecx, 4);
	memcpy(out + 8, &edx, 4);
#endif
}
