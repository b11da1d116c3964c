# SPDX-License-Identifier: GPL-2.0-only
"""One huge page of 64 KiB: the process forks after the reset, the child and the parent each write another page.

A multi-size huge page (Linux 6.8, 19eaf44954df) is mapped by entries of its small pages, each with bits of its own: the
unit of tracking stays 4 KiB. fork copies entries of one folio in a batch (copy_present_ptes(), f8d937761d65, Linux
6.9), and write-protects them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "multi-size huge pages"


def play(stage: Stage) -> None:
    """The parent writes one page."""
    mapping = stage.map_folio(64)
    stage.track(mapping)
    stage.reset()
    child = stage.fork()
    child.write(mapping[1])
    stage.write(mapping[5])
    stage.collect()
