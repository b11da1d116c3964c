# SPDX-License-Identifier: GPL-2.0-only
"""Where the core puts memory: every interface's at the same place of the same tree of VMAs."""

from contextlib import suppress

import pytest

from bench.measure.core import Mapping, Tracker, ffi
from bench.plan.interfaces import INTERFACES
from bench.plan.kinds import ANON

PAGES = 1000


def base(mapping):
    return int(ffi.cast("uintptr_t", mapping.struct.base))


def vmas(first=0, end=1 << 47):
    """(start, end, permissions) of each VMA of this process in between."""
    with open("/proc/self/maps") as lines:
        found = [line.split()[:2] for line in lines]
    split = [(*(int(part, 16) for part in where.split("-")), permissions) for where, permissions in found]
    return [vma for vma in split if first <= vma[0] < end]


def near(mapping):
    """What is near a mapping, in bytes: libraries begin up to 1 TiB and 16 GiB below the end of the address space."""
    return base(mapping) - (2 << 40), base(mapping) + (1 << 40)


def around(mapping):
    """The VMAs near the mapping."""
    return vmas(*near(mapping))


def seen_by(name):
    """What is mapped while the interface is open on a mapping; nothing where it can't be opened."""
    with suppress(OSError), Mapping(PAGES) as mapping, Tracker(name, mapping):
        return around(mapping)
    return []


def test_every_interface_has_the_same_vmas_at_the_same_addresses():
    found = {name: seen_by(name) for name in INTERFACES}
    opened = {name: tuple(vmas) for name, vmas in found.items() if vmas}
    assert {"none", "mprotect"} <= opened.keys()
    assert len(set(opened.values())) == 1
    assert [permissions for *_, permissions in opened["none"]] == ["rw-p", "---p", "rw-p", "---p"]  # buffers, mapping


@pytest.mark.parametrize("kind", ["anon", "shmem", "file-shared", "file-private"])
def test_every_kind_of_memory_is_at_the_same_place(kind):
    with Mapping(PAGES) as usual:
        place = base(usual)
    with Mapping(PAGES, ANON._replace(kind=kind)) as mapping:
        assert base(mapping) == place
    assert place % (2 << 20) == 0


def test_what_was_mapped_before_does_not_move_it():
    with Mapping(PAGES) as mapping:
        place = base(mapping)
    held = [bytearray(size << 10) for size in (100, 1000, 10000)]  # of the C library's mmap threshold, both sides
    with Mapping(7) as mapping:
        assert base(mapping) == place
    assert held


def test_a_second_one_goes_elsewhere_and_both_work():
    with Mapping(PAGES) as first, Mapping(PAGES) as second:
        assert base(first) != base(second)
        first.buffer()[0] = b"a"
        second.buffer()[0] = b"b"
        assert (first.buffer()[0], second.buffer()[0]) == (b"a", b"b")
        with Tracker("none", first) as one, Tracker("none", second) as other:
            assert one.struct.buffers != other.struct.buffers


def test_all_is_given_back():
    with Mapping(PAGES) as mapping:
        where = mapping
        area = near(mapping)
        with Tracker("mprotect", mapping) as tracker:
            assert len(around(where)) == 4
        tracker.close()  # again does nothing
    where.close()
    assert not vmas(*area)
