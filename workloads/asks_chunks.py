# SPDX-License-Identifier: GPL-2.0-only
"""A key-value store's checkpoint: four threads ask at once, each about chunks of its own, and reset what they are told.

The threads share one address space, whose lock the scan takes for reading (do_pagemap_scan() in fs/proc/task_mmu.c).
Each asks for WRITTEN with vec_len 1000, PM_SCAN_WP_MATCHING and PM_SCAN_CHECK_WPASYNC, chunk by chunk.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bench.measure.queries import WRITTEN, Asker, Query

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "callers' queries"
SCANNERS, CHUNK = 4, 512
QUERY = Query(all=WRITTEN, returned=WRITTEN, room=1000, protect=True)


def play(stage: Stage) -> None:
    """Every third page of four chunks is written; then nothing may be left."""
    mapping = stage.map(SCANNERS * CHUNK)
    stage.track(mapping)
    stage.reset()
    for page in list(mapping)[::3]:
        stage.write(page)
    asker = Asker(stage, own=True)
    chunks = [mapping[first : first + CHUNK] for first in range(0, mapping.count, CHUNK)]
    with ThreadPoolExecutor(SCANNERS) as pool:
        answers = list(pool.map(lambda chunk: asker.must(QUERY, chunk).pages(), chunks))
    stage.judge(mapping, [found for answer in answers for found in answer])
    stage.unchanged(mapping)
    stage.collect()
