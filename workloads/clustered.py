# SPDX-License-Identifier: GPL-2.0-only
"""Runs of 16 pages at random places, each run in address order: objects larger than a page."""

from __future__ import annotations

from array import array

from bench.measure.core import sample

RUN = 16  # pages: 64 KiB, a common allocation and readahead unit


def order(pages: int, dirty: int, seed: int) -> array[int]:
    """`dirty` distinct pages in aligned runs; the last run may be cut."""
    slots = -(-pages // RUN)
    out = array("I")
    for slot in sample(slots, slots, seed):
        out.extend(range(slot * RUN, min((slot + 1) * RUN, pages)))
        if len(out) >= dirty:
            break
    return out[:dirty]
