// SPDX-License-Identifier: GPL-2.0-only
/* clear_refs: the legacy pair. Write 4 to clear_refs, read bit 55 of /proc/PID/pagemap. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../abi.h"
#include "../layers.h"

static int legacy_open(struct tracker *t)
{
	int err = open_proc(t, "clear_refs", O_WRONLY, &t->clear_refs_fd);

	if (!err)
		err = open_proc(t, "pagemap", O_RDONLY, &t->pagemap_fd);
	return err;
}

static void legacy_buffers(struct tracker *t)
{
	t->n_entries = t->mapping->watched;
	if (t->ask.read_bytes && t->ask.read_bytes / sizeof(*t->entries) < t->n_entries)
		t->n_entries = t->ask.read_bytes / sizeof(*t->entries);
	t->entries = tracker_buffer(t, t->n_entries * sizeof(*t->entries));
}

/* Append the soft-dirty pages among n entries, the first of which describes address. */
static void encode(struct tracker *t, uint64_t n, uint64_t address)
{
	const uint64_t page = t->mapping->page_size;
	struct range *ranges = t->ranges;
	uint64_t count = t->n_ranges;

	for (uint64_t i = 0; i < n; i++, address += page) {
		if (!(t->entries[i] >> PAGEMAP_SOFT_DIRTY_BIT & 1))
			continue;
		if (count && ranges[count - 1].end == address)
			ranges[count - 1].end += page;
		else
			ranges[count++] = (struct range){ address, address + page, 0 };
	}
	t->n_ranges = count;
}

static int legacy_collect(struct tracker *t)
{
	const uint64_t page = t->mapping->page_size, base = (uintptr_t)t->mapping->base;

	t->n_ranges = 0;
	for (uint64_t first = 0; first < t->mapping->watched;) {
		uint64_t want = t->mapping->watched - first;
		ssize_t got;

		if (want > t->n_entries)
			want = t->n_entries;
		got = pread(t->pagemap_fd, t->entries, want * 8, (off_t)((base / page + first) * 8));
		if (got <= 0) {
			if (!got)
				errno = ENODATA;
			return fail("read(pagemap)");
		}
		encode(t, (uint64_t)got / 8, base + first * page);
		first += (uint64_t)got / 8;
	}
	return 0;
}

struct interface interface_clear_refs = {
	.name = "clear_refs",
	.open = legacy_open,
	.reset = soft_dirty_clear,
	.collect = legacy_collect,
	.parts = COLLECTS_PARTS,
	.buffers = legacy_buffers,
};
