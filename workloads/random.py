# SPDX-License-Identifier: GPL-2.0-only
"""Scattered pages, uniform over the mapping, in random order: a hash table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.core import sample

if TYPE_CHECKING:
    from array import array


def order(pages: int, dirty: int, seed: int) -> array[int]:
    """`dirty` distinct pages."""
    return sample(pages, dirty, seed)
