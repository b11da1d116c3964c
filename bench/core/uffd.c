// SPDX-License-Identifier: GPL-2.0-only
/* Memory of this process registered with userfaultfd. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "abi.h"
#include "layers.h"

/*
 * Register the mapping with userfaultfd for write protection. USER_MODE_ONLY needs no privilege. With
 * WP_ASYNC it is fully functional: the kernel resolves the faults by itself, its own writes included.
 * Without, what the kernel would write to a protected page fails with EFAULT.
 */
int uffd_wp(const struct mapping *m, uint64_t features, const char *api_call, int *fd)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register reg = { .range = { .start = (uintptr_t)m->base, .len = m->watched * m->page_size },
				       .mode = UFFDIO_REGISTER_MODE_WP };

	*fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (*fd < 0)
		return fail("userfaultfd");
	if (ioctl(*fd, UFFDIO_API, &api))
		return fail(api_call);
	if (ioctl(*fd, UFFDIO_REGISTER, &reg))
		return fail("ioctl(UFFDIO_REGISTER, MODE_WP)");
	return 0;
}
