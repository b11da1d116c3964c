// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bare loop that "make perf" holds the suite's loop against: one page, the same calls, a clock
 * around the collect, nothing else. It shares no code with the core on purpose.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../bench/core/abi.h"

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/* Returns 0, or the number of the step that failed. */
int bare_loop(uint64_t count, uint64_t *collect_ns)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED };
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register reg = { .range = { (uintptr_t)page, 4096 }, .mode = UFFDIO_REGISTER_MODE_WP };
	struct page_region vec[1];
	struct pm_scan_arg wp = { .size = sizeof(wp),
				  .start = (uintptr_t)page,
				  .end = (uintptr_t)page + 4096,
				  .flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
				  .category_mask = PAGE_IS_WRITTEN };
	struct pm_scan_arg get = wp;
	int pagemap = open("/proc/self/pagemap", O_RDONLY), uffd;

	get.flags = PM_SCAN_CHECK_WPASYNC;
	get.return_mask = PAGE_IS_WRITTEN;
	get.vec = (uintptr_t)vec;
	get.vec_len = 1;
	*page = 1;
	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &reg))
		return 1;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t start;
		long n;

		if (ioctl(pagemap, PAGEMAP_SCAN, &wp))
			return 2;
		*(volatile char *)page = (char)i;
		start = now();
		n = ioctl(pagemap, PAGEMAP_SCAN, &get);
		collect_ns[i] = now() - start;
		if (n != 1)
			return 3;
	}
	close(uffd);
	close(pagemap);
	munmap(page, 4096);
	return 0;
}
