// SPDX-License-Identifier: GPL-2.0-only
/* What the machine and the process are: costs of clock and system call, hypervisor, and the parent's death. */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "clock.h"
#include "core.h"

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

/* A worker whose run was killed must not go on measuring for nobody. */
int die_with_parent(void)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL) ? fail("prctl(PR_SET_PDEATHSIG)") : 0;
}

/*
 * No huge pages behind this process and those it starts: whether the heap happens to get one changes
 * what clear_refs has to walk, by 40 % for a small mapping. Inherited over fork and exec.
 */
int forgo_huge_pages(void)
{
	return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) ? fail("prctl(PR_SET_THP_DISABLE)") : 0;
}
