// SPDX-License-Identifier: GPL-2.0-only
/* What scenarios do to memory, one system call or one plain loop each. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "abi.h"
#include "clock.h"
#include "layers.h"

#define COPY_ROUNDS 32

int64_t stage_mmap(uint64_t address, uint64_t length, int protection, int flags, int fd)
{
	void *got = mmap((void *)(uintptr_t)address, length, protection, flags, fd, 0);

	return got == MAP_FAILED ? fail("mmap") : (int64_t)(uintptr_t)got;
}

int stage_munmap(uint64_t address, uint64_t length)
{
	return munmap((void *)(uintptr_t)address, length) ? fail("munmap") : 0;
}

int stage_mprotect(uint64_t address, uint64_t length, int protection)
{
	return mprotect((void *)(uintptr_t)address, length, protection) ? fail("mprotect") : 0;
}

int stage_madvise(uint64_t address, uint64_t length, int advice)
{
	return madvise((void *)(uintptr_t)address, length, advice) ? fail("madvise") : 0;
}

int stage_mremap(uint64_t address, uint64_t length, uint64_t to)
{
	void *got = mremap((void *)(uintptr_t)address, length, length, MREMAP_MAYMOVE | MREMAP_FIXED,
			   (void *)(uintptr_t)to);

	return got == MAP_FAILED ? fail("mremap") : 0;
}

/* As stage_mremap(), but the old addresses stay mapped, without their pages: MREMAP_DONTUNMAP (Linux 5.7). */
int stage_move_pages(uint64_t address, uint64_t length, uint64_t to)
{
	void *got = mremap((void *)(uintptr_t)address, length, length, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
			   (void *)(uintptr_t)to);

	return got == MAP_FAILED ? fail("mremap(MREMAP_DONTUNMAP)") : 0;
}

/*
 * Shrink a mapping in place by mremap and let it grow again, in one go: nobody else's mapping gets into
 * the hole between.
 */
int stage_shrink_grow(uint64_t address, uint64_t length, uint64_t shrunk)
{
	void *at = (void *)(uintptr_t)address;

	if (mremap(at, length, shrunk, 0) == MAP_FAILED)
		return fail("mremap(shrink)");
	return mremap(at, shrunk, length, 0) == MAP_FAILED ? fail("mremap(grow)") : 0;
}

/* By the system call: mlock(3) does nothing under a sanitizer. */
int stage_mlock(uint64_t address, uint64_t length)
{
	return syscall(SYS_mlock, address, length) ? fail("mlock") : 0;
}

/* Give the memory of a part of a file back; its size stays. */
int stage_punch(int fd, uint64_t offset, uint64_t length)
{
	const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	return fallocate(fd, mode, (off_t)offset, (off_t)length) ? fail("fallocate(FALLOC_FL_PUNCH_HOLE)") : 0;
}

/* Returns the program break before it moved. */
int64_t stage_sbrk(int64_t by)
{
	void *before = sbrk((intptr_t)by);

	return (intptr_t)before == -1 ? fail("brk") : (int64_t)(uintptr_t)before;
}

/* The opposite of forgo_huge_pages(), for the scenarios that are about them. */
int stage_allow_huge_pages(void)
{
	return prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0) ? fail("prctl(PR_SET_THP_DISABLE)") : 0;
}

/* One byte a page. */
void stage_write(uint64_t address, uint64_t pages, uint64_t page_size, uint8_t value)
{
	for (uint64_t i = 0; i < pages; i++)
		*(volatile uint8_t *)(uintptr_t)(address + i * page_size) = value;
}

void stage_read(uint64_t address, uint64_t pages, uint64_t page_size)
{
	for (uint64_t i = 0; i < pages; i++)
		(void)*(volatile uint8_t *)(uintptr_t)(address + i * page_size);
}

/* The kernel writes for the program, as for a debugger: get_user_pages with FOLL_WRITE. */
int stage_vm_write(uint64_t address, uint8_t value)
{
	struct iovec from = { &value, 1 }, to = { (void *)(uintptr_t)address, 1 };

	return process_vm_writev(getpid(), &from, 1, &to, 1, 0) == 1 ? 0 : fail("process_vm_writev");
}

/* The kernel reads for the program: get_user_pages without FOLL_WRITE. */
int stage_vm_read(uint64_t address)
{
	uint8_t value;
	struct iovec from = { (void *)(uintptr_t)address, 1 }, to = { &value, 1 };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1 ? 0 : fail("process_vm_readv");
}

/* Pages go into a pipe as they are, and their content comes out of it: at most what a pipe has room for, 64 KiB. */
int stage_vmsplice(uint64_t address, uint64_t length)
{
	struct iovec pages = { (void *)(uintptr_t)address, length };
	uint8_t out[4096];
	int ends[2], err;

	if (pipe(ends))
		return fail("pipe");
	err = vmsplice(ends[1], &pages, 1, 0) == (ssize_t)length ? 0 : fail("vmsplice");
	close(ends[1]);
	while (!err && read(ends[0], out, sizeof(out)) > 0) {
	}
	close(ends[0]);
	return err;
}

/* A reset by somebody who names no category: what is not there at all matches too, and is to be protected. */
int stage_protect_all(struct tracker *t)
{
	static const struct query any = { .returned = 0 };

	return pagemap_scan(t, &any, PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC, 0);
}

/* The least time of many rounds to copy one page out of the mapping; nanoseconds, negative errno if refused. */
double stage_copy_page_ns(const struct mapping *m)
{
	uint8_t *to = malloc(m->pages * m->page_size);
	uint64_t best = UINT64_MAX;

	if (!to)
		return fail("malloc(copy)");
	memset(to, 1, m->pages * m->page_size);
	for (int round = 0; round < COPY_ROUNDS; round++) {
		uint64_t start = now(), took;

		for (uint64_t i = 0; i < m->pages; i++) {
			memcpy(to + i * m->page_size, m->base + i * m->page_size, m->page_size);
			__asm__ volatile("" : : "r"(to) : "memory"); /* keep the copy that nobody reads */
		}
		took = now() - start;
		best = took < best ? took : best;
	}
	free(to);
	return (double)best / (double)m->pages;
}
