# SPDX-License-Identifier: GPL-2.0-only
"""Every kind of memory, cut, populated and watched in every way: what is reported, and what is left behind."""

import errno
import os
import subprocess
import sys

import pytest

from bench.errors import Unsupported
from bench.measure import probe
from bench.measure.core import Mapping, Pattern, Tracker
from bench.plan.grids import make_point
from bench.plan.interfaces import INTERFACES, UNTRACKED
from bench.plan.kinds import DIRECTORY, KINDS, POPULATE, Layout
from tests.measure.conftest import order, rounds, working
from tests.measure.test_mapping import address, vmas

PAGES = 2048
# UFFDIO_RWPROTECT does not protect huge pages of shmem, it unmaps them: who accesses them next sends no message
# (pgtable_split_needed() in mm/mprotect.c, seen on 7.3.4).
LOST = {("rwp-sync", "shmem-thp")}


def mapping(pages, **layout):
    """The mapping, or a skip with the kernel's reason for not having it."""
    if why := probe.probe(INTERFACES[UNTRACKED], Layout(kind=layout.get("kind", "anon"))).refused:
        pytest.skip(f"{layout.get('kind')}: {why.why}")
    return Mapping(pages, Layout(**layout))


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_probe_promises_for_a_kind_holds(any_interface, kind):
    """Exact at the granularity of the memory where the probe says yes; where it says no, there is a reason."""
    interface = any_interface
    found = probe.probe(interface, Layout(kind=kind))
    if (interface.name, kind) in LOST and found.wrong:
        assert "missed" in found.wrong
        return
    assert not found.wrong
    why = found.refused
    if why:
        assert why.why
        assert why.remedy
        pytest.skip(f"{interface.name} on {kind}: {why.why}")
    point = make_point("random", PAGES, 3, kind=kind)
    pattern = Pattern(order(point, 5), PAGES)
    blocks = len({page // 512 for page in order(point, 5)})
    with Mapping(PAGES, Layout(kind=kind)) as made, Tracker(interface.name, made) as tracker:
        for one in tracker.run(pattern, rounds(interface, 3), atomic=False):
            assert one.missed == 0
            assert one.extra in ({0} if KINDS[kind].granule == 1 else {0, 512 * blocks - pattern.written})


def test_a_byte_in_a_huge_page_of_shmem_is_reported_as_512_pages(scan_wp):
    """Honest granularity: 511 extra pages, not none: a write does not split such a PMD (seen on 6.18.44)."""
    pattern = Pattern(order(make_point("random", PAGES, 0.01, kind="shmem-thp"), 1), PAGES)
    assert pattern.written == 1
    with mapping(PAGES, kind="shmem-thp") as made, Tracker(scan_wp.name, made) as tracker:
        assert [(i.extra, i.missed) for i in tracker.run(pattern, 2, atomic=False)] == [(511, 0)] * 2


def test_a_byte_in_a_huge_page_of_anonymous_memory_splits_it(scan_wp):
    with mapping(1024, kind="anon-thp") as made, Tracker(scan_wp.name, made) as tracker:
        assert made.huge_kib() == 4096
        tracker.reset()
        assert made.huge_kib() == 4096, "write-protecting whole huge pages keeps them"
        made.buffer()[5 * made.page_size] = b"x"
        assert tracker.collect() == [(5, 6)]
        assert made.huge_kib() == 2048


@pytest.mark.parametrize(
    ("kind", "huge"), [(kind, KINDS[kind].huge and not KINDS[kind].folio) for kind in KINDS if kind != "hugetlb"]
)
def test_huge_pages_are_there_or_not_as_the_kind_says(kind, huge):
    with mapping(1024, kind=kind) as made:
        assert made.huge_kib() == (4096 if huge else 0)
        assert made.granule() == 1


def test_hugetlb_without_reserved_pages_says_how_to_reserve_them():
    free = int(open("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages").read())  # noqa: SIM115
    if free:
        pytest.skip(f"hugetlb works here: {free} pages are reserved")
    why = probe.probe(INTERFACES[UNTRACKED], Layout(kind="hugetlb")).refused
    assert "reserved" in why.why
    assert "nr_hugepages" in why.remedy


@pytest.mark.parametrize("kind", ["file-shared", "file-private"])
def test_no_file_is_ever_seen(kind, tmp_path):
    for directory in (DIRECTORY, tmp_path):
        before = set(os.listdir(directory))
        with Mapping(64, Layout(kind=kind, directory=str(directory))) as made:
            made.buffer()[0] = b"x"
            assert set(os.listdir(directory)) == before
    with pytest.raises(OSError, match="--directory") as refused:
        Mapping(64, Layout(kind=kind, directory=str(tmp_path / "absent")))
    assert refused.value.errno == errno.ENOENT


@pytest.mark.parametrize("count", [1, 2, 7, 64])
def test_a_mapping_is_cut_into_so_many_vmas_and_tracked_whole(any_interface, count):
    interface = any_interface
    point = make_point("random", 640, 40, vmas=count)
    pattern = Pattern(order(point, 3), 640)
    with Mapping(640, point.layout()) as made, Tracker(interface.name, made) as tracker:
        base, end = address(made), address(made) + 640 * made.page_size
        assert sum(base <= start < end for start, _, _ in vmas()) == count
        found = tracker.run(pattern, rounds(interface, 2), atomic=False)
        assert {(i.extra, i.missed) for i in found} == {(0, 0)}


@pytest.mark.parametrize("percent", [1, 30, 100])
def test_only_what_is_watched_is_reported(any_interface, percent):
    interface = any_interface
    point = make_point("random", 640, 40, watch_percent=percent)
    pattern = Pattern(order(point, 3), point.watched)
    assert pattern.written == len({page for page in order(point, 3) if page < point.watched})
    assert pattern.writes == 256
    with Mapping(640, point.layout()) as made, Tracker(interface.name, made) as tracker:
        found = tracker.run(pattern, rounds(interface, 3), atomic=False)
        assert {(i.extra, i.missed) for i in found} == {(0, 0)}


def test_a_sparse_mapping_has_memory_only_where_it_is_populated():
    point = make_point("random", 4096, 50, populated_percent=1)
    assert point.populated == 41
    with Mapping(4096, point.layout()) as made, open("/proc/self/pagemap", "rb") as pagemap:
        pagemap.seek(address(made) // made.page_size * 8)
        entries = pagemap.read(8 * 4096)
        present = {i // 8 for i in range(0, len(entries), 8) if entries[i + 7] & 0x80}
    assert len(present) == 41
    assert set(order(point, 1)) <= present


@pytest.mark.parametrize("how", POPULATE)
def test_populating_leaves_what_it_says(how):
    with Mapping(512, Layout(populate=how)) as made, open("/proc/self/pagemap", "rb") as pagemap:
        pagemap.seek(address(made) // made.page_size * 8)
        entries = pagemap.read(8 * 512)
        present = sum(entries[i + 7] >> 7 for i in range(0, len(entries), 8))
        assert present == (0 if how == "none" else 512)
        assert how == "none" or made.struct.populate_ns > 10_000, "512 pages take longer than ten microseconds"


def test_a_kernel_that_does_not_give_huge_pages_is_caught(monkeypatch):
    """What the kernel did is read from smaps, not assumed from what it was asked."""
    mapping(512, kind="anon-thp").close()
    monkeypatch.setattr(Mapping, "huge_kib", lambda self: 1024)
    with pytest.raises(Unsupported, match="only 1 of 2 MiB"):
        Mapping(512, Layout(kind="anon-thp"))
    with pytest.raises(Unsupported, match="although MADV_NOHUGEPAGE"):
        Mapping(512)


def test_the_process_may_have_no_huge_pages_but_those_asked_for():
    """Lifted for a mapping that wants them, and set again after it: the heap must stay alike."""
    working("scan-wp")
    program = (
        "from bench.measure.core import Mapping, forgo_huge_pages\n"
        "from bench.plan.kinds import Layout\n"
        "def off(): return next(l.split()[1] for l in open('/proc/self/status') if l.startswith('THP_enabled'))\n"
        "forgo_huge_pages(); print(off())\n"
        "with Mapping(512, Layout(kind='anon-thp')) as m: print(off(), m.huge_kib())\n"
        "print(off())\n"
    )
    mapping(512, kind="anon-thp").close()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["0", "1", "2048", "0"], done.stderr
