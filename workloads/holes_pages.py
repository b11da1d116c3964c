# SPDX-License-Identifier: GPL-2.0-only
"""Pages without an entry in a page table that exists are reset, then one is written.

Soft-dirty has no entry to keep a bit in, and none is needed. userfaultfd leaves a marker in each entry
(WP_UNPOPULATED, 2bad466cc9d9, Linux 6.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "new memory"
WHY = {
    "uffd-sync": (
        "before WP_UNPOPULATED (2bad466cc9d9, Linux 6.4) UFFDIO_WRITEPROTECT leaves out the empty entries of "
        "anonymous memory, as Documentation/admin-guide/mm/userfaultfd.rst says: the write is not noticed"
    ),
}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(16, populate=False)
    stage.write(mapping[8])
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[3])
    stage.collect()
