/* SPDX-License-Identifier: GPL-2.0-only */
/* How code of arm64 is read: marks, entries and returns, task switches, TLB flushes. Included by counting.c alone. */
#ifndef BENCH_COUNTING_ARM64_H
#define BENCH_COUNTING_ARM64_H

#define VECTOR_BYTES 0x80   /* of an entry of the table */
#define VECTORS_BYTES 0x800 /* of the table: sync, irq, fiq and error, from four places */
#define FROM_INTERRUPT 1
#define FROM_USER 2
#define RET 0xd65f03c0
#define RETAA 0xd65f0bff
#define ERET 0xd69f03e0
#define LDR_LR_X8 0xf940011e /* ldr lr, [x8]: the last register of the next task */
#define STR_LR_X8 0xf900011e

/* An exception is taken. From user mode the task was entered by nothing before. */
static void on_vector(unsigned int vcpu, void *from)
{
	const bool interrupt = (uintptr_t)from & FROM_INTERRUPT, user = (uintptr_t)from & FROM_USER;

	(void)vcpu;
	if (!interrupt)
		interrupted = user && counters[USER] != user_seen;
	user_seen = counters[USER];
	if (!current)
		return;
	if (user) {
		current->frames = 0;
		current->gave_way = NULL;
		current->undecided = false;
	}
	current->frames = current->frames << 1 | interrupt;
	turn();
}

/* Where a call or a jump to a relative address goes. */
static uint64_t arm64_target(uint32_t word, uint64_t address)
{
	return address + (uint64_t)((int64_t)((uint64_t)word << 38) >> 36);
}

static void arm64_giving_way(struct qemu_plugin_insn *insn, struct function *f, uint64_t address, uint32_t word)
{
	const bool calls = word >> 26 == 0x25, jumps = word >> 26 == 0x05;
	const uint64_t to = arm64_target(word, address);

	if (calls && (to == schedules[0] || to == schedules[1]))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_giving_way, NO_REGISTERS, f);
	else if (word == RET || word == RETAA || (jumps && (to < f->start || to >= f[1].start)))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_going_on, NO_REGISTERS, f);
}

static void arm64_watch(struct qemu_plugin_insn *insn, struct function *f, uint64_t offset, const uint8_t *code)
{
	const uint64_t vector = offset % VECTORS_BYTES / VECTOR_BYTES;
	const uint32_t word = word_of(code);
	const enum role role = f->role;

	if (role == STUBS && offset % VECTOR_BYTES == 0) {
		const uintptr_t from = (vector % 4 == 1 || vector % 4 == 2 ? FROM_INTERRUPT : 0) |
				       (vector >= 8 ? FROM_USER : 0);

		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_vector, NO_REGISTERS, (void *)from);
	}
	if (role == SWITCH && word == LDR_LR_X8)
		qemu_plugin_register_vcpu_mem_cb(insn, on_switch, NO_REGISTERS, READ_OR_WRITE, NULL);
	if (role == SWITCH && word == STR_LR_X8)
		count_accesses(insn, READ, READ_PUSHES);
	if (role == GIVES_WAY && f + 1 < functions + n_functions)
		arm64_giving_way(insn, f, f->start + offset, word);
	if (!offset && role == EXIT)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_exit_of_task, NO_REGISTERS, NULL);
	if (word == ERET && f->start + offset >= entry_start && f->start + offset < entry_end)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_return, NO_REGISTERS, f);
	if (!offset && role == PAGE_FAULT) {
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_fault, NO_REGISTERS, NULL);
		count(insn, FAULTS);
	}
	if (!offset && role == SENDS_IPI)
		count(insn, IPI);
}

/* tlbi in all its forms, and writes of both TTBR. */
static void arm64_flushes(struct qemu_plugin_insn *insn, const uint8_t *code)
{
	const uint32_t word = word_of(code);

	if ((word & 0xfff8e000) == 0xd5088000)
		count(insn, TLBI);
	else if ((word & 0xffffffc0) == 0xd5182000)
		count(insn, TTBR);
}

/* A constant that is moved to the zero register. */
static bool arm64_mark(const uint8_t *code, size_t size, unsigned int *word)
{
	const uint32_t found = size == 4 ? word_of(code) : 0;

	*word = found >> 5 & 0xffff;
	return (found & ~(0xffffU << 5)) == MARK_MOVE;
}

static enum role arm64_role(const char *name)
{
	(void)name;
	return PLAIN;
}

static const struct known arm64_known[] = {
	{ "vectors", STUBS },
	{ "__bp_harden_el1_vectors", STUBS }, /* where a CPU needs its branch predictor hardened */
	{ "do_mem_abort", PAGE_FAULT },
	{ "cpu_switch_to", SWITCH },
	{ "__cond_resched", GIVES_WAY },
	{ "preempt_schedule", GIVES_WAY },
	{ "preempt_schedule_common", GIVES_WAY },
	{ "preempt_schedule_irq", GIVES_WAY },
	{ "do_notify_resume", GIVES_WAY },
	{ "exit_to_user_mode_loop", GIVES_WAY },
	{ "irqentry_exit", GIVES_WAY },
	{ "el0_svc", GIVES_WAY },
	{ "el0_da", GIVES_WAY },
	{ "el0_ia", GIVES_WAY },
	{ "el0_interrupt", GIVES_WAY },
	{ "el1_interrupt", GIVES_WAY },
	{ "do_exit", EXIT },
	{ "smp_cross_call", SENDS_IPI },
	{ NULL, PLAIN },
};

static const struct machine arm64 = {
	.name = "aarch64",
	.known = arm64_known,
	.role = arm64_role,
	.watch = arm64_watch,
	.flushes = arm64_flushes,
	.mark = arm64_mark,
};

#endif
