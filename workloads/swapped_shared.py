# SPDX-License-Identifier: GPL-2.0-only
"""Pages of shared memory are swapped out and read back in, and one of them is written.

Shared memory that is swapped out has no swap entry in the page table: the page cache knows where it is. userfaultfd
leaves a marker that says `protected` (pte_install_uffd_wp_if_needed() in mm/rmap.c, 999dad824c39, Linux 5.19).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "what the kernel does by itself"


def play(stage: Stage) -> None:
    """One page is written; the others were only read back."""
    mapping = stage.map(8, backing=stage.memfd(8))
    stage.track(mapping)
    stage.reset()
    stage.page_out(mapping)
    stage.read(mapping[:4])
    stage.write(mapping[5])
    stage.collect()
