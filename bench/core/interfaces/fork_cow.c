// SPDX-License-Identifier: GPL-2.0-only
/* fork-cow: nothing is tracked, and a forked process holds the memory as it is: what is written next is copied for it. */
#include <stddef.h>

#include "../layers.h"

struct interface interface_fork_cow = {
	.name = "fork-cow",
	.act = hold_snapshot,
};
