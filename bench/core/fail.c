// SPDX-License-Identifier: GPL-2.0-only
/* Which call failed last in this thread: an errno alone does not say. Who waits for a thread takes it over from there. */
#include <errno.h>

#include "layers.h"

static _Thread_local const char *failed = "";

int fail(const char *call)
{
	failed = call;
	return -errno;
}

int fail_short(const char *call, int64_t moved)
{
	if (moved >= 0)
		errno = EIO;
	return fail(call);
}

const char *failed_call(void)
{
	return failed;
}
