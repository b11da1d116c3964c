# SPDX-License-Identifier: GPL-2.0-only
"""A page of secret memory (memfd_secret) is written.

memfd_secret (1507f51255c9, Linux 5.14) is shared memory that the kernel itself does not map. It can be registered for
asynchronous write protection, as any memory (vma_can_userfault()), and its entries have a soft-dirty bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "shared memory and files"


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8, backing=stage.secret(8))
    stage.track(mapping)
    stage.reset()
    stage.read(mapping[2])
    stage.write(mapping[5])
    stage.collect()
