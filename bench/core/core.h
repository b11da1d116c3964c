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
	int huge;       /* transparent huge pages wanted; kinds that have none: 0 */
	uint64_t folio; /* pages of the folios wanted, mapped by page table entries; 0: as the kernel likes */
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
	uint64_t granule;       /* pages that one protection covers: a huge page's in hugetlb, else 1 */
	uint64_t unit;          /* pages that no VMA's edge may part: a huge page's where they are wanted, else 1 */
	uint64_t vmas, watched; /* as in struct layout */
	uint8_t *area;          /* the reservation around it, guards included */
	uint64_t area_len;      /* in bytes */
	uint64_t populate_ns;   /* what populating took */
	int without_thp;        /* PR_SET_THP_DISABLE was lifted for it, and is to be set again */

	/* Of another process, where it is that one's memory; else 0 and NULL. */
	int pid;
	struct process *process;
	void (*end)(struct mapping *); /* ends it, and the mapping with it */

	/* Of several processes, each with its share of the pages; base and the like are the first one's. */
	struct mapping *targets;
	uint64_t n_targets;
	struct team *teams; /* who write there */

	struct folios *folios; /* looked at between intervals; NULL: nobody asks */
};

/*
 * Of which folios the memory consists: pages by their folio's order; the last: not there, or swapped out.
 * Larger ones than huge pages of 2 MiB count as those.
 */
struct folios {
	int pagemap_fd, flags_fd;
	uint64_t before[11], after[11]; /* as of the first look and as of the last one */
	uint64_t looks, changed;        /* changed: looks that found something other than the first one */
};

/* One range of reported pages, [start, end) in addresses. Laid out as the kernel's struct
 * page_region, so that PAGEMAP_SCAN fills it without a copy. */
struct range {
	uint64_t start, end, categories;
};

/* What a tracker does with the pages that are reported to it. */
enum then { THEN_NOTHING, THEN_COPY, THEN_WIPE };

/* How collect asks, where an interface can be asked in several ways. */
struct ask {
	uint64_t vec_len;    /* regions an ioctl may return; 0: as the interface likes best */
	uint64_t max_pages;  /* pages an ioctl may report; 0: no limit */
	uint64_t read_bytes; /* of pagemap entries a read; 0: all in one */
	int extra_masks;     /* ask for more categories than the kernel's fast path knows */
	uint64_t scanners;   /* threads that ask at once, the tracking one among them; 0, 1: it alone */
	uint64_t every_us;   /* from the beginning of an interval to that of the next; 0: at once */
	uint64_t trackers;   /* each with a part of its own, all at work at once; 0, 1: one */
	enum then then;      /* what is done with the pages that are reported */
	const int *cpus;     /* of the others, in turn; none: any */
	uint64_t n_cpus;
};

struct crew;
struct watch;

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
	uint64_t capacity;            /* of ranges */
	uint64_t *entries;            /* buffer for pagemap entries, where the interface reads them */
	uint64_t n_entries;           /* its length */
	uint64_t *noted;              /* bitmap of written pages, where a handler keeps one */
	void *handler;                /* the handler's thread, where the interface has one */
	int (*act)(struct tracker *); /* what follows a report, and is a phase; NULL: nothing */
	uint8_t *backup;              /* of all that is tracked, where act copies */
	int holder;                   /* the process that holds a snapshot, where act forks; else 0 */

	int clear_refs_fd, pagemap_fd, uffd; /* -1 where not used */

	int source_fd;          /* what else collect reads, -1 where nothing */
	uint64_t sum;           /* what collect delivers where the interface says how many pages, and not which */
	unsigned long protects; /* the ioctl that protects, where the handler's thread lifts that */
	struct watch *watch;    /* who is told when phases begin; NULL: nobody */
	int ended;              /* by disarm: a handler that is late has nothing to note */
};

/* One way to learn which pages were written, or accessed. A NULL function: the interface has no such phase. */
struct interface {
	const char *name;
	int (*open)(struct tracker *);                  /* descriptors, registration, handlers */
	int (*reset)(struct tracker *);                 /* from now on, writes (or accesses) count */
	int (*collect)(struct tracker *);               /* ranges written (or accessed) since the reset */
	int (*collect_reset)(struct tracker *);         /* both at once, atomically */
	void (*close)(struct tracker *);                /* ends the handler; descriptors and buffers go after it */
	int (*left)(struct tracker *, uint64_t *pages); /* no tracker: its reset wipes; pages that it did not */
	int (*act)(struct tracker *); /* no tracker: does to all pages what others do to those that are reported */
	int parts; /* RESETS_PARTS, COLLECTS_PARTS: several threads may do so to parts of the mapping at once */
	int sums;  /* collect says how many pages, and not which: in sum of the tracker */
	void (*buffers)(struct tracker *); /* takes what it needs besides ranges: before open, never timed */
	int (*disarm)(struct tracker *);   /* ends tracking: all memory is free again, and whoever waits goes on */
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
	uint64_t periods;    /* of writers that have a rhythm */
	uint64_t late;       /* of these, in which one's pages were not written before the next began */
	uint64_t act_ns;
};

/* What a life took besides its intervals, in nanoseconds: opening, arming, ... and the program's first writes after it. */
struct life {
	int busy; /* in: the writers write while tracking ends */
	uint64_t open_ns, arm_ns, disarm_ns, close_ns, after_ns;
	uint64_t overlapped; /* 1: a writer was still writing when it had ended */
};

/* The first report that was wrong: its first pages, by index. */
struct example {
	uint64_t n_extra, n_missed; /* how many there were, of which so many are here: */
	uint64_t extra[8], missed[8];
	uint64_t outside; /* reported twice, or of no page that is tracked */
	int idle;         /* nothing was written since the reset */
};

/* The pattern of one interval: which pages, in which order. Bitmaps are over the watched pages. */
struct pattern {
	const uint32_t *order; /* page indices, one access each */
	uint64_t writes;       /* accesses: all of them writes, where reads is NULL */
	uint64_t *written;     /* the truth of who tracks writes */
	uint64_t *seen;        /* scratch of the check */
	uint64_t *before;
	struct example *example;
	const uint8_t *reads; /* by access: 1 where it is a read */
	uint64_t *accessed;   /* the truth of who tracks accesses */
	uint64_t *truth;      /* one of both: what reports are compared with */
};

struct team; /* writers other than the tracking thread */

/* The first so many of them write `budget` pages a period, the others as fast as they can. */
struct rhythm {
	uint64_t paced, budget, period_ns;
};

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
	uint64_t counts[10][5];    /* by phase and event, over all intervals that are no warmups */
	int sampler;               /* -1: none */
	void *ring;                /* which the kernel writes samples into */
	uint64_t start_ns, end_ns; /* of the phase */
	struct ip_sample *samples;
	uint64_t n_samples, room;
	uint64_t lost; /* how often the kernel had to leave out samples */
};

/* fail.c */
const char *failed_call(void);

/* mapping.c, process.c, targets.c */
int mapping_create(struct mapping *mapping, const struct layout *layout);
int mapping_create_outside(struct mapping *mapping, const struct layout *layout, int cpu);
int mapping_create_targets(struct mapping *mapping, const struct layout *layout, uint64_t count, const int *cpus,
			   uint64_t n_cpus);
int mapping_huge_kib(const struct mapping *mapping, uint64_t *kib);
int process_id(const struct mapping *mapping);
void mapping_destroy(struct mapping *mapping);

/* folios.c */
int folios_open(struct folios *seen, int pid);
int folios_look(struct folios *seen, const struct mapping *mapping);
void folios_close(struct folios *seen);

/* tracker.c */
int tracker_open(struct tracker *tracker, const struct interface *interface, const struct mapping *mapping,
		 const struct ask *ask);
int tracker_prepare(struct tracker *tracker, const struct interface *interface, const struct mapping *mapping,
		    const struct ask *ask);
int tracker_reset(struct tracker *tracker);
int tracker_collect(struct tracker *tracker);
int tracker_collect_reset(struct tracker *tracker);
void tracker_close(struct tracker *tracker);

/* pattern.c */
void pattern_init(struct pattern *pattern, uint64_t watched);
void sample_pages(uint32_t *out, uint64_t total, uint64_t count, uint64_t seed);
void draw_pages(uint32_t *out, uint64_t total, uint64_t count, uint64_t seed);

/* writers.c */
int writers_start(struct team **team, const struct mapping *mapping, const struct pattern *pattern, uint64_t count,
		  int shared, const int *cpus, uint64_t n_cpus);
void writers_pace(struct team *team, const struct rhythm *rhythm);
void writers_stop(struct team *team);

/* check.c */
void check_ranges(struct tracker *tracker, const struct pattern *pattern, uint64_t *extra, uint64_t *missed);

/* loop.c */
int run_intervals(struct tracker *tracker, const struct pattern *pattern, int atomic, struct team *team, int concurrent,
		  struct interval *intervals, uint64_t count, uint64_t warmups);

/* life.c */
int run_life(struct tracker *tracker, const struct pattern *pattern, int atomic, struct team *team, int concurrent,
	     struct life *life, struct interval *intervals, uint64_t count);
/* bystanders.c: who has nothing to do with tracking, and what that does to it. */
struct bystander;
enum bystanding { BYSTANDER_MMAP, BYSTANDER_FAULT, BYSTANDER_MPROTECT, BYSTANDER_SMAPS, BYSTANDER_PAGEMAP };

/*
 * How long operations took that overlapped a phase, in nanoseconds by CLOCK_MONOTONIC: by phase in the order of marks.h,
 * then those that overlapped none, and those that overlapped any. Buckets as bucket() has them.
 */
struct latencies {
	uint64_t counts[12][1216];
	uint64_t most[12];
	uint64_t ended,
		ended_ns; /* operations that ended within a phase, and the time of these with that before them */
	int urgent;       /* it goes before all tasks of usual priority */
};
int bystander_start(struct bystander **bystander, struct tracker *tracker, enum bystanding what, int cpu,
		    uint64_t pause_ns, int atomic, uint64_t warmups, uint64_t count);
int bystander_stop(struct bystander *bystander, struct latencies *found);

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
int stage_vm_read(uint64_t address);
int stage_vmsplice(uint64_t address, uint64_t length);
int stage_protect_all(struct tracker *tracker);
double stage_copy_page_ns(const struct mapping *mapping);

/* system.c: what they ask of the kernel besides; int: what it returns, or a negative errno */
int system_move_page(uint64_t address, int node);
int system_vm_write(int pid, uint64_t address, uint8_t value);
int system_vm_read(int pid, uint64_t address, uint8_t value);
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
int stage_reread(struct tracker *tracker, uint64_t address, uint64_t rounds, uint64_t *missed);
int stage_switch_modes(struct tracker *tracker, uint64_t *met);
int stage_writers(struct tracker *tracker, int threads, int atomic, uint64_t *lost, uint64_t *met);

/* cffi: end */

#endif
