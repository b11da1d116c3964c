# SPDX-License-Identifier: GPL-2.0-only
"""Memory is sealed by mseal(2), tracked, and a page written.

mseal (8be7258aad44, Linux 6.10) forbids munmap, mremap and mprotect of it, but neither userfaultfd nor clear_refs. What
is sealed stays until the process ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "protection"
MOST_PLAYS = 3


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8)
    stage.seal(mapping)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[3])
    stage.collect()
