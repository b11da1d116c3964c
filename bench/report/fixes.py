# SPDX-License-Identifier: GPL-2.0-only
"""Changes of Linux that are known to have changed what tracking does: what each is about, which releases have it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from bench.plan.points import matches
from bench.store.history import order, series


class Fix(NamedTuple):
    """A change. releases: the first of each series that has it, the mainline's last: later series have it all.

    about: names of scenarios, patterns with | between; functions: of those that it changes; source: where it is found.
    """

    words: str
    releases: tuple[str, ...]
    about: str
    functions: str
    source: str

    def has(self, version: str) -> bool:
        """Whether a release has it."""
        own = series(version)
        if order(own) >= order(series(self.releases[-1])):
            return order(version) >= order(self.releases[-1])
        return any(own == series(one) and order(version) >= order(one) for one in self.releases)

    def came(self, base: str, new: str) -> bool:
        """Whether it is one of the differences between two releases."""
        return self.has(base) != self.has(new)


FIXES = (
    Fix(
        "PAGEMAP_SCAN protects and reports unpopulated entries and whole empty page tables",
        ("6.12.107", "6.18.44", "7.1.8", "7.2"),
        "holes_*|fresh_*|populate_read|uffd_move_out|uffd_zeropage|asks_sandbox*|thp_dropped|thp_unpopulated",
        "pagemap_scan_pte_hole|uffd_wp_range|change_protection*",
        "07b4377bdbe7 and 40de8160ca7f, July 2026",
    ),
    Fix(
        "merged areas keep VM_SOFTDIRTY",
        ("6.18.37", "6.19"),
        "merge_*|partial_reset_merge",
        "vma_merge*|mmap_region*",
        '6707915e030a ("mm: propagate VM_SOFTDIRTY on merge"), posted in November 2025',
    ),
    Fix(
        "write-protecting hugetlb keeps the dirty and accessed bits that the hardware set",
        ("6.12.101", "6.18.42", "7.1.5", "7.2"),
        "hugetlb|hugetlb_shared|hugetlb_dropped|hugetlb_dontneed|hugetlb_punch|fork_hugetlb",
        "pagemap_scan_hugetlb_entry|make_uffd_wp_huge_pte",
        "fixes of May to July 2026 to fs/proc/task_mmu.c",
    ),
    Fix(
        "write-protecting unpopulated hugetlb memory no longer deadlocks on its own lock",
        ("6.12.101", "6.18.42", "7.1.5", "7.2"),
        "hugetlb_protect_all",
        "pagemap_scan_pte_hole|pagemap_scan_hugetlb_hole_wp",
        '"fs/proc/task_mmu: fix hugetlb self-deadlock in pagemap_scan_pte_hole()", posted in May 2026',
    ),
    Fix(
        "resetting part of a hugetlb page without a buffer for ranges no longer dereferences NULL",
        ("6.12.50", "6.16.10", "6.17"),
        "hugetlb_part_reset",
        "pagemap_scan_hugetlb_entry|pagemap_scan_backout_range",
        '28aa29986dde ("fs/proc/task_mmu: check p->vec_buf for NULL")',
    ),
    Fix(
        "PAGE_IS_WRITTEN is reported only for memory that is registered for write-protection",
        ("7.3",),
        "unregistered|asks_*|edge_unchecked_reset|dontunmap_*|uffd_closed|uffd_remapped",
        "pagemap_page_category|pagemap_scan_pmd_entry",
        "fs/proc/task_mmu.c of 7.3, pagemap_page_category(); Documentation/admin-guide/mm/pagemap.rst",
    ),
    Fix(
        "a fault maps a whole folio of a file, whose other pages then count as written",
        ("6.18",),
        "file_*",
        "finish_fault|set_pte_range",
        '19773df031bc ("mm/fault: try to map the entire file folio in finish_fault()")',
    ),
)


def of_verdict(base: str, new: str, scenario: str) -> list[Fix]:
    """Return the changes between two releases that are about a scenario."""
    return [one for one in FIXES if one.came(base, new) and matches(scenario, one.about)]


def of_functions(base: str, new: str, functions: Iterable[str]) -> list[Fix]:
    """Return the changes between two releases that are in one of these functions."""
    names = list(functions)
    return [one for one in FIXES if one.came(base, new) and any(matches(name, one.functions) for name in names)]
