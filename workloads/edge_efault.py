# SPDX-License-Identifier: GPL-2.0-only
"""The buffer of an atomic get and reset is not there: the call fails, and is made again with one that is.

The kernel protects the pages while it walks and copies what it found afterwards (pagemap_scan_flush_buffer() in
fs/proc/task_mmu.c): with EFAULT the pages are reset and nobody was told. No document says what a call that fails has
done before, so what is lost is in the contract.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from bench.measure.queries import FAILED_CALL, Asker, refused

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "errors and edges"
WHY = {
    "any": (
        "pagemap_scan_flush_buffer() in fs/proc/task_mmu.c copies to the caller when the pages are protected already, "
        "and nothing takes that back: Linux 6.7 to 7.3."
    )
}


def play(stage: Stage) -> None:
    """Three pages are written; the first call has a buffer without access."""
    mapping, nowhere = stage.map(8), stage.reserve(1)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2:5])
    asker = Asker(stage)
    query = asker.written._replace(protect=True)
    stage.may_miss(mapping, FAILED_CALL)
    refused(asker.ask(query, mapping, buffer=nowhere.address), errno.EFAULT)
    stage.judge(mapping, asker.must(query, mapping).pages())
