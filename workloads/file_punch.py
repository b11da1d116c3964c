# SPDX-License-Identifier: GPL-2.0-only
"""A hole is punched into a regular file that is mapped shared, and one of its pages is written.

As shmem_punch_write, with a file system beneath: it writes pages back before it punches, which makes entries read-only
and clean (folio_mkclean()) for another reason than tracking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"
WHY = {
    "soft-dirty": (
        'since 19773df031bc ("mm/fault: try to map the entire file folio in finish_fault()", Linux 6.18) a write that '
        "finds no entry maps all of the file's large folio, each entry dirty and so soft-dirty; not where userfaultfd "
        "is armed"
    ),
}


def play(stage: Stage) -> None:
    """One page is written, another went away."""
    backing = stage.file(8)
    mapping = stage.map(8, backing=backing)
    stage.track(mapping)
    stage.reset()
    stage.punch(backing, mapping[2:4], 2)
    stage.write(mapping[2])
    stage.collect()
