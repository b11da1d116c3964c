# SPDX-License-Identifier: GPL-2.0-only
"""One of two huge pages of private hugetlb memory is given back by MADV_DONTNEED and read.

As dontneed_read, with pages of 2 MiB: the page is zero, and nobody wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "hugetlb"
WHY = {"clear_refs": "as hugetlb", "scan-softdirty": "as hugetlb"}


def play(stage: Stage) -> None:
    """The content of one huge page changes."""
    mapping = stage.map_hugetlb(2)
    stage.track(mapping)
    stage.reset()
    stage.drop(mapping[1])
    stage.read(mapping[1])
    stage.collect()
