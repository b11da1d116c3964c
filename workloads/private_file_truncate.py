# SPDX-License-Identifier: GPL-2.0-only
"""The file of a private mapping is truncated and grows again; the program's own copy goes too.

Truncation takes private copies with the file's pages (even_cows of unmap_mapping_range(), mm/memory.c), so that what
the program has written is gone: POSIX wants SIGBUS beyond the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"


def play(stage: Stage) -> None:
    """Two pages are written, one before and one after it all went away."""
    backing = stage.memfd(8)
    mapping = stage.map(8, backing=backing, private=True)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[5])
    stage.truncate(backing, mapping, 4)
    stage.write(mapping[6])
    stage.collect()
