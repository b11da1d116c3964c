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
int tracker_open(struct tracker *t, const struct interface *interface, const struct mapping *mapping)
{
	int err = 0;

	*t = (struct tracker){ .interface = interface, .mapping = mapping, .capacity = mapping->pages,
			       .clear_refs_fd = -1, .pagemap_fd = -1, .uffd = -1 };
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

int open_proc_self(const char *name, int flags, int *fd)
{
	static char what[80];
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/%s", name);
	*fd = open(path, flags | O_CLOEXEC);
	if (*fd >= 0)
		return 0;
	snprintf(what, sizeof(what), "open(%s)", path);
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
int register_wp(struct tracker *t, uint64_t features, const char *api_call)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register reg = { .range = { .start = (uintptr_t)t->mapping->base,
						  .len = t->mapping->pages * t->mapping->page_size },
				       .mode = UFFDIO_REGISTER_MODE_WP };

	t->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (t->uffd < 0)
		return fail("userfaultfd");
	if (ioctl(t->uffd, UFFDIO_API, &api))
		return fail(api_call);
	if (ioctl(t->uffd, UFFDIO_REGISTER, &reg))
		return fail("ioctl(UFFDIO_REGISTER, MODE_WP)");
	return 0;
}

/*
 * Open pagemap and ask for nothing at all: a kernel without the ioctl says ENOTTY here, before
 * anything else (userfaultfd, say) can fail for a less helpful reason.
 */
int open_pagemap_scan(struct tracker *t)
{
	struct pm_scan_arg nothing = { .size = sizeof(nothing) };
	int err = open_proc_self("pagemap", O_RDONLY, &t->pagemap_fd);

	if (!err && ioctl(t->pagemap_fd, PAGEMAP_SCAN, &nothing))
		err = fail("ioctl(PAGEMAP_SCAN)");
	return err;
}

/*
 * Walk the mapping with PAGEMAP_SCAN, resuming at walk_end where the vec was full. With output, the
 * ranges are appended to t->ranges. category_mask == return_mask == one category, nothing else:
 * that is what the kernel's fast path for PAGE_IS_WRITTEN asks for.
 *
 * A vec that is not full means that the walk reached the end, whatever walk_end says: it keeps the
 * value of the last refill of the kernel's bounce buffer of 512 ranges when the final part of the
 * walk succeeds (do_pagemap_scan() sets it to end only if it is still 0). Resuming there reports
 * pages twice.
 */
int pagemap_scan(struct tracker *t, uint64_t category, uint64_t flags, int output)
{
	uint64_t start = (uintptr_t)t->mapping->base;
	const uint64_t end = start + t->mapping->pages * t->mapping->page_size;

	t->n_ranges = 0;
	while (start < end) {
		struct pm_scan_arg arg = { .size = sizeof(arg), .flags = flags, .start = start, .end = end,
					   .category_mask = category };
		long n;

		if (output) {
			arg.vec = (uintptr_t)(t->ranges + t->n_ranges);
			arg.vec_len = t->capacity - t->n_ranges;
			arg.return_mask = category;
		}
		n = ioctl(t->pagemap_fd, PAGEMAP_SCAN, &arg);
		if (n < 0)
			return fail("ioctl(PAGEMAP_SCAN)");
		t->n_ranges += (uint64_t)n;
		if ((uint64_t)n < arg.vec_len)
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
