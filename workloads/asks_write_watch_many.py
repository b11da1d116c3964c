# SPDX-License-Identifier: GPL-2.0-only
"""A write-watch emulation: more ranges were written than the buffer of one call takes.

Asked so in Wine, dlls/ntdll/unix/virtual.c, kernel_get_write_watches(): while a call fills all 256 ranges, the next one
starts at walk_end; a call that fills fewer was the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import WRITTEN, Asker, Query

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "callers' queries"
QUERY = Query(all=WRITTEN, returned=WRITTEN, room=256, max_pages=1080, protect=True, checked=False)


def play(stage: Stage) -> None:
    """Every other page of 1080 is written; then nothing may be left."""
    mapping = stage.map(1080)
    stage.track(mapping)
    stage.reset()
    for page in list(mapping)[::2]:
        stage.write(page)
    asker = Asker(stage, own=True)
    rest, told = mapping, []
    while rest.count:
        answer = asker.must(QUERY, rest)
        told += answer.pages()
        if len(answer.ranges) < QUERY.room:
            break
        rest = rest[(answer.stopped - rest.address) // rest.size :]
    stage.judge(mapping, told)
    stage.unchanged(mapping)
    stage.collect()
