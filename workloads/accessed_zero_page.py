# SPDX-License-Identifier: GPL-2.0-only
"""Zero pages are read again, in an interval after the one that mapped them.

An anonymous page that is only read is the zero page. It has an entry, which RWP protects like others; vm_normal_page()
does not know it, and so clear_refs does not clear it, and smaps does not count it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "clear_refs-1": "as accessed_new_page",
}


def play(stage: Stage) -> None:
    """Two zero pages of eight."""
    mapping = stage.map(8, populate=False)
    stage.read(mapping)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[2:4])
    stage.collect()
