# SPDX-License-Identifier: GPL-2.0-only
"""Every page once, in address order; the dirty fraction is not used."""

from __future__ import annotations

from array import array

DIRTY_PERCENT = 100.0  # whatever is asked for


def order(pages: int, dirty: int, seed: int) -> array[int]:
    """All pages."""
    return array("I", range(pages))
