# SPDX-License-Identifier: GPL-2.0-only
"""A private mapping of a memfd is written, and the page is given back by MADV_DONTNEED.

The program's own copy goes, and the file's content is there again: the content changes without a write, as with
anonymous memory. Here zap_pte_range() leaves a marker of userfaultfd's protection, if there was one; there is none
where the page was written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"


def play(stage: Stage) -> None:
    """One page is written and given back, one is given back."""
    mapping = stage.map(8, backing=stage.memfd(8), private=True)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2])
    stage.drop(mapping[2:4])
    stage.read(mapping[2:4])
    stage.collect()
