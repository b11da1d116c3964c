# SPDX-License-Identifier: GPL-2.0-only
"""Scaling, in made-up records of a machine with 64 CPUs: speed-up, efficiency, and what the address space stops."""

import functools

import pytest

from bench.plan import records
from bench.plan.grids import make_point
from bench.plan.records import Timed
from bench.report import questions
from bench.report import scaling as tables
from bench.stats import scaling
from bench.store import frames, log
from plots import scaling as plot
from tests import synthetic
from tests.texts import assert_mailable, intervals, words

COUNTS = (1, 2, 8, 64)


def points(pages=65_536):
    """One of everything, then more of one thing at a time."""
    several = [{}, *({who: n} for who in ("writers", "scanners", "trackers") for n in COUNTS[1:])]
    several += [{"external": 1, "targets": n, "trackers": n} for n in COUNTS]
    return [make_point("random", pages, 10, **one) for one in several]


def slower(form, phase, point):
    """Resets of clear_refs take turns within an address space, and each is of all of it; all else scales by 90 %."""
    n = point.writers if phase == "dirty" else max(point.scanners, point.trackers)
    if phase == "reset" and form == "clear_refs" and not point.external:
        return point.trackers
    return 1 if n == 1 else 1 / (0.9 * n)


@functools.cache
def rows_in(folder, **options):
    return intervals(folder, what=points(), interfaces=("none", "clear_refs", "scan-wp"), scaled=slower, **options)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return rows_in(tmp_path_factory.mktemp("scaling") / "r", noise=0.001, suite="scaling", cpu_count=64)


def test_several_are_compared_with_one_of_them(rows):
    for axis in scaling.AXES:
        [some] = scaling.sweeps(rows, axis)
        made = scaling.speedups(some, axis)
        assert set(made.loc["scan-wp"].index) == set(COUNTS)
        at = made.loc[("scan-wp", 64)]
        assert at["speedup"] == pytest.approx(0.9 * 64, rel=0.02)
        assert at["efficiency"] == pytest.approx(0.9, rel=0.02)
        assert at["low"] <= at["speedup"] <= at["high"]
        assert bool(at["enough"])
    writers = scaling.speedups(next(scaling.sweeps(rows, scaling.AXES[0])), scaling.AXES[0])
    assert writers["speedup"]["none", 64] == pytest.approx(0.9 * 64, rel=0.02), "the writes without tracking"


def test_a_lock_is_named_where_the_address_space_stops_a_phase_and_nowhere_else(rows):
    [found] = scaling.limits(rows)
    assert (found.form, found.phase, found.n, found.exclusive, found.whole) == ("clear_refs", "reset", 64, True, True)
    assert found.inside == pytest.approx(1 / 64, rel=0.02)
    assert found.outside == pytest.approx(0.9 * 64, rel=0.02)
    text = words(tables.text(rows))
    assert text.count("mmap_lock") == 1
    assert "clear_refs, reset, 65,536 pages" in text


def test_what_is_not_known_to_be_less_is_no_finding(tmp_path):
    assert scaling.limits(rows_in(tmp_path / "few", processes=3, noise=0.001)) == [], "three processes give no interval"


def test_the_table_is_one_that_fits_a_mail(rows):
    text = tables.text(rows)
    assert_mailable(text)
    heads = next(line for line in text.splitlines() if "share" in line)
    assert [cell.strip() for cell in heads.split("|")][1:] == [*map(str, COUNTS[1:]), "share", "+-"]
    line = next(line for line in text[text.index("targets:") :].splitlines() if "scan-wp" in line)
    assert [cell.strip() for cell in line.split("|")][-2] == "90%"


def test_counted_work_is_no_speed(tmp_path):
    rows = rows_in(tmp_path / "counted", where="tcg-icount", boots=5, processes=5, rounds=1)
    text = tables.text(rows)
    assert "lower is better" in text
    assert "as fast" not in text
    with pytest.raises(Exception, match="needs times"):
        plot.plot(rows)


def test_what_has_no_several_has_no_table(tmp_path):
    few = intervals(tmp_path, what=[("random", 100, 10.0)])
    assert tables.text(few) == ""
    assert tables.rhythm(few) == ""
    assert plot.plot(few) is None


def test_the_plot_has_a_panel_for_each(rows):
    figure = plot.plot(rows)
    assert [axes.get_xlabel() for axes in figure.axes] == [axis.key for axis in scaling.AXES]


def test_a_rhythm_that_is_kept_is_told_from_one_that_is_not(tmp_path):
    point = make_point("random", 4096, 50, writers=2, paced=1, budget=256)
    kept = {"none": 4, "clear_refs": 4, "scan-wp": 1024}
    folder = synthetic.result(tmp_path, what=[point], interfaces=kept)
    path = folder / log.FILE
    lines = [records.decode(line) for line in path.read_text().splitlines()]
    for i, one in enumerate(lines):
        if isinstance(one, Timed):
            series = [some._replace(periods=4096, late=kept[some.interface]) for some in one.series]
            lines[i] = one._replace(series=series)
    rows = frames.intervals(frames.load(synthetic.write(tmp_path, lines)).frame)
    text = tables.rhythm(rows)
    assert_mailable(text)
    shown = {name: [cell.strip() for cell in line.split("|")] for line in text.splitlines() if " | " in line
             for name in [line.split("|")[0].strip()]}  # fmt: skip
    assert shown["untracked"][1:] == ["24", "24576", "0.098%"]
    assert shown["scan-wp"][1:] == ["6144", "24576", "25%"]
    assert text in questions.answers("own", rows), "it is in the report of any suite"
