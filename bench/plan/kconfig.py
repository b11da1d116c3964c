# SPDX-License-Identifier: GPL-2.0-only
"""Options of a kernel's configuration that a result must name."""

import re

UNKNOWN = "unknown"
# What the cost of a page-table walk, a fault or a TLB flush depends on
OPTIONS = (
    *("MEM_SOFT_DIRTY", "USERFAULTFD", "PTE_MARKER_UFFD_WP", "TRANSPARENT_HUGEPAGE", "PER_VMA_LOCK", "LRU_GEN"),
    *("PREEMPT", "PREEMPT_VOLUNTARY", "PREEMPT_LAZY", "PREEMPT_RT", "HZ", "NUMA_BALANCING", "KSM", "MEMCG"),
    *("PAGE_TABLE_ISOLATION", "MITIGATION_PAGE_TABLE_ISOLATION", "INIT_ON_ALLOC_DEFAULT_ON", "PAGE_TABLE_CHECK"),
    *("DEBUG_VM", "DEBUG_PAGEALLOC", "PROVE_LOCKING", "LOCK_STAT", "KASAN", "KCSAN", "UBSAN", "KCOV"),
)


def chosen(config: str) -> str:
    """Return the OPTIONS of a kernel configuration's text that are set: `HZ=250 KSM=y`; `unknown` without a text."""
    found = dict(re.findall(r"^CONFIG_(\w+)=(\S+)$", config, re.MULTILINE))
    return " ".join(f"{name}={found[name]}" for name in OPTIONS if name in found) if found else UNKNOWN
