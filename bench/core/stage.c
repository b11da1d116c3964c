// SPDX-License-Identifier: GPL-2.0-only
/*
 * What scenarios do to memory: thin system calls, and the loops in which a write follows a reset so
 * closely, or so concurrently, that Python would be in the way.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "abi.h"
#include "clock.h"
#include "core.h"

#define WAIT_NS 1000000000ULL /* how long a write by another CPU may take to be seen */
#define TAKES 16 /* collects while the writers are busy */
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

static int reported(const struct tracker *t, uint64_t address)
{
	for (uint64_t i = 0; i < t->n_ranges; i++)
		if (address >= t->ranges[i].start && address < t->ranges[i].end)
			return 1;
	return 0;
}

/* Reset as the interface does it in a running program: atomically where it can. */
static int rearm(struct tracker *t)
{
	return t->interface->collect_reset ? tracker_collect_reset(t) : tracker_reset(t);
}

/*
 * Write, reset, write again with nothing in between: the CPU's TLB still holds the writable entry of
 * the first write, unless the reset flushed it. Counts the second writes that are not reported.
 */
int stage_rewrite(struct tracker *t, uint64_t address, uint64_t rounds, uint64_t *missed)
{
	volatile uint64_t *word = (volatile uint64_t *)(uintptr_t)address;
	int err = 0;

	*missed = 0;
	for (uint64_t i = 0; i < rounds && !err; i++) {
		*word = 2 * i;
		err = rearm(t);
		*word = 2 * i + 1;
		if (!err)
			err = tracker_collect(t);
		*missed += !err && !reported(t, address);
	}
	return err;
}

static int pin(pthread_t thread, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	errno = pthread_setaffinity_np(thread, sizeof(set), &set);
	return errno ? fail("pthread_setaffinity_np") : 0;
}

struct writer {
	pthread_t thread;
	uint64_t base, first, pages, step, page_size; /* page numbers first, first + step ... below pages */
	int go, stop, done;                           /* atomics */
};

static void *write_on(void *argument)
{
	struct writer *w = argument;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED))
		++*(volatile uint64_t *)(uintptr_t)w->base;
	return NULL;
}

/* Whether the word at address changes within the time in which any machine would have let it. */
static int advances(uint64_t address)
{
	volatile uint64_t *word = (volatile uint64_t *)(uintptr_t)address;
	const uint64_t before = *word, start = now();

	while (*word - before < 2) { /* the first may have begun before the reset */
		if (now() - start > WAIT_NS)
			return 0;
		sched_yield(); /* a handler's thread may need this CPU */
	}
	return 1;
}

/*
 * As stage_rewrite(), but the writer is a thread on another CPU that never stops: its TLB must be
 * flushed by the reset too. A round in which it was not seen to write counts for nothing; `seen` are the others.
 */
int stage_rewrite_elsewhere(struct tracker *t, uint64_t address, uint64_t rounds, int cpu, uint64_t *missed,
			    uint64_t *seen)
{
	struct writer w = { .base = address };
	int err;

	*missed = *seen = 0;
	errno = pthread_create(&w.thread, NULL, write_on, &w);
	if (errno)
		return fail("pthread_create");
	err = pin(w.thread, cpu);
	for (uint64_t i = 0; i < rounds && !err; i++) {
		int wrote;

		err = rearm(t);
		wrote = !err && advances(address);
		if (!err)
			err = tracker_collect(t);
		*missed += !err && wrote && !reported(t, address);
		*seen += !err && wrote;
	}
	__atomic_store_n(&w.stop, 1, __ATOMIC_RELAXED);
	pthread_join(w.thread, NULL);
	return err;
}

static void *write_once(void *argument)
{
	struct writer *w = argument;

	while (!__atomic_load_n(&w->go, __ATOMIC_ACQUIRE))
		sched_yield();
	for (uint64_t i = w->first; i < w->pages; i += w->step)
		++*(volatile uint64_t *)(uintptr_t)(w->base + i * w->page_size);
	__atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* What a migration does with an interval's result: copy what was reported, here one word a page. */
static void copy_out(const struct tracker *t, uint64_t *copy)
{
	const uint64_t base = (uintptr_t)t->mapping->base, size = t->mapping->page_size;

	for (uint64_t r = 0; r < t->n_ranges; r++)
		for (uint64_t a = t->ranges[r].start; a < t->ranges[r].end; a += size)
			if (a >= base && (a - base) / size < t->mapping->pages)
				copy[(a - base) / size] = *(volatile uint64_t *)(uintptr_t)a;
}

static int take(struct tracker *t, int atomic, uint64_t *copy, uint64_t *found)
{
	int err = atomic ? tracker_collect_reset(t) : tracker_collect(t);

	if (err)
		return err;
	*found = t->n_ranges;
	copy_out(t, copy);
	return atomic ? 0 : tracker_reset(t);
}

/*
 * Threads write each page once while the caller collects, resets and copies what was reported. In the
 * end the copy must be that of the memory: a page that differs was written and never reported. `met` are
 * the collects that found some pages written and ended before others were.
 */
int stage_writers(struct tracker *t, int threads, int atomic, uint64_t *lost, uint64_t *met)
{
	const struct mapping *m = t->mapping;
	struct writer *w = calloc((size_t)threads, sizeof(*w));
	uint64_t *copy = calloc(m->pages, sizeof(*copy));
	int started = 0, busy = 1, takes = 0, err = w && copy ? 0 : fail("malloc(copy)");

	*met = 0;
	for (uint64_t i = 0; i < m->pages && !err; i++)
		copy[i] = *(volatile uint64_t *)(m->base + i * m->page_size);
	for (; started < threads && !err; started += !err) {
		w[started] = (struct writer){ .base = (uintptr_t)m->base, .first = (uint64_t)started,
					      .pages = m->pages, .step = (uint64_t)threads,
					      .page_size = m->page_size };
		errno = pthread_create(&w[started].thread, NULL, write_once, &w[started]);
		err = errno ? fail("pthread_create") : 0;
	}
	if (!err)
		err = tracker_reset(t);
	for (int i = 0; i < started; i++)
		__atomic_store_n(&w[i].go, 1, __ATOMIC_RELEASE);
	while (busy && !err) {
		uint64_t found = 0;

		busy = 0;
		for (int i = 0; i < threads; i++)
			busy |= !__atomic_load_n(&w[i].done, __ATOMIC_ACQUIRE);
		if (busy) /* let them write between collects, and in the end without any: or they would never finish */
			usleep(takes < TAKES ? 20 : 100);
		if (!busy || takes++ < TAKES)
			err = take(t, atomic, copy, &found); /* the last one after the last write */
		*met += busy && found;
	}
	for (int i = 0; i < started; i++)
		pthread_join(w[i].thread, NULL);
	*lost = 0;
	for (uint64_t i = 0; i < m->pages && !err; i++)
		*lost += copy[i] != *(volatile uint64_t *)(m->base + i * m->page_size);
	free(copy);
	free(w);
	return err;
}

/*
 * PAGE_IS_WRITTEN as someone asks for it who leaves out PM_SCAN_CHECK_WPASYNC: memory that is not
 * registered is then no error.
 */
int stage_collect_unchecked(struct tracker *t)
{
	return pagemap_scan(t, PAGE_IS_WRITTEN, 0, 1);
}

/* An io_uring of one entry whose registered buffer is pinned memory; one at a time. */
static struct {
	int fd;
	struct io_uring_params params;
	struct io_uring_sqe *entry;
	uint8_t *rings; /* both, IORING_FEAT_SINGLE_MMAP (Linux 5.4) */
	size_t rings_len;
} pinned = { .fd = -1 };

static int map_rings(void)
{
	const struct io_uring_params *p = &pinned.params;

	const size_t cqes = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	const size_t sqes = p->sq_off.array + p->sq_entries * sizeof(uint32_t);

	pinned.rings_len = cqes > sqes ? cqes : sqes;
	pinned.rings = mmap(NULL, pinned.rings_len, PROT_READ | PROT_WRITE, MAP_SHARED, pinned.fd, IORING_OFF_SQ_RING);
	if (pinned.rings == MAP_FAILED)
		return fail("mmap(io_uring)");
	pinned.entry = mmap(NULL, sizeof(*pinned.entry), PROT_READ | PROT_WRITE, MAP_SHARED, pinned.fd,
			    IORING_OFF_SQES);
	return pinned.entry == MAP_FAILED ? fail("mmap(io_uring)") : 0;
}

/* Pin memory for writing until stage_unpin(): FOLL_PIN | FOLL_WRITE | FOLL_LONGTERM, io_uring/rsrc.c. */
int stage_pin(uint64_t address, uint64_t length)
{
	struct iovec buffer = { (void *)(uintptr_t)address, length };

	memset(&pinned.params, 0, sizeof(pinned.params));
	pinned.fd = (int)syscall(SYS_io_uring_setup, 1, &pinned.params);
	if (pinned.fd < 0)
		return fail("io_uring_setup");
	if (syscall(SYS_io_uring_register, pinned.fd, IORING_REGISTER_BUFFERS, &buffer, 1))
		return fail("io_uring_register(IORING_REGISTER_BUFFERS)");
	return map_rings();
}

/* Read from a file into pinned memory: by its physical pages, past the page table. */
int stage_read_pinned(int fd, uint64_t address, uint32_t length)
{
	const struct io_uring_params *p = &pinned.params;
	uint32_t *tail = (uint32_t *)(void *)(pinned.rings + p->sq_off.tail);
	uint32_t *head = (uint32_t *)(void *)(pinned.rings + p->cq_off.head);
	const uint32_t *mask = (uint32_t *)(void *)(pinned.rings + p->cq_off.ring_mask);
	const struct io_uring_cqe *done = (struct io_uring_cqe *)(void *)(pinned.rings + p->cq_off.cqes);

	*pinned.entry = (struct io_uring_sqe){ .opcode = IORING_OP_READ_FIXED, .fd = fd,
					       .addr = address, .len = length };
	*(uint32_t *)(void *)(pinned.rings + p->sq_off.array) = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, pinned.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return fail("io_uring_enter");
	errno = done[*head & *mask].res < 0 ? -done[*head & *mask].res : 0;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return errno ? fail("io_uring(READ_FIXED)") : 0;
}

void stage_unpin(void)
{
	if (pinned.rings && pinned.rings != MAP_FAILED)
		munmap(pinned.rings, pinned.rings_len);
	if (pinned.entry && pinned.entry != MAP_FAILED)
		munmap(pinned.entry, sizeof(*pinned.entry));
	if (pinned.fd >= 0)
		close(pinned.fd);
	pinned.rings = NULL;
	pinned.entry = NULL;
	pinned.fd = -1;
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
