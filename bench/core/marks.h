/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Marks in the instruction stream, for the counting plugin of an emulated machine (bench/vm/counting.c): a NOP whose
 * displacement is a word of ours; on arm64 that is moved to the zero register, on riscv64 compared into it. It costs
 * one instruction where it is executed, and means nothing to a CPU.
 */
#ifndef BENCH_MARKS_H
#define BENCH_MARKS_H

#define MARK_MAGIC 0x6d70 /* the upper half of the displacement; below it stand what is marked and the phase */

#define MARK_RUN 0        /* this thread is going to run intervals: those of an earlier run are forgotten */
#define MARK_START 1      /* an interval begins */
#define MARK_BEGIN 2      /* this thread begins a phase: what it executes from here on is the phase's */
#define MARK_END 3        /* this thread ends its phase */
#define MARK_KEEP 4       /* the interval is over, and was no warmup */
#define MARK_DONE 5       /* all intervals have been run, without an error: they are to be reported */
#define MARK_KEEP_PHASE 6 /* as MARK_KEEP, of this phase alone: there is one of it in a life, beside others' work */

/* In the order of PHASES in bench/plan/records.py. */
#define PHASE_OPEN 0
#define PHASE_ARM 1
#define PHASE_RESET 2
#define PHASE_DIRTY 3
#define PHASE_COLLECT 4
#define PHASE_COLLECT_RESET 5
#define PHASE_ACT 6
#define PHASE_DISARM 7
#define PHASE_CLOSE 8
#define PHASE_AFTER 9
#define N_PHASES 10

#define MARK_WORD(what, phase) (MARK_MAGIC << 16 | (what) << 8 | (phase))
#define MARK_MOVE 0xd2e0001fU /* on arm64, where 16 bits of an instruction are a constant: what and phase */

#define MARK_SLTI 0x00002013U /* on riscv64, where the upper 12 bits of an instruction are one */

#ifdef __x86_64__
/* nopl word(%rax,%rax,1), in its longest form. */
#define MARK(what, phase)                                                                                              \
	__asm__ volatile(".byte 0x0f, 0x1f, 0x84, 0x00\n\t.long %c0" : : "i"(MARK_WORD(what, phase)) : "memory")
#elif defined(__aarch64__)
/* movz xzr, #word, lsl #48: no compiler moves a constant there. */
#define MARK(what, phase) __asm__ volatile(".inst %c0" : : "i"(MARK_MOVE | ((what) << 8 | (phase)) << 5) : "memory")
#elif defined(__riscv) && __riscv_xlen == 64
/* slti x0, x0, word: a hint that is left to software (chapter "HINT Instructions" of the unprivileged manual). */
#define MARK(what, phase) __asm__ volatile(".insn i 0x13, 2, x0, x0, %c0" : : "i"((what) << 8 | (phase)) : "memory")
#else
#define MARK(what, phase) ((void)0) /* nobody counts the instructions of other machines */
#endif

#endif
