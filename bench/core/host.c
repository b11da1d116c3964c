// SPDX-License-Identifier: GPL-2.0-only
/* What the machine and the process are: costs of clock and system call, hypervisor, and the parent's death. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <x86intrin.h>
#endif

#include "clock.h"
#include "layers.h"

#define COST_ROUNDS 64
#define COST_CALLS 1024

/* The least of many rounds: an interrupt only ever adds. */
double clock_cost_ns(void)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < COST_ROUNDS; round++) {
		uint64_t start = now(), took;

		for (int i = 1; i < COST_CALLS; i++)
			(void)now();
		took = now() - start;
		best = took < best ? took : best;
	}
	return (double)best / COST_CALLS;
}

double syscall_cost_ns(void)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < COST_ROUNDS; round++) {
		uint64_t start = now(), took;

		for (int i = 0; i < COST_CALLS; i++)
			syscall(SYS_getppid);
		took = now() - start;
		best = took < best ? took : best;
	}
	return (double)best / COST_CALLS;
}

/*
 * Cycles of the time stamp counter in a second, against the clock of all timings; 0 where it is not
 * invariant (CPUID leaf 0x80000007, EDX bit 8): then it counts no time.
 */
double tsc_hz(void)
{
#ifdef __x86_64__
	unsigned int eax, ebx, ecx, edx;
	uint64_t start, end, from, to;

	if (!__get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) || !(edx >> 8 & 1))
		return 0;
	start = now();
	from = __rdtsc();
	do
		end = now();
	while (end - start < 50 * 1000 * 1000);
	to = __rdtsc();
	return (double)(to - from) * 1e9 / (double)(end - start);
#else
	return 0;
#endif
}

/* Twelve characters of CPUID leaf 0x40000000 and a NUL; empty where no hypervisor shows itself. */
void hypervisor_signature(char *out)
{
	memset(out, 0, 13);
#ifdef __x86_64__
	unsigned int eax, ebx, ecx, edx;

	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx >> 31 & 1))
		return;
	__cpuid(0x40000000, eax, ebx, ecx, edx);
	memcpy(out, &ebx, 4);
	memcpy(out + 4, &ecx, 4);
	memcpy(out + 8, &edx, 4);
#endif
}

/*
 * A worker whose run was killed must not go on measuring for nobody. A parent that died before the prctl
 * sends no signal any more: ESRCH.
 */
int die_with_parent(int parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return fail("prctl(PR_SET_PDEATHSIG)");
	if (getppid() == parent)
		return 0;
	errno = ESRCH;
	return fail("getppid");
}

/*
 * No huge pages behind this process and those it starts: whether the heap happens to get one changes
 * what clear_refs has to walk, by 40 % for a small mapping. Inherited over fork and exec.
 */
int forgo_huge_pages(void)
{
	return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) ? fail("prctl(PR_SET_THP_DISABLE)") : 0;
}

/* Resident memory of small pages that nobody writes: what else a large process has. It stays to the end. */
int hold_memory(uint64_t bytes)
{
	uint8_t *held = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (held == MAP_FAILED)
		return fail("mmap(ballast)");
	/* A page there is no memory for kills this process: never unsaid. */
	for (uint64_t at = 0, page = (uint64_t)sysconf(_SC_PAGESIZE); at < bytes; at += page)
		((volatile uint8_t *)held)[at] = 1;
	return 0;
}
