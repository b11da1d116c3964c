// SPDX-License-Identifier: GPL-2.0-only
/*
 * scan-wp: PAGEMAP_SCAN on memory registered with userfaultfd WP_ASYNC (Linux 6.7). A written page
 * is one whose write protection is gone. CHECK_WPASYNC always: without it the kernel silently skips
 * memory that is not registered, and a reset of nothing would be fast.
 */
#include <stddef.h>

#include "../abi.h"
#include "../layers.h"

static const struct query written = { .all = PAGE_IS_WRITTEN, .returned = PAGE_IS_WRITTEN };

int scan_wp_open(struct tracker *t)
{
	int err = open_pagemap_scan(t);

	if (!err)
		err = register_wp(t, UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED,
				  "ioctl(UFFDIO_API, WP_ASYNC)");
	return err;
}

static int wp_reset(struct tracker *t)
{
	return pagemap_scan(t, &written, PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC, 0);
}

static int wp_collect(struct tracker *t)
{
	return pagemap_scan(t, &written, PM_SCAN_CHECK_WPASYNC, 1);
}

static int wp_collect_reset(struct tracker *t)
{
	return pagemap_scan(t, &written, PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC, 1);
}

struct interface interface_scan_wp = {
	.name = "scan-wp",
	.open = scan_wp_open,
	.reset = wp_reset,
	.collect = wp_collect,
	.collect_reset = wp_collect_reset,
	.parts = RESETS_PARTS | COLLECTS_PARTS,
	.disarm = uffd_disarm,
};
