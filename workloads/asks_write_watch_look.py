# SPDX-License-Identifier: GPL-2.0-only
"""A write-watch emulation: it is asked twice without a reset, then reset without being asked.

Asked so in Wine, dlls/ntdll/unix/virtual.c: kernel_get_write_watches() without the caller's flag to reset, and
kernel_writewatch_reset(), which is PM_SCAN_WP_MATCHING with WRITTEN alone and no buffer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import WRITTEN, Asker, Query

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "callers' queries"
LOOK = Query(all=WRITTEN, returned=WRITTEN, room=256, max_pages=64, checked=False)


def play(stage: Stage) -> None:
    """The same is told twice; one page is written after the reset."""
    mapping = stage.map(64)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[10:20])
    asker = Asker(stage, own=True)
    stage.judge(mapping, asker.must(LOOK, mapping).pages())
    stage.judge(mapping, asker.must(LOOK, mapping).pages())
    asker.must(LOOK._replace(room=0, max_pages=0, protect=True), mapping)
    stage.unchanged(mapping)
    stage.write(mapping[12])
    stage.judge(mapping, asker.must(LOOK, mapping).pages())
