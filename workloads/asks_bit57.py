# SPDX-License-Identifier: GPL-2.0-only
"""A monitor of small virtual machines: the write-protect bits of a registered guest are read from pagemap.

Bit 57 of an entry says that the page is protected by userfaultfd (Linux 5.13, fb8e37f35a2f; pagemap.rst): a page
without it was written since. Read so by monitors that take a snapshot of what changed, instead of PAGEMAP_SCAN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import entries
from bench.measure.queries import PROTECTED, Asker

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "callers' queries"


def play(stage: Stage) -> None:
    """Four of 64 pages are written."""
    mapping = stage.map(64)
    Asker(stage, own=True)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[5:8])
    stage.write(mapping[63])
    told = [page for page, entry in zip(mapping, entries(mapping), strict=True) if not entry & PROTECTED]
    stage.judge(mapping, [(page.address, page.address + page.size) for page in told])
