# SPDX-License-Identifier: GPL-2.0-only
"""80 % of the writes go to 20 % of the pages, with repeats: a cache or a heap."""

from __future__ import annotations

from array import array

from bench.measure.core import draw, sample

REPEATS = True  # a page may be written more than once in an interval


def order(pages: int, dirty: int, seed: int) -> array[int]:
    """`dirty` writes, four of five to the hot pages, in random order; they reach fewer than `dirty` pages."""
    shuffled = sample(pages, pages, seed)
    hot_pages = max(1, pages // 5)
    cold_pages = pages - hot_pages
    cold = dirty // 5 if cold_pages else 0
    picks = list(draw(hot_pages, dirty - cold, seed + 1))
    picks += [hot_pages + page for page in draw(cold_pages, cold, seed + 2)] if cold else []
    return array("I", (shuffled[picks[i]] for i in sample(dirty, dirty, seed + 3)))
