# SPDX-License-Identifier: GPL-2.0-only
"""Every text that goes into a mail keeps the lists' rules: all suites, all formats, exact and wrong, small and huge."""

from itertools import product

import pytest

from bench import compare, formats, report, results
from bench.interfaces import INTERFACES
from bench.suites import SUITES
from tests import synthetic
from tests.test_tables import assert_mailable

LONG = {
    "kernel_release": "6.18.0-rc7-next-20261122-my-own-branch-of-the-pagemap-scan-series-v12+",
    "cpu_model_name": "Some CPU whose vendor likes names with (R) and (TM) in them E5-0000 v4 @ 0.00GHz " * 2,
    "kernel_config": " ".join(f"OPTION_{i}=y" for i in range(60)),
    "mitigations": "; ".join(f"flaw_{i}: Mitigation: something with many words" for i in range(9)),
    "disturbances": "#1 of many; --- another; diff -u; Index: x",
}


@pytest.mark.parametrize(("suite", "extreme"), list(product(SUITES, [False, True])))
def test_every_text_of_every_suite(tmp_path, suite, extreme):
    what = [tuple(point) for point in SUITES[suite].points]
    names = list(INTERFACES)
    wrong = {(form, p[0], p[1]): (10**6, p[1]) for form, p in product([*names, "scan-wp atomic"], what)}
    options = {"what": what, "interfaces": names, "suite": suite, "rounds": 1, "boots": 2 if extreme else 7}
    if extreme:
        options |= {"wrong": wrong, "noise": 1.5, "where": "vm-some hypervisor"} | LONG
    folders = []
    for luck in (1, 2, 3):
        folders.append(tmp_path / f"result-of-a-patch-with-a-long-name-{luck}")
        factor = dict.fromkeys([*names, "scan-wp atomic"], 50.0**luck if extreme else luck)
        synthetic.suite(folders[-1] / "suite.json", luck=luck, processes=7, factor=factor, **options)
    made = report.read(folders[0])
    for text in (report.page(made), report.everything(made), *(report.block(folders[:n]) for n in (1, 2, 3))):
        assert_mailable(text)
    metrics = [metric for metric in compare.METRICS if metric not in results.PHASES or made.rows[metric].notna().any()]
    for count, metric in [(3, "cost"), *((2, metric) for metric in metrics)]:
        found = compare.compare(compare.load(folders[:count]), metric=metric)
        for sort, sign in product(("case", "change", "p"), ("change", "improvement")):
            assert_mailable(formats.text(found, sort=sort, sign=sign))
