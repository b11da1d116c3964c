# SPDX-License-Identifier: GPL-2.0-only
"""--until: when it was measured enough, what is kept of the plan then, and what is said of what is not so sure."""

import itertools
import random

import numpy as np
import pytest
from scipy import stats

from bench.plan.grids import make_point
from bench.plan.plan import Timing
from bench.plan.records import Machine, Messages, Timed
from bench.run import campaign, enough, resume
from bench.run.options import More
from bench.run.share import Part
from bench.stats import samples
from bench.store import frames, log
from tests.run.scripted import PLAN, POINTS, Scripted, answer, series, site

UNTIL = PLAN._replace(processes=40, until=1.0, command="./bench.py run --processes 40 --until 1% --where here")
BOOTS = UNTIL._replace(boots=40, where="vm", command="./bench.py run --processes 40 --boots 40 --until 1% --where vm")
FACTS = {"where": "bare-metal", "kernel_release": "6.0", "boot_id": "first"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "result").mkdir()
    return tmp_path / "result"


def noisy(part, boots=False):
    """Honest answers whose values of a process lie apart by this part of them."""

    def answers(job):
        factor = 1 + part * random.Random(job.process).uniform(-1, 1)
        some = answer(job).series
        made = [one._replace(values={key: [100 * factor] for key in one.values}) for one in some[1:]]
        return answer(job, boot=job.process if boots else 0, series=[some[0], *made])

    return answers


def measured(folder, plan, *scripts):
    campaign.measure(Part(plan, site(*scripts, facts=None if plan.where == "vm" else {}), folder))
    return log.read(folder / log.FILE)[0]


def timed(found):
    return [one for one in found if isinstance(one, Timed)]


def test_a_run_ends_once_every_cost_is_known_so_surely(folder, capsys):
    found = measured(folder, UNTIL, Scripted(noisy(0.001)))
    assert (found[0].processes, found[0].boots, len(timed(found))) == (6, 1, 12)
    assert found[0].command == UNTIL.command, "who repeats it measures until it is as sure"
    assert isinstance(found[-1], Messages)
    assert "Every cost is known to +-1 %, after 6 processes." in capsys.readouterr().err
    assert frames.load(folder).planned == 12, "nothing is missing"
    assert max(enough.widths(found, found[0]).values()) <= 1
    assert resume.next_boot(folder, found[0], "", print) is None


def test_more_noise_takes_more_processes_and_what_is_not_sure_in_the_end_is_named(folder, tmp_path, capsys):
    found = measured(folder, UNTIL, Scripted(noisy(0.02)))
    assert 6 < found[0].processes < 40
    (tmp_path / "most").mkdir()
    capsys.readouterr()
    found = measured(tmp_path / "most", UNTIL, Scripted(noisy(0.5)))
    assert found[0].processes == 40
    said = capsys.readouterr().err
    assert "After 40 processes, the most that were to be measured, 8 of 8 costs are less sure than +-1 %: " in said
    assert "scan-wp cost at random pages=64 dirty=10% (+-" in said
    assert said.rstrip().endswith("and 3 more.")


def test_boots_of_guests_end_so_too_and_counts_are_sure_by_their_range(tmp_path, capsys):
    for name, plan, boots in (("times", BOOTS, 6), ("counts", BOOTS._replace(counted=True), 3)):
        (tmp_path / name).mkdir()
        found = measured(tmp_path / name, plan, *[Scripted(noisy(0.001, boots=True)) for _ in range(boots)])
        assert (found[0].boots, found[0].processes) == (boots, boots)
        assert found[0].command == BOOTS.command
        assert f"after {boots} boots" in capsys.readouterr().err


def test_a_run_that_was_interrupted_goes_on_until_it_is_sure(folder):
    left = iter(range(7))

    def dies(job):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return noisy(0.001)(job)

    with pytest.raises(KeyboardInterrupt):
        measured(folder, UNTIL, Scripted(dies, Machine(0, FACTS, {})))
    plan = resume.plan_of(folder, None, print)
    assert (plan.until, plan.processes) == (1.0, 40)
    again = Scripted(noisy(0.001), Machine(0, FACTS, {}))
    found = measured(folder, plan, again)
    assert found[0].processes == 6
    assert len([line for line in again.sent[2:] if line]) == 5, "seven of twelve jobs were done before"


def test_who_adds_boots_asks_for_so_many_and_for_nothing_else(folder):
    measured(folder, BOOTS, *[Scripted(noisy(0.001, boots=True)) for _ in range(6)])
    longer = resume.plan_of(folder, More(2), print)
    assert (longer.boots, longer.processes, longer.until) == (8, 8, 0.0)
    assert longer.command == "./bench.py run --processes 8 --boots 8 --where vm"
    found = measured(folder, longer, *[Scripted(noisy(0.9, boots=True)) for _ in range(2)])
    assert found[0] == longer


def test_a_process_that_failed_makes_nothing_sure(folder):
    assert not enough.unsure([], UNTIL)
    found = measured(folder, UNTIL._replace(processes=3), Scripted(noisy(0.001)))
    wide = enough.unsure(found, UNTIL)
    assert len(wide) == 8
    assert set(wide.values()) == {float("inf")}
    assert "too few" in enough.told(found, UNTIL)


def test_costs_are_those_of_the_reports(folder):
    random_ = random.Random(4)

    def some(job):
        made = [one._replace(intervals=3 * one.intervals) for one in answer(job).series]
        values = [{phase: [random_.uniform(50, 90) for _ in range(3)] for phase in one.values} for one in made]
        return answer(job, series=[one._replace(values=v, warmups=v) for one, v in zip(made, values, strict=True)])

    plan = PLAN._replace(processes=9, values=3)
    found = measured(folder, plan, Scripted(some))
    rows = frames.intervals(frames.load(folder).frame)
    by = ["workload", "form"]
    mine = {}
    for record in timed(found):
        for case, value in enough._measured(record):
            mine.setdefault((case.point.split()[0], case.form, case.measure), []).append(value)
    for measure in enough.MEASURES:
        table = samples.units(rows, by, measure)
        assert len(table) == 4
        for (workload, form), values in table.iterrows():
            assert np.allclose(sorted(mine[workload, form, measure]), sorted(values))


def test_idle_programs_cost_only_the_tracker():
    record = answer(Timing(POINTS[0], 0), facts={"writes": 0, "written_pages": 0})
    assert {value for _, value in enough._measured(record)} == {10.0, 20.0}


def test_the_interval_is_students():
    for freedom in (5, 6, 21, 200):
        assert enough._student(freedom) == pytest.approx(stats.t.ppf(0.975, freedom))
    values = [99.0, 100.0, 101.0, 100.5, 99.5, 100.0]
    low, high = stats.t.interval(0.95, 5, loc=np.mean(values), scale=stats.sem(values))
    assert enough._width(values, UNTIL) == pytest.approx((high - low) / 2)  # of 100: percent
    assert enough._width([0.0] * 6, UNTIL) == 0
    assert enough._width([1.0, -1.0] * 3, UNTIL) == float("inf")


def test_it_is_not_looked_after_each_of_many():
    looks = [units for units in range(1, 221) if enough.due(units, UNTIL)]
    assert looks[0] == samples.ENOUGH
    assert len(looks) < 60
    assert all(later - one <= max(1, later // 10) for one, later in itertools.pairwise(looks))


def test_looking_again_and_again_is_as_bad_as_the_documents_say():
    """Of intervals that end a measurement at +-1 %, how many hold the true value: a little less than 95 %."""
    draw, held, runs = np.random.default_rng(1), 0, 400
    for _ in range(runs):
        values = draw.normal(100, 3, 220)
        for units in range(samples.ENOUGH, 221):
            if enough.due(units, UNTIL) and (width := enough._width(list(values[:units]), UNTIL)) <= 1:
                break
        held += abs(np.mean(values[:units]) - 100) <= width
    assert 0.86 < held / runs < 0.96


def test_a_point_without_an_answer_is_in_no_count():
    point = make_point("all", 8, 100)
    assert not enough.widths([Timed(0, point, 0, [series("none")], {}, {})], UNTIL)
    assert not enough.widths([Timed(0, point, 0, [series("scan-wp")], {}, {})], UNTIL)
