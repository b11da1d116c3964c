// SPDX-License-Identifier: GPL-2.0-only
/*
 * uffd-sync: userfaultfd write protection with messages (Linux 5.7). The writer sleeps until a
 * handler thread has read its message, noted the page and lifted the protection, which wakes it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../abi.h"
#include "../layers.h"
#include "../marks.h"

#define MESSAGES 16 /* a read takes as many as there are, up to so many writers at once */

struct handler {
	pthread_t thread;
	int stop;    /* eventfd that ends the thread */
	int refused; /* errno of a call that failed in the thread */
	/* A reset between note and unprotect would forget the one and be undone by the other. */
	pthread_mutex_t answering;
};

/* t->protects with mode 1 protects, with 0 it lifts that and wakes who sleeps: both ioctls that can be it are alike. */
_Static_assert(sizeof(struct uffdio_writeprotect) == sizeof(struct uffdio_rwprotect) &&
		       UFFDIO_WRITEPROTECT_MODE_WP == UFFDIO_RWPROTECT_MODE_RWP,
	       "one argument for UFFDIO_WRITEPROTECT and UFFDIO_RWPROTECT");

static int protect(const struct tracker *t, uint64_t start, uint64_t len, uint64_t mode)
{
	struct uffdio_writeprotect wp = { .range = { .start = start, .len = len }, .mode = mode };

	return ioctl(t->uffd, t->protects, &wp);
}

/* All that is watched: in one call where the kernel takes several VMAs at once, which is since Linux 6.4. */
static int whole(const struct tracker *t, uint64_t mode)
{
	const struct mapping *m = t->mapping;
	int err = protect(t, (uintptr_t)m->base, m->watched * m->page_size, mode);

	if (!err || errno != ENOENT || m->vmas == 1)
		return err;
	err = 0;
	for (uint64_t i = 0; i < m->vmas && !err && vma_start(m, i) < m->watched; i++) {
		uint64_t first = vma_start(m, i), end = vma_start(m, i + 1);

		end = end < m->watched ? end : m->watched;
		err = protect(t, (uintptr_t)m->base + first * m->page_size, (end - first) * m->page_size, mode);
	}
	return err;
}

/* Have whoever sleeps write again: he finds out himself where memory is gone. */
static void wake(const struct tracker *t)
{
	const struct mapping *m = t->mapping;
	struct uffdio_range all = { .start = (uintptr_t)m->base, .len = m->watched * m->page_size };

	ioctl(t->uffd, UFFDIO_WAKE, &all);
}

/* Note each page before its writer is woken: collect comes after the write. */
static void answer(struct tracker *t, const struct uffd_msg *messages, size_t count)
{
	const struct mapping *m = t->mapping;
	struct handler *h = t->handler;

	pthread_mutex_lock(&h->answering);
	for (size_t i = 0; i < count; i++) {
		uint64_t page = (messages[i].arg.pagefault.address - (uintptr_t)m->base) / m->page_size;

		if (messages[i].event != UFFD_EVENT_PAGEFAULT || page >= m->watched)
			continue;
		if (t->ended) {
			wake(t);
			continue;
		}
		page -= page % m->granule;
		note_page(t, page);
		/* ENOENT, EAGAIN: the mapping is changing under us. Nobody may sleep for ever. */
		if (protect(t, (uintptr_t)m->base + page * m->page_size, m->granule * m->page_size, 0)) {
			__atomic_store_n(&h->refused, errno, __ATOMIC_RELAXED);
			if (whole(t, 0))
				wake(t);
		}
	}
	pthread_mutex_unlock(&h->answering);
}

static void *handle(void *tracker)
{
	struct tracker *t = tracker;
	struct handler *h = t->handler;
	struct pollfd fds[] = { { .fd = t->uffd, .events = POLLIN }, { .fd = h->stop, .events = POLLIN } };
	struct uffd_msg messages[MESSAGES];

	MARK(MARK_BEGIN, PHASE_DIRTY); /* to its end: all this thread does is part of the writes */
	while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
		ssize_t got = read(t->uffd, messages, sizeof(messages));

		if (got > 0)
			answer(t, messages, (size_t)got / sizeof(*messages));
		else if (fds[1].revents)
			break;
	}
	return NULL;
}

/* Start the thread that answers, on memory that is registered. */
int sync_start(struct tracker *t, unsigned long protects)
{
	struct handler *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return fail("malloc(handler)");
	t->protects = protects;
	pthread_mutex_init(&h->answering, NULL);
	h->stop = eventfd(0, EFD_CLOEXEC);
	t->handler = h;
	err = h->stop < 0 ? fail("eventfd") : thread_start(&h->thread, -1, handle, t);
	if (!err)
		return 0;
	if (h->stop >= 0)
		close(h->stop);
	free(h);
	t->handler = NULL;
	return err;
}

static int sync_open(struct tracker *t)
{
	static const char *const api = "ioctl(UFFDIO_API, PAGEFAULT_FLAG_WP)";
	int err = register_wp(t, UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_UNPOPULATED, api);

	if (err == -EINVAL && failed_call() == api) {
		/* Before Linux 6.4 pages that aren't there can't be protected, and what is written to them is missed. */
		close(t->uffd); /* its one UFFDIO_API is used up */
		err = register_wp(t, UFFD_FEATURE_PAGEFAULT_FLAG_WP, api);
	}
	return err ? err : sync_start(t, UFFDIO_WRITEPROTECT);
}

/* By its name, which of the two ioctls it was. */
static int failed(const struct tracker *t, const char *wp, const char *rwp)
{
	return fail(t->protects == UFFDIO_WRITEPROTECT ? wp : rwp);
}

int sync_reset(struct tracker *t)
{
	struct handler *h = t->handler;
	int err;

	pthread_mutex_lock(&h->answering);
	noted_clear(t);
	err = whole(t, UFFDIO_WRITEPROTECT_MODE_WP) ?
		      failed(t, "ioctl(UFFDIO_WRITEPROTECT)", "ioctl(UFFDIO_RWPROTECT)") :
		      0;
	pthread_mutex_unlock(&h->answering);
	return err;
}

int sync_collect(struct tracker *t)
{
	struct handler *h = t->handler;

	errno = __atomic_load_n(&h->refused, __ATOMIC_RELAXED);
	return errno ? failed(t, "ioctl(UFFDIO_WRITEPROTECT) in the handler thread",
			      "ioctl(UFFDIO_RWPROTECT) in the handler thread") :
		       noted_collect(t);
}

/* Under the lock: a message that is being answered is answered before, and later ones find nothing to lift. */
int sync_disarm(struct tracker *t)
{
	struct handler *h = t->handler;
	int err;

	pthread_mutex_lock(&h->answering);
	err = uffd_disarm(t);
	t->ended = !err;
	pthread_mutex_unlock(&h->answering);
	return err;
}

void sync_close(struct tracker *t)
{
	struct handler *h = t->handler;

	if (!h)
		return;
	eventfd_write(h->stop, 1);
	pthread_join(h->thread, NULL);
	close(h->stop);
	free(h);
	t->handler = NULL;
}

struct interface interface_uffd_sync = {
	.name = "uffd-sync",
	.open = sync_open,
	.reset = sync_reset,
	.collect = sync_collect,
	.close = sync_close,
	.buffers = noted_open,
	.disarm = sync_disarm,
};
