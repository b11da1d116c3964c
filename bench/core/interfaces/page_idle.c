// SPDX-License-Identifier: GPL-2.0-only
/*
 * page_idle: mark the mapping's page frames as idle in /sys/kernel/mm/page_idle/bitmap, and see which are not any more
 * (Documentation/admin-guide/mm/idle_page_tracking.rst). By frame, which pagemap tells root alone. Frames that are on no
 * LRU list are never idle, and so are always reported; the TLB is not flushed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../layers.h"

#define PRESENT (1ULL << 63)
#define FRAME ((1ULL << 55) - 1)
#define MOST 512 /* entries of a read, and words of a write */

/* Words of the bitmap that follow each other: those of a run of frames are read or written in one call. */
struct words {
	uint64_t first, count;
	uint64_t words[MOST];
};

static int idle_open(struct tracker *t)
{
	int err = open_proc(t, "pagemap", O_RDONLY, &t->pagemap_fd);

	if (err)
		return err;
	t->source_fd = open("/sys/kernel/mm/page_idle/bitmap", O_RDWR | O_CLOEXEC);
	return t->source_fd < 0 ? fail("open(page_idle/bitmap)") : 0;
}

static void idle_buffers(struct tracker *t)
{
	t->n_entries = t->mapping->watched;
	t->entries = tracker_buffer(t, t->n_entries * sizeof(*t->entries));
}

/* Read all entries of pagemap. EPERM where it hides the frames of pages that are present. */
static int find_frames(struct tracker *t)
{
	const uint64_t first = (uintptr_t)t->mapping->base / t->mapping->page_size;

	for (uint64_t at = 0; at < t->n_entries;) {
		const ssize_t got = pread(t->pagemap_fd, t->entries + at, (t->n_entries - at) * 8,
					  (off_t)((first + at) * 8));

		if (got <= 0)
			return fail_short("read(pagemap)", got);
		at += (uint64_t)got / 8;
	}
	for (uint64_t i = 0; i < t->n_entries; i++)
		if (t->entries[i] & PRESENT && !(t->entries[i] & FRAME)) {
			errno = EPERM;
			return fail("frames in /proc/PID/pagemap");
		}
	return 0;
}

static int write_out(const struct tracker *t, struct words *some)
{
	const ssize_t size = (ssize_t)(some->count * 8);
	const ssize_t put = size ? pwrite(t->source_fd, some->words, (size_t)size, (off_t)(some->first * 8)) : 0;

	if (put != size)
		return fail_short("write(page_idle/bitmap)", put);
	some->count = 0;
	return 0;
}

/* Bits that are 0 leave their frames alone: a word has neighbours that are not ours. */
static int idle_reset(struct tracker *t)
{
	struct words some = { .count = 0 };
	int err = find_frames(t);

	for (uint64_t i = 0; i < t->n_entries && !err; i++) {
		const uint64_t frame = t->entries[i] & FRAME, word = frame / 64;

		if (!(t->entries[i] & PRESENT))
			continue;
		if (word - some.first > some.count || word - some.first >= MOST) {
			err = write_out(t, &some);
			some.first = word;
		}
		if (word - some.first == some.count)
			some.words[some.count++] = 0;
		some.words[word - some.first] |= 1ULL << frame % 64;
	}
	return err ? err : write_out(t, &some);
}

static int idle_collect(struct tracker *t)
{
	const uint64_t size = t->mapping->page_size;
	uint64_t address = (uintptr_t)t->mapping->base, known = UINT64_MAX, word = 0;
	int err = find_frames(t);

	t->n_ranges = 0;
	for (uint64_t i = 0; i < t->n_entries && !err; i++, address += size) {
		const uint64_t frame = t->entries[i] & FRAME;
		struct range *last = t->ranges + t->n_ranges;

		if (!(t->entries[i] & PRESENT))
			continue;
		if (frame / 64 != known) {
			known = frame / 64;
			if (pread(t->source_fd, &word, 8, (off_t)(known * 8)) != 8)
				err = fail("read(page_idle/bitmap)");
		}
		if (word >> frame % 64 & 1)
			continue;
		if (t->n_ranges && last[-1].end == address)
			last[-1].end += size;
		else
			t->ranges[t->n_ranges++] = (struct range){ address, address + size, 0 };
	}
	return err;
}

struct interface interface_page_idle = {
	.name = "page_idle",
	.open = idle_open,
	.reset = idle_reset,
	.collect = idle_collect,
	.buffers = idle_buffers,
};
