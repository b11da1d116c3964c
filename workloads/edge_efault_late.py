# SPDX-License-Identifier: GPL-2.0-only
"""The buffer of an atomic get and reset ends too early: the first 512 ranges fit, then the call fails.

The kernel copies ranges out whenever its own buffer of 512 is full (pagemap_scan_init_bounce_buffer() in
fs/proc/task_mmu.c). With EFAULT after that the buffer has ranges, but how many is not said, and all pages walked are
reset. The caller can only ask again. No document says what a call that fails has done before.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from bench.measure.memory import PROT_NONE
from bench.measure.queries import FAILED_CALL, Asker, refused

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "errors and edges"
WHY = {"any": "as edge_efault"}


def play(stage: Stage) -> None:
    """Every other page of 1400 is written; the buffer has room for 512 ranges."""
    mapping, buffer = stage.map(1400), stage.map(4)
    stage.mprotect(buffer[3:], PROT_NONE)
    stage.track(mapping)
    stage.reset()
    for page in list(mapping)[::2]:
        stage.write(page)
    asker = Asker(stage)
    query = asker.written._replace(protect=True, room=1000)
    stage.may_miss(mapping, FAILED_CALL)
    refused(asker.ask(query, mapping, buffer=buffer.address), errno.EFAULT)
    stage.judge(mapping, asker.must(query, mapping).pages())
