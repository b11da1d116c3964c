# SPDX-License-Identifier: GPL-2.0-only
"""The mapping under test is guarded, populated, without huge pages, and gone afterwards."""

import errno
import os

import pytest

from bench.measure.core import Mapping, ffi


def vmas():
    """(start, end, permissions) of every VMA of this process."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            span, permissions = line.split()[:2]
            start, end = (int(x, 16) for x in span.split("-"))
            yield start, end, permissions


def address(mapping):
    return int(ffi.cast("uintptr_t", mapping.struct.base))


@pytest.mark.parametrize("pages", [1, 511, 512, 5000])
def test_one_aligned_vma_between_guards(pages):
    with Mapping(pages) as mapping:
        base = address(mapping)
        size = pages * mapping.page_size
        assert base % (2 << 20) == 0
        found = list(vmas())
        (i,) = [i for i, vma in enumerate(found) if vma[0] == base]
        assert found[i][1:] == (base + size, "rw-p")
        for guard, edge in ((found[i - 1], "end"), (found[i + 1], "start")):
            assert guard[2] == "---p"
            assert (guard[1] if edge == "end" else guard[0]) == (base if edge == "end" else base + size)
    assert not [vma for vma in vmas() if vma[0] <= base < vma[1]]


def test_every_page_is_present_and_none_is_huge():
    with Mapping(4096) as mapping:
        with open("/proc/self/pagemap", "rb") as pagemap:
            pagemap.seek(address(mapping) // mapping.page_size * 8)
            entries = pagemap.read(8 * 4096)
        assert all(entries[i + 7] & 0x80 for i in range(0, len(entries), 8))
        assert mapping.huge_kib() == 0


def test_a_mapping_that_cannot_be_had_names_the_call():
    with pytest.raises(OSError, match="mmap") as refused:
        Mapping(1 << 40)
    assert refused.value.errno == errno.ENOMEM
    assert os.strerror(errno.ENOMEM) in str(refused.value)
