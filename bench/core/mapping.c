// SPDX-License-Identifier: GPL-2.0-only
/* Makes, populates, verifies and frees the memory under test. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core.h"

#ifndef MADV_POPULATE_WRITE /* Linux 5.14, 4ca9b3859dac */
#define MADV_POPULATE_WRITE 23
#endif

/* One page table maps 2 MiB: aligned mappings of the same size use the same number of tables. */
#define ALIGNMENT (2ULL << 20)

static int populate(struct mapping *m)
{
	uint64_t len = m->pages * m->page_size;

	if (!madvise(m->base, len, MADV_POPULATE_WRITE))
		return 0;
	if (errno != EINVAL)
		return fail("madvise(MADV_POPULATE_WRITE)");
	for (uint64_t i = 0; i < m->pages; i++)
		((volatile uint8_t *)m->base)[i * m->page_size] = 0;
	return 0;
}

/*
 * Private anonymous memory, THP off, every page present. The guards are part of one PROT_NONE
 * reservation: a neighbour with other permissions never merges with the mapping, and merging is
 * what sets VM_SOFTDIRTY on pages nobody wrote (34228d473efe).
 */
int mapping_create(struct mapping *m, uint64_t pages)
{
	int err;

	*m = (struct mapping){ .pages = pages, .page_size = (uint64_t)sysconf(_SC_PAGESIZE) };
	m->area_len = (pages * m->page_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + 2 * ALIGNMENT;
	m->area = mmap(NULL, m->area_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->area == MAP_FAILED) {
		m->area = NULL;
		return fail("mmap(reservation)");
	}
	m->base = (uint8_t *)(((uintptr_t)m->area + ALIGNMENT) / ALIGNMENT * ALIGNMENT);
	if (mmap(m->base, pages * m->page_size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		err = fail("mmap(mapping)");
	else if (madvise(m->base, pages * m->page_size, MADV_NOHUGEPAGE) && errno != EINVAL)
		err = fail("madvise(MADV_NOHUGEPAGE)"); /* EINVAL: a kernel without THP */
	else
		err = populate(m);
	if (err)
		mapping_destroy(m);
	return err;
}

/* AnonHugePages of the mapping, from smaps: what the kernel did, not what was asked of it. */
int mapping_huge_kib(const struct mapping *m, uint64_t *kib)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	uintptr_t start, end, base = (uintptr_t)m->base;
	char line[512];
	int inside = 0, found = 0;

	if (!smaps)
		return fail("open(/proc/self/smaps)");
	while (!found && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &start, &end) == 2)
			inside = start == base;
		else if (inside)
			found = sscanf(line, "AnonHugePages: %" SCNu64, kib) == 1;
	}
	fclose(smaps);
	if (found)
		return 0;
	errno = ENODATA;
	return fail("AnonHugePages in /proc/self/smaps");
}

void mapping_destroy(struct mapping *m)
{
	if (m->area)
		munmap(m->area, m->area_len);
	m->area = m->base = NULL;
}
