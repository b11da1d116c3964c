# SPDX-License-Identifier: GPL-2.0-only
"""Nothing is written: what tracking costs when there is nothing to find."""

from __future__ import annotations

from array import array

DIRTY_PERCENT = 0.0  # whatever is asked for


def order(pages: int, dirty: int, seed: int) -> array[int]:
    """No page, whatever is asked for."""
    return array("I")
