// SPDX-License-Identifier: GPL-2.0-only
/* Opens an interface on a mapping, with the buffers it fills, runs its phases and closes it. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "layers.h"

/*
 * Room for all that an interface may want: ranges, a pagemap entry a page, a bitmap. One range per page is
 * the worst any can deliver: PAGEMAP_SCAN does not merge across its bounce buffer of 512 ranges. Mapped
 * alike for all interfaces, and not by malloc, which moves between brk and mmap by size and history: an
 * interface must not change where the others' memory stands in the VMA tree.
 */
static uint8_t *make_buffers(struct tracker *t)
{
	const uint64_t page = t->mapping->page_size;
	uint8_t *made;

	t->buffers_len = t->capacity * (sizeof(*t->ranges) + sizeof(*t->entries)) + bitmap_words(t->mapping) * 8;
	/* each of the three begins on a page of its own, of each of several trackers */
	t->buffers_len = (t->buffers_len / page + 3 * crew_trackers(t)) * page;
	made = mmap(BUFFERS_PLACE, t->buffers_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (made == MAP_FAILED)
		return NULL;
	madvise(made, t->buffers_len, MADV_NOHUGEPAGE); /* or their size would change what clear_refs walks */
	return made;
}

/* Take zeroed memory of the tracker's buffers. Touched: the first timed phase must not meet its page faults. */
void *tracker_buffer(struct tracker *t, uint64_t size)
{
	const uint64_t page = t->mapping->page_size;
	uint8_t *taken = t->buffers + t->buffers_used;

	t->buffers_used += (size + page - 1) / page * page;
	return memset(taken, 0, size);
}

/* Everything but the interface itself: nothing of what it has open, and all of the memory that it will fill. */
int tracker_prepare(struct tracker *t, const struct interface *interface, const struct mapping *mapping,
		    const struct ask *ask)
{
	int err;

	*t = (struct tracker){ .interface = interface,
			       .mapping = mapping,
			       .ask = *ask,
			       .capacity = mapping->watched,
			       .clear_refs_fd = -1,
			       .pagemap_fd = -1,
			       .uffd = -1,
			       .source_fd = -1 };
	t->buffers = make_buffers(t);
	if (!t->buffers)
		return fail("mmap(buffers)");
	err = ask->then ? acts_open(t) : 0;
	if (err || !interface->open)
		return err;
	t->ranges = tracker_buffer(t, t->capacity * sizeof(*t->ranges));
	if (crew_trackers(t) > 1)
		return crew_of_trackers(t);
	if (interface->buffers)
		interface->buffers(t);
	return 0;
}

/* Open the interface, with the threads that ask where there are several. */
int tracker_start(struct tracker *t)
{
	int err = t->interface->open(t);

	return err || t->ask.scanners < 2 ? err : crew_of_scanners(t);
}

/* Close it: what has been delivered stays. Never fails. */
int tracker_stop(struct tracker *t)
{
	if (t->interface->close)
		t->interface->close(t);
	close_descriptors(t);
	t->ended = 0;
	return 0;
}

int tracker_open(struct tracker *t, const struct interface *interface, const struct mapping *mapping,
		 const struct ask *ask)
{
	int err = tracker_prepare(t, interface, mapping, ask);

	if (!err && interface->open)
		err = tracker_start(t);
	if (err)
		tracker_close(t);
	return err;
}

void tracker_close(struct tracker *t)
{
	tracker_stop(t);
	acts_close(t);
	crew_end(t);
	if (t->buffers)
		munmap(t->buffers, t->buffers_len);
	t->buffers = NULL;
	t->ranges = NULL;
	t->entries = t->noted = NULL;
}

/* What writers and trackers that are several took by themselves. */
void threads_took(struct tracker *t, const struct team *team, struct interval *interval)
{
	if (team)
		team_took(team, interval);
	crew_took(t, interval);
}

static int call(struct tracker *t, int (*phase)(struct tracker *), const char *name)
{
	if (phase)
		return phase(t);
	errno = EOPNOTSUPP;
	return fail(name);
}

int tracker_reset(struct tracker *t)
{
	return call(t, t->interface->reset, "reset");
}

int tracker_collect(struct tracker *t)
{
	const int err = call(t, t->interface->collect, "collect");

	crew_gather(t);
	return err;
}

int tracker_collect_reset(struct tracker *t)
{
	const int err = call(t, t->interface->collect_reset, "collect_reset");

	crew_gather(t);
	return err;
}
