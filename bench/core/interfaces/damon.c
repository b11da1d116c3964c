// SPDX-License-Identifier: GPL-2.0-only
/*
 * damon: the regions in which DAMON has counted an access, through its files (Documentation/admin-guide/mm/damon/usage.rst).
 * It samples, with its own settings: every 5 ms one page of each region, which it splits and merges as it learns, and
 * every 100 ms it begins to count anew. Reset waits for that, and collect for the next time. What it says is an
 * estimate: a region counts as accessed, all of it, where one page of it was when DAMON looked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../layers.h"

#define DAMON "/sys/kernel/mm/damon/admin/kdamonds/"
#define CONTEXT "0/contexts/0/"
#define REGION CONTEXT "targets/0/regions/0/"
#define SCHEME CONTEXT "schemes/0/"
#define LONGEST 128

static int set(const char *file, const char *value)
{
	char path[LONGEST];
	const ssize_t size = (ssize_t)strlen(value);
	ssize_t put;
	int fd;

	snprintf(path, sizeof(path), DAMON "%s", file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return fail("open(damon)");
	put = write(fd, value, (size_t)size);
	if (put != size) {
		const int err = fail("write(damon)");

		close(fd);
		return err;
	}
	close(fd);
	return 0;
}

static int set_number(const char *file, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return set(file, text);
}

/* A number of one of its files; negative errno. */
static int64_t get(const char *file)
{
	char path[LONGEST], text[24] = "";
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), DAMON "%s", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail("open(damon)");
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	return got > 0 ? strtoll(text, NULL, 10) : fail_short("read(damon)", got);
}

/* A context of its own: the mapping as the one region, and a scheme that picks out what was accessed and does nothing. */
static int describe(const struct mapping *m)
{
	const uint64_t base = (uintptr_t)m->base;
	int err = set(CONTEXT "operations", "fvaddr");

	err = err ?: set(CONTEXT "targets/nr_targets", "1");
	err = err ?: set_number(CONTEXT "targets/0/pid_target", (uint64_t)process_id(m));
	err = err ?: set(CONTEXT "targets/0/regions/nr_regions", "1");
	err = err ?: set_number(REGION "start", base);
	err = err ?: set_number(REGION "end", base + m->watched * m->page_size);
	err = err ?: set(CONTEXT "schemes/nr_schemes", "1");
	err = err ?: set(SCHEME "action", "stat");
	err = err ?: set_number(SCHEME "access_pattern/sz/max", INT64_MAX);
	err = err ?: set(SCHEME "access_pattern/nr_accesses/min", "1");
	err = err ?: set_number(SCHEME "access_pattern/nr_accesses/max", INT32_MAX);
	return err ?: set_number(SCHEME "access_pattern/age/max", INT32_MAX);
}

static int damon_open(struct tracker *t)
{
	const int64_t others = get("nr_kdamonds");
	int err;

	if (others > 0) {
		errno = EBUSY;
		return fail("DAMON of somebody else");
	}
	err = others ? (int)others : set("nr_kdamonds", "1");
	t->handler = err ? NULL : t; /* it is ours, and to be given back */
	err = err ?: set("0/contexts/nr_contexts", "1");
	err = err ?: describe(t->mapping);
	if (!err && set("0/state", "on"))
		err = fail("write(damon/state, on)");
	return err;
}

/* Have the scheme look at the regions, at the end of what DAMON counts now. */
static int next_count(void)
{
	return set("0/state", "update_schemes_tried_regions");
}

static int damon_reset(struct tracker *t)
{
	t->n_ranges = 0;
	return next_count();
}

static int damon_collect(struct tracker *t)
{
	int err = next_count();

	t->n_ranges = 0;
	for (uint64_t i = 0; !err && i < t->capacity; i++) {
		char file[LONGEST / 2];
		int64_t start, end;

		snprintf(file, sizeof(file), SCHEME "tried_regions/%llu/start", (unsigned long long)i);
		start = get(file);
		if (start == -ENOENT)
			break;
		snprintf(file, sizeof(file), SCHEME "tried_regions/%llu/end", (unsigned long long)i);
		end = get(file);
		if (start < 0 || end < 0)
			return (int)(start < 0 ? start : end);
		t->ranges[t->n_ranges++] = (struct range){ (uint64_t)start, (uint64_t)end, 0 };
	}
	return err;
}

static void damon_close(struct tracker *t)
{
	if (!t->handler)
		return;
	set("0/state", "off");
	set("nr_kdamonds", "0");
	t->handler = NULL;
}

struct interface interface_damon = {
	.name = "damon",
	.open = damon_open,
	.reset = damon_reset,
	.collect = damon_collect,
	.close = damon_close,
};
