/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's plugin interface as far as it is used here, in the version that QEMU_PLUGIN_API says: no distribution packages
 * include/qemu/qemu-plugin.h. Version 1 is that of QEMU up to 8.2, 2 that of 9.0, 3 that of 9.1, and 7 that of 11.1 and
 * all later ones: from there on every callback gets what it was registered with, and older plugins are refused.
 */
#ifndef BENCH_QEMU_PLUGIN_H
#define BENCH_QEMU_PLUGIN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info {
	const char *target_name;
	struct {
		int min, cur;
	} version;
	bool system_emulation;
	struct {
		int smp_vcpus, max_vcpus;
	} system;
};
typedef void (*on_insn)(unsigned int vcpu, void *data);
typedef void (*on_memory)(unsigned int vcpu, uint32_t info, uint64_t address, void *data);
enum { NO_REGISTERS = 0, READ = 1, READ_OR_WRITE = 3, ADD = 0 };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, on_insn cb, int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, on_memory cb, int flags, int rw, void *data);

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv);

int qemu_plugin_version = QEMU_PLUGIN_API;

static void on_translation(struct qemu_plugin_tb *tb);

#if QEMU_PLUGIN_API < 7
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	on_translation(tb);
}

static void watch_translations(qemu_plugin_id_t id)
{
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
}
#else
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*cb)(struct qemu_plugin_tb *, void *),
					   void *data);

static void translated(struct qemu_plugin_tb *tb, void *data)
{
	(void)data;
	on_translation(tb);
}

static void watch_translations(qemu_plugin_id_t id)
{
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated, NULL);
}
#endif

#if QEMU_PLUGIN_API < 3
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
#else
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to, size_t size);
#endif

#if QEMU_PLUGIN_API < 2 /* up to QEMU 8.2 */
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *counter, uint64_t by);
void qemu_plugin_register_vcpu_mem_inline(struct qemu_plugin_insn *insn, int rw, int op, void *counter, uint64_t by);

static uint64_t *counters;

static bool make_counters(size_t count)
{
	counters = calloc(count, sizeof(*counters));
	return counters;
}

static void find_counters(void)
{
}

static void count(struct qemu_plugin_insn *insn, size_t slot)
{
	qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD, counters + slot, 1);
}

static void count_accesses(struct qemu_plugin_insn *insn, int rw, size_t slot)
{
	qemu_plugin_register_vcpu_mem_inline(insn, rw, ADD, counters + slot, 1);
}
#else
struct qemu_plugin_scoreboard;
struct counter {
	struct qemu_plugin_scoreboard *board;
	size_t offset;
};
struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t size);
void *qemu_plugin_scoreboard_find(struct qemu_plugin_scoreboard *board, unsigned int vcpu);
void qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(struct qemu_plugin_insn *insn, int op, struct counter counter,
							 uint64_t by);
void qemu_plugin_register_vcpu_mem_inline_per_vcpu(struct qemu_plugin_insn *insn, int rw, int op,
						   struct counter counter, uint64_t by);

static struct qemu_plugin_scoreboard *board;
static uint64_t *counters; /* those of the one CPU */

static bool make_counters(size_t count)
{
	board = qemu_plugin_scoreboard_new(count * sizeof(*counters));
	return board;
}

/* The CPU is younger than the plugin. */
static void find_counters(void)
{
	counters = qemu_plugin_scoreboard_find(board, 0);
}

static void count(struct qemu_plugin_insn *insn, size_t slot)
{
	const struct counter counter = { board, slot * sizeof(*counters) };

	qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(insn, ADD, counter, 1);
}

static void count_accesses(struct qemu_plugin_insn *insn, int rw, size_t slot)
{
	const struct counter counter = { board, slot * sizeof(*counters) };

	qemu_plugin_register_vcpu_mem_inline_per_vcpu(insn, rw, ADD, counter, 1);
}
#endif

#endif
