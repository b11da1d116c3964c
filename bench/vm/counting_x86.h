/* SPDX-License-Identifier: GPL-2.0-only */
/* How code of x86-64 is read: marks, entries and returns, task switches, TLB flushes. Included by counting.c alone. */
#ifndef BENCH_COUNTING_X86_H
#define BENCH_COUNTING_X86_H

/*
 * The kernel is entered by an exception or an interrupt. The instruction whose page fault this is will be executed a
 * second time: the first one is taken back. Its load or store has not been counted.
 */
static void on_entry(unsigned int vcpu, void *function)
{
	const enum role role = ((struct function *)function)->role;

	(void)vcpu;
	if (role == PAGE_FAULT && counters[USER] != user_seen)
		counters[USER]--;
	user_seen = counters[USER];
	if (!current)
		return;
	current->frames = current->frames << 1 | (role == INTERRUPT || role == STUBS);
	turn();
}

static void on_syscall(unsigned int vcpu, void *unused)
{
	(void)vcpu;
	(void)unused;
	user_seen = counters[USER];
	if (current) {
		current->frames = 0;
		current->gave_way = NULL;
		current->undecided = false;
	}
	turn();
}

/* Where a call or a jump to a relative address goes; 0 for other instructions. */
static uint64_t target(const uint8_t *code, uint64_t address)
{
	int32_t by;

	memcpy(&by, code + 1, sizeof(by));
	return code[0] == 0xe8 || code[0] == 0xe9 ? address + 5 + (uint64_t)(int64_t)by : 0;
}

static void x86_giving_way(struct qemu_plugin_insn *insn, struct function *f, uint64_t address, const uint8_t *code)
{
	const uint64_t to = target(code, address);

	if (code[0] == 0xe8 && (to == schedules[0] || to == schedules[1]))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_giving_way, NO_REGISTERS, f);
	/* ret, or a jump to what does it, or to another function */
	else if (code[0] == 0xc3 || (code[0] == 0xe9 && (to < f->start || to >= f[1].start)))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_going_on, NO_REGISTERS, f);
}

/* Have instructions watched at which something else begins. Calls come before the instruction is counted. */
static void x86_watch(struct qemu_plugin_insn *insn, struct function *f, uint64_t offset, const uint8_t *code)
{
	const enum role role = f->role;

	/* mov disp(%rsi),%rsp */
	if (role == SWITCH && code[0] == 0x48 && code[1] == 0x8b && (code[2] & 0x3f) == 0x26)
		qemu_plugin_register_vcpu_mem_cb(insn, on_switch, NO_REGISTERS, READ_OR_WRITE, NULL);
	if (role == SWITCH && code[0] == 0x55)
		count_accesses(insn, READ, READ_PUSHES);
	/* Stubs of interrupts: every 8 or 16 bytes (endbr64;) push; jmp */
	if (role == STUBS && offset % 8 == 0 && (code[0] == 0xf3 || code[0] == 0x6a || code[0] == 0x68))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_entry, NO_REGISTERS, f);
	if (!offset && (role == EXCEPTION || role == PAGE_FAULT || role == INTERRUPT))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_entry, NO_REGISTERS, f);
	if (!offset && role == SYSCALL)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_syscall, NO_REGISTERS, NULL);
	if (role == GIVES_WAY && f + 1 < functions + n_functions)
		x86_giving_way(insn, f, f->start + offset, code);
	if (!offset && role == EXIT)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_exit_of_task, NO_REGISTERS, NULL);
	/* iretq, but those that only serialize */
	if (code[0] == 0x48 && code[1] == 0xcf && f->start + offset >= entry_start && f->start + offset < entry_end)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_return, NO_REGISTERS, f);
	if (!offset && role == PAGE_FAULT)
		count(insn, FAULTS);
	if (!offset && role == SENDS_IPI)
		count(insn, IPI);
}

/* invlpg, invpcid, and writes of CR3, after their prefixes. */
static void x86_flushes(struct qemu_plugin_insn *insn, const uint8_t *code)
{
	while (*code == 0x66 || (*code & 0xf0) == 0x40)
		code++;
	if (code[0] != 0x0f)
		return;
	if (code[1] == 0x01 && (code[2] & 0x38) == 0x38 && code[2] < 0xc0)
		count(insn, INVLPG);
	else if (code[1] == 0x38 && code[2] == 0x82)
		count(insn, INVPCID);
	else if (code[1] == 0x22 && (code[2] & 0x38) == 0x18)
		count(insn, CR3);
}

/* A NOP of eight bytes whose displacement is ours. */
static bool x86_mark(const uint8_t *code, size_t size, unsigned int *word)
{
	uint32_t found;

	if (size != 8 || memcmp(code, "\x0f\x1f\x84", 4))
		return false;
	memcpy(&found, code + 4, sizeof(found));
	*word = found & 0xffff;
	return found >> 16 == MARK_MAGIC;
}

static enum role x86_role(const char *name)
{
	if (!strncmp(name, "asm_exc_", 8))
		return EXCEPTION;
	return strncmp(name, "asm_sysvec_", 11) ? PLAIN : INTERRUPT;
}

static const struct known x86_known[] = {
	{ "asm_exc_page_fault", PAGE_FAULT },
	{ "asm_exc_nmi", INTERRUPT },
	{ "irq_entries_start", STUBS },
	{ "spurious_entries_start", STUBS },
	{ "entry_SYSCALL_64", SYSCALL },
	{ "__switch_to_asm", SWITCH },
	{ "__cond_resched", GIVES_WAY },
	{ "preempt_schedule", GIVES_WAY },
	{ "preempt_schedule_common", GIVES_WAY },
	{ "exit_to_user_mode_loop", GIVES_WAY },
	{ "irqentry_exit_to_user_mode", GIVES_WAY },
	{ "irqentry_exit", GIVES_WAY },
	{ "syscall_exit_to_user_mode", GIVES_WAY },
	{ "syscall_exit_to_user_mode_work", GIVES_WAY },
	{ "do_syscall_64", GIVES_WAY },
	{ "do_exit", EXIT },
	{ "native_smp_send_reschedule", SENDS_IPI },
	{ "native_send_call_func_ipi", SENDS_IPI },
	{ "native_send_call_func_single_ipi", SENDS_IPI },
	{ NULL, PLAIN },
};

static const struct machine x86 = {
	.name = "x86_64",
	.known = x86_known,
	.role = x86_role,
	.watch = x86_watch,
	.flushes = x86_flushes,
	.mark = x86_mark,
};

#endif
