# SPDX-License-Identifier: GPL-2.0-only
"""A result in pyperf's format, where pyperf takes it."""

from bench.plan.records import Machine
from bench.store import export, log
from bench.store.log import Log
from tests import synthetic
from tests.texts import FEW


def test_boots_of_a_machine_whose_python_was_changed_are_not_for_pyperf(tmp_path):
    """Nobody asks for suite.json alone: the report says nothing of it, and does not fail."""
    kept = synthetic.result(tmp_path / "same", what=FEW, processes=2, boots=2)
    assert export.write_suite(kept)
    changed = tmp_path / "changed"
    changed.mkdir()
    with Log(changed) as new:
        for one in log.read(kept / log.FILE)[0]:
            more = {"python_version": f"3.11.{one.boot}"} if isinstance(one, Machine) else None
            new.append(one._replace(facts=one.facts | more) if more else one)
    assert export.write_suite(changed) is None
    assert not (changed / export.FILE).exists()
