// SPDX-License-Identifier: GPL-2.0-only
/*
 * scan-wp-general: scan-wp as somebody asks who wants to know more than what was written: by one of several
 * categories, and with others returned. The kernel then takes the general path of pagemap_scan_pmd_entry(), which
 * had other bugs than the fast one. So does its reset: without output the masks would be ignored.
 */
#include <stddef.h>

#include "../abi.h"
#include "../layers.h"

static const struct query any = { .anyof = PAGE_IS_WRITTEN,
				  .returned = PAGE_IS_WRITTEN | PAGE_IS_FILE | PAGE_IS_PRESENT | PAGE_IS_SWAPPED };

int general_reset(struct tracker *t)
{
	int err = pagemap_scan(t, &any, PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC, 1);

	t->n_ranges = 0;
	return err;
}

static int general_collect(struct tracker *t)
{
	return pagemap_scan(t, &any, PM_SCAN_CHECK_WPASYNC, 1);
}

static int general_collect_reset(struct tracker *t)
{
	return pagemap_scan(t, &any, PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC, 1);
}

struct interface interface_scan_wp_general = {
	.name = "scan-wp-general",
	.open = scan_wp_open,
	.reset = general_reset,
	.collect = general_collect,
	.collect_reset = general_collect_reset,
	.parts = RESETS_PARTS | COLLECTS_PARTS,
	.disarm = uffd_disarm,
};
