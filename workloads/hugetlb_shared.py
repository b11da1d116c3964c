# SPDX-License-Identifier: GPL-2.0-only
"""One of two huge pages of a hugetlb file, mapped shared, is written after a reset.

As hugetlb, with a memfd of huge pages (MFD_HUGETLB): a virtual machine's memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "hugetlb"
WHY = {"clear_refs": "as hugetlb", "scan-softdirty": "as hugetlb"}


def play(stage: Stage) -> None:
    """One huge page is written."""
    mapping = stage.map_hugetlb(2, backing=stage.hugetlb_file(2))
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[1])
    stage.collect()
