// SPDX-License-Identifier: GPL-2.0-only
/* Memory of scenarios that is pinned for an io_uring, and written past the page table. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "layers.h"

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

	*pinned.entry =
		(struct io_uring_sqe){ .opcode = IORING_OP_READ_FIXED, .fd = fd, .addr = address, .len = length };
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
