# SPDX-License-Identifier: GPL-2.0-only
"""Evenly spaced pages, in address order: as many ranges as pages, the most a scan can return."""

from __future__ import annotations

from array import array


def order(pages: int, dirty: int, seed: int) -> array[int]:
    """Every (pages/dirty)-th page."""
    return array("I", (i * pages // dirty for i in range(dirty)))
