// SPDX-License-Identifier: GPL-2.0-only
/* Opens and closes an interface on a mapping, and holds what several interfaces share. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi.h"
#include "core.h"

_Static_assert(sizeof(struct range) == sizeof(struct page_region), "PAGEMAP_SCAN fills struct range");
_Static_assert(sizeof(struct pm_scan_arg) == 96, "the merged ABI's argument is 96 bytes");

static const char *failed = "";

int fail(const char *call)
{
	failed = call;
	return -errno;
}

const char *failed_call(void)
{
	return failed;
}

/*
 * One range per page is the worst any interface can deliver: PAGEMAP_SCAN does not merge across
 * its bounce buffer of 512 ranges. memset, because calloc's pages would be faulted in by the first
 * timed collect.
 */
int tracker_open(struct tracker *t, const struct interface *interface, const struct mapping *mapping,
		 const struct ask *ask)
{
	int err = 0;

	*t = (struct tracker){ .interface = interface, .mapping = mapping, .ask = *ask,
			       .capacity = mapping->watched, .clear_refs_fd = -1, .pagemap_fd = -1, .uffd = -1 };
	if (!interface->open)
		return 0;
	t->ranges = malloc(t->capacity * sizeof(*t->ranges));
	if (!t->ranges)
		return fail("malloc(ranges)");
	memset(t->ranges, 0, t->capacity * sizeof(*t->ranges));
	err = interface->open(t);
	if (err)
		tracker_close(t);
	return err;
}

void tracker_close(struct tracker *t)
{
	int *fds[] = { &t->clear_refs_fd, &t->pagemap_fd, &t->uffd };

	if (t->interface->close)
		t->interface->close(t);
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	free(t->ranges);
	free(t->entries);
	free(t->noted);
	t->ranges = NULL;
	t->entries = t->noted = NULL;
}

static int call(struct tracker *t, int (*phase)(struct tracker *), const char *name)
{
	if (phase)
		return phase(t);
	errno = EOPNOTSUPP;
	return fail(name);
}

int tracker_reset(struct tracker *t)
{
	return call(t, t->interface->reset, "reset");
}

int tracker_collect(struct tracker *t)
{
	return call(t, t->interface->collect, "collect");
}

int tracker_collect_reset(struct tracker *t)
{
	return call(t, t->interface->collect_reset, "collect_reset");
}

int open_proc(const struct tracker *t, const char *name, int flags, int *fd)
{
	static char what[80];
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", process_id(t->mapping), name);
	*fd = open(path, flags | O_CLOEXEC);
	if (*fd >= 0)
		return 0;
	snprintf(what, sizeof(what), "open(/proc/PID/%s)", name);
	return fail(what);
}

/* "4" clears the soft-dirty bits of the whole process: there is no smaller unit. */
int soft_dirty_clear(struct tracker *t)
{
	if (pwrite(t->clear_refs_fd, "4", 1, 0) != 1)
		return fail("write(clear_refs, 4)");
	t->n_ranges = 0;
	return 0;
}

/*
 * Register the mapping with userfaultfd for write protection. USER_MODE_ONLY needs no privilege. With
 * WP_ASYNC it is fully functional: the kernel resolves the faults by itself, its own writes included.
 * Without, what the kernel would write to a protected page fails with EFAULT.
 */
int uffd_wp(const struct mapping *m, uint64_t features, const char *api_call, int *fd)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register reg = { .range = { .start = (uintptr_t)m->base, .len = m->watched * m->page_size },
				       .mode = UFFDIO_REGISTER_MODE_WP };

	*fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (*fd < 0)
		return fail("userfaultfd");
	if (ioctl(*fd, UFFDIO_API, &api))
		return fail(api_call);
	if (ioctl(*fd, UFFDIO_REGISTER, &reg))
		return fail("ioctl(UFFDIO_REGISTER, MODE_WP)");
	return 0;
}

/* A userfaultfd serves the address space of the process that opened it. */
int register_wp(struct tracker *t, uint64_t features, const char *api_call)
{
	if (t->mapping->process)
		return process_uffd_wp(t->mapping, features, api_call, &t->uffd);
	return uffd_wp(t->mapping, features, api_call, &t->uffd);
}

/*
 * Open pagemap and ask for nothing at all: a kernel without the ioctl says ENOTTY here, before
 * anything else (userfaultfd, say) can fail for a less helpful reason.
 */
int open_pagemap_scan(struct tracker *t)
{
	struct pm_scan_arg nothing = { .size = sizeof(nothing) };
	int err = open_proc(t, "pagemap", O_RDONLY, &t->pagemap_fd);

	if (!err && ioctl(t->pagemap_fd, PAGEMAP_SCAN, &nothing))
		err = fail("ioctl(PAGEMAP_SCAN)");
	return err;
}

/* Pages in the ranges from `first` on. */
static uint64_t pages_in(const struct tracker *t, uint64_t first)
{
	uint64_t bytes = 0;

	for (uint64_t i = first; i < t->n_ranges; i++)
		bytes += t->ranges[i].end - t->ranges[i].start;
	return bytes / t->mapping->page_size;
}

/*
 * Walk the mapping with PAGEMAP_SCAN, resuming at walk_end where the vec was full or max_pages reached.
 * With output, the ranges are appended to t->ranges. category_mask == return_mask == one category, nothing
 * else: that is what the kernel's fast path for PAGE_IS_WRITTEN asks for. With extra masks it is not taken.
 *
 * Neither full nor at max_pages means that the walk reached the end, whatever walk_end says: it keeps the
 * value of the last refill of the kernel's bounce buffer of 512 ranges when the final part of the walk
 * succeeds (do_pagemap_scan() sets it to end only if it is still 0). Resuming there reports pages twice.
 */
int pagemap_scan(struct tracker *t, uint64_t category, uint64_t flags, int output)
{
	uint64_t start = (uintptr_t)t->mapping->base;
	const uint64_t end = start + t->mapping->watched * t->mapping->page_size;
	const uint64_t more = t->ask.extra_masks ? PAGE_IS_PRESENT | PAGE_IS_FILE | PAGE_IS_SWAPPED : 0;

	t->n_ranges = 0;
	while (start < end) {
		struct pm_scan_arg arg = { .size = sizeof(arg), .flags = flags, .start = start, .end = end,
					   .category_mask = category };
		const uint64_t before = t->n_ranges;
		long n;

		if (output) {
			arg.vec = (uintptr_t)(t->ranges + before);
			arg.vec_len = t->capacity - before;
			if (t->ask.vec_len && t->ask.vec_len < arg.vec_len)
				arg.vec_len = t->ask.vec_len;
			arg.max_pages = t->ask.max_pages;
			arg.return_mask = category | more;
		}
		n = ioctl(t->pagemap_fd, PAGEMAP_SCAN, &arg);
		if (n < 0)
			return fail("ioctl(PAGEMAP_SCAN)");
		t->n_ranges += (uint64_t)n;
		if ((uint64_t)n < arg.vec_len && (!arg.max_pages || pages_in(t, before) < arg.max_pages))
			break;
		/* Part of a huge page can stop the walk where it began: never spin. */
		if (arg.walk_end <= start) {
			errno = ELOOP;
			return fail("ioctl(PAGEMAP_SCAN): walk_end");
		}
		start = arg.walk_end;
		if (n && t->ranges[t->n_ranges - 1].end > start)
			start = t->ranges[t->n_ranges - 1].end;
	}
	return 0;
}
