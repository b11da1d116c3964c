# SPDX-License-Identifier: GPL-2.0-only
"""A hole is punched into a hugetlb file that is mapped shared, and the huge page is written again.

hugetlb_vmdelete_list() unmaps the page with ZAP_FLAG_DROP_MARKER (05e90bd05eea, Linux 5.19): here, unlike shmem's,
userfaultfd's protection goes with the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "hugetlb"
WHY = {"clear_refs": "as hugetlb", "scan-softdirty": "as hugetlb"}


def play(stage: Stage) -> None:
    """One huge page is written after it went away."""
    backing = stage.hugetlb_file(2)
    mapping = stage.map_hugetlb(2, backing=backing)
    stage.track(mapping)
    stage.reset()
    stage.punch(backing, mapping[1], 1)
    stage.write(mapping[1])
    stage.collect()
