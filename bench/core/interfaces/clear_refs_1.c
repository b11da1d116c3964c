// SPDX-License-Identifier: GPL-2.0-only
/*
 * clear_refs-1: write 1 to clear_refs, which clears the accessed bits of the whole process, and add up Referenced of the
 * mapping's VMAs in smaps. How many pages, not which: no file of /proc/PID shows the accessed bit of a page. The TLB is
 * not flushed (clear_refs_write() in fs/proc/task_mmu.c): what is accessed through an entry of it is missed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../layers.h"

/* A part of smaps. There is no room in the tracker's buffers for small mappings; one process has one tracker. */
static char text[1 << 15];

static int referenced_open(struct tracker *t)
{
	int err = open_proc(t, "clear_refs", O_WRONLY, &t->clear_refs_fd);

	memset(text, 1, sizeof(text)); /* no phase is to meet its page faults */
	return err ? err : open_proc(t, "smaps", O_RDONLY, &t->source_fd);
}

static int referenced_reset(struct tracker *t)
{
	return pwrite(t->clear_refs_fd, "1", 1, 0) == 1 ? 0 : fail("write(clear_refs, 1)");
}

/* A line is the first of a VMA, START-END in small hexadecimal digits, or NAME: VALUE kB. Returns 1 behind the end. */
static int take_line(struct tracker *t, const char *line, int *inside)
{
	static const char name[] = "Referenced:";
	const struct mapping *m = t->mapping;
	const uint64_t base = (uintptr_t)m->base, end = base + m->watched * m->page_size;
	char *dash;

	if ((*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f')) {
		const uint64_t from = strtoull(line, &dash, 16), to = strtoull(dash + 1, NULL, 16);

		*inside = from < end && to > base;
		return from >= end;
	}
	if (*inside && !strncmp(line, name, sizeof(name) - 1))
		t->sum += strtoull(line + sizeof(name) - 1, NULL, 10) * 1024 / m->page_size;
	return 0;
}

static int referenced_collect(struct tracker *t)
{
	size_t kept = 0;
	off_t at = 0;
	int inside = 0;

	t->sum = 0;
	for (;;) {
		const ssize_t got = pread(t->source_fd, text + kept, sizeof(text) - 1 - kept, at);
		char *line = text, *end;

		if (got < 0)
			return fail("read(smaps)");
		if (!got)
			return 0;
		at += got;
		kept += (size_t)got;
		text[kept] = 0;
		while ((end = memchr(line, '\n', (size_t)(text + kept - line)))) {
			if (take_line(t, line, &inside))
				return 0;
			line = end + 1;
		}
		kept -= (size_t)(line - text); /* a line that is not whole yet */
		memmove(text, line, kept);
		if (kept == sizeof(text) - 1) {
			errno = EOVERFLOW;
			return fail("read(smaps): a line");
		}
	}
}

struct interface interface_clear_refs_1 = {
	.name = "clear_refs-1",
	.open = referenced_open,
	.reset = referenced_reset,
	.collect = referenced_collect,
	.sums = 1,
};
