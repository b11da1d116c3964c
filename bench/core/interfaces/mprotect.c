// SPDX-License-Identifier: GPL-2.0-only
/*
 * mprotect: what runtimes do without the kernel's help. Read-only memory, and a SIGSEGV handler that
 * notes the page and makes it writable again. The handler is part of the program's own writes, and
 * so is its time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>

#include "../layers.h"

static struct tracker *active; /* a process has one handler of SIGSEGV */
static struct sigaction before;
static volatile sig_atomic_t refused; /* errno of an mprotect that failed in the handler */

/*
 * A reset between note and mprotect would forget one and be undone by the other. No handler interrupts
 * the holder or the C library: only a write to the tracked memory calls it, and neither writes there.
 */
static pthread_mutex_t answering = PTHREAD_MUTEX_INITIALIZER;

static int protect(const struct mapping *m, int protection)
{
	return mprotect(m->base, m->watched * m->page_size, protection);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	const int saved = errno;
	const struct mapping *m = active->mapping;
	const uint64_t page = ((uintptr_t)info->si_addr - (uintptr_t)m->base) / m->page_size;

	(void)signal;
	(void)context;
	if (info->si_code != SEGV_ACCERR || (uint8_t *)info->si_addr < m->base || page >= m->watched) {
		sigaction(SIGSEGV, &before, NULL); /* not ours: the instruction runs again and meets the old handler */
		return;
	}
	pthread_mutex_lock(&answering);
	note_page(active, page);
	if (mprotect(m->base + page / m->granule * m->granule * m->page_size, m->granule * m->page_size,
		     PROT_READ | PROT_WRITE)) {
		/*
		 * Each page among others of another protection is a VMA, and vm.max_map_count is their limit
		 * (mm/vma.c, ENOMEM). One protection for all needs but one, and lets the writer go on to where
		 * collect can say what happened.
		 */
		refused = errno;
		if (protect(m, PROT_READ | PROT_WRITE))
			sigaction(SIGSEGV, &before, NULL);
	}
	pthread_mutex_unlock(&answering);
	errno = saved;
}

int mprotect_open(struct tracker *t)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	struct tracker *nobody = NULL;
	int err;

	if (t->mapping->process) {
		errno = EOPNOTSUPP;
		return fail("mprotect of another process");
	}
	/* Two that begin at once must not both have it: each would pass the other's faults on to itself, for ever. */
	if (!__atomic_compare_exchange_n(&active, &nobody, t, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
		errno = EBUSY;
		return fail("sigaction(SIGSEGV)");
	}
	refused = 0;
	if (!sigaction(SIGSEGV, &action, &before))
		return 0;
	err = fail("sigaction(SIGSEGV)");
	active = NULL;
	return err;
}

/* One copy in each caller: results that are kept have counted no call. */
__attribute__((always_inline)) static inline int reset_to(struct tracker *t, int protection, const char *call)
{
	int err;

	pthread_mutex_lock(&answering);
	noted_clear(t);
	err = protect(t->mapping, protection) ? fail(call) : 0;
	pthread_mutex_unlock(&answering);
	return err;
}

static int mprotect_reset(struct tracker *t)
{
	return reset_to(t, PROT_READ, "mprotect(PROT_READ)");
}

/* As mprotect_reset(), but reads are noted too. */
int mprotect_none_reset(struct tracker *t)
{
	return reset_to(t, PROT_NONE, "mprotect(PROT_NONE)");
}

int mprotect_collect(struct tracker *t)
{
	if (refused) {
		errno = refused;
		refused = 0; /* said once, whenever it happened */
		return fail("mprotect of one page in the SIGSEGV handler (vm.max_map_count limits it)");
	}
	return noted_collect(t);
}

int mprotect_disarm(struct tracker *t)
{
	int err;

	pthread_mutex_lock(&answering);
	err = protect(t->mapping, PROT_READ | PROT_WRITE) ? fail("mprotect(PROT_READ | PROT_WRITE)") : 0;
	t->ended = !err;
	pthread_mutex_unlock(&answering);
	return err;
}

/*
 * Reads `active` without a lock: only its owner's own value matters to the owner, and any other value to the others. An
 * atomic load is compiled to one instruction more than the kept results were counted with, hence the attribute.
 */
__attribute__((no_sanitize("thread"))) void mprotect_close(struct tracker *t)
{
	if (active != t)
		return;
	if (!t->ended)
		protect(t->mapping, PROT_READ | PROT_WRITE);
	sigaction(SIGSEGV, &before, NULL);
	active = NULL;
}

struct interface interface_mprotect = {
	.name = "mprotect",
	.open = mprotect_open,
	.reset = mprotect_reset,
	.collect = mprotect_collect,
	.close = mprotect_close,
	.buffers = noted_open,
	.disarm = mprotect_disarm,
};
