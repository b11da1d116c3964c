// SPDX-License-Identifier: GPL-2.0-only
/* copy-all: nothing is tracked, and all pages are copied. */
#include <stddef.h>

#include "../layers.h"

struct interface interface_copy_all = {
	.name = "copy-all",
	.act = copy_all,
};
