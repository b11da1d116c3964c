# SPDX-License-Identifier: GPL-2.0-only
"""The checks of the kernel's selftests on dirty tracking, in their order, and what this suite has of each."""

from __future__ import annotations

from typing import NamedTuple

SAME, MORE, OUT = COVERED = "same", "more", "left out"
FOLDER = "tools/testing/selftests/mm"
# By file of that folder: how many checks it has, by the plan it prints (of uffd-unit-tests.c those about write
# protection, each of which is run on several kinds of memory), and in which Linux.
PLANS = {"pagemap_ioctl.c": (119, "7.3"), "soft-dirty.c": (19, "7.3"), "uffd-unit-tests.c": (8, "6.12")}


class Check(NamedTuple):
    """`times` checks of one function that are about the same; `ours`: scenarios, and options of run that measure it.

    `why`: what is more, or why it is left out.
    """

    function: str
    check: str
    times: int
    covered: str
    ours: tuple[str, ...] = ()
    why: str = ""


_ARGUMENTS = "whether the call takes these arguments; no page is written, so there is nothing to report wrong"
_EVERY = "every interface and both paths of the scan, page by page"
_EDGES = "also with a reset in the same call, and every page of the whole walk compared"


def _base(memory: str, *ours: str) -> Check:
    check = f"{memory}: nothing, all, all but two, nothing after a reset, one page, two pages"
    measured = any(one.startswith("--") for one in ours)
    why = "random patterns, orders and fractions, interval after interval" if measured else ""
    return Check("base_tests", check, 6, MORE if measured else SAME, ours, why)


CHECKS = {
    "pagemap_ioctl.c": (
        Check("sanity_tests_sd", "a range of no length is valid", 1, MORE, ("edge_empty_range",), "and resets nothing"),
        Check("sanity_tests_sd", "no buffer, wrong flags and masks, no mask", 8, OUT, (), _ARGUMENTS),
        Check("sanity_tests_sd", "no category is to be returned", 1, SAME, ("edge_no_return_mask",)),
        Check("sanity_tests_sd", "all categories with a reset", 1, MORE, ("edge_reset_masks", "edge_reset_masks_vec"),
              "and which pages such a reset protects"),
        Check("sanity_tests_sd", "a clear with a larger buffer", 1, MORE, ("plain", "--vec-len 1000"), _EVERY),
        Check("sanity_tests_sd", "every second page, in one call and in parts", 2, MORE,
              ("edge_vec_one", "--workload strided"), _EDGES),
        Check("sanity_tests_sd", "every second page, as many as max_pages", 1, MORE,
              ("edge_max_pages", "--max-pages 500"), _EDGES),
        Check("sanity_tests_sd", "two pages are asked for and reset, the others stay", 1, MORE, ("partial_reset",),
              _EVERY),
        Check("sanity_tests_sd", "two mappings, one of them reset", 1, MORE, ("partial_reset", "partial_reset_merge"),
              "and the two as one area"),
        Check("sanity_tests_sd", "fewer pages a call than were written", 1, MORE,
              ("edge_max_pages", "asks_write_watch_many"), _EDGES),
        Check("sanity_tests_sd", "a buffer of 50 ranges, 100 times", 1, MORE,
              ("asks_write_watch_many", "edge_many_ranges_reset", "--vec-len 50"), _EDGES),
        Check("sanity_tests_sd", "walk_end of a range of no length", 3, SAME, ("edge_empty_range",)),
        Check("sanity_tests_sd", "walk_end, with buffers and limits of several sizes", 6, MORE,
              ("edge_vec_exact", "edge_max_pages"), _EDGES),
        Check("sanity_tests_sd", "walk_end of sparse pages, with buffers and limits of several sizes", 7, MORE,
              ("edge_many_ranges", "edge_vec_one"), "and more ranges than the kernel keeps"),
        _base("anonymous pages", "plain", "--kind anon"),
        _base("5120 anonymous pages", "holes_tables", "--pages 10240"),
        _base("a huge page", "thp_byte", "--kind anon-thp"),
        _base("a huge page of SysV shared memory", "hugetlb_shared"),
        _base("a huge page of hugetlb memory", "hugetlb", "--kind hugetlb"),
        _base("a huge page of a hugetlb file", "hugetlb_shared"),
        _base("a private mapping of a file", "--kind file-private"),
        _base("a private mapping of a memfd", "asks_private_copy", "private_file_dontneed"),
        Check("hpage_unit_tests", "a huge page: nothing, nothing again, all, one page", 4, MORE,
              ("thp_byte", "thp_unpopulated"), "also before it was touched, and moved, split, collapsed"),
        Check("hpage_unit_tests", "half of a huge page is reset, with a full and a limited buffer", 3, MORE,
              ("thp_part_reset", "thp_part_reset_clean"), "and written again on both sides"),
        Check("hpage_unit_tests", "half of a huge page is asked for and reset, the rest stays", 2, MORE,
              ("thp_part_reset",), "and written again on both sides"),
        Check("test_simple", "one page, reset and written in turn, 100 times", 1, MORE, ("plain",), _EVERY),
        Check("mprotect_tests", "two pages: written, reset", 2, SAME, ("plain",)),
        Check("mprotect_tests", "a page is mapped anew, and protections change and change back", 1, MORE,
              ("mprotect_round", "mprotect_none_round", "reused_range"), _EVERY),
        Check("mprotect_tests", "and written once more after a reset", 1, SAME, ("mprotect_round",)),
        Check("transact_test", "get and reset finds what was written, then nothing", 2, SAME, ("plain",)),
        Check("transact_test", "six threads write while get and reset runs: no write is lost", 1, MORE,
              ("writers_atomic", "writers_separate", "--concurrent"), "and what is lost without the atomic call"),
        Check("sanity_tests", "masks of several kinds are taken", 5, OUT, (), _ARGUMENTS),
        Check("sanity_tests", "pages that are written and present: anyof, required, both", 3, MORE,
              ("asks_sandbox_general", "--interface scan-wp-general"), "every scenario is played so"),
        Check("sanity_tests", "required and inverted at once: nothing", 2, MORE, ("--interface scan-wp-inverted",),
              "every scenario is played with an inverted mask, whose answer is not nothing"),
        Check("sanity_tests", "a return mask of WRITTEN alone", 1, SAME, ("--interface scan-wp-general",)),
        Check("sanity_tests", "the pages of a file that is only read have PAGE_IS_FILE", 1, MORE,
              ("asks_private_copy",), "and lose it with a write"),
        Check("sanity_tests", "a private mapping of a file is written", 1, MORE, ("--kind file-private",), _EVERY),
        Check("unmapped_region_tests", "a range where nothing is mapped", 1, MORE, ("--vmas 100", "guards_mmap"),
              "areas with unmapped pages between them, page by page"),
        Check("userfaultfd_tests", "areas of several protections in one range", 1, MORE,
              ("guards_mmap", "mprotect_none_round", "thp_part_unmapped"), _EVERY),
        Check("zeropfn_tests", "zero pages, small and huge, have PAGE_IS_PFNZERO", 2, MORE,
              ("asks_predump", "zero_page_read", "zero_huge_read"), "as callers leave them out, and written later"),
        Check("unpopulated_scan_test", "dropped pages are the same to both paths", 1, MORE,
              ("dontneed_read", "dontneed_reset_write"), "and reset, and written again"),
        Check("unpopulated_thp_hole_test", "a dropped huge page is written", 1, MORE,
              ("thp_dropped", "dontneed_all"), "and written again"),
    ),
    "soft-dirty.c": (
        Check("test_simple", "one page, cleared and written in turn, 10000 times", 1, MORE, ("plain",), _EVERY),
        Check("test_vma_reuse", "a page of a new mapping is dirty", 1, SAME, ("fresh_untouched",)),
        Check("test_vma_reuse", "so is one at an address that was used before", 1, SAME, ("reused_range",)),
        Check("test_hugepage", "a huge page: made, cleared and written in turn", 2, MORE, ("thp_byte", "thp_split"),
              "also in part, forked, moved, split, collapsed"),
        Check("test_mprotect", "anonymous: written, cleared, read-only, writable, written", 5, SAME,
              ("mprotect_round",)),
        Check("test_mprotect", "a shared file: written, cleared, read-only, writable, written", 5, MORE,
              ("file_mapped_write", "file_write_call"), "by the mapping and by write(2); its protection stays"),
        Check("test_merge", "a clean area that merges with a new one by mremap is dirty", 2, OUT, (),
              "the move keeps what is known of its pages (mremap_ptes); the merge is played by mmap, brk and mprotect"),
        Check("test_merge", "and by mprotect", 2, MORE, ("merge_mprotect_fresh", "merge_mprotect_tracked"),
              "counted in pages that nobody wrote, with every interface"),
    ),
    "uffd-unit-tests.c": (
        Check("uffd_wp_fork_test", "wp-fork: a fork without the event loses the protection", 1, MORE,
              ("fork_child_writes", "fork_then_reset"), "by what child and parent write"),
        Check("uffd_wp_fork_test", "wp-fork-with-event: with it the child has it too", 1, OUT, (),
              "the child has a userfaultfd of its own, and would be tracked by another program"),
        Check("uffd_wp_fork_pin_test", "wp-fork-pin: pages that are pinned when it forks", 1, OUT, (),
              "pins are played without a fork (kernel_pinned), forks without a pin"),
        Check("uffd_wp_fork_pin_test", "wp-fork-pin-with-event", 1, OUT, (),
              "as the fork with the event without a pin"),
        Check("uffd_wp_unpopulated_test", "wp-unpopulated: pages that are not there, and are dropped", 1, MORE,
              ("holes_pages", "holes_tables", "dontneed_write"), "and written, for every interface"),
        Check("uffd_minor_wp_test", "minor-wp: pages of a file that are filled in, protected", 1, OUT, (),
              "registered for minor faults, which is no tracking of writes; uffd_copy_protected fills in missing ones"),
        Check("uffd_sigbus_wp_test", "sigbus-wp: a signal instead of a message", 1, OUT, (),
              "another way to be told of a fault; --interface uffd-sync has the message"),
        Check("uffd_events_wp_test", "events-wp: fork, move and drop, with their events", 1, MORE,
              ("uffd_remapped", "fork_child_writes", "dontneed_write"), "each alone, without the events"),
    ),
}  # fmt: skip
