// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several processes that are tracked at once: each has its share of the pages, in a mapping of its own. One mapping
 * stands for all of them; its pages are the first one's, then the second one's, and so on.
 */
#include <stdlib.h>

#include "layers.h"

static void end(struct mapping *m)
{
	for (uint64_t i = 0; i < m->n_targets; i++)
		mapping_destroy(&m->targets[i]);
	free(m->targets);
	if (m->teams)
		free(m->teams->members);
	free(m->teams);
}

/* What stands for them, without any. */
static int prepare(struct mapping *m, const struct layout *layout, uint64_t count)
{
	const uint64_t huge_count = huge_pages((uint64_t)sysconf(_SC_PAGESIZE));

	*m = (struct mapping){ .pages = layout->pages,
			       .granule = layout->kind == KIND_HUGETLB ? huge_count : 1,
			       .unit = layout->huge ? huge_count : 1,
			       .vmas = 1,
			       .watched = layout->pages,
			       .targets = calloc(count, sizeof(*m->targets)),
			       .teams = calloc(1, sizeof(*m->teams)),
			       .end = end };
	if (m->teams)
		m->teams->members = calloc(count, sizeof(*m->teams->members));
	return m->targets && m->teams && m->teams->members ? 0 : fail("calloc(targets)");
}

/* Share the pages of a layout among so many processes, on the CPUs given in turn. */
int mapping_create_targets(struct mapping *m, const struct layout *layout, uint64_t count, const int *cpus,
			   uint64_t n_cpus)
{
	struct layout own = *layout;
	int err = prepare(m, layout, count);

	for (uint64_t i = 0; i < count && !err; i++) {
		own.pages = part_start(m, layout->pages, i + 1, count) - part_start(m, layout->pages, i, count);
		own.populated = own.watched = own.pages;
		err = mapping_create_outside(&m->targets[i], &own, cpus[i % n_cpus]);
		if (err)
			break;
		m->n_targets++;
		m->populate_ns += m->targets[i].populate_ns;
	}
	if (err) {
		mapping_destroy(m);
		return err;
	}
	m->base = m->targets[0].base;
	m->page_size = m->targets[0].page_size;
	m->pid = m->targets[0].pid;
	return 0;
}

/* Who writes there, told which pages the next intervals write; NULL for memory of this process. */
struct team *mapping_team(const struct mapping *m, const struct pattern *p)
{
	uint64_t first = 0;

	if (m->process)
		return process_team(m->process, p, 0);
	if (!m->n_targets)
		return NULL;
	for (uint64_t i = 0; i < m->n_targets; i++) {
		m->teams->members[i] = process_team(m->targets[i].process, p, first);
		first += m->targets[i].pages;
	}
	m->teams->n_members = m->n_targets;
	return m->teams;
}
