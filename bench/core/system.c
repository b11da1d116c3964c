// SPDX-License-Identifier: GPL-2.0-only
/* What scenarios ask of the kernel beside memory: moving pages, other processes' writes, userfaultfd, special memory. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "abi.h"
#include "layers.h"

#define MPOL_MF_MOVE (1 << 1) /* include/uapi/linux/mempolicy.h */
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447 /* Linux 5.14 */
#endif
#ifndef SYS_mseal
#define SYS_mseal 462 /* Linux 6.10 */
#endif

/* Move a page to a NUMA node, or with node -1 only look. Returns the node where it is then, or a negative errno. */
int system_move_page(uint64_t address, int node)
{
	void *page = (void *)(uintptr_t)address;
	int status = -EINVAL;

	if (syscall(SYS_move_pages, 0, 1UL, &page, node < 0 ? NULL : &node, &status, MPOL_MF_MOVE) < 0)
		return fail("move_pages");
	if (status < 0) {
		errno = -status;
		return fail("move_pages (of a page)");
	}
	return status;
}

/* Of another process: as a debugger or an emulator of the system call it makes. */
int system_vm_write(int pid, uint64_t address, uint8_t value)
{
	struct iovec from = { &value, 1 }, to = { (void *)(uintptr_t)address, 1 };

	return process_vm_writev(pid, &from, 1, &to, 1, 0) == 1 ? 0 : fail("process_vm_writev");
}

/* `value` is what writes have, and is not used. */
int system_vm_read(int pid, uint64_t address, uint8_t value)
{
	struct iovec from = { (void *)(uintptr_t)address, 1 }, to = { &value, 1 };

	return process_vm_readv(pid, &to, 1, &from, 1, 0) == 1 ? 0 : fail("process_vm_readv");
}

int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

/* Stop another process, write a word into its memory, let it go on. */
int system_poke(int pid, uint64_t address, uint64_t value)
{
	int err = 0;

	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL))
		return fail("ptrace(PTRACE_ATTACH)");
	if (waitpid(pid, NULL, __WALL) != pid)
		err = fail("waitpid");
	else if (ptrace(PTRACE_POKEDATA, pid, (void *)(uintptr_t)address, (void *)(uintptr_t)value))
		err = fail("ptrace(PTRACE_POKEDATA)");
	if (ptrace(PTRACE_DETACH, pid, NULL, NULL) && !err)
		err = fail("ptrace(PTRACE_DETACH)");
	return err;
}

/* Yama lets only ancestors trace; the child that is to is none. */
int system_allow_tracing(void)
{
	return prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0) ? fail("prctl(PR_SET_PTRACER)") : 0;
}

int system_mseal(uint64_t address, uint64_t length)
{
	return syscall(SYS_mseal, address, length, 0UL) ? fail("mseal") : 0;
}

int system_memfd_secret(void)
{
	int fd = (int)syscall(SYS_memfd_secret, (unsigned long)O_CLOEXEC);

	return fd < 0 ? fail("memfd_secret") : fd;
}

/* A userfaultfd for pages that are missing, beside what tracks. */
int system_uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY), err;

	if (fd < 0)
		return fail("userfaultfd");
	if (!ioctl(fd, UFFDIO_API, &api))
		return fd;
	err = fail("ioctl(UFFDIO_API)");
	close(fd);
	return err;
}

/* Whether the kernel has UFFDIO_MOVE: 1 or 0, or a negative errno. */
int system_uffd_moves(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY), err;

	if (fd < 0)
		return fail("userfaultfd");
	err = ioctl(fd, UFFDIO_API, &api) ? fail("ioctl(UFFDIO_API)") : 0;
	close(fd);
	return err ? err : !!(api.features & UFFD_FEATURE_MOVE);
}

/* protect: what is registered for write protection already stays so. */
int system_uffd_register(int uffd, uint64_t address, uint64_t length, int protect)
{
	struct uffdio_register reg = { .range = { .start = address, .len = length },
				       .mode = UFFDIO_REGISTER_MODE_MISSING | (protect ? UFFDIO_REGISTER_MODE_WP : 0) };

	return ioctl(uffd, UFFDIO_REGISTER, &reg) ? fail("ioctl(UFFDIO_REGISTER, MODE_MISSING)") : 0;
}

int system_uffd_copy(int uffd, uint64_t to, uint64_t from, uint64_t length, int protect)
{
	struct uffdio_copy copy = { .dst = to, .src = from, .len = length, .mode = protect ? UFFDIO_COPY_MODE_WP : 0 };

	return ioctl(uffd, UFFDIO_COPY, &copy) ? fail("ioctl(UFFDIO_COPY)") : 0;
}

int system_uffd_zeropage(int uffd, uint64_t address, uint64_t length)
{
	struct uffdio_zeropage zero = { .range = { .start = address, .len = length } };

	return ioctl(uffd, UFFDIO_ZEROPAGE, &zero) ? fail("ioctl(UFFDIO_ZEROPAGE)") : 0;
}

int system_uffd_move(int uffd, uint64_t to, uint64_t from, uint64_t length)
{
	struct own_uffdio_move move = { .dst = to, .src = from, .len = length };

	return ioctl(uffd, OWN_UFFDIO_MOVE, &move) ? fail("ioctl(UFFDIO_MOVE)") : 0;
}
