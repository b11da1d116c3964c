# SPDX-License-Identifier: GPL-2.0-only
"""Memory in folios of one order: they are there, stay there while they are tracked, and what splits them is seen."""

from array import array

import pytest

from bench.errors import Unsupported
from bench.measure import folios, probe
from bench.measure.core import Mapping, Pattern, Tracker, check, ffi, lib
from bench.measure.memory import MADV_DONTNEED
from bench.plan.interfaces import INTERFACES, UNTRACKED
from bench.plan.kinds import KINDS, Layout

PAGES = 1024
FOLIOS = [name for name, kind in KINDS.items() if kind.folio]


@pytest.fixture(params=FOLIOS)
def kind(request):
    if why := probe.probe(INTERFACES[UNTRACKED], Layout(kind=request.param)).refused:
        pytest.skip(f"{request.param}: {why.why}")
    return request.param


@pytest.fixture
def seen_pages():
    """Nothing, or a skip where page frame numbers are hidden."""
    with Mapping(8) as mapping:
        try:
            folios.Folios(mapping).close()
        except OSError as error:
            pytest.skip(f"page frame numbers are hidden from this user: {error.filename}")


def test_all_pages_are_in_folios_of_the_order_before_and_after_each_interval(kind, interface, seen_pages):
    order = str(KINDS[kind].order)
    for vmas in (1, 2):
        with Mapping(PAGES, Layout(kind=kind, vmas=vmas)) as mapping, Tracker(interface.name, mapping) as tracker:
            assert mapping.vmas() == vmas
            assert mapping.huge_kib() == 0, "page table entries map them"
            with folios.Folios(mapping) as seen:
                seen.follow()
                found = tracker.run(Pattern(array("I", range(1, PAGES, 7)), PAGES), 3, atomic=False)
                assert {(i.extra, i.missed) for i in found} == {(0, 0)}
                assert (seen.before, seen.after, seen.changed) == ({order: PAGES}, {order: PAGES}, 0), vmas
                assert seen.struct.looks == 4


def test_what_becomes_of_folios_is_seen(kind, seen_pages):
    """MADV_DONTNEED of a page in the middle: not there; written again, it is of order 0; the rest stays a folio."""
    with Mapping(PAGES, Layout(kind=kind)) as mapping, folios.Folios(mapping) as seen:
        order, page = seen.before, 4 * PAGES // 8 + 1
        check(lib.stage_madvise(int(ffi.cast("uintptr_t", mapping.struct.base)) + page * 4096, 4096, MADV_DONTNEED))
        check(lib.folios_look(seen.struct, mapping.struct))
        left = {name: pages - 1 for name, pages in order.items()}
        assert (seen.after, seen.changed) == (left | {"none": 1}, 1)
        mapping.buffer()[page * 4096] = b"x"
        check(lib.folios_look(seen.struct, mapping.struct))
        assert (seen.after, seen.changed) == (left | {"0": 1}, 2)


def test_ordinary_memory_is_of_order_0(seen_pages):
    with Mapping(PAGES) as mapping, folios.Folios(mapping) as seen:
        assert seen.before == {"0": PAGES}
    with Mapping(PAGES, Layout(populate="none")) as mapping, folios.Folios(mapping) as seen:
        assert seen.before == {"none": PAGES}


def test_a_kernel_that_gives_other_folios_is_caught(seen_pages):
    """What the kernel did is looked up, not assumed from what it was asked."""
    with Mapping(PAGES) as mapping, pytest.raises(Unsupported, match=r"for 0 of 1024 pages|no folios of 64 KiB") as why:
        folios.verify(mapping, KINDS["anon-64k"], 0)
    assert why.value.hint


def test_where_frames_are_hidden_the_kernels_counter_is_asked(monkeypatch):
    def hidden(_):
        raise PermissionError(13, "Permission denied", "open(/proc/kpageflags)")

    monkeypatch.setattr(folios, "Folios", hidden)
    kind = KINDS["anon-64k"]
    with Mapping(64) as mapping:
        monkeypatch.setattr(folios, "given", lambda _: 14)
        folios.verify(mapping, kind, 10)
        with pytest.raises(Unsupported, match=r"for 48 of 64 pages|no folios of 64 KiB"):
            folios.verify(mapping, kind, 11)
        with pytest.raises(Unsupported, match="nobody can say whether huge pages are whole"):
            folios.verify(mapping, KINDS["anon-thp-ptes"], 0)


def test_a_kernel_without_folios_counts_none_and_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(folios, "THP", str(tmp_path))
    kind = KINDS["anon-64k"]
    assert folios.given(kind) == 0
    with Mapping(64) as mapping, pytest.raises(Unsupported, match="the kernel has no folios of 64 KiB") as why:
        folios.verify(mapping, kind, 0)
    assert "Linux 6.8" in why.value.hint


def test_memory_that_making_folios_has_cut_is_not_what_was_asked_for(monkeypatch):
    monkeypatch.setattr(folios, "given", lambda _: 4)
    with Mapping(64, Layout(vmas=2)) as mapping:
        mapping.layout = mapping.layout._replace(vmas=1)
        monkeypatch.setattr(folios.Folios, "before", {str(KINDS["anon-64k"].order): 64})
        with pytest.raises(Unsupported, match="making folios of 64 KiB has cut the mapping into 2 VMAs"):
            folios.verify(mapping, KINDS["anon-64k"], 0)
