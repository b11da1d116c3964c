# SPDX-License-Identifier: GPL-2.0-only
"""A debugger writes to a page with PTRACE_POKEDATA.

access_remote_vm() with FOLL_FORCE: a write fault that another process runs; with FOLL_FORCE it may write to what is
read-only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "kernel writes"
WHY = {
    "uffd-sync": (
        "the write fault is taken in the kernel: UFFD_USER_MODE_ONLY has it fail, and mprotect's handler is not "
        "asked either"
    ),
    "mprotect": "a debugger writes to read-only memory too (FOLL_FORCE), and no signal says so",
}


def play(stage: Stage) -> None:
    """One page is written."""
    outsider = stage.outsider()
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.poke_from_outside(outsider, mapping[5])
    stage.collect()
