// SPDX-License-Identifier: GPL-2.0-only
/* Makes, populates, verifies and frees the memory under test. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/mman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "clock.h"
#include "layers.h"

#ifndef MADV_POPULATE_WRITE /* Linux 5.14, 4ca9b3859dac */
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE /* Linux 6.1, 7d8faaf15545 */
#define MADV_COLLAPSE 25
#endif

static uint64_t bytes(const struct mapping *m)
{
	return m->pages * m->page_size;
}

/* A file without a name, with its blocks reserved: no other process sees it, and no death leaves it behind. */
static int unnamed_file(const char *directory, uint64_t size, int *fd)
{
	char path[PATH_MAX];

	*fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) { /* a file system without O_TMPFILE */
		snprintf(path, sizeof(path), "%s/pagemap-bench-XXXXXX", directory);
		*fd = mkostemp(path, O_CLOEXEC);
		if (*fd >= 0)
			unlink(path);
	}
	if (*fd < 0)
		return fail("open(file in --directory)");
	if (fallocate(*fd, 0, 0, (off_t)size) && (errno != EOPNOTSUPP || ftruncate(*fd, (off_t)size)))
		return fail("fallocate(file in --directory)");
	return 0;
}

/* Open what backs the mapping; *flags are mmap's. */
static int backing(const struct layout *layout, uint64_t size, int *fd, int *flags)
{
	*fd = -1;
	*flags = MAP_FIXED;
	switch (layout->kind) {
	case KIND_SHMEM:
		*flags |= MAP_SHARED;
		*fd = memfd_create("mapping", MFD_CLOEXEC);
		return *fd < 0 || ftruncate(*fd, (off_t)size) ? fail("memfd_create") : 0;
	case KIND_FILE_SHARED:
	case KIND_FILE_PRIVATE:
		*flags |= layout->kind == KIND_FILE_SHARED ? MAP_SHARED : MAP_PRIVATE;
		return unnamed_file(layout->directory, size, fd);
	case KIND_HUGETLB:
		*flags |= MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB;
		return 0;
	default:
		*flags |= MAP_PRIVATE | MAP_ANONYMOUS;
		return 0;
	}
}

static int touch(const struct mapping *m, uint64_t count, int write)
{
	for (uint64_t i = 0; i < count; i++) {
		volatile uint8_t *byte = m->base + i * m->pages / count * m->page_size;

		if (write)
			*byte = 0;
		else
			(void)*byte;
	}
	return 0;
}

static int populate(const struct mapping *m, const struct layout *layout)
{
	const int madvised = layout->populate == POPULATE_WRITE;

	if (layout->populate == POPULATE_NONE)
		return 0;
	if (layout->folio && layout->folio < huge_pages(m->page_size))
		return folios_populate(m, layout->folio);
	if (layout->populate == POPULATE_READ)
		return touch(m, m->pages, 0);
	if (madvised && layout->populated < m->pages)
		return touch(m, layout->populated, 1);
	if (!madvise(m->base, bytes(m), madvised ? MADV_POPULATE_WRITE : MADV_POPULATE_READ))
		return 0;
	if (errno != EINVAL)
		return fail(madvised ? "madvise(MADV_POPULATE_WRITE)" : "madvise(MADV_POPULATE_READ)");
	return touch(m, m->pages, madvised);
}

/*
 * Huge pages as asked for. EINVAL: a kernel without THP, or hugetlb, which is none. Where they are wanted
 * this process must be allowed them for as long as its page faults may make them.
 */
static int advise(struct mapping *m, const struct layout *layout)
{
	if (madvise(m->base, bytes(m), layout->huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) && errno != EINVAL)
		return fail(layout->huge ? "madvise(MADV_HUGEPAGE)" : "madvise(MADV_NOHUGEPAGE)");
	m->without_thp = (layout->huge || layout->folio) && prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) > 0;
	if (m->without_thp && prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0))
		return fail("prctl(PR_SET_THP_DISABLE)");
	return 0;
}

/*
 * Cut into VMAs: MADV_DONTDUMP on every other one sets a flag that keeps neighbours from merging and
 * means nothing before a core dump.
 */
static int cut(const struct mapping *m)
{
	for (uint64_t i = 1; i < m->vmas; i += 2) {
		const uint64_t first = vma_start(m, i), end = vma_start(m, i + 1);

		if (madvise(m->base + first * m->page_size, (end - first) * m->page_size, MADV_DONTDUMP)) {
			errno = errno == EAGAIN ? ENOMEM : errno; /* mm/madvise.c hides the one in the other */
			return fail("madvise(MADV_DONTDUMP) for more VMAs (vm.max_map_count limits them)");
		}
	}
	return 0;
}

static int fill(struct mapping *m, const struct layout *layout)
{
	int fd, flags, err = backing(layout, bytes(m), &fd, &flags);
	uint64_t start;

	if (!err && mmap(m->base, bytes(m), PROT_READ | PROT_WRITE, flags, fd, 0) == MAP_FAILED)
		err = fail(layout->kind == KIND_HUGETLB ? "mmap(hugetlb)" : "mmap(mapping)");
	if (fd >= 0)
		close(fd);
	if (!err)
		err = advise(m, layout);
	if (!err)
		err = cut(m);
	start = now();
	if (!err)
		err = populate(m, layout);
	/* Page faults may have found no huge page at hand, or shmem's sysfs setting against them. */
	if (!err && layout->huge && layout->populate == POPULATE_WRITE)
		madvise(m->base, bytes(m), MADV_COLLAPSE); /* what came of it: mapping_huge_kib() */
	m->populate_ns = now() - start;
	if (!err && layout->folio == huge_pages(m->page_size))
		err = folios_by_ptes(m);
	return err;
}

/*
 * The guards are part of one PROT_NONE reservation: a neighbour with other permissions never merges with
 * the mapping, and merging is what sets VM_SOFTDIRTY on pages nobody wrote (34228d473efe).
 */
int mapping_create(struct mapping *m, const struct layout *layout)
{
	const int huge = layout->huge || layout->kind == KIND_HUGETLB;
	const uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE), huge_count = huge_pages(page_size);
	/* That of a page table: aligned mappings of the same size use the same number of tables. */
	const uint64_t alignment = page_size * huge_count;
	int err;

	*m = (struct mapping){ .pages = layout->pages,
			       .page_size = page_size,
			       .granule = layout->kind == KIND_HUGETLB ? huge_count : 1,
			       .unit = huge          ? huge_count :
				       layout->folio ? layout->folio :
						       1,
			       .vmas = layout->vmas,
			       .watched = layout->watched };
	m->area_len = (bytes(m) + alignment - 1) / alignment * alignment + 2 * alignment;
	m->area = mmap(MAPPING_PLACE, m->area_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->area == MAP_FAILED) {
		m->area = NULL;
		return fail("mmap(reservation)");
	}
	m->base = (uint8_t *)(((uintptr_t)m->area + alignment) / alignment * alignment);
	err = fill(m, layout);
	if (err)
		mapping_destroy(m);
	return err;
}

static int huge_kib(const struct mapping *m, uint64_t *kib)
{
	const uintptr_t base = (uintptr_t)m->base;
	uintptr_t start, end;
	uint64_t found;
	char line[512], path[64];
	int inside = 0, known = 0;
	FILE *smaps;

	snprintf(path, sizeof(path), "/proc/%d/smaps", process_id(m));
	smaps = fopen(path, "re");
	if (!smaps)
		return fail("open(/proc/PID/smaps)");
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &start, &end) == 2) {
			inside = start >= base && end <= base + bytes(m);
		} else if (inside && (sscanf(line, "AnonHugePages: %" SCNu64, &found) == 1 ||
				      sscanf(line, "ShmemPmdMapped: %" SCNu64, &found) == 1 ||
				      sscanf(line, "FilePmdMapped: %" SCNu64, &found) == 1)) {
			*kib += found;
			known = 1;
		}
	}
	fclose(smaps);
	if (known)
		return 0;
	errno = ENODATA;
	return fail("AnonHugePages in /proc/PID/smaps");
}

/* KiB that huge pages back, of any kind but hugetlb, from smaps: what the kernel did, not what it was asked. */
int mapping_huge_kib(const struct mapping *m, uint64_t *kib)
{
	int err = 0;

	*kib = 0;
	for (uint64_t i = 0; i < m->n_targets && !err; i++)
		err = huge_kib(&m->targets[i], kib);
	return m->n_targets ? err : huge_kib(m, kib);
}

/* The id of the process whose memory it is. */
int process_id(const struct mapping *m)
{
	return m->pid ? m->pid : getpid();
}

void mapping_destroy(struct mapping *m)
{
	if (m->end) {
		m->end(m);
	} else {
		if (m->area)
			munmap(m->area, m->area_len);
		if (m->without_thp)
			prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	}
	m->area = m->base = NULL;
	m->process = NULL;
	m->targets = NULL;
	m->teams = NULL;
	m->n_targets = 0;
	m->end = NULL;
	m->pid = m->without_thp = 0;
}
