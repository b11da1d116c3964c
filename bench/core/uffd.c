// SPDX-License-Identifier: GPL-2.0-only
/* Memory of this process registered with userfaultfd. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "abi.h"
#include "layers.h"

/*
 * Register the mapping with userfaultfd. USER_MODE_ONLY needs no privilege. With WP_ASYNC or RWP_ASYNC it is fully
 * functional: the kernel resolves the faults by itself, those of its own accesses included. Without, what the kernel
 * would access in a protected page fails with EFAULT.
 */
int uffd_register(const struct mapping *m, const struct registration *how, int *fd)
{
	struct uffdio_api api = { .api = UFFD_API, .features = how->features };
	struct uffdio_register reg = { .range = { .start = (uintptr_t)m->base, .len = m->watched * m->page_size },
				       .mode = how->mode };

	*fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (*fd < 0)
		return fail("userfaultfd");
	if (ioctl(*fd, UFFDIO_API, &api))
		return fail(how->api_call);
	if (ioctl(*fd, UFFDIO_REGISTER, &reg))
		return fail(how->register_call);
	return 0;
}

/* Unregister: page table entries get their write permission back, and who waits for an answer is woken. */
int uffd_disarm(struct tracker *t)
{
	const struct mapping *m = t->mapping;
	struct uffdio_range all = { .start = (uintptr_t)m->base, .len = m->watched * m->page_size };

	return ioctl(t->uffd, UFFDIO_UNREGISTER, &all) ? fail("ioctl(UFFDIO_UNREGISTER)") : 0;
}
