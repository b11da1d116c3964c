// SPDX-License-Identifier: GPL-2.0-only
/*
 * Folios: memory in folios of one order, mapped by page table entries, and a look at which orders are really there.
 * Bits of /proc/PID/pagemap and /proc/kpageflags: Documentation/admin-guide/mm/pagemap.rst.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "layers.h"

#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_PFN ((1ULL << 55) - 1)
#define KPF_COMPOUND_HEAD (1ULL << 15)
#define KPF_COMPOUND_TAIL (1ULL << 16)
#define CHUNK 512 /* entries that are read at once: the pages of the largest folio, where they are of 4 KiB */

static int advise(const struct mapping *m, uint64_t first, uint64_t count, int advice, const char *call)
{
	return madvise(m->base + first * m->page_size, count * m->page_size, advice) ? fail(call) : 0;
}

/*
 * Populate with folios of so many pages. A page fault takes the largest order that is allowed and lies within the VMA
 * (alloc_anon_folio() in mm/memory.c): so huge pages are allowed to one piece after the other, which is a VMA of its own
 * meanwhile. Whatever other orders are allowed, they don't fit; and khugepaged, which looks for 2 MiB that are allowed
 * them, finds none. The pieces merge again as they have the anon_vma of the whole, which its first page fault made.
 */
int folios_populate(const struct mapping *m, uint64_t folio)
{
	int err = 0;

	for (uint64_t i = 0; i < m->vmas && !err; i++) {
		const uint64_t first = vma_start(m, i);

		*(volatile uint8_t *)(m->base + first * m->page_size) = 0;
		err = advise(m, first, 1, MADV_DONTNEED, "madvise(MADV_DONTNEED)");
	}
	for (uint64_t page = 0; page < m->pages && !err; page += folio) {
		err = advise(m, page, folio, MADV_HUGEPAGE, "madvise(MADV_HUGEPAGE)");
		for (uint64_t i = 0; i < folio && !err; i++)
			*(volatile uint8_t *)(m->base + (page + i) * m->page_size) = 0;
		if (!err)
			err = advise(m, page, folio, MADV_NOHUGEPAGE, "madvise(MADV_NOHUGEPAGE)");
	}
	return err;
}

/*
 * Have huge pages mapped by page table entries: an edge of a VMA within one splits its mapping, not the page
 * (vma_adjust_trans_huge() in mm/huge_memory.c). Every other VMA has the flag for good: mapping.c's cut().
 */
int folios_by_ptes(const struct mapping *m)
{
	int err = 0;

	for (uint64_t i = 0; i < m->vmas; i++) {
		const int flagged = i % 2 != 0;
		const int other = flagged ? MADV_DODUMP : MADV_DONTDUMP, own = flagged ? MADV_DONTDUMP : MADV_DODUMP;

		for (uint64_t page = vma_start(m, i); page < vma_start(m, i + 1) && !err;
		     page += huge_pages(m->page_size)) {
			err = advise(m, page, 1, other, "madvise(MADV_DONTDUMP)");
			if (!err)
				err = advise(m, page, 1, own, "madvise(MADV_DODUMP)");
		}
	}
	return err ? err : advise(m, 0, m->pages, MADV_NOHUGEPAGE, "madvise(MADV_NOHUGEPAGE)");
}

int folios_open(struct folios *seen, int pid)
{
	char path[64];

	*seen = (struct folios){ .flags_fd = -1 };
	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	seen->pagemap_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (seen->pagemap_fd < 0)
		return fail("open(/proc/PID/pagemap)");
	seen->flags_fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	return seen->flags_fd < 0 ? fail("open(/proc/kpageflags)") : 0;
}

void folios_close(struct folios *seen)
{
	if (seen->pagemap_fd >= 0)
		close(seen->pagemap_fd);
	if (seen->flags_fd >= 0)
		close(seen->flags_fd);
	seen->pagemap_fd = seen->flags_fd = -1;
}

/* Flags of page frames; of those behind the last one there are none. */
static int read_flags(const struct folios *seen, uint64_t frame, uint64_t count, uint64_t *flags)
{
	const ssize_t got = pread(seen->flags_fd, flags, count * 8, (off_t)(frame * 8));

	if (got < 8)
		return fail_short("read(/proc/kpageflags)", got);
	memset((uint8_t *)flags + got, 0, count * 8 - (size_t)got);
	return 0;
}

/* Which pages a folio of several has: those from its head to its last tail. It is aligned to its size. */
static int order_of(const struct folios *seen, uint64_t frame, uint64_t *order)
{
	static uint64_t flags[CHUNK];
	uint64_t head = frame % CHUNK, end = head + 1;
	const int err = read_flags(seen, frame - head, CHUNK, flags);

	while (head && flags[head] & KPF_COMPOUND_TAIL)
		head--;
	while (end < CHUNK && flags[end] & KPF_COMPOUND_TAIL)
		end++;
	*order = 63 - (uint64_t)__builtin_clzll(end - head);
	return err;
}

/* Whether a folio of several begins at `i` of the frames that were read, and its last page is among them. */
static int is_whole(const uint64_t *flags, uint64_t i, uint64_t same)
{
	return flags[i] & KPF_COMPOUND_HEAD && !(flags[i + same] & KPF_COMPOUND_TAIL) && !(same & (same - 1));
}

/*
 * Count pages whose frames follow each other. The flags of one frame more say whether a folio ends with the last: those
 * around a folio that is not there whole are read only where there is one, since each costs the kernel a lot.
 */
static int count_run(const struct folios *seen, uint64_t frame, uint64_t count, uint64_t *orders)
{
	static uint64_t flags[CHUNK + 1];
	int err = read_flags(seen, frame, count + 1, flags);

	for (uint64_t i = 0, same; i < count && !err; i += same) {
		uint64_t order = 0;

		same = 1;
		if (flags[i] & (KPF_COMPOUND_HEAD | KPF_COMPOUND_TAIL)) {
			while (i + same < count && flags[i + same] & KPF_COMPOUND_TAIL)
				same++;
			if (is_whole(flags, i, same))
				order = 63 - (uint64_t)__builtin_clzll(same);
			else
				err = order_of(seen, frame + i, &order);
		}
		orders[order] += same;
	}
	return err;
}

static int count_pages(const struct folios *seen, const uint64_t *entries, uint64_t count, uint64_t *orders)
{
	int err = 0;

	for (uint64_t i = 0, same; i < count && !err; i += same) {
		const uint64_t frame = entries[i] & PAGEMAP_PFN;

		same = 1;
		if (!(entries[i] & PAGEMAP_PRESENT)) {
			orders[NO_FOLIO]++;
			continue;
		}
		if (!frame) {
			errno = EPERM;
			return fail("page frame numbers in /proc/PID/pagemap");
		}
		while (i + same < count && entries[i + same] & PAGEMAP_PRESENT &&
		       (entries[i + same] & PAGEMAP_PFN) == frame + same)
			same++;
		err = count_run(seen, frame, same, orders);
	}
	return err;
}

/* Look at all of the mapping. The first look is what later ones are compared with. */
int folios_look(struct folios *seen, const struct mapping *m)
{
	uint64_t entries[CHUNK], orders[N_ORDERS] = { 0 };
	int err = 0;

	for (uint64_t first = 0; first < m->pages && !err; first += CHUNK) {
		const uint64_t n = m->pages - first < CHUNK ? m->pages - first : CHUNK;
		const uint64_t number = (uintptr_t)m->base / m->page_size + first;
		const ssize_t got = pread(seen->pagemap_fd, entries, n * 8, (off_t)(number * 8));

		if (got != (ssize_t)(n * 8))
			return fail_short("read(pagemap)", got);
		err = count_pages(seen, entries, n, orders);
	}
	memcpy(seen->looks ? seen->after : seen->before, orders, sizeof(orders));
	seen->changed += seen->looks && memcmp(seen->before, orders, sizeof(orders));
	seen->looks++;
	return err;
}

/* What an interval has made of them, where somebody asks. */
int folios_follow(const struct mapping *m)
{
	return m->folios ? folios_look(m->folios, m) : 0;
}
