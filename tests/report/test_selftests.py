# SPDX-License-Identifier: GPL-2.0-only
"""The page about the kernel's selftests: what it names is there, it counts every check, and it is what is kept."""

import pytest

from bench.plan import catalogue
from bench.plan.interfaces import INTERFACES
from bench.plan.kinds import KINDS
from bench.plan.selftests import CHECKS, MORE, OUT, PLANS, SAME
from bench.report import selftests as selftests_page
from bench.run.main import main
from tests.support import ROOT

ALL = [(file, one) for file, checks in CHECKS.items() for one in checks]


@pytest.mark.parametrize("file", CHECKS)
def test_every_check_of_a_file_is_counted(file):
    assert sum(one.times for one in CHECKS[file]) == PLANS[file][0]


@pytest.mark.parametrize(("file", "one"), ALL, ids=[f"{one.function}-{i}" for i, (_, one) in enumerate(ALL)])
def test_what_is_named_is_there(file, one):
    for name in one.ours:
        if not name.startswith("--"):
            assert name in catalogue.scenarios()
            continue
        words = name.split()
        main.commands["run"].make_context("run", [*words], **main.context_settings)  # it can be typed
        names = {"--interface": INTERFACES, "--workload": catalogue.workloads(), "--kind": KINDS}
        assert words[-1] in names.get(words[0], words)


def test_what_is_left_out_has_a_reason_and_what_is_not_has_a_name():
    for _, one in ALL:
        assert bool(one.ours) == (one.covered != OUT)
        assert bool(one.why) == (one.covered in (OUT, MORE)), one
        assert one.covered in (SAME, MORE, OUT)


def test_the_page_that_is_kept_is_this_one():
    assert (ROOT / selftests_page.PAGE).read_text() == selftests_page.page(), "make examples"
