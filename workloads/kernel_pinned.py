# SPDX-License-Identifier: GPL-2.0-only
"""The kernel writes to a page that was pinned before the reset: a buffer registered with io_uring.

The write goes by the physical page, past the page table and every protection in it. clear_refs leaves pages that may
be pinned soft-dirty (9348b73c2e1b, Linux 5.11), which reports them always; protection by userfaultfd or mprotect sees
no such write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "kernel writes"
WHY = {
    "soft-dirty": (
        "clear_refs leaves pages that may be pinned soft-dirty (9348b73c2e1b, Linux 5.11), on all kernels: they are "
        "reported always, written or not"
    ),
    "any": (
        "the kernel writes to a pinned page by its physical address (Documentation/core-api/pin_user_pages.rst): no "
        "protection in a page table sees that, on any kernel"
    ),
}


def play(stage: Stage) -> None:
    """One page is written; another one is pinned and not written."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.pin(mapping[3:5])
    stage.reset()
    stage.read_into_pinned(mapping[3])
    stage.collect()
