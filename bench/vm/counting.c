// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin of QEMU's TCG that counts what the marks of bench/core/marks.h stand around: the instructions of each phase,
 * by kernel function, and apart from them those of interrupts and other tasks; loads, stores, page faults, TLB flushes.
 *
 * Every instruction adds one to the counter of its function, in code that QEMU generates with it. Where something else
 * begins to be executed (a mark, an interrupt's entry or return, a task switch), the counters' growth since the last
 * such point goes into the ledger of what was executed up to there. At the end of a run the ledgers of the interval
 * with the median of each phase are appended to a file, as lines that counting.py reads.
 *
 * One CPU: QEMU 7.2's counters are shared by all, and a machine that counts instructions has one.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/marks.h"
#include "qemu_plugin.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak" /* gcc 12 does not see that arrays of ours hold it */
#endif

/*
 * What is counted beside functions, each of which gets the next slot where code of it is first translated. READS are
 * loads; but stores in QEMU 6.2 to 9.0, which take the one for the other (op_rw() in accel/tcg/plugin-gen.c). There
 * even a push, of those in __switch_to_asm(), is one of READ_PUSHES.
 */
enum {
	USER,
	UNKNOWN,
	ACCESSES,
	READS,
	READ_PUSHES,
	FAULTS,
	INVLPG,
	INVPCID,
	CR3,
	TLBI,
	TTBR,
	SFENCE,
	SATP,
	IPI,
	FUNCTIONS
};

static const char *const names[FUNCTIONS] = {
	[USER] = "[user]",     [UNKNOWN] = "[unknown]", [FAULTS] = "faults", [INVLPG] = "invlpg",
	[INVPCID] = "invpcid", [CR3] = "cr3",           [TLBI] = "tlbi",     [TTBR] = "ttbr",
	[SFENCE] = "sfence",   [SATP] = "satp",         [IPI] = "ipi",
};
static const char *const phases[N_PHASES] = { "open",          "arm", "reset",  "dirty", "collect",
					      "collect_reset", "act", "disarm", "close", "after" };

static bool is_code(size_t slot)
{
	return slot == USER || slot == UNKNOWN || slot >= FUNCTIONS;
}

/* What a function is to us, by its name. */
enum role { PLAIN, EXCEPTION, PAGE_FAULT, INTERRUPT, STUBS, SYSCALL, SWITCH, GIVES_WAY, EXIT, SENDS_IPI };

struct function {
	uint64_t start;
	const char *name;
	enum role role;
	size_t slot; /* 0: none yet */
};

static struct function *functions, **of_slot;
static size_t n_functions, n_slots = FUNCTIONS;
static uint64_t entry_start, entry_end; /* the text of entries and returns */
static uint64_t schedules[2];           /* schedule() and __schedule() */
static FILE *out;

/* An emulated machine: what QEMU calls it, and how its code is read. */
struct known {
	const char *name;
	enum role role;
};

struct machine {
	const char *name;
	const struct known *known;           /* functions of a role; the last one has no name */
	enum role (*role)(const char *name); /* of all others */
	/* Have an instruction watched at which something else begins. Calls come before it is counted. */
	void (*watch)(struct qemu_plugin_insn *insn, struct function *f, uint64_t offset, const uint8_t *code);
	void (*flushes)(struct qemu_plugin_insn *insn, const uint8_t *code); /* count TLB flushes */
	bool (*mark)(const uint8_t *code, size_t size, unsigned int *word);
	uint64_t firmware, firmware_end; /* addresses in the lower half, where user mode is, that are not the user's */
};

static const struct machine *machine;

/* Whose work is counted. A task that none of these is, is somebody else's. */
struct task {
	uint64_t id;     /* 0: free */
	uint64_t frames; /* what it was entered by and has not returned from, the last in bit 0; 1: an interrupt */
	int phase;       /* NONE: it is between phases */
	/* Which called schedule() though the task could have gone on, and has not returned yet. To whom it gives way
	 * decides what that is: as long as that is not known, neither its own work nor one of its frames. */
	const struct function *gave_way;
	bool undecided;
};

enum { NONE = -1, TASKS = 256 };
static struct task ours[TASKS], *current; /* NULL: not ours */
static uint64_t running;
static bool open_interval;
static int phase_now = NONE; /* what somebody else's work disturbs */
static uint64_t user_seen;

/* Ledgers of the interval, a number a slot; those of all intervals of the run; and what was executed last. */
static uint64_t *own[N_PHASES], *foreign[N_PHASES], *all_foreign[N_PHASES], *pending[N_PHASES];
static uint64_t *ledger; /* one of these: where it goes; NULL: nowhere */
static uint64_t *seen;   /* the counters up to which it went there */
static bool used[N_PHASES];

/* An interval that is kept: its entries from `first` on, in one array for all. */
struct entry {
	size_t slot;
	uint64_t count;
};

struct kept {
	uint64_t total;
	size_t first, end;
};

static struct entry *entries;
static size_t n_entries, room_entries;
static struct kept *kept[N_PHASES];
static size_t n_kept[N_PHASES], room_kept[N_PHASES];

static void *need(void *memory)
{
	if (!memory) {
		fputs("counting: out of memory\n", stderr);
		exit(1);
	}
	return memory;
}

/* Room for one more. */
static void *grow(void *array, size_t used_up, size_t *room, size_t size)
{
	if (used_up < *room)
		return array;
	*room = *room ? *room * 2 : 1024;
	return need(realloc(array, *room * size));
}

/* Write down what was executed since the last time. */
static void account(void)
{
	for (size_t i = 0; i < n_slots; i++) {
		if (ledger)
			ledger[i] += counters[i] - seen[i];
		seen[i] = counters[i];
	}
}

static uint64_t *belongs(void)
{
	if (!open_interval)
		return NULL;
	if (!current)
		return phase_now == NONE ? NULL : foreign[phase_now];
	if (current->phase == NONE)
		return NULL;
	return (current->frames ? foreign : current->undecided ? pending : own)[current->phase];
}

/* Something else is executed from this instruction on. */
static void turn(void)
{
	uint64_t *const next = belongs();

	if (next != ledger) {
		account();
		ledger = next;
	}
}

/* From the next one on: this one, of a slot, is not counted yet. */
static void turn_after(size_t slot)
{
	if (belongs() == ledger)
		return;
	account();
	if (ledger)
		ledger[slot]++;
	seen[slot]++;
	ledger = belongs();
}

static struct task *find_task(uint64_t id)
{
	for (size_t i = 0; i < TASKS; i++)
		if (ours[i].id == id)
			return &ours[i];
	return NULL;
}

/* The running task is ours. It is in user mode, so it was entered by nothing. */
static void claim(int phase)
{
	if (!current)
		current = find_task(0);
	if (current)
		*current = (struct task){ .id = running, .phase = phase };
	phase_now = phase;
}

static void start_interval(void)
{
	for (int p = 0; p < N_PHASES; p++)
		if (used[p]) {
			memset(own[p], 0, n_slots * sizeof(*own[p]));
			memset(foreign[p], 0, n_slots * sizeof(*foreign[p]));
			memset(pending[p], 0, n_slots * sizeof(*pending[p]));
			used[p] = false;
		}
	open_interval = true;
	phase_now = NONE;
}

static void keep_phase(int p)
{
	struct kept *k;

	kept[p] = grow(kept[p], n_kept[p], &room_kept[p], sizeof(*kept[p]));
	k = &kept[p][n_kept[p]++];
	*k = (struct kept){ .first = n_entries };
	for (size_t i = 0; i < n_slots; i++) {
		all_foreign[p][i] += foreign[p][i];
		if (!own[p][i])
			continue;
		entries = grow(entries, n_entries, &room_entries, sizeof(*entries));
		entries[n_entries++] = (struct entry){ i, own[p][i] };
		k->total += is_code(i) ? own[p][i] : 0;
	}
	k->end = n_entries;
}

/* Phases from `first` up to `end`, without it. */
static void keep(int first, int end)
{
	open_interval = false;
	turn();
	for (int p = first; p < end; p++)
		if (used[p])
			keep_phase(p);
}

static void forget(void)
{
	open_interval = false;
	n_entries = 0;
	for (int p = 0; p < N_PHASES; p++) {
		n_kept[p] = 0;
		memset(all_foreign[p], 0, n_slots * sizeof(*all_foreign[p]));
	}
}

static int by_total(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	if (x->total != y->total)
		return x->total < y->total ? -1 : 1;
	return x->first < y->first ? -1 : 1;
}

static const char *name_of(size_t slot)
{
	return slot < FUNCTIONS ? names[slot] : of_slot[slot]->name;
}

/* A phase: what the interval with the median of its instructions did, the lower of two; foreign work is that of all. */
static size_t report_phase(int p)
{
	uint64_t accesses = 0, reads = 0;
	const struct kept *median;
	size_t lines = 4;

	fprintf(out, "phase %s %zu\ntotals", phases[p], n_kept[p]);
	for (size_t i = 0; i < n_kept[p]; i++)
		fprintf(out, " %" PRIu64, kept[p][i].total);
	fputc('\n', out);
	qsort(kept[p], n_kept[p], sizeof(*kept[p]), by_total);
	median = &kept[p][(n_kept[p] - 1) / 2];
	for (const struct entry *e = entries + median->first; e < entries + median->end; e++) {
		if (e->slot == ACCESSES)
			accesses = e->count;
		else if (e->slot == READS)
			reads = e->count;
		else if (e->slot != READ_PUSHES) {
			fprintf(out, "%s %" PRIu64 " %s\n", is_code(e->slot) ? "own" : "count", e->count,
				name_of(e->slot));
			lines++;
		}
	}
	if (counters[READ_PUSHES])
		reads = accesses - reads;
	fprintf(out, "count %" PRIu64 " loads\ncount %" PRIu64 " stores\n", reads, accesses - reads);
	for (size_t i = 0; i < n_slots; i++)
		if (is_code(i) && all_foreign[p][i]) {
			fprintf(out, "foreign %" PRIu64 " %s\n", all_foreign[p][i], name_of(i));
			lines++;
		}
	return lines;
}

/* The count of lines tells a report that came to its end. Without a task switch the symbols are another kernel's. */
static void report(void)
{
	size_t lines = 0;

	fputs(running ? "round\n" : "lost\n", out);
	for (int p = 0; p < N_PHASES; p++)
		if (n_kept[p])
			lines += report_phase(p);
	fprintf(out, "end %zu\n", lines);
	fflush(out);
	forget();
}

static void on_mark(unsigned int vcpu, void *word)
{
	const unsigned int what = (uintptr_t)word >> 8 & 0xff, phase = (uintptr_t)word & 0xff;

	(void)vcpu;
	if (what == MARK_RUN) {
		forget();
		claim(NONE);
	} else if (what == MARK_START) {
		start_interval();
	} else if (what == MARK_BEGIN && phase < N_PHASES) {
		claim((int)phase);
		used[phase] = true;
		turn_after(USER);
	} else if (what == MARK_END) {
		claim(NONE);
	} else if (what == MARK_KEEP) {
		keep(0, N_PHASES);
	} else if (what == MARK_KEEP_PHASE && phase < N_PHASES) {
		keep((int)phase, (int)phase + 1);
	} else if (what == MARK_DONE) {
		report();
	}
	turn();
}

static void on_return(unsigned int vcpu, void *function)
{
	(void)vcpu;
	if (!current)
		return;
	current->frames >>= 1;
	turn_after(((struct function *)function)->slot);
}

/*
 * A task calls schedule() though it could go on: because the timer's interrupt asked it to, in a long loop or on its way
 * to user mode, or because it woke another up. If it is somebody else's task that runs then, this is not its own work,
 * nor what is to be done for it when it runs again, up to the end of the function.
 */
static void on_giving_way(unsigned int vcpu, void *function)
{
	(void)vcpu;
	if (!current || current->gave_way)
		return;
	current->gave_way = function;
	current->undecided = true;
	turn();
}

static void decide(struct task *task, bool to_ours)
{
	account();
	for (size_t i = 0; task->phase != NONE && i < n_slots; i++) {
		(to_ours ? own : foreign)[task->phase][i] += pending[task->phase][i];
		pending[task->phase][i] = 0;
	}
	task->undecided = false;
	if (to_ours)
		task->gave_way = NULL;
	else
		task->frames = task->frames << 1 | 1;
}

static void on_going_on(unsigned int vcpu, void *function)
{
	(void)vcpu;
	if (!current || current->gave_way != function)
		return;
	if (current->undecided) {
		decide(current, true);
	} else {
		current->gave_way = NULL;
		current->frames >>= 1;
	}
	turn();
}

/* __switch_to_asm() takes the next task's stack pointer out of its task_struct, whose address tells tasks apart. */
static void on_switch(unsigned int vcpu, uint32_t info, uint64_t address, void *unused)
{
	struct task *const next = find_task(address);

	(void)vcpu;
	(void)info;
	(void)unused;
	if (current && current->undecided)
		decide(current, next);
	running = address;
	current = next;
	if (current && current->phase != NONE)
		phase_now = current->phase;
	turn();
}

/* do_exit(): another task may get this one's address. */
static void on_exit_of_task(unsigned int vcpu, void *unused)
{
	(void)vcpu;
	(void)unused;
	if (current)
		current->id = 0;
	current = NULL;
	turn();
}

/* No function is longer: what is further behind the last one is a module's. */
#define LAST_BYTES (1 << 16)

/* The function that an address is in; NULL: none that is known. */
static struct function *find_function(uint64_t address)
{
	const uint64_t end = n_functions ? functions[n_functions - 1].start + LAST_BYTES : 0;
	static struct function *last;
	size_t low = 0, high = n_functions;

	if (address >= end)
		return NULL;
	if (last && address >= last->start && (last + 1 == functions + n_functions || address < last[1].start))
		return last;
	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (functions[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	last = low ? &functions[low - 1] : NULL;
	if (last && !last->slot) {
		last->slot = n_slots;
		of_slot[n_slots++] = last;
	}
	return last;
}

static uint32_t word_of(const uint8_t *code)
{
	uint32_t word;

	memcpy(&word, code, sizeof(word));
	return word;
}

/* The last entry interrupted an instruction of the user's, which is executed a second time if it was a fault. */
static bool interrupted;

static void on_fault(unsigned int vcpu, void *unused)
{
	(void)vcpu;
	(void)unused;
	if (!interrupted)
		return;
	user_seen = --counters[USER];
	interrupted = false;
}

#include "counting_arm64.h"
#include "counting_riscv64.h"
#include "counting_x86.h"

static void translate(struct qemu_plugin_insn *insn)
{
	const uint64_t address = qemu_plugin_insn_vaddr(insn);
	const size_t size = qemu_plugin_insn_size(insn);
	const bool user = !(address >> 63) && !(address >= machine->firmware && address < machine->firmware_end);
	uint8_t code[20] = { 0 }; /* an instruction has at most 15 */
	struct function *f = NULL;
	unsigned int word;

#if QEMU_PLUGIN_API < 3
	memcpy(code, qemu_plugin_insn_data(insn), size < 16 ? size : 15);
#else
	qemu_plugin_insn_data(insn, code, size < 16 ? size : 15);
#endif
	if (address >> 63) {
		f = find_function(address);
		if (f)
			machine->watch(insn, f, address - f->start, code);
		machine->flushes(insn, code);
	} else if (machine->mark(code, size, &word)) {
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, NO_REGISTERS, (void *)(uintptr_t)word);
	}
	count(insn, user ? USER : f ? f->slot : UNKNOWN);
	count_accesses(insn, READ_OR_WRITE, ACCESSES);
	count_accesses(insn, READ, READS);
}

static void on_translation(struct qemu_plugin_tb *tb)
{
	find_counters();
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
		translate(qemu_plugin_tb_get_insn(tb, i));
}

static enum role role_of(const char *name)
{
	for (const struct known *k = machine->known; k->name; k++)
		if (!strcmp(name, k->name))
			return k->role;
	return machine->role(name);
}

static const struct machine *find_machine(const char *name)
{
	static const struct machine *const all[] = { &x86, &arm64, &riscv64 };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (!strcmp(name, all[i]->name))
			return all[i];
	return NULL;
}

/* Read the kernel's functions: addresses and names, in order; of several at one address the first is shown. */
static bool read_functions(const char *path)
{
	FILE *file = fopen(path, "r");
	uint64_t address;
	char name[512];
	size_t room = 0;

	if (!file)
		return false;
	while (fscanf(file, "%" SCNx64 " %511s", &address, name) == 2) {
		struct function *last = n_functions ? &functions[n_functions - 1] : NULL;

		if (!strcmp(name, "__entry_text_start"))
			entry_start = address;
		else if (!strcmp(name, "__entry_text_end"))
			entry_end = address;
		else if (!strcmp(name, "schedule") || !strcmp(name, "__schedule"))
			schedules[*name == '_'] = address;
		else if (last && last->start == address && last->role == PLAIN)
			last->role = role_of(name);
		if (last && last->start == address)
			continue;
		functions = grow(functions, n_functions, &room, sizeof(*functions));
		functions[n_functions++] =
			(struct function){ .start = address, .name = need(strdup(name)), .role = role_of(name) };
	}
	fclose(file);
	return n_functions && entry_start <= entry_end;
}

static bool make_ledgers(size_t count)
{
	uint64_t **const all[] = { own, foreign, all_foreign, pending };

	of_slot = calloc(count, sizeof(*of_slot));
	seen = calloc(count, sizeof(*seen));
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		for (int p = 0; p < N_PHASES; p++)
			all[i][p] = need(calloc(count, sizeof(uint64_t)));
	return of_slot && seen && make_counters(count);
}

/* Arguments: symbols=FILE, fd=NUMBER of the file that reports are appended to. */
__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info,
							       int argc, char **argv)
{
	bool known = false;

	machine = find_machine(info->target_name);
	for (int i = 0; machine && i < argc; i++) {
		if (!strncmp(argv[i], "symbols=", 8))
			known = read_functions(argv[i] + 8);
		else if (!strncmp(argv[i], "fd=", 3))
			out = fdopen(atoi(argv[i] + 3), "a");
	}
	if (!known || !out || !info->system_emulation || info->system.smp_vcpus != 1) {
		fputs("counting: needs symbols=FILE, fd=NUMBER and a machine that it knows, with one CPU\n", stderr);
		return -1;
	}
	if (!make_ledgers(FUNCTIONS + n_functions)) {
		fputs("counting: out of memory\n", stderr);
		return -1;
	}
	watch_translations(id);
	return 0;
}
