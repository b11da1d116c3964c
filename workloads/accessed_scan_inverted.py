# SPDX-License-Identifier: GPL-2.0-only
"""Cold pages are asked for, as what is not PAGE_IS_ACCESSED: the rest counts as accessed.

userfaultfd.rst: "Do not invert the scan", which reports what is present and protected, where a page that is not there
is neither. Linux 7.3.4 reports that as cold, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import ACCESSED, Asker, Query

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """One page of four that are there was read; the other four never were there."""
    asker = Asker(stage, accessed=True)
    mapping = stage.map(8, populate=False)
    stage.write(mapping[:4])
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[1])
    cold = asker.must(Query(all=ACCESSED, inverted=ACCESSED, returned=ACCESSED, checked=False), mapping)
    hot = {page.address for page in mapping} - {
        page for first, end in cold.pages() for page in range(first, end, mapping.size)
    }
    stage.may_report(mapping[4:], "userfaultfd.rst: an inverted scan reports only the resident portion")
    stage.judge(mapping, [(page, page + mapping.size) for page in sorted(hot)])
