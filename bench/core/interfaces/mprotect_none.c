// SPDX-License-Identifier: GPL-2.0-only
/* mprotect-none: memory without any permission, and mprotect's SIGSEGV handler, which notes each first access. */
#include <stddef.h>

#include "../layers.h"

struct interface interface_mprotect_none = {
	.name = "mprotect-none",
	.open = mprotect_open,
	.reset = mprotect_none_reset,
	.collect = mprotect_collect,
	.close = mprotect_close,
	.buffers = noted_open,
	.disarm = mprotect_disarm,
};
