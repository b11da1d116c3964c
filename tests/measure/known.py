# SPDX-License-Identifier: GPL-2.0-only
"""What is known of real kernels: what each interface may make of each scenario, and why one may not be possible."""

import re

from bench.plan import catalogue
from bench.plan.interfaces import ACCESSED
from bench.plan.interfaces import INTERFACES as ROWS
from bench.plan.records import BREAKS
from bench.store import verdicts

INTERFACES = ("clear_refs", "scan-softdirty", "scan-wp", "uffd-sync", "mprotect")
# And of those about accessed memory.
ACCESSING = ("rwp-async", "rwp-sync", "clear_refs-1", "mprotect-none")
# Why a scenario may not be possible.
REASONS = (
    "no swap|no hugetlb pages|no transparent huge page|one CPU only|no collect met a write|was not seen to write|"
    "no file system for files|refuses the file|can't write-protect this kind|into the tracked memory fails|"
    "PAGEMAP_SCAN says EPERM|WRITEPROTECT says ENOENT|no smaller unit|MADV_COLLAPSE|no userfaultfd to close|"
    "one path through the kernel|collect and reset in one step|io_uring|the question is one to PAGEMAP_SCAN|"
    "one NUMA node only|enabled is never|ksm/run is|scan_sleep_millisecs is|no multi-size huge pages|"
    "no UFFDIO_MOVE|mseal fails|memfd_secret fails|the memory is sealed|is not permitted|frame numbers are hidden|"
    "NUMA balancing did not move|"
    "UFFDIO_REGISTER says EBUSY|kind of memory against reads|no mode to switch|"
    "no PAGEMAP_SCAN to reset|protects nothing|MADV_GUARD_INSTALL|fallocate fails|did not take the freed pages"
)
# What each of them may make of a scenario, as in tables; | where kernels or machines differ. `no` needs its reason.
EXPECTED = {
    "asks_bit57": "no no exact no no",
    "asks_chunks": "no no exact no no",
    "asks_predump": "exact|no exact|no no no no",
    "asks_private_copy": "no no exact no no",
    "asks_sandbox": "no no exact no no",
    "asks_sandbox_general": "no no exact|-2 no no",
    "asks_slot_reset": "no no exact|(-3) no no",
    "asks_slot_reset_image": "no no exact|(-3) no no",
    "asks_slot_reset_ranges": "no no exact no no",
    "asks_slot_swapped": "no no (-2)|(-3)|no no no",
    "asks_write_watch": "no no exact no no",
    "asks_write_watch_look": "no no exact no no",
    "asks_write_watch_many": "no no exact no no",
    "dontneed_after_write": "(-2) (-2) exact exact exact",
    "dontneed_all": "(-511) (-511) exact -512 (-511)",
    "dontneed_read": "(-2) (-2) exact (-2) (-2)",
    "dontneed_reset_write": "exact exact exact exact|-1 exact",
    "dontneed_write": "(-1) (-1) exact -2 (-1)",
    "dontunmap_new": "exact exact no (-8) (-8)",
    "dontunmap_old": "(-7) (-7) exact -8 (-7)",
    "edge_efault": "no no (-3) no no",
    "edge_efault_late": "no no (-700) no no",
    "edge_empty_range": "no no exact no no",
    "edge_end_misaligned": "no no exact no no",
    "edge_eperm_late": "no no (-2) no no",
    "edge_hugetlb_part": "no no -512|no no no",
    "edge_many_ranges": "no no +188 no no",
    "edge_many_ranges_reset": "no no exact no no",
    "edge_max_pages": "no no exact no no",
    "edge_max_pages_reset": "no no exact no no",
    "edge_no_return_mask": "no no exact no no",
    "edge_reset_masks": "no no -2 no no",
    "edge_reset_masks_vec": "no no exact no no",
    "edge_unchecked_reset": "no no (+7)|(-1) no no",
    "edge_vec_exact": "no no exact no no",
    "edge_vec_one": "no no exact no no",
    "edge_vec_tracked": "no no exact no no",
    "file_mapped_write": "exact|no exact|no exact|no no exact|no",
    "file_other_mapping": "(-1)|no (-1)|no (-1)|no no (-1)|no",
    "file_punch": "(-1)|+6|no (-1)|+6|no (-1)|no no (-1)|no",
    "file_truncate": "(-3)|+4|no (-3)|+4|no (-3)|no no (-3)|no",
    "file_untouched_write": "exact|+7|no exact|+7|no exact|+7|no no exact|no",
    "file_write_call": "(-1)|no (-1)|no (-1)|no no (-1)|no",
    "folio_16k_byte": "exact|no exact|no exact|no exact|no exact|no",
    "folio_1m_byte": "exact|no exact|no exact|no exact|no exact|no",
    "folio_4k_byte": "exact exact exact exact exact",
    "folio_4k_fork": "exact exact exact exact exact",
    "folio_4k_migrated": "exact|+15|no exact|no exact|no exact|no exact|no",
    "folio_4k_mprotect": "exact exact exact exact -1",
    "folio_4k_part": "no no exact no no",
    "folio_4k_swap": "exact|no exact|no exact|no exact|no exact|no",
    "folio_64k_byte": "exact|no exact|no exact|no exact|no exact|no",
    "folio_64k_fork": "exact|no exact|no exact|no exact|no exact|no",
    "folio_64k_migrated": "exact|no exact|no exact|no exact|no exact|no",
    "folio_64k_mprotect": "exact|+15|no exact|+15|no exact|no exact|no -1|no",
    "folio_64k_part": "no no exact|no no no",
    "folio_64k_swap": "exact|no exact|no exact|no exact|no exact|no",
    "fork_child_gone": "exact exact exact exact exact",
    "fork_child_writes": "exact exact exact exact exact",
    "fork_hugetlb": "-512|no +512|no exact|no exact|no exact|no",
    "fork_parent_writes": "exact exact exact exact exact",
    "fork_shared_child": "(-1) (-1) (-1) (-1) (-1)",
    "fork_then_reset": "exact exact exact exact exact",
    "fork_thp_child": "exact|no exact|no exact|no exact|no exact|no",
    "fork_thp_parent": "exact|+511|no +511|no exact|no exact|no exact|no",
    "fork_thp_reset": "exact|+511|no +511|no exact|no exact|no exact|no",
    "free_kept": "exact exact exact exact exact",
    "free_taken": "(-3) (-3) exact -4 (-3)",
    "free_write": "exact exact exact exact exact",
    "fresh_untouched": "(+8) (+8) (+8)|exact exact exact",
    "fresh_written": "(+7) (+7) (+7) (-1) (-1)",
    "guard_beside": "exact|no exact|no exact|no exact|no exact|no",
    "guard_come_and_go": "(-1)|no (-1)|no exact|no -2|no (-1)|no",
    "guard_reset_gone": "exact|no exact|no (+1)|no -1|no exact|no",
    "guards_mmap": "exact exact exact exact exact",
    "holes_pages": "exact exact exact exact|-1 exact",
    "holes_protect_all": "no no exact no no",
    "holes_tables": "exact exact exact|+511 exact|-1 exact",
    "hugetlb": "-512|no +512|no exact|no exact|no exact|no",
    "hugetlb_dontneed": "-512|no +512|no exact|no exact|no exact|no",
    "hugetlb_dropped": "(-512)|no +512-512|no (-512)|no (-512)|no (-512)|no",
    "hugetlb_part_reset": "no no no no no",
    "hugetlb_protect_all": "no no exact|no no no",
    "hugetlb_punch": "-512|no +512|no exact|no exact|no exact|no",
    "hugetlb_shared": "-512|no +512|no exact|no exact|no exact|no",
    "hugetlb_shared_untouched": "-512|no exact|no exact|no exact|no exact|no",
    "hugetlb_untouched": "-512|no exact|no exact|no exact|no exact|no",
    "kernel_o_direct": "exact|no exact|no exact|no breaks|no breaks|no",
    "kernel_pinned": "+1|no +1|no -1|no -1|no -1|no",
    "kernel_proc_mem": "exact exact exact breaks -1|breaks",
    "kernel_read": "exact exact exact breaks breaks",
    "kernel_readv": "exact exact exact breaks breaks",
    "kernel_vm_writev": "exact exact exact breaks breaks",
    "khugepaged": "+511|no +511|no exact|no exact|no exact|no",
    "ksm_broken": "exact|no exact|no exact|no exact|no exact|no",
    "ksm_merged": "exact|no exact|no +7|no exact|no exact|no",
    "ksm_merged_rewritten": "exact|no exact|no +6|no -1|no exact|no",
    "ksm_unmerged": "exact|+8|no exact|no exact|no exact|no exact|no",
    "ksm_written_merged": "-7|no -7|no exact|no exact|no exact|no",
    "merge_brk": "(+7) (+7) exact exact exact",
    "merge_mmap_after": "(+7) (+7) exact exact exact",
    "merge_mmap_before": "(+7) (+7) exact exact exact",
    "merge_mprotect_fresh": "(+7) (+7) exact exact exact",
    "merge_mprotect_tracked": "exact|(+7) exact|(+7) exact exact exact",
    "merge_renewed": "(+8) (+8) no (-8) (-8)",
    "merge_renewed_last": "(+8)|-7 (+8)|-7 no (-8) (-8)",
    "migrated": "exact|+7|no exact|no exact|no exact|no exact|no",
    "migrated_huge": "+512|no +512|no exact|no exact|no exact|no",
    "migrated_shared": "exact|+6|no exact|no exact|no exact|no exact|no",
    "migrated_written": "exact|+7|no exact|no exact|no exact|no exact|no",
    "mlock_present": "+7 +7 +7 breaks exact",
    "mlock_shared": "exact exact exact exact exact",
    "mlock_untouched": "+7 +7 +7 -1|breaks exact",
    "mprotect_none_round": "exact exact exact exact -1",
    "mprotect_round": "exact exact exact exact -1",
    "mprotect_stale_pte": "exact exact no (-1) -2",
    "mremap_ptes": "exact exact no (-8) (-8)",
    "mremap_shrink_grow": "-7 -7 exact (-8) breaks",
    "mremap_tables": "-512 -512 no (-512) (-512)",
    "mremap_thp": "exact|no exact|no no (-512)|no (-512)|no",
    "numa_balanced": "exact|+7|no exact|no exact|no exact|no exact|no",
    "outside_ptrace": "exact|no exact|no exact|no breaks|no -1|no",
    "outside_vm_writev": "exact|no exact|no exact|no breaks|no breaks|no",
    "partial_reset": "no no exact no no",
    "partial_reset_merge": "no no exact no no",
    "pin_after_reset": "(+1) (+1) (+1) breaks breaks",
    "plain": "exact exact exact exact exact",
    "populate_read": "exact exact exact exact|-1 exact",
    "populate_write": "(+2) (+2) (+2) breaks breaks",
    "populate_write_untouched": "(+2) (+2) (+2)|+8 exact|breaks breaks",
    "private_file_dontneed": "(-2) (-2) (-1) (-1) (-1)",
    "private_file_punch": "(-1) (-1) (-1) (-1) (-1)",
    "private_file_truncate": "(-3) (-3) (-2) (-2) (-2)",
    "reused_range": "(+4) (+4) no (-4) (-4)",
    "sealed": "exact|no exact|no exact|no exact|no no",
    "secret": "exact|no exact|no exact|no no exact|no",
    "shmem_dontneed_read": "exact exact exact exact exact",
    "shmem_dontneed_write": "exact exact exact exact exact",
    "shmem_mapped_write": "exact exact exact exact exact",
    "shmem_other_mapping": "(-1) (-1) (-1) (-1) (-1)",
    "shmem_punch_write": "(-1) (-1) (-1) (-1) (-1)",
    "shmem_remove_read": "(-2) (-2) (-2) (-2) (-2)",
    "shmem_truncate": "(-3) (-3) (-3) (-3) (-3)",
    "shmem_write_call": "(-1) (-1) (-1) (-1) (-1)",
    "shmem_written_dontneed": "-1 -1 exact exact exact",
    "shmem_written_punch": "(-2) (-2) exact exact exact",
    "stale_tlb": "exact exact exact exact exact",
    "stale_tlb_other_cpu": "exact|no exact|no exact|no exact|no exact|no",
    "swapped": "exact|no exact|no exact|no exact|no exact|no",
    "swapped_dirty": "exact|no exact|no exact|no exact|no exact|no",
    "swapped_shared": "exact|no exact|no exact|no exact|no exact|no",
    "swapped_shared_dirty": "-1|no -1|no exact|no exact|no exact|no",
    "thp_byte": "(+511)|no (+511)|no exact|no exact|no exact|no",
    "thp_collapse": "(+511)|no (+511)|no exact|no exact|no exact|no",
    "thp_dropped": "exact|no exact|no exact|no -512|no (-511)|no",
    "thp_part_dropped": "(-16)|+495-16|no +495-16|no exact|no (-16)|no (-16)|no",
    "thp_part_dropped_write": "(-15)|+496-15|+496|no +496-15|+496|no exact|no -16|no (-15)|no",
    "thp_part_reset": "no no exact|no no no",
    "thp_part_reset_clean": "no no exact|no no no",
    "thp_part_unmapped": "exact|+510|no +510|no exact|no exact|no -1|no",
    "thp_ptes_byte": "exact|no exact|no exact|no exact|no exact|no",
    "thp_ptes_collapse": "+511|no +511|no exact|no exact|no exact|no",
    "thp_ptes_fork": "exact|no exact|no exact|no exact|no exact|no",
    "thp_split": "exact|+511|no +511|no exact|no exact|no exact|no",
    "thp_unpopulated": "(+511) (+511) exact|+511 exact|-1 exact",
    "thp_zero_page": "exact|(+511) exact|(+511) exact exact exact",
    "uffd_closed": "no no no -1 no",
    "uffd_copy": "exact exact exact -2 -2",
    "uffd_copy_protected": "exact exact exact exact -1",
    "uffd_move_in": "exact|no exact|no breaks|no breaks|no breaks|no",
    "uffd_move_out": "(-2)|no (-2)|no exact|no (-2)|no breaks|no",
    "uffd_remapped": "exact exact no (-8) (-7)",
    "uffd_zeropage": "exact exact breaks breaks|exact exact",
    "unregistered": "no no +8|exact no no",
    "writers_atomic": "no no exact no no",
    "writers_separate": "exact|-* exact|-* exact|-* exact|-* exact|-*",
    "zero_huge_read": "exact|+511|no exact|+511|no exact|no exact|no exact|no",
    "zero_page_read": "exact exact exact|+7 exact|-1 exact",
}
EXPECTED |= {
    "accessed_cold": "exact exact -2 exact",
    "accessed_collapse": "exact exact (+511) exact",
    "accessed_dontneed": "(-2) exact (-2) exact",
    "accessed_dontneed_read": "exact (-2) -1 exact",
    "accessed_fault_around": "exact (-1) +15 exact",
    "accessed_file": "no no exact exact",
    "accessed_folio": "exact|no exact|no exact|no exact|no",
    "accessed_folio_readv": "exact|no breaks|no +15|no breaks|no",
    "accessed_fork_child": "exact exact exact exact",
    "accessed_fork_gone": "exact exact exact exact",
    "accessed_fork_parent": "exact exact exact exact",
    "accessed_free": "exact exact -2 exact",
    "accessed_hugetlb": "exact|no exact|no -512|no exact|no",
    "accessed_merged": "+6|no exact|no +7|no exact|no",
    "accessed_migrated": "exact|no exact|no exact|no exact|no",
    "accessed_mlock": "+7 breaks exact|+7 breaks",
    "accessed_mprotect": "exact exact exact -1",
    "accessed_mremap": "(-1) exact exact exact|breaks",
    "accessed_new_page": "exact (-2) -1 exact",
    "accessed_nothing": "exact exact exact exact",
    "accessed_o_direct": "exact breaks exact breaks",
    "accessed_other_mapping": "(-1) (-1) (-1) (-1)",
    "accessed_outside": "exact breaks exact breaks",
    "accessed_pin": "(+2) breaks (+2) breaks",
    "accessed_pinned": "-1 -1 -1 -1",
    "accessed_populate": "+8 breaks +4 breaks",
    "accessed_proc_mem": "exact breaks exact breaks|-2",
    "accessed_prot_none": "exact exact exact -1",
    "accessed_read": "exact exact exact exact",
    "accessed_read_call": "exact breaks exact breaks",
    "accessed_remapped": "(-1) (-1) exact (-1)",
    "accessed_scan_inverted": "exact no no no",
    "accessed_scan_protect": "-1 no no no",
    "accessed_set_mode": "exact no no no",
    "accessed_shmem": "exact exact exact exact",
    "accessed_shmem_call": "(-1) (-1) exact (-1)",
    "accessed_shmem_huge": "(+511)|no -1|no (+511)|no exact|no",
    "accessed_shmem_punched": "exact (-1) exact exact",
    "accessed_stale_tlb": "exact exact exact|-* exact",
    "accessed_swapped": "exact|no exact|no exact|no exact|no",
    "accessed_then_swapped": "exact|no exact|no -3|no exact|no",
    "accessed_thp_byte": "(+511) exact (+511) exact",
    "accessed_thp_split": "exact exact exact exact",
    "accessed_thp_write": "(+511) exact (+511) exact",
    "accessed_vm_readv": "exact breaks exact breaks",
    "accessed_vm_readv_2": "exact breaks exact|-1 breaks",
    "accessed_vm_writev": "exact breaks exact breaks",
    "accessed_vmsplice": "exact breaks exact breaks",
    "accessed_wp_before": "no no exact exact",
    "accessed_write": "exact exact exact exact",
    "accessed_write_call": "exact breaks exact breaks",
    "accessed_zero_page": "exact exact -2 exact",
}
# Where both general paths of the kernel's scan may make something else of it than the fast one: up to 6.18.15 they
# pass over empty entries. And where one of them does.
GENERAL = {
    "dontneed_after_write": "exact|(-2)",
    "dontneed_all": "exact|(-511)",
    "dontunmap_old": "exact|(-7)",
    "free_taken": "exact|(-3)",
    "guard_come_and_go": "exact|(-1)|no",
    "guard_reset_gone": "exact|(+1)|no",
    "hugetlb_part_reset": "exact|no",
    "mremap_shrink_grow": "exact|-7",
    "populate_read": "exact|+7",
    "private_file_truncate": "(-2)|(-3)",
    "shmem_written_punch": "exact|(-2)",
    "thp_part_dropped": "exact|(-16)",
    "thp_part_dropped_write": "exact|(-15)",
}
DIFFERENT = {(name, path): row for name, row in GENERAL.items() for path in ("scan-wp-general", "scan-wp-inverted")}
DIFFERENT["writers_atomic", "scan-wp-inverted"] = "no"


def columns(name):
    """The interfaces that a scenario's row of EXPECTED is about."""
    return ACCESSING if catalogue.scenarios()[name].prop == ACCESSED else INTERFACES


def unexpected(name, interface, found):
    """How a verdict is none that is known of real kernels; empty where it is one, or nothing is known of it."""
    if found.ended and found.kind != BREAKS:
        return found.kind
    like = ROWS[interface].path_of or interface
    if name not in EXPECTED or like not in columns(name):
        return ""
    row = EXPECTED[name].split()[columns(name).index(like)]
    allowed = DIFFERENT.get((name, interface), row).split("|")
    text = "no" if found.kind == verdicts.NOT_POSSIBLE else found.text().rstrip("~")
    if text == "no" and ROWS[interface].path_of and "one path through the kernel" in found.why:
        return ""
    if "-*" in allowed and found.missed and not (found.broken and ROWS[interface].flushes):
        return ""  # a race that the contract lets lose, or how long an entry stays in a TLB
    if text not in allowed:
        return f"{text}, not one of {allowed}: {found.why}"
    if text == "no" and not re.search(REASONS, found.why):
        return f"not possible, but for a reason that nobody has thought of: {found.why}"
    return ""
