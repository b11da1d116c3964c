// SPDX-License-Identifier: GPL-2.0-only
/*
 * rwp-sync: userfaultfd's protection against any access with messages (Linux 7.3). Who accesses a page, also to read it,
 * sleeps until a handler thread has noted the page and lifted the protection.
 */
#include <stddef.h>

#include "../abi.h"
#include "../layers.h"

static int rwp_sync_open(struct tracker *t)
{
	int err = register_rwp(t, UFFD_FEATURE_RWP, "ioctl(UFFDIO_API, RWP)");

	return err ? err : sync_start(t, UFFDIO_RWPROTECT);
}

struct interface interface_rwp_sync = {
	.name = "rwp-sync",
	.open = rwp_sync_open,
	.reset = sync_reset,
	.collect = sync_collect,
	.close = sync_close,
	.buffers = noted_open,
	.disarm = sync_disarm,
};
