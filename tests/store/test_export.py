# SPDX-License-Identifier: GPL-2.0-only
"""A result in pyperf's format, where pyperf takes it."""

import pyperf

from bench.plan.records import Machine, Timed
from bench.store import export, log
from bench.store.log import Log
from tests import synthetic
from tests.support import bench
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


def test_what_pyperf_does_not_take_is_left_out_of_its_file_alone(tmp_path):
    """It checks facts that it knows by name, whoever said them, and takes no blank ones: not from a guest either."""
    odd = {"cpu_model_name": " ", "hostname": "\t", "load_avg_1min": "abc", "mem_max_rss": 0, "uptime": -1, "tags": "x"}
    odd |= {"inner_loops": 0, "calibrate_loops": "x", "date": 5}
    good = {"load_avg_5min": "abc", "governor": "none", "duration": 1.5}
    kept = synthetic.result(tmp_path / "kept", what=FEW)
    found = log.read(kept / log.FILE)[0]
    (tmp_path / "odd").mkdir()
    with Log(tmp_path / "odd") as new:
        for one in found:
            new.append(one._replace(facts=one.facts | odd | good) if isinstance(one, Machine | Timed) else one)
    suite = pyperf.BenchmarkSuite.load(str(export.write_suite(tmp_path / "odd")))
    told = suite.get_benchmarks()[0].get_metadata()
    assert {key: told[key] for key in good} == good
    assert not {"cpu_model_name", "hostname", "load_avg_1min", "mem_max_rss", "uptime", "tags"} & set(told)
    done = bench("report", tmp_path / "odd")
    assert (done.returncode, done.stdout[:2]) == (0, "  "), done.stderr
