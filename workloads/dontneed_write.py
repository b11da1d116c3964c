# SPDX-License-Identifier: GPL-2.0-only
"""Two pages are given back by MADV_DONTNEED, and one of them is written again.

The write finds no page and makes a new one; that one must be reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"
WHY = {
    "uffd-sync": (
        "userfaultfd's protection of private anonymous memory is a bit in the page's entry, and MADV_DONTNEED removes "
        "it without a marker (zap_install_uffd_wp_if_needed(), mm/memory.c) on all kernels; UFFD_FEATURE_EVENT_REMOVE "
        "would tell"
    ),
}


def play(stage: Stage) -> None:
    """One page is written, another went away."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.drop(mapping[2:4])
    stage.write(mapping[2])
    stage.collect()
