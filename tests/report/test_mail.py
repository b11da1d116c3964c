# SPDX-License-Identifier: GPL-2.0-only
"""Every text that goes into a mail keeps the lists' rules: all suites, all formats, exact and wrong, small and huge."""

from itertools import product

import pytest

from bench.plan.interfaces import INSTEAD, INTERFACES, UNTRACKED
from bench.plan.suites import SUITES
from bench.report import blocks, comparisons, pages
from bench.stats import comparison
from tests import synthetic
from tests.texts import assert_mailable

COUNTED = (
    "quick",
    "lkml-2022",
    "arm",
    "scale",
    "who-pays",
    "instead",
    "batching",
)  # the usual tables, and those that some suites have
LONG = {
    "kernel_release": "6.18.0-rc7-next-20261122-my-own-branch-of-the-pagemap-scan-series-v12+",
    "cpu_model_name": "Some CPU whose vendor likes names with (R) and (TM) in them E5-0000 v4 @ 0.00GHz " * 2,
    "kernel_config": " ".join(f"OPTION_{i}=y" for i in range(60)),
    "mitigations": "; ".join(f"flaw_{i}: Mitigation: something with many words" for i in range(9)),
    "disturbances": "#1 of many; --- another; diff -u; Index: x",
}


EXACT = ("quick", "lkml-2022", "callers", "slots", "arm")  # what is exact is shorter than what is not
CASES = [*product(EXACT, [""]), *product(SUITES, ["times"]), *product(COUNTED, ["counts"])]


@pytest.mark.parametrize(("suite", "extreme"), CASES)
def test_every_text_of_every_suite(tmp_path, suite, extreme):
    points = [one for one in SUITES[suite].points if one.threads <= 64][:32]  # more is more of the same
    what = [tuple(point) for point in points]
    names = [name for name in INTERFACES if name in synthetic.COST or name == UNTRACKED]
    names += [name for name in SUITES[suite].interfaces if name in INSTEAD]
    wrong = {(form, p[0], p[1]): (10**6, p[1]) for form, p in product([*names, "scan-wp atomic"], what)}
    options = {"what": what, "interfaces": names, "suite": suite, "rounds": 1, "boots": 2 if extreme else 7}
    if extreme:
        where = "tcg-icount" if extreme == "counts" else "vm-some hypervisor"
        options |= {"wrong": wrong, "noise": 1.5, "where": where} | LONG
    folders = []
    for luck in (1, 2, 3):
        folders.append(tmp_path / f"result-of-a-patch-with-a-long-name-{luck}")
        factor = dict.fromkeys([*names, "scan-wp atomic"], 50.0**luck if extreme else luck)
        synthetic.result(folders[-1], luck=luck, processes=7, factor=factor, **options)
    made = pages.read(folders[0])
    for text in (pages.page(made), pages.everything(made), *(blocks.block(folders[:n]) for n in (1, 2, 3))):
        assert_mailable(text)
    metrics = [metric for metric in comparison.METRICS if made.rows[metric].notna().any()]
    sides = comparison.load(folders)
    for count, metric in [(3, "cost"), *((2, metric) for metric in metrics)]:
        found = comparison.compare(sides[:count], metric=metric)
        orders = (
            product(("case", "change", "p"), ("change", "improvement")) if metric == "cost" else [("case", "change")]
        )
        for sort, sign in orders:
            assert_mailable(comparisons.text(found, sort=sort, sign=sign))
