// SPDX-License-Identifier: GPL-2.0-only
/* PAGEMAP_SCAN asked once, exactly as somebody says it: what errors, edges and callers' own queries are played with. */
#include <stddef.h>
#include <sys/ioctl.h>

#include "abi.h"
#include "layers.h"

/* Returns the number of ranges, or a negative errno. Where the kernel says where it stopped, asked->stopped has it. */
int64_t query_once(int pagemap_fd, struct asked *asked)
{
	struct pm_scan_arg arg = { .size = sizeof(arg),
				   .flags = asked->flags,
				   .start = asked->start,
				   .end = asked->end,
				   .vec = asked->ranges,
				   .vec_len = asked->room,
				   .max_pages = asked->max_pages,
				   .category_inverted = asked->inverted,
				   .category_mask = asked->all,
				   .category_anyof_mask = asked->anyof,
				   .return_mask = asked->returned };
	const int n = ioctl(pagemap_fd, PAGEMAP_SCAN, &arg);

	asked->stopped = arg.walk_end;
	return n < 0 ? fail("ioctl(PAGEMAP_SCAN)") : n;
}
