# SPDX-License-Identifier: GPL-2.0-only
"""The v6 series' own meaning, on a kernel that has it: VM_SOFTDIRTY counts or not, and the TLB flush it leaves out."""

import mmap
from array import array

import pytest

from bench.measure import probe
from bench.measure.core import Mapping, Pattern, Tracker
from bench.plan.interfaces import INTERFACES
from tests.measure.conftest import working
from tests.measure.test_interfaces import write


@pytest.fixture(params=["v6", "v6-no-reused"])
def v6(request):
    return working(request.param)


def test_a_fresh_mapping_is_dirty_by_its_vma_and_clean_by_its_pages():
    """VM_SOFTDIRTY is set on every new VMA (mmap_region()); NO_REUSED_REGIONS does not look at it."""
    with Mapping(64) as mapping:
        with Tracker(working("v6").name, mapping) as tracker:
            assert tracker.collect() == [(0, 64)]
        with Tracker(working("v6-no-reused").name, mapping) as tracker:
            assert tracker.collect() == [(0, 64)], "populated by writing"
            tracker.reset()
            assert tracker.collect() == []
        with Tracker(working("v6").name, mapping) as tracker:
            assert tracker.collect() == [(0, 64)], "the flag of the VMA stays until v6 itself clears it"
            tracker.reset()
            assert tracker.collect() == []


def test_get_and_clear_takes_each_write_once(v6):
    with Mapping(2048) as mapping, Tracker(v6.name, mapping) as tracker:
        tracker.reset()
        odd = list(range(1, 2048, 2))
        write(mapping, odd)
        assert tracker.collect() == [(page, page + 1) for page in odd], "resumed where the vec was full"
        assert tracker.collect_reset() == [(page, page + 1) for page in odd]
        assert tracker.collect_reset() == []
        write(mapping, [8])
        assert tracker.collect_reset() == [(8, 9)]


def test_a_page_written_before_is_written_unseen_through_the_tlb(v6):
    """v5 took the flush away. What the table then shows as missed is the kernel's doing: after a flush it is seen."""
    pattern = Pattern(array("I", [5, 1, 4]), 8)
    with Mapping(8) as mapping, Tracker(v6.name, mapping) as tracker:
        found = tracker.run(pattern, 3, atomic=True)
        assert [(i.extra, i.missed) for i in found] == [(0, 0), (0, 3), (0, 3)]
        with mmap.mmap(-1, 64 * 4096) as large:  # unmapping more than 33 pages flushes all (arch/x86/mm/tlb.c)
            large[:] = bytes(len(large))
        write(mapping, [5, 1, 4])
        assert tracker.collect() == [(1, 2), (4, 6)]


def test_the_merged_abi_and_kernels_without_either_are_told_apart_from_v6():
    if not probe.probe(INTERFACES["scan-wp"]).refused:
        assert "lacks the ioctl of the v6 series" in probe.probe(INTERFACES["v6"]).refused.why
    else:
        working("v6")
        assert "another ABI" in probe.probe(INTERFACES["scan-wp"]).refused.why
