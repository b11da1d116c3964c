# SPDX-License-Identifier: GPL-2.0-only
"""Pages that are not there yet are read and written for the first time.

RWP protects entries that are present alone; the first access fills an empty one, which is then not protected and
counts as accessed (userfaultfd.rst, "Scope of protection"). An anonymous page that is only read is the zero page,
which vm_normal_page() does not know: clear_refs and smaps pass by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "clear_refs-1": (
        "an anonymous page that is only read is the zero page, which vm_normal_page() does not return: smaps "
        "(smaps_pte_entry() in fs/proc/task_mmu.c) counts no access to it, on all kernels"
    ),
}


def play(stage: Stage) -> None:
    """One page is read, one written; the others stay away."""
    mapping = stage.map(8, populate=False)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[2])
    stage.write(mapping[5])
    stage.filled(mapping)
    stage.collect()
