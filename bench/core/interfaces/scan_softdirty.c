// SPDX-License-Identifier: GPL-2.0-only
/* scan-softdirty: clear_refs to reset, PAGEMAP_SCAN for PAGE_IS_SOFT_DIRTY to collect (Linux 6.8). */
#include <fcntl.h>
#include <stddef.h>

#include "../abi.h"
#include "../layers.h"

static int hybrid_open(struct tracker *t)
{
	int err = open_proc(t, "clear_refs", O_WRONLY, &t->clear_refs_fd);

	return err ? err : open_pagemap_scan(t);
}

static int hybrid_collect(struct tracker *t)
{
	static const struct query dirty = { .all = PAGE_IS_SOFT_DIRTY, .returned = PAGE_IS_SOFT_DIRTY };

	return pagemap_scan(t, &dirty, 0, 1);
}

struct interface interface_scan_softdirty = {
	.name = "scan-softdirty",
	.open = hybrid_open,
	.reset = soft_dirty_clear,
	.collect = hybrid_collect,
	.parts = COLLECTS_PARTS,
};
