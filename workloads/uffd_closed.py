# SPDX-License-Identifier: GPL-2.0-only
"""The userfaultfd is closed between the reset and a write.

Closing it ends all its registrations (userfaultfd_release()). PAGEMAP_SCAN with PM_SCAN_CHECK_WPASYNC refuses from
then on; a handler of messages hears nothing more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "userfaultfd"
WHY = {
    "uffd-sync": (
        "closing a userfaultfd ends its registrations and their protection (userfaultfd_release(), fs/userfaultfd.c): "
        "what is written afterwards raises no message, on all kernels"
    ),
}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.close_uffd()
    stage.write(mapping[3])
    stage.collect()
