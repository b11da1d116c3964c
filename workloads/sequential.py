# SPDX-License-Identifier: GPL-2.0-only
"""A contiguous prefix, in address order: a log or an arena that fills."""

from __future__ import annotations

from array import array


def order(pages: int, dirty: int, seed: int) -> array[int]:
    """Return the first `dirty` pages."""
    return array("I", range(dirty))
