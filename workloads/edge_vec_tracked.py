# SPDX-License-Identifier: GPL-2.0-only
"""The buffer for the answer lies in the memory that is asked about and reset, as of a collector in its own heap.

The kernel protects the buffer's page on its walk and writes to it afterwards (copy_to_user() in
pagemap_scan_flush_buffer()): that write is one as of any read(2), and counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import Asker

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "errors and edges"


def play(stage: Stage) -> None:
    """One page is written besides the buffer; then nothing but the buffer."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2])
    asker = Asker(stage)
    query = asker.written._replace(room=16, protect=True)
    stage.judge(mapping, asker.ask(query, mapping, buffer=mapping[6].address).pages())
    stage.unchanged(mapping)
    stage.changed(mapping[6])
    stage.judge(mapping, asker.ask(query, mapping).pages())
