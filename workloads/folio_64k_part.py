# SPDX-License-Identifier: GPL-2.0-only
"""One huge page of 64 KiB: all is written, half of it is reset, and one page of that written again.

A multi-size huge page (Linux 6.8, 19eaf44954df) is mapped by entries of its small pages, each with bits of its own: the
unit of tracking stays 4 KiB. The reset of a part ends in the middle of the folio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "multi-size huge pages"


def play(stage: Stage) -> None:
    """The second half and one page of the first count."""
    mapping = stage.map_folio(64)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping)
    stage.reset(mapping[:8])
    stage.write(mapping[2])
    stage.collect()
