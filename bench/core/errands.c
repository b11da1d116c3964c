// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a bystander does over and over: work elsewhere in the memory of the tracked process, or read what /proc has of it
 * in another one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "layers.h"

#define PLACE ((void *)0x7b0000000000) /* far from what is measured; a hint, as those in layers.h */
#define PAGES 64                       /* of its own memory */

/* What one operation is. Each checks what it was told. */

static int bad(const char *what)
{
	errno = EPROTO;
	return fail(what);
}

static int map_and_unmap(struct errand *e)
{
	volatile uint8_t *made = mmap(e->area + 2 * PAGES * e->page_size, 4 * e->page_size, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (made == MAP_FAILED)
		return fail("mmap(a bystander's)");
	if (*made)
		return bad("a bystander's fresh page");
	*made = 1;
	return munmap((void *)made, 4 * e->page_size) ? fail("munmap(a bystander's)") : 0;
}

static int fault(struct errand *e)
{
	volatile uint8_t *page = e->area + e->turn++ % PAGES * e->page_size;

	if (madvise((void *)page, e->page_size, MADV_DONTNEED))
		return fail("madvise(a bystander's)");
	if (*page)
		return bad("a bystander's dropped page");
	*page = 1;
	return 0;
}

static int protect(struct errand *e)
{
	const int protection = e->turn++ % 2 ? PROT_READ | PROT_WRITE : PROT_READ;

	return mprotect(e->area, PAGES * e->page_size, protection) ? fail("mprotect(a bystander's)") : 0;
}

static int read_smaps(struct errand *e)
{
	int64_t got, all = 0;

	if (lseek(e->file, 0, SEEK_SET))
		return fail("lseek(smaps)");
	while ((got = read(e->file, e->bytes, sizeof(e->bytes))) > 0)
		all += got;
	return got < 0 ? fail("read(smaps)") : all ? 0 : bad("read(smaps)");
}

/* One page table of the mapping after the other. */
static int read_pagemap(struct errand *e)
{
	const uint64_t tables = (e->entries + sizeof(e->bytes) / 8 - 1) / (sizeof(e->bytes) / 8);
	const uint64_t at = e->first * 8 + e->turn++ % tables * sizeof(e->bytes);

	const ssize_t got = pread(e->file, e->bytes, sizeof(e->bytes), (off_t)at);

	return got == sizeof(e->bytes) ? 0 : fail_short("pread(pagemap)", got);
}

/* Choose one, which is not begun yet. m: the memory under test. */
void errand_choose(struct errand *e, enum bystanding what, const struct mapping *m)
{
	static int (*const all[])(struct errand *) = {
		[BYSTANDER_MMAP] = map_and_unmap, [BYSTANDER_FAULT] = fault,          [BYSTANDER_MPROTECT] = protect,
		[BYSTANDER_SMAPS] = read_smaps,   [BYSTANDER_PAGEMAP] = read_pagemap,
	};

	*e = (struct errand){ .once = all[what],
			      .outside = what == BYSTANDER_SMAPS || what == BYSTANDER_PAGEMAP,
			      .name = what == BYSTANDER_SMAPS ? "smaps" : "pagemap",
			      .tracked = process_id(m),
			      .page_size = m->page_size,
			      .first = (uintptr_t)m->base / (uint64_t)getpagesize(),
			      .entries = m->pages };
}

/* Get what it needs: a file of the tracked process, by the process that is going to read it, or memory of its own. */
int errand_begin(struct errand *e)
{
	char path[48];

	if (e->outside) {
		snprintf(path, sizeof(path), "/proc/%d/%s", e->tracked, e->name);
		e->file = open(path, O_RDONLY | O_CLOEXEC);
		return e->file < 0 ? fail("open(/proc/PID, by a bystander)") : 0;
	}
	e->area = mmap(PLACE, PAGES * e->page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (e->area == MAP_FAILED) {
		e->area = NULL;
		return fail("mmap(a bystander's)");
	}
	return madvise(e->area, PAGES * e->page_size, MADV_NOHUGEPAGE) && errno != EINVAL ?
		       fail("madvise(a bystander's)") :
		       0;
}

/* Give its memory back; its file goes with the process. */
void errand_end(struct errand *e)
{
	if (e->area)
		munmap(e->area, PAGES * e->page_size);
}
