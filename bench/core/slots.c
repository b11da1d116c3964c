// SPDX-License-Identifier: GPL-2.0-only
/*
 * A slot: memory that is to be zero again for the next user, as in the pool of a sandbox runtime. Who resets it may
 * wipe all of it, drop all of it, or ask the kernel which pages there are to be wiped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "abi.h"
#include "layers.h"

#define PAGEMAP_THERE (3ULL << 62) /* present, or swapped out */
#define ENTRIES 512

/* Nobody can wipe another process's memory from outside as if it were his own. */
int slot_open(struct tracker *t)
{
	if (t->mapping->process) {
		errno = EOPNOTSUPP;
		return fail("wiping another process's memory");
	}
	return open_proc(t, "pagemap", O_RDONLY, &t->pagemap_fd);
}

int slot_drop(uint64_t from, uint64_t end)
{
	return from < end && madvise((void *)(uintptr_t)from, end - from, MADV_DONTNEED) ?
		       fail("madvise(MADV_DONTNEED)") :
		       0;
}

static int is_zero(const uint8_t *page, uint64_t size)
{
	return !page[0] && !memcmp(page, page + 1, size - 1);
}

/*
 * Count the pages that a reset left as they were. What is nowhere reads as zero, and is not touched: neither in the page
 * table or swapped out, nor in a file's cache.
 */
int slot_kept(struct tracker *t, uint64_t *kept)
{
	const struct mapping *m = t->mapping;
	uint64_t entries[ENTRIES];
	unsigned char cached[ENTRIES];

	for (uint64_t first = 0; first < m->watched; first += ENTRIES) {
		const uint64_t n = m->watched - first < ENTRIES ? m->watched - first : ENTRIES;
		const uint64_t number = (uintptr_t)m->base / m->page_size + first;
		const ssize_t got = pread(t->pagemap_fd, entries, n * 8, (off_t)(number * 8));

		if (got != (ssize_t)(n * 8))
			return fail_short("read(pagemap)", got);
		if (mincore(m->base + first * m->page_size, n * m->page_size, cached))
			return fail("mincore");
		for (uint64_t i = 0; i < n; i++)
			*kept += (entries[i] & PAGEMAP_THERE || cached[i] & 1) &&
				 !is_zero(m->base + (first + i) * m->page_size, m->page_size);
	}
	return 0;
}
