# SPDX-License-Identifier: GPL-2.0-only
"""A write-watch emulation: the first pages written are asked for, as many as the caller has room for, and reset.

GetWriteWatch of Windows is why PAGEMAP_SCAN exists. Asked so in Wine, dlls/ntdll/unix/virtual.c,
kernel_get_write_watches(): WRITTEN alone, vec_len 256, max_pages the caller's count, PM_SCAN_WP_MATCHING where the
caller wants a reset, no PM_SCAN_CHECK_WPASYNC, no huge pages. What does not fit stays for the next call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import WRITTEN, Asker, Query

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "callers' queries"
QUERY = Query(all=WRITTEN, returned=WRITTEN, room=256, max_pages=8, protect=True, checked=False)


def play(stage: Stage) -> None:
    """Twelve of 64 pages are written, and asked for eight at a time, until there is none."""
    mapping = stage.map(64)
    stage.track(mapping)
    stage.reset()
    for first in (3, 20, 21, 40):
        stage.write(mapping[first : first + 3])
    asker = Asker(stage, own=True)
    told = []
    for _ in mapping:  # a kernel that tells and does not reset would go on for ever
        answer = asker.must(QUERY, mapping).pages()
        if not answer:
            break
        told += answer
    stage.judge(mapping, told)
