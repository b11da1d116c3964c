/* SPDX-License-Identifier: GPL-2.0-only */
/* How code of riscv64 is read: marks, entries and returns, task switches, TLB flushes. Included by counting.c alone. */
#ifndef BENCH_COUNTING_RISCV64_H
#define BENCH_COUNTING_RISCV64_H

#define SRET 0x10200073
#define C_RET 0x8082        /* jr ra, compressed */
#define LD_RA_A4 0x00073083 /* ld ra, 0(a4): the first register of the next task */
#define FIRMWARE 0x80000000 /* of the machine "virt": OpenSBI, and nothing of Linux, has its first 2 MiB of memory */
#define FIRMWARE_END 0x80200000

/*
 * Interrupts and exceptions have one entry, and only behind some instructions their ways part. What was executed up to
 * there is kept apart from what came before: it goes where the rest goes. The entry is from user mode where an
 * instruction of the user's came since the last one.
 */
static void on_trap(unsigned int vcpu, void *unused)
{
	(void)vcpu;
	(void)unused;
	interrupted = counters[USER] != user_seen;
	user_seen = counters[USER];
	if (!current)
		return;
	if (interrupted) {
		current->frames = 0;
		current->gave_way = NULL;
		current->undecided = false;
	}
	account();
	current->frames <<= 1;
	ledger = belongs();
}

static void on_irq(unsigned int vcpu, void *unused)
{
	(void)vcpu;
	(void)unused;
	if (!current)
		return;
	current->frames |= 1;
	ledger = belongs();
}

/* The last auipc: calls and jumps to what is far away are two instructions. */
static struct {
	uint64_t next, value; /* the address behind it, and what it makes */
	uint32_t rd;
} upper;

/* Where a call or a jump to another function goes; 0 for other instructions. */
static uint64_t riscv64_target(uint32_t word, uint64_t address)
{
	const uint32_t op = word & 0x7f, by = (word >> 31 ? 0xfff00000 : 0) | (word & 0xff000) | (word >> 9 & 0x800) |
					      (word >> 20 & 0x7fe);

	if (op == 0x6f) /* jal */
		return address + (uint64_t)(int64_t)(int32_t)by;
	if (op == 0x67 && upper.next == address && upper.rd == (word >> 15 & 0x1f)) /* jalr */
		return upper.value + (uint64_t)((int64_t)(int32_t)word >> 20);
	return 0;
}

static void riscv64_giving_way(struct qemu_plugin_insn *insn, struct function *f, uint64_t address, uint32_t word)
{
	const uint64_t to = riscv64_target(word, address);
	const bool calls = to && (word >> 7 & 0x1f), jumps = to && !(word >> 7 & 0x1f);

	if (calls && (to == schedules[0] || to == schedules[1]))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_giving_way, NO_REGISTERS, f);
	else if (word == C_RET || (jumps && (to < f->start || to >= f[1].start)))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_going_on, NO_REGISTERS, f);
	if ((word & 0x7f) == 0x17) { /* auipc */
		upper.next = address + 4;
		upper.value = address + (uint64_t)(int64_t)(int32_t)(word & 0xfffff000);
		upper.rd = word >> 7 & 0x1f;
	}
}

static void riscv64_watch(struct qemu_plugin_insn *insn, struct function *f, uint64_t offset, const uint8_t *code)
{
	const uint32_t word = word_of(code);
	const enum role role = f->role;

	if (role == GIVES_WAY && f + 1 < functions + n_functions)
		riscv64_giving_way(insn, f, f->start + offset, word);
	if (role == SWITCH && word == LD_RA_A4)
		qemu_plugin_register_vcpu_mem_cb(insn, on_switch, NO_REGISTERS, READ_OR_WRITE, NULL);
	if (word == SRET)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_return, NO_REGISTERS, f);
	if (offset)
		return;
	if (role == EXCEPTION)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_trap, NO_REGISTERS, NULL);
	if (role == INTERRUPT)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_irq, NO_REGISTERS, NULL);
	if (role == EXIT)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_exit_of_task, NO_REGISTERS, NULL);
	if (role == PAGE_FAULT) {
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_fault, NO_REGISTERS, NULL);
		count(insn, FAULTS);
	}
	if (role == SENDS_IPI)
		count(insn, IPI);
}

/* sfence.vma and sinval.vma, and writes of satp. */
static void riscv64_flushes(struct qemu_plugin_insn *insn, const uint8_t *code)
{
	const uint32_t word = word_of(code);

	if ((word & 0xfa007fff) == 0x12000073)
		count(insn, SFENCE);
	else if ((word & 0xfff0707f) == 0x18001073)
		count(insn, SATP);
}

/* A constant that is compared into the zero register. */
static bool riscv64_mark(const uint8_t *code, size_t size, unsigned int *word)
{
	const uint32_t found = size == 4 ? word_of(code) : 0;

	*word = found >> 20;
	return (found & 0xfffff) == MARK_SLTI;
}

static enum role riscv64_role(const char *name)
{
	(void)name;
	return PLAIN;
}

static const struct known riscv64_known[] = {
	{ "handle_exception", EXCEPTION },
	{ "do_irq", INTERRUPT },
	{ "do_page_fault", PAGE_FAULT },
	{ "__switch_to", SWITCH },
	{ "__cond_resched", GIVES_WAY },
	{ "preempt_schedule", GIVES_WAY },
	{ "preempt_schedule_common", GIVES_WAY },
	{ "preempt_schedule_irq", GIVES_WAY },
	{ "exit_to_user_mode_loop", GIVES_WAY },
	{ "irqentry_exit", GIVES_WAY },
	{ "do_trap_ecall_u", GIVES_WAY },
	{ "do_exit", EXIT },
	{ "sbi_send_ipi", SENDS_IPI },
	{ NULL, PLAIN },
};

static const struct machine riscv64 = {
	.name = "riscv64",
	.known = riscv64_known,
	.role = riscv64_role,
	.watch = riscv64_watch,
	.flushes = riscv64_flushes,
	.mark = riscv64_mark,
	.firmware = FIRMWARE,
	.firmware_end = FIRMWARE_END,
};

#endif
