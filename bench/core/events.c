// SPDX-License-Identifier: GPL-2.0-only
/*
 * What perf_event_open(2) tells of each phase: events counted, or kernel functions sampled. In intervals of their
 * own, with this loop instead of that of loop.c: nothing of it is on in an interval that is timed.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "layers.h"
#include "marks.h"

#define RING_BYTES (1 << 18) /* of samples of one phase; a power of two */
#define CALIBRATIONS 32
#define DTLB_MISSES(op)                                                                                                \
	(PERF_COUNT_HW_CACHE_DTLB | PERF_COUNT_HW_CACHE_OP_##op << 8 | PERF_COUNT_HW_CACHE_RESULT_MISS << 16)

/* Before the samples there is one page. */
static uint64_t page_bytes(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

/*
 * The four of hardware fit into the counters of any CPU at once, of user space or of the kernel. A dTLB miss is a
 * page walk on Intel since Haswell and (loads) on AMD since Zen: hw_cache_event_ids in arch/x86/events.
 */
static const struct {
	const char *name;
	uint32_t type;
	uint64_t config;
} known[] = {
	{ "instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS },
	{ "cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES },
	{ "dTLB-load-misses", PERF_TYPE_HW_CACHE, DTLB_MISSES(READ) },
	{ "dTLB-store-misses", PERF_TYPE_HW_CACHE, DTLB_MISSES(WRITE) },
	{ "page-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS },
};

#define KNOWN (sizeof(known) / sizeof(*known))
_Static_assert(KNOWN == sizeof(((struct events *)0)->fds) / sizeof(int), "core.h has room for each");
_Static_assert(N_PHASES == sizeof(((struct events *)0)->counts) / sizeof(((struct events *)0)->counts[0]), "likewise");

const char *event_name(uint64_t event)
{
	return event < KNOWN ? known[event].name : NULL;
}

static int perf_event_open(struct perf_event_attr *attr, int leader)
{
	attr->size = sizeof(*attr);
	attr->disabled = leader < 0; /* others go on and off with their leader */
	attr->exclude_hv = 1;
	return (int)syscall(SYS_perf_event_open, attr, 0, -1, leader, PERF_FLAG_FD_CLOEXEC);
}

/* Open what can be had of this thread, and of threads and processes that it will start: writers and handlers. */
void events_open(struct events *e, int kernel)
{
	int leader = -1;

	memset(e, 0, sizeof(*e));
	e->sampler = -1;
	for (uint64_t i = 0; i < KNOWN; i++) {
		const int hardware = known[i].type != PERF_TYPE_SOFTWARE;
		struct perf_event_attr attr = {
			.type = known[i].type,
			.config = known[i].config,
			.exclude_user = kernel ? 1 : 0,
			.exclude_kernel = !kernel,
			.inherit = 1,
			.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
		};

		e->fds[i] = perf_event_open(&attr, hardware ? leader : -1);
		e->errors[i] = e->fds[i] < 0 ? errno : 0;
		if (hardware && leader < 0)
			leader = e->fds[i];
		e->leads[i] = e->fds[i] >= 0 && (!hardware || leader == e->fds[i]);
	}
}

/*
 * Sample kernel functions of this thread: every `period` cycles, or, without a counter of cycles, nanoseconds. The
 * sampler is on all the time, and samples say when they were taken: one that is switched on and off sees itself.
 */
int sampler_open(struct events *e, int clock, uint64_t period, uint64_t room)
{
	struct perf_event_attr attr = {
		.type = clock ? PERF_TYPE_SOFTWARE : PERF_TYPE_HARDWARE,
		.config = clock ? PERF_COUNT_SW_CPU_CLOCK : PERF_COUNT_HW_CPU_CYCLES,
		.sample_period = period,
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TIME,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC, /* that of now() */
		.exclude_user = 1,
	};

	memset(e, 0, sizeof(*e));
	memset(e->fds, -1, sizeof(e->fds));
	e->sampler = perf_event_open(&attr, -1);
	if (e->sampler < 0)
		return fail("perf_event_open");
	e->ring = mmap(NULL, page_bytes() + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, e->sampler, 0);
	if (e->ring == MAP_FAILED) {
		e->ring = NULL;
		return fail("mmap(perf_event)");
	}
	e->samples = mmap(NULL, room * sizeof(*e->samples), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (e->samples == MAP_FAILED) {
		e->samples = NULL;
		return fail("mmap(samples)");
	}
	e->room = room;
	return 0;
}

void events_close(struct events *e)
{
	if (e->ring)
		munmap(e->ring, page_bytes() + RING_BYTES);
	if (e->samples)
		munmap(e->samples, e->room * sizeof(*e->samples));
	for (uint64_t i = 0; i < KNOWN; i++)
		if (e->fds[i] >= 0)
			close(e->fds[i]);
	if (e->sampler >= 0)
		close(e->sampler);
}

/* Hardware is switched on last and off first: its phase has the least of this in it. */
static void begin(struct events *e)
{
	for (uint64_t i = KNOWN; i--;)
		if (e->leads[i])
			ioctl(e->fds[i], PERF_EVENT_IOC_ENABLE, 0);
	e->start_ns = now();
}

/* Nothing is written before all are off: clear_refs has write-protected this too, and the fault would be counted. */
static void end(struct events *e)
{
	const uint64_t end_ns = now();

	for (uint64_t i = 0; i < KNOWN; i++)
		if (e->leads[i])
			ioctl(e->fds[i], PERF_EVENT_IOC_DISABLE, 0);
	e->end_ns = end_ns;
}

/* What each event has counted since the last time it was asked. Who shared its counter with others is no good. */
static void count(struct events *e, uint64_t *out)
{
	for (uint64_t i = 0; i < KNOWN; i++) {
		struct {
			uint64_t value, enabled, running;
		} all;

		if (e->fds[i] < 0 || read(e->fds[i], &all, sizeof(all)) != sizeof(all))
			continue;
		e->shared[i] |= all.running < all.enabled;
		out[i] = all.value - e->before[i];
		e->before[i] = all.value;
	}
}

/* A word of the ring: records are made of them, and none is cut by its end. */
static uint64_t word(const struct events *e, uint64_t at)
{
	return *(const uint64_t *)(const void *)((const uint8_t *)e->ring + page_bytes() + at % RING_BYTES);
}

/* Take the samples out of the ring, and keep those of the phase that was the last. */
static void drain(struct events *e, int phase)
{
	struct perf_event_mmap_page *control = e->ring;
	const uint64_t head = __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE);

	for (uint64_t at = control->data_tail; at < head;) {
		const uint64_t word0 = word(e, at), ip = word(e, at + 8), ns = word(e, at + 16);
		struct perf_event_header one;

		memcpy(&one, &word0, sizeof(one));
		if (one.type == PERF_RECORD_LOST || one.type == PERF_RECORD_THROTTLE)
			e->lost++;
		if (one.type == PERF_RECORD_SAMPLE && ns >= e->start_ns && ns < e->end_ns) {
			if (e->n_samples < e->room)
				e->samples[e->n_samples++] = (struct ip_sample){ ip, (uint64_t)phase };
			else
				e->lost++;
		}
		at += one.size;
	}
	__atomic_store_n(&control->data_tail, head, __ATOMIC_RELEASE);
}

/* The end of a phase: keep what it counted, unless it was a warmup's. */
static void finish(struct events *e, int phase, int keep)
{
	uint64_t taken[KNOWN] = { 0 };

	end(e);
	if (!keep)
		e->end_ns = 0;
	if (e->ring)
		drain(e, phase);
	count(e, taken);
	for (uint64_t i = 0; i < KNOWN && keep; i++)
		e->counts[phase][i] += taken[i] > e->empty[i] ? taken[i] - e->empty[i] : 0;
}

/* What a phase counts that does nothing: the way out of one system call and into another. The least of several. */
static void calibrate(struct events *e)
{
	memset(e->empty, 0xff, sizeof(e->empty));
	for (int round = 0; round < CALIBRATIONS; round++) {
		uint64_t taken[KNOWN] = { 0 };

		begin(e);
		end(e);
		count(e, taken);
		for (uint64_t i = 0; i < KNOWN; i++)
			e->empty[i] = taken[i] < e->empty[i] ? taken[i] : e->empty[i];
	}
}

static int phase_of(struct events *e, struct tracker *t, int (*step)(struct tracker *), int phase, int keep)
{
	int err;

	begin(e);
	err = step(t);
	finish(e, phase, keep);
	return err;
}

/*
 * Run `count` intervals, the first of them warmups, and add up what each phase counts. As in run_intervals(), but
 * nothing is timed or checked. The sampler, which is this thread's, leaves out what others write.
 */
int events_run(struct events *e, struct tracker *t, const struct pattern *p, int atomic, struct team *team,
	       uint64_t intervals, uint64_t warmups)
{
	const struct mapping *m = t->mapping;
	int (*collect)(struct tracker *) = atomic ? t->interface->collect_reset : t->interface->collect;
	int err = 0;

	if (!team)
		team = mapping_team(m, p);
	if (atomic)
		err = tracker_reset(t);
	calibrate(e);
	if (e->sampler >= 0)
		ioctl(e->sampler, PERF_EVENT_IOC_ENABLE, 0);
	for (uint64_t i = 0; i < intervals && !err; i++) {
		const int keep = i >= warmups;

		if (!atomic && t->interface->reset)
			err = phase_of(e, t, t->interface->reset, PHASE_RESET, keep);
		if (err) /* memory may be protected still, and its writer would not get on */
			break;
		begin(e);
		if (team) {
			team_go(team, (uint8_t)i);
			err = team_wait(team);
		} else if (p->reads) {
			access_pages(m->base, m->page_size, p->order, p->reads, p->writes, (uint8_t)i);
		} else {
			write_pages(m->base, m->page_size, p->order, p->writes, (uint8_t)i);
		}
		finish(e, PHASE_DIRTY, keep && !(team && e->ring));
		if (collect && !err)
			err = phase_of(e, t, collect, atomic ? PHASE_COLLECT_RESET : PHASE_COLLECT, keep);
		crew_gather(t);
		if (t->act && !err)
			err = phase_of(e, t, t->act, PHASE_ACT, keep);
	}
	if (e->sampler >= 0)
		ioctl(e->sampler, PERF_EVENT_IOC_DISABLE, 0);
	return err;
}
