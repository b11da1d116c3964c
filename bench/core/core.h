/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine's hot part: mappings, trackers and the interval loop. What stands between the two cffi
 * marks is read by build.py as it is, so that nothing is declared twice.
 *
 * A function that can fail returns 0 or a negative errno; the call that failed is named by
 * failed_call().
 */
#ifndef BENCH_CORE_H
#define BENCH_CORE_H

#include <stdint.h>

/* cffi: begin */

/* The memory under test: 2 MiB-aligned, one VMA with PROT_NONE guards on both sides. */
struct mapping {
	uint8_t *base;     /* first byte */
	uint64_t pages;    /* size in pages */
	uint64_t page_size; /* in bytes */
	uint8_t *area;     /* the reservation around it, guards included */
	uint64_t area_len; /* in bytes */
};

/* One range of reported pages, [start, end) in addresses. Laid out as the kernel's struct
 * page_region, so that PAGEMAP_SCAN fills it without a copy. */
struct range {
	uint64_t start, end, categories;
};

/* One interface at work on one mapping. */
struct tracker {
	const struct interface *interface;
	const struct mapping *mapping;
	struct range *ranges; /* what collect delivers, sorted; allocated and touched at open */
	uint64_t n_ranges;
	uint64_t capacity;    /* of ranges */
	uint64_t *entries;    /* buffer for pagemap entries, where the interface reads them */
	uint64_t *noted;      /* bitmap of written pages, where a handler keeps one */
	void *handler;        /* the handler's thread, where the interface has one */
	int clear_refs_fd, pagemap_fd, uffd; /* -1 where not used */
};

/* One way to learn which pages were written. A NULL function: the interface has no such phase. */
struct interface {
	const char *name;
	int (*open)(struct tracker *);          /* descriptors, registration, buffers: not timed */
	int (*reset)(struct tracker *);         /* from now on, writes count */
	int (*collect)(struct tracker *);       /* ranges written since the reset */
	int (*collect_reset)(struct tracker *); /* both at once, atomically */
	void (*close)(struct tracker *);        /* ends the handler; descriptors and buffers are freed after it */
};

/* What one interval took, in nanoseconds by CLOCK_MONOTONIC, and whether its result was right. */
struct interval {
	uint64_t reset_ns, dirty_ns, collect_ns; /* collect_ns is collect_reset's in atomic intervals */
	uint64_t extra;  /* pages reported but not written */
	uint64_t missed; /* pages written but not reported */
};

/* The pattern of one interval: which pages, in which order. */
struct pattern {
	const uint32_t *order; /* page indices, one write each */
	uint64_t writes;
	uint64_t *written;     /* bitmap over the mapping's pages: the truth */
	uint64_t *seen;        /* bitmap of the same size, scratch of the check */
};

const char *failed_call(void);

int mapping_create(struct mapping *mapping, uint64_t pages);
int mapping_huge_kib(const struct mapping *mapping, uint64_t *kib);
void mapping_destroy(struct mapping *mapping);

int tracker_open(struct tracker *tracker, const struct interface *interface, const struct mapping *mapping);
int tracker_reset(struct tracker *tracker);
int tracker_collect(struct tracker *tracker);
int tracker_collect_reset(struct tracker *tracker);
void tracker_close(struct tracker *tracker);

uint64_t pattern_init(struct pattern *pattern, uint64_t pages);
void check_ranges(const struct tracker *tracker, const struct pattern *pattern, uint64_t *extra, uint64_t *missed);
int run_intervals(struct tracker *tracker, const struct pattern *pattern, int atomic,
		  struct interval *intervals, uint64_t count);

void sample_pages(uint32_t *out, uint64_t total, uint64_t count, uint64_t seed);
void draw_pages(uint32_t *out, uint64_t total, uint64_t count, uint64_t seed);
double clock_cost_ns(void);
double syscall_cost_ns(void);
void hypervisor_signature(char *out);
int die_with_parent(void);
int forgo_huge_pages(void);

/* cffi: end */

/* Remember which call failed and return its -errno. */
int fail(const char *call);

/* Shared by the interfaces that need them. */
int open_proc_self(const char *name, int flags, int *fd);
int open_pagemap_scan(struct tracker *tracker);
int soft_dirty_clear(struct tracker *tracker);
int register_wp(struct tracker *tracker, uint64_t features, const char *api_call);
int noted_open(struct tracker *tracker);
void noted_clear(struct tracker *tracker);
void note_page(struct tracker *tracker, uint64_t page);
int noted_collect(struct tracker *tracker);
int pagemap_scan(struct tracker *tracker, uint64_t category, uint64_t flags, int output);

#endif
