// SPDX-License-Identifier: GPL-2.0-only
/* slot-dontneed: a slot is dropped, all of it: nothing is asked, and every page is faulted in anew. */
#include <stddef.h>

#include "../layers.h"

static int drop(struct tracker *t)
{
	const uint64_t base = (uintptr_t)t->mapping->base;

	return slot_drop(base, base + t->mapping->watched * t->mapping->page_size);
}

struct interface interface_slot_dontneed = {
	.name = "slot-dontneed",
	.open = slot_open,
	.reset = drop,
	.left = slot_kept,
};
