# SPDX-License-Identifier: GPL-2.0-only
"""A file is read with O_DIRECT into the tracked memory.

The device writes to pages that were pinned for the time of the call (iov_iter_extract_pages()); the pages are made
writable when they are pinned, not when they are written.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "kernel writes"
WHY = {"handlers": "as kernel_read"}


def play(stage: Stage) -> None:
    """Two pages are written."""
    mapping = stage.map(8)
    backing = stage.file(2, os.O_DIRECT)
    stage.track(mapping)
    stage.reset()
    stage.kernel_reads_into(mapping[3:5], backing)
    stage.collect()
