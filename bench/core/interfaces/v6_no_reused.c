// SPDX-License-Identifier: GPL-2.0-only
/*
 * v6-no-reused: v6 with PAGEMAP_NO_REUSED_REGIONS, which looks at the pages' own bits and not at
 * VM_SOFTDIRTY: no pages of merged or reused areas that nobody wrote, and no VMA is split.
 */
#include <stddef.h>

#include "../abi.h"
#include "../layers.h"

static int no_reused_reset(struct tracker *t)
{
	return v6_scan(t, V6_NO_REUSED_REGIONS | V6_SOFTDIRTY_CLEAR, 0);
}

static int no_reused_collect(struct tracker *t)
{
	return v6_scan(t, V6_NO_REUSED_REGIONS, 1);
}

static int no_reused_collect_reset(struct tracker *t)
{
	return v6_scan(t, V6_NO_REUSED_REGIONS | V6_SOFTDIRTY_CLEAR, 1);
}

struct interface interface_v6_no_reused = {
	.name = "v6-no-reused",
	.open = v6_open,
	.reset = no_reused_reset,
	.collect = no_reused_collect,
	.collect_reset = no_reused_collect_reset,
};
