// SPDX-License-Identifier: GPL-2.0-only
/* Which call failed last: an errno alone does not say. */
#include <errno.h>

#include "layers.h"

static const char *failed = "";

int fail(const char *call)
{
	failed = call;
	return -errno;
}

const char *failed_call(void)
{
	return failed;
}
