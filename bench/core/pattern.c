// SPDX-License-Identifier: GPL-2.0-only
/* Which pages an interval writes and reads: the truth as bitmaps, and random choices that repeat everywhere. */
#include <string.h>

#include "layers.h"

/* Fill the bitmaps of written and of accessed pages from the order. */
void pattern_init(struct pattern *p, uint64_t watched)
{
	memset(p->written, 0, (watched + 63) / 64 * 8);
	memset(p->accessed, 0, (watched + 63) / 64 * 8);
	for (uint64_t i = 0; i < p->writes; i++) {
		const uint64_t bit = 1ULL << p->order[i] % 64;

		if (p->order[i] >= watched)
			continue;
		p->accessed[p->order[i] / 64] |= bit;
		if (!p->reads || !p->reads[i])
			p->written[p->order[i] / 64] |= bit;
	}
	p->truth = p->written;
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
