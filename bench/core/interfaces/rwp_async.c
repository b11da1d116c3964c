// SPDX-License-Identifier: GPL-2.0-only
/*
 * rwp-async: PAGEMAP_SCAN for PAGE_IS_ACCESSED on memory registered with userfaultfd RWP_ASYNC (Linux 7.3). An accessed
 * page is one whose protection against any access is gone; the scan can't protect it again, UFFDIO_RWPROTECT does.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "../abi.h"
#include "../layers.h"

static int rwp_open(struct tracker *t)
{
	int err = open_pagemap_scan(t);

	if (!err)
		err = register_rwp(t, UFFD_FEATURE_RWP | UFFD_FEATURE_RWP_ASYNC, "ioctl(UFFDIO_API, RWP_ASYNC)");
	return err;
}

static int rwp_reset(struct tracker *t)
{
	const struct mapping *m = t->mapping;
	struct uffdio_rwprotect all = { .range = { (uintptr_t)m->base, m->watched * m->page_size },
					.mode = UFFDIO_RWPROTECT_MODE_RWP };

	return ioctl(t->uffd, UFFDIO_RWPROTECT, &all) ? fail("ioctl(UFFDIO_RWPROTECT)") : 0;
}

static int rwp_collect(struct tracker *t)
{
	static const struct query accessed = { .all = PAGE_IS_ACCESSED, .returned = PAGE_IS_ACCESSED };

	return pagemap_scan(t, &accessed, 0, 1);
}

struct interface interface_rwp_async = {
	.name = "rwp-async",
	.open = rwp_open,
	.reset = rwp_reset,
	.collect = rwp_collect,
	.parts = RESETS_PARTS | COLLECTS_PARTS,
	.disarm = uffd_disarm,
};
