/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Python uses of the core. What stands between the two cffi marks is read by build.py as it is, so
 * that nothing is declared twice. What the core's files offer each other is in layers.h.
 *
 * A function that can fail returns 0 or a negative errno; the call that failed is named by
 * failed_call().
 */
#ifndef BENCH_CORE_H
#define BENCH_CORE_H

#include <stdint.h>

/* cffi: begin */

/* What backs the memory under test. */
enum kind { KIND_ANON, KIND_SHMEM, KIND_FILE_SHARED, KIND_FILE_PRIVATE, KIND_HUGETLB };

/* How its pages come into being before the first interval. */
enum populate {
	POPULATE_WRITE,        /* MADV_POPULATE_WRITE: every page present and writable */
	POPULATE_READ,         /* each page is read once: zero pages, or the file's */
	POPULATE_MADVISE_READ, /* MADV_POPULATE_READ: the same in one call */
	POPULATE_NONE,         /* not at all */
};

/* How the memory under test is to be made. Sizes in pages. */
struct layout {
	uint64_t pages;
	enum kind kind;
	int huge; /* transparent huge pages wanted; kinds that have none: 0 */
	enum populate populate;
	uint64_t populated;    /* this many, evenly spread, where populate is POPULATE_WRITE */
	uint64_t vmas;         /* cut into so many VMAs of one size */
	uint64_t watched;      /* pages from the start that are tracked */
	const char *directory; /* where files are made; they are never seen there */
};

/* The memory under test: 2 MiB-aligned, with PROT_NONE guards on both sides. */
struct mapping {
	uint8_t *base;          /* first byte; an address in the process below, if there is one */
	uint64_t pages;         /* size in pages */
	uint64_t page_size;     /* in bytes */
	uint64_t granule;       /* pages that one protection covers: 512 in hugetlb, else 1 */
	uint64_t unit;          /* pages that no VMA's edge may part: 512 where huge pages are wanted, else 1 */
	uint64_t vmas, watched; /* as in struct layout */
	uint8_t *area;          /* the reservation around it, guards included */
	uint64_t area_len;      /* in bytes */
	uint64_t populate_ns;   /* what populating took */
	int without_thp;        /* PR_SET_THP_DISABLE was lifted for it, and is to be set again */

	/* Of another process, where it is that one's memory; else 0 and NULL. */
	int pid;
	struct process *process;
	void (*end)(struct process *); /* ends it, and the mapping with it */
};

/* One range of reported pages, [start, end) in addresses. Laid out as the kernel's struct
 * page_region, so that PAGEMAP_SCAN fills it without a copy. */
struct range {
	uint64_t start, end, categories;
};

/* How collect asks, where an interface can be asked in several ways. */
struct ask {
	uint64_t vec_len;    /* regions an ioctl may return; 0: as the interface likes best */
	uint64_t max_pages;  /* pages an ioctl may report; 0: no limit */
	uint64_t read_bytes; /* of pagemap entries a read; 0: all in one */
	int extra_masks;     /* ask for more categories than the kernel's fast path knows */
	uint64_t scanners;   /* threads that ask at once, the tracking one among them; 0, 1: it alone */
	uint64_t every_us;   /* from the beginning of an interval to that of the next; 0: at once */
	const int *cpus;     /* of the others, in turn; none: any */
	uint64_t n_cpus;
};

struct crew;

/* One interface at work on one mapping. */
struct tracker {
	const struct interface *interface;
	const struct mapping *mapping;
	struct ask ask;
	struct crew *crew;    /* threads that ask, where there are several */
	uint8_t *buffers;     /* what the pointers below point into */
	uint64_t buffers_len; /* in bytes */
	uint64_t buffers_used;
	struct range *ranges; /* what collect delivers, sorted; touched at open */
	uint64_t n_ranges;
	uint64_t capacity;  /* of ranges */
	uint64_t *entries;  /* buffer for pagemap entries, where the interface reads them */
	uint64_t n_entries; /* its length */
	uint64_t *noted;    /* bitmap of written pages, where a handler keeps one */
	void *handler;      /* the handler's thread, where the interface has one */

	int clear_refs_fd, pagemap_fd, uffd; /* -1 where not used */
};

/* One way to learn which pages were written. A NULL function: the interface has no such phase. */
struct interface {
	const char *name;
	int (*open)(struct tracker *);                  /* descriptors, registration, buffers: not timed */
	int (*reset)(struct tracker *);                 /* from now on, writes count */
	int (*collect)(struct tracker *);               /* ranges written since the reset */
	int (*collect_reset)(struct tracker *);         /* both at once, atomically */
	void (*close)(struct tracker *);                /* ends the handler; descriptors and buffers go after it */
	int (*left)(struct tracker *, uint64_t *pages); /* no tracker: its reset wipes; pages that it did not */
	int parts; /* RESETS_PARTS, COLLECTS_PARTS: several threads may do so to parts of the mapping at once */
};

/*
 * What one interval took, in nanoseconds by CLOCK_MONOTONIC, and whether its result was right.
 * collect_ns is collect_reset's in atomic intervals; of several writers dirty_ns is the slowest one's.
 */
struct interval {
	uint64_t reset_ns, dirty_ns, collect_ns;
	uint64_t extra;      /* pages reported but not written */
	uint64_t missed;     /* pages written but not reported */
	uint64_t overlapped; /* 1: a writer was still writing when the first of two collects had ended */
};

/* The first report that was wrong: its first pages, by index. */
struct example {
	uint64_t n_extra, n_missed; /* how many there were, of which so many are here: */
	uint64_t extra[8], missed[8];
	uint64_t outside; /* reported twice, or of no page that is tracked */
	int idle;         /* nothing was written since the reset */
};

/* The pattern of one interval: which pages, in which order. */
struct pattern {
	const uint32_t *order; /* page indices, one write each */
	uint64_t writes;
	uint64_t *written; /* bitmap over the watched pages: the truth */
	uint64_t *seen;    /* bitmaps of the same size, scratch of the check */
	uint64_t *before;
	struct example *example;
};

struct team; /* writers other than the tracking thread */

/* A kernel function at work: an address in it, and the phase. */
struct ip_sample {
	uint64_t ip, phase;
};

/* Counters of events, as events.c names them, or a sampler. */
struct events {
	int fds[5];                /* -1: not to be had */
	int errors[5];             /* why not */
	int leads[5];              /* switched on and off by itself, others with one that leads */
	int shared[5];             /* the counter was given to others for a part of the time */
	uint64_t before[5];        /* what was read last */
	uint64_t empty[5];         /* what a phase counts that does nothing: taken off */
	uint64_t counts[4][5];     /* by phase and event, over all intervals that are no warmups */
	int sampler;               /* -1: none */
	void *ring;                /* which the kernel writes samples into */
	uint64_t start_ns, end_ns; /* of the phase */
	struct ip_sample *samples;
	uint64_t n_samples, room;
	uint64_t lost; /* how often the kernel had to leave out samples */
};

/* fail.c */
const char *failed_call(void);

/* mapping.c, process.c */
int mapping_create(struct mapping *mapping, const struct layout *layout);
int mapping_create_outside(struct mapping *mapping, const struct layout *layout, int cpu);
int mapping_huge_kib(const struct mapping *mapping, uint64_t *kib);
int process_id(const struct mapping *mapping);
void mapping_destroy(struct mapping *mapping);

/* tracker.c */
int tracker_open(struct tracker *tracker, const struct interface *interface, const struct mapping *mapping,
		 const struct ask *ask);
int tracker_reset(struct tracker *tracker);
int tracker_collect(struct tracker *tracker);
int tracker_collect_reset(struct tracker *tracker);
void tracker_close(struct tracker *tracker);

/* pattern.c */
uint64_t pattern_init(struct pattern *pattern, uint64_t watched);
void sample_pages(uint32_t *out, uint64_t total, uint64_t count, uint64_t seed);
void draw_pages(uint32_t *out, uint64_t total, uint64_t count, uint64_t seed);

/* writers.c */
int writers_start(struct team **team, const struct mapping *mapping, const struct pattern *pattern, uint64_t count,
		  int shared, const int *cpus, uint64_t n_cpus);
void writers_stop(struct team *team);

/* loop.c */
void check_ranges(const struct tracker *tracker, const struct pattern *pattern, uint64_t *extra, uint64_t *missed);
int run_intervals(struct tracker *tracker, const struct pattern *pattern, int atomic, struct team *team, int concurrent,
		  struct interval *intervals, uint64_t count, uint64_t warmups);

/* events.c */
const char *event_name(uint64_t event);
void events_open(struct events *events, int kernel);
int sampler_open(struct events *events, int clock, uint64_t period, uint64_t room);
void events_close(struct events *events);
int events_run(struct events *events, struct tracker *tracker, const struct pattern *pattern, int atomic,
	       struct team *team, uint64_t intervals, uint64_t warmups);

/* host.c */
double clock_cost_ns(void);
double tsc_hz(void);
double syscall_cost_ns(void);
void hypervisor_signature(char *out);
int die_with_parent(int parent);
int forgo_huge_pages(void);
int hold_memory(uint64_t bytes);

/* stage.c: what scenarios do to memory. Addresses and lengths in bytes; int64_t: an address, or a negative errno. */
int64_t stage_mmap(uint64_t address, uint64_t length, int protection, int flags, int fd);
int stage_munmap(uint64_t address, uint64_t length);
int stage_mprotect(uint64_t address, uint64_t length, int protection);
int stage_madvise(uint64_t address, uint64_t length, int advice);
int stage_mremap(uint64_t address, uint64_t length, uint64_t to);
int stage_move_pages(uint64_t address, uint64_t length, uint64_t to);
int stage_shrink_grow(uint64_t address, uint64_t length, uint64_t shrunk);
int stage_mlock(uint64_t address, uint64_t length);
int stage_punch(int fd, uint64_t offset, uint64_t length);
int64_t stage_sbrk(int64_t by);
int stage_allow_huge_pages(void);
void stage_write(uint64_t address, uint64_t pages, uint64_t page_size, uint8_t value);
void stage_read(uint64_t address, uint64_t pages, uint64_t page_size);
int stage_vm_write(uint64_t address, uint8_t value);
int stage_protect_all(struct tracker *tracker);
double stage_copy_page_ns(const struct mapping *mapping);

/* system.c: what they ask of the kernel besides; int: what it returns, or a negative errno */
int system_move_page(uint64_t address, int node);
int system_vm_write(int pid, uint64_t address, uint8_t value);
int system_poke(int pid, uint64_t address, uint64_t value);
int system_allow_tracing(void);
int system_mseal(uint64_t address, uint64_t length);
int system_memfd_secret(void);
int system_uffd(void);
int system_uffd_moves(void);
int system_uffd_register(int uffd, uint64_t address, uint64_t length, int protect);
int system_uffd_copy(int uffd, uint64_t to, uint64_t from, uint64_t length, int protect);
int system_uffd_zeropage(int uffd, uint64_t address, uint64_t length);
int system_uffd_move(int uffd, uint64_t to, uint64_t from, uint64_t length);

/* pinned.c: pages pinned and written by io_uring */
int stage_pin(uint64_t address, uint64_t length);
int stage_read_pinned(int fd, uint64_t address, uint32_t length);
void stage_unpin(void);

/* queries.c: one PAGEMAP_SCAN in the words of who asks. Addresses; flags and categories as in abi.h. */
struct asked {
	uint64_t flags, start, end;
	uint64_t ranges, room; /* where ranges go, and how many may */
	uint64_t max_pages;
	uint64_t inverted, all, anyof, returned;
	uint64_t stopped; /* out: walk_end */
};
int64_t query_once(int pagemap_fd, struct asked *asked);

/* races.c: writes of scenarios that meet a reset or a collect */
int stage_rewrite(struct tracker *tracker, uint64_t address, uint64_t rounds, uint64_t *missed);
int stage_rewrite_elsewhere(struct tracker *tracker, uint64_t address, uint64_t rounds, int cpu, uint64_t *missed,
			    uint64_t *seen);
int stage_writers(struct tracker *tracker, int threads, int atomic, uint64_t *lost, uint64_t *met);

/* cffi: end */

#endif
