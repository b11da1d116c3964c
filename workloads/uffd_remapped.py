# SPDX-License-Identifier: GPL-2.0-only
"""A registered mapping moves by mremap, and one page is written where it is now.

Without UFFD_FEATURE_EVENT_REMAP the registration is dropped (mremap_userfaultfd_prep()). As in mremap_ptes all pages
are new at the new address; here the tracker knows of the move and asks for the written page alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "userfaultfd"


def play(stage: Stage) -> None:
    """One page is written after the move."""
    mapping = stage.map(8)
    to = stage.reserve(16)[8:]
    stage.track(mapping)
    stage.reset()
    stage.mremap(mapping, to)
    stage.unmapped(to)
    stage.may_miss(to[:3], "the tracker moved the memory itself and need not be told")
    stage.may_miss(to[4:], "the tracker moved the memory itself and need not be told")
    stage.write(to[3])
    stage.collect()
