// SPDX-License-Identifier: GPL-2.0-only
/* slot-memset: a slot is wiped, all of it: nothing is asked, and every page is there from then on. */
#include <stddef.h>
#include <string.h>

#include "../layers.h"

static int wipe(struct tracker *t)
{
	memset(t->mapping->base, 0, t->mapping->watched * t->mapping->page_size);
	return 0;
}

struct interface interface_slot_memset = {
	.name = "slot-memset",
	.open = slot_open,
	.reset = wipe,
	.left = slot_kept,
};
