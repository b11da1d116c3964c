# SPDX-License-Identifier: GPL-2.0-only
"""Plots show every interface, mark what was wrong, and come out the same from the same data."""

import contextlib
import functools
import itertools
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from bench.errors import Unsupported
from bench.plan import suites
from bench.plan.interfaces import INSTEAD, INTERFACES
from bench.plan.points import Point
from bench.report import comparisons, history_page, meaning, numbers, tables
from bench.report import functions as report_functions
from bench.report import history as report_history
from bench.stats import choice, comparison, samples
from bench.store import bystanders as stored_bystanders
from bench.store import frames, verdicts
from bench.store.frames import CASE
from plots import (
    dirty_fraction,
    distribution,
    drawing,
    drift,
    forest,
    history,
    mapping_size,
    phases,
    points,
    published,
    ratio_heatmap,
    style,
    verdict_history,
)
from tests import histories, synthetic
from tests.texts import intervals

PLOTS = drawing.modules()
BASELINE = Path(__file__).parent / "baseline"
FORMS = ["clear_refs", "scan-softdirty", "scan-wp", "scan-wp atomic"]
SMALL = {"dpi": 60, "pil_kwargs": {"optimize": True}}  # of the images compared: enough to see what moved
OF_TIME = r"\b(us|ns|ms|seconds?|time|fast\w*|slow\w*|speed\w*|95% CI)\b"  # no words for instructions


def of_comparison(base, **news):
    """What forest takes: a few cases of rows of one base and of new results, by name."""
    result = frames.Result("", pd.DataFrame(), {}, {}, 0, [])
    few = {
        name: some[(some["pages"] >= 10_000) & some["dirty_percent"].isin([0, 10])]
        for name, some in {"base": base, **news}.items()
    }
    sides = [comparison.Side(name, rows, result, rows, rows) for name, rows in few.items()]
    return comparisons.drawn(comparison.compare(sides))


def patched(rows, factor=0.8):
    """Rows of a kernel on which the ioctl takes `factor` of the time for 10,000 pages and more, and is exact."""
    better = rows["form"].astype(str).str.startswith("scan-wp") & (rows["pages"] >= 10_000)
    return rows.assign(cost=rows["cost"] * np.where(better, factor, 1), wrong_intervals=0, extra=0, missed=0)


def of_meaning():
    """What the plot of scenarios takes: every verdict, of two interfaces and one more that can't be played with."""
    wrong = {"extra": 7, "missed": 0, "written": 9, "plays": 3, "like": 3}
    cells = {
        ("plain", "clear_refs"): verdicts.Cell(verdicts.EXACT, plays=3, like=3),
        ("plain", "scan-wp"): verdicts.Cell(verdicts.EXTRA, **wrong, broken=True),
        ("reused_range", "clear_refs"): verdicts.Cell(verdicts.EXTRA, **wrong),
        ("reused_range", "scan-wp"): verdicts.Cell(verdicts.MISSED, 0, 4, plays=3, like=2),
        ("stale_tlb", "clear_refs"): verdicts.Cell(verdicts.NOT_POSSIBLE, plays=3, like=3),
        ("stale_tlb", "scan-wp"): verdicts.Cell(verdicts.FAILED, broken=True, plays=3, like=3),
        ("plain", "v6"): verdicts.Cell(verdicts.NOT_POSSIBLE),
    }
    scenarios = dict.fromkeys((scenario for scenario, _ in cells), "")
    host = {"kernel_release": synthetic.HOST["kernel_release"], "where": "kvm"}
    return meaning.frame([verdicts.Verdicts("one", host, ["clear_refs", "scan-wp", "v6"], scenarios, cells)])


WRONG = {("clear_refs", "random", 10000): (512, 0), ("scan-wp", "random", 65536): (0, 16)}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Two boots of three processes; wrong pages at two sizes."""
    return intervals(tmp_path_factory.mktemp("plots"), wrong=WRONG, boots=2)


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """The same in instructions."""
    return intervals(tmp_path_factory.mktemp("counted"), wrong=WRONG, boots=2, where=synthetic.COUNTED)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """As many boots as a comparison needs."""
    return intervals(tmp_path_factory.mktemp("many"), wrong=WRONG, boots=10, processes=10, rounds=1)


@pytest.fixture(scope="module")
def of_suites(tmp_path_factory):
    """Rows of suites whose headline is about something else than sizes, or that others published numbers for."""
    folder = tmp_path_factory.mktemp("suites")
    wrong = {("scan-wp", "random", 10_000): (0, 4), ("scan-wp", "all", 1000): (7, 0)}
    wrong |= {("scan-wp", "random", 16_384): (5, 0)}
    names = ["none", "scan-wp", "uffd-sync", "mprotect"]
    wrong |= {("scan-wp", "random", 262_144): (2, 0)}
    points = {
        name: suites.SUITES[name].points for name in ("buffers", "scaling", "lkml-2022", "life", "batching", "instead")
    }
    points["scaling"] = [one for one in points["scaling"] if one.threads <= 2 and one.pages == 16_384]
    more = {"instead": INSTEAD}
    return {
        name: intervals(folder / name, what=what, suite=name, wrong=wrong, interfaces=[*names, *more.get(name, ())])
        for name, what in points.items()
    }


@pytest.fixture(scope="module")
def of_functions(tmp_path_factory):
    """What the plot of functions takes: two kernels of which the collect phase differs in 10 functions."""
    folder = tmp_path_factory.mktemp("functions")
    more = {f"helper_{i}": 0.01 * i for i in range(1, 9)}
    collect = {"pagemap_pmd_range": 0.75, "vm_normal_folio": 0.3, **more}
    some = {"what": [("random", 65536, 10.0)], "boots": 5, "processes": 5, "rounds": 1, "where": synthetic.COUNTED}
    folders = [
        synthetic.result(folder / name, noise=1e-6, exact=synthetic.FUNCTIONS | shares, **some)
        for name, shares in (("base", {}), ("new", {"collect": collect}))
    ]
    sides = comparison.load(folders)
    return report_functions.drawn(report_functions.accounted(folders, sides), sides)


@pytest.fixture(scope="module")
def of_bystanders(tmp_path_factory):
    """What the plot of bystanders takes: two kinds of them beside two sizes."""
    what = [Point("random", pages, 10.0, bystanders=who) for pages in (1000, 10_000) for who in ("fault", "smaps")]
    return stored_bystanders.load(synthetic.result(tmp_path_factory.mktemp("bystanders"), what=what, processes=2))


@pytest.fixture(scope="module")
def of_history(tmp_path_factory):
    """What the plots of many kernels take: five invented ones."""
    return history_page.frames(report_history.read(histories.five(tmp_path_factory.mktemp("history"))))


@pytest.fixture(scope="module")
def frame_of(rows, many, of_suites, of_functions, of_bystanders, of_history):
    """Function that gives the frame that a plot draws: the first one of its kind that is about what it shows."""
    kinds = {
        "intervals": [rows, *of_suites.values()],
        "comparison": [of_comparison(many, patched=patched(many))],
        "meaning": [of_meaning()],
        "functions": [of_functions],
        "bystanders": [of_bystanders],
        **{kind: [frame] for kind, frame in of_history.items()},
    }

    @functools.cache
    def first(name):
        module = PLOTS[name]
        fitting = (frame for frame in kinds[module.FRAME] if module.plot(frame) is not None)
        return next(fitting, None)

    return first


def draw(module, rows):
    with style.applied():
        figure = module.plot(rows)
        return figure, drawing.png(figure), drawing.svg(figure)


def lines(axes, label):
    return [line for line in axes.lines if line.get_label() == label]


def words(svg):
    return [text.text or "" for text in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("name", PLOTS)
def test_files_are_small_titled_and_reproducible(frame_of, name):
    frame = frame_of(name)
    assert frame is not None, "add a frame that it draws to frame_of()"
    figure, png, svg = draw(PLOTS[name], frame)
    assert png.startswith(b"\x89PNG")
    assert len(png) < 100_000
    assert figure.bbox.width == 900
    assert draw(PLOTS[name], frame)[1:] == (png, svg)
    text = " ".join(words(svg))
    host = synthetic.HOST
    kernel, _, flavour = host["kernel_release"].partition("+")
    many_kernels = PLOTS[name].FRAME in ("history", "verdict history")
    assert f"Linux {kernel}" in text or many_kernels
    assert ", KVM" in text or PLOTS[name].FRAME in ("functions", "history"), "where functions are counted"
    if PLOTS[name].FRAME != "meaning" and not many_kernels:
        assert all(part in text for part in ("is better", flavour, host["cpu_model_name"], "THP off"))
        assert "wrong" in text or PLOTS[name].FRAME in ("functions", "bystanders"), "which are about nothing else"
    assert b"<dc:date>" not in svg


@pytest.mark.parametrize("name", PLOTS)
def test_instructions_are_called_instructions(frame_of, counted, name):
    frame = frame_of(name)
    if "quantity" not in frame:
        return  # pages of scenarios have no other unit
    if PLOTS[name].FRAME == "intervals":
        frame = counted if PLOTS[name].plot(counted) is not None else frame
    frame = frame.assign(quantity="instructions", where=synthetic.COUNTED, base_where="", new_where="")
    with contextlib.suppress(Unsupported):  # what others published in another unit is refused
        figure, _, svg = draw(PLOTS[name], frame)
        assert_instructions(figure, " ".join(words(svg)))


def assert_instructions(figure, text):
    assert "instructions" in text.replace("TCG, instructions counted", "")
    assert re.findall(OF_TIME, text, re.IGNORECASE) == []
    right = max(Text.get_window_extent(one).x1 for one in figure.texts)
    assert right <= figure.bbox.x1, "the lines above fit"


def test_ticks_of_instructions_are_short(counted):
    figure, _, svg = draw(mapping_size, counted)
    assert {"1k", "10k", "100k", "1M"} & set(words(svg))
    assert figure.axes[0].get_ylabel() == "instructions per interval"
    _, _, svg = draw(distribution, counted)
    assert any(re.fullmatch(r"\d[.\d]*[kM] \+-[.\d]+%", word) for word in words(svg))
    assert "range of 2 boots" in " ".join(words(svg))


def test_all_are_drawn_that_are_about_the_frame(rows):
    made = drawing.every(rows, "intervals")
    drawn = {name for name, module in PLOTS.items() if module.FRAME == "intervals" and module.plot(rows) is not None}
    assert made.names == sorted(drawn)
    assert set(made.files) == {f"{name}.{kind}" for name in drawn for kind in ("png", "svg")}
    few = drawing.every(rows[rows["process"] == 0], "intervals")
    assert "distribution (a distribution over processes needs two or more)" in few.omitted
    assert "distribution" not in few.names


def test_a_line_for_each_interface_through_its_medians(rows):
    figure, _, svg = draw(mapping_size, rows)
    axes = figure.axes[0]
    drawn = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert list(drawn) == FORMS
    sweep = choice.sweep(rows)
    for form, line in drawn.items():
        some = sweep[sweep["form"] == form]
        assert line.get_xdata().tolist() == list(synthetic.SIZES)
        np.testing.assert_allclose(line.get_ydata(), 1e6 * some.groupby("pages")["cost"].median())
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert set(FORMS) <= set(words(svg))
    assert {"clear_refs, 10,000: +32", "scan-wp, 65,536: -1"} <= set(words(svg))
    assert [line.get_xdata()[0] for line in lines(axes, "_wrong")] == [10_000, 65_536]


@pytest.mark.parametrize("module", [mapping_size, dirty_fraction], ids=lambda module: module.__name__)
def test_labels_at_the_lines_do_not_overlap(rows, module):
    figure, _, _ = draw(module, rows)
    boxes = [Text.get_window_extent(text) for text in figure.axes[0].texts if text.get_text() in FORMS]
    assert len(boxes) == 4
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(box.x1 <= figure.bbox.x1 for box in boxes)


def test_bars_add_up_to_the_interval(rows):
    figure, _, svg = draw(phases, rows)
    some = choice.breakdown(rows)
    assert len(figure.axes) == 3
    for axes, (_, point) in zip(
        figure.axes, some.sort_values("dirty_percent").groupby("dirty_percent", sort=False), strict=True
    ):
        ends = {}
        for patch in axes.patches:
            ends[round(patch.get_y() + patch.get_height() / 2)] = patch.get_x() + patch.get_width()
        whole = 1e6 * samples.medians(point, ["form"], "interval")["median"]
        np.testing.assert_allclose([ends[i] for i in range(4)], whole[FORMS], rtol=0.03)  # medians of parts and of sums
    assert any("wrong: -1 pages" in word for word in words(svg))
    assert sum("tracker" in word or "writes untracked" in word or "extra cost" in word for word in words(svg)) == 5


def test_heat_map_shows_each_ratio(rows):
    figure, _, svg = draw(ratio_heatmap, rows)
    random = rows[rows["workload"] == "random"]
    ratios = samples.ratios(random, ["dirty_percent", "pages"], "cost", "clear_refs", "scan-wp atomic")["median"]
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert sorted(s.split("\n")[0] for s in shown) == sorted(map(numbers.times, ratios))
    assert sum("wrong" in s for s in shown) == 3  # 10,000 pages at three fractions
    assert {"1%", "10%", "50%", "65,536"} <= set(words(svg))


def test_slower_is_hatched(rows):
    assert not any(patch.get_hatch() for patch in draw(ratio_heatmap, rows)[0].axes[0].patches)
    turned = rows.assign(cost=np.where(rows["form"] == "clear_refs", rows["cost"] / 100, rows["cost"]))
    hatched = [patch for patch in draw(ratio_heatmap, turned)[0].axes[0].patches if patch.get_hatch()]
    assert len(hatched) == 18


@pytest.mark.parametrize("interface", ["clear_refs", "scan-wp"])
def test_one_interface(tmp_path, interface):
    rows = intervals(tmp_path, interfaces=["none", interface])
    assert draw(mapping_size, rows)[0].axes[0].lines
    assert draw(phases, rows)[0].axes[0].patches
    assert lines(draw(distribution, rows)[0].axes[0], "_runs")
    assert lines(draw(drift, rows)[0].axes[0], "median")
    assert draw(dirty_fraction, rows)[0].axes[0].lines
    with pytest.raises(Unsupported, match="needs both"):
        ratio_heatmap.plot(rows)


def test_dirty_fractions_are_joined_through_their_medians(rows):
    figure, _, svg = draw(dirty_fraction, rows)
    axes = figure.axes[0]
    some = choice.fractions(rows)
    medians = 1e6 * samples.medians(some, ["form", "dirty_percent"], "cost")[["median", "low", "high"]]
    drawn = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert list(drawn) == FORMS
    bars = [bar for bar in axes.containers if bar.get_label() == "_interval"]
    for (form, line), bar in zip(drawn.items(), bars, strict=True):
        assert line.get_xdata().tolist() == [0, 1, 10, 50, 100]
        np.testing.assert_allclose(line.get_ydata(), medians.loc[form, "median"])
        ends = np.array([segment[:, 1] for segment in bar.lines[2][0].get_segments()])
        np.testing.assert_allclose(ends, medians.loc[form, ["low", "high"]])
    assert {"0%", "1%", "10%", "50%", "100%", *FORMS} <= set(words(svg))
    assert "0%: idle; 100%: all" in " ".join(words(svg))
    assert [line.get_xdata()[0] for line in lines(axes, "_wrong")] == [1, 10, 50]
    assert {"scan-wp, 1%: -1", "scan-wp, 10%: -1", "scan-wp, 50%: -1"} <= set(words(svg))
    assert np.diff(axes.transData.transform([(x, 1) for x in (0, 1, 10)])[:, 0]).min() > 50  # 0 is as far off as 10


@pytest.mark.parametrize("module", [mapping_size, dirty_fraction], ids=lambda module: module.__name__)
def test_what_noise_made_negative_is_said_and_not_drawn(rows, module):
    lost = (rows["form"] == "scan-wp") & (rows["dirty_percent"] == 10) & (rows["pages"] == 65536)
    figure, _, svg = draw(module, rows.assign(cost=rows["cost"].mask(lost, -1e-6)))
    assert f"lost in noise: scan-wp at {'65,536' if module is mapping_size else '10%'}" in " ".join(words(svg))
    [line] = lines(figure.axes[0], "scan-wp")
    assert (np.diff(line.get_xdata()) > 0).all()
    assert (line.get_ydata() > 0).all()
    with pytest.raises(Unsupported, match="every cost is lost in noise"):
        module.plot(rows.assign(cost=-1e-6))


def test_dirty_fractions_need_two(rows):
    with pytest.raises(Unsupported, match="only 10% was measured"):
        dirty_fraction.plot(rows[(rows["dirty_percent"] == 10)])


def largest(rows):
    rows = choice.sweep(rows)
    return rows[rows["pages"] == rows["pages"].max()]


def test_each_process_has_a_dot(rows):
    figure, _, svg = draw(distribution, rows)
    axes, some = figure.axes[0], largest(rows)
    medians = samples.medians(some, ["form"], "cost")
    boots = some.groupby(["form", "boot", "process"], observed=True)["cost"].median()
    dots, boxes = lines(axes, "_runs"), [patch for patch in axes.patches if patch.get_width()]
    for i, form in enumerate(FORMS):
        estimate = medians.loc[form]
        for boot in (0, 1):
            dot = dots[2 * i + boot]
            expected = 100 * (boots.loc[form, boot] / estimate["median"] - 1)
            np.testing.assert_allclose(dot.get_xdata(), expected)
            assert (np.diff(dot.get_ydata()) > 0).all()  # downwards in the order they ran
            assert (dot.get_markerfacecolor() == "white") == bool(boot)
        assert dots[2 * i].get_ydata().max() < dots[2 * i + 1].get_ydata().min()
        box = [boxes[i].get_x(), boxes[i].get_x() + boxes[i].get_width()]
        np.testing.assert_allclose(box, [100 * (estimate[side] / estimate["median"] - 1) for side in ("low", "high")])
        shown = numbers.amount(estimate["median"], numbers.unit(rows))
        assert any(word.startswith(f"{shown} +-") for word in words(svg))
    assert "wrong: -1 pages" in words(svg)
    assert [len(line.get_xdata()) for line in lines(axes, "_values")] == [24] * 4


@pytest.mark.parametrize("noise", [1e-6, 1e-2])
def test_outliers_are_counted_at_the_edge(rows, noise):
    some = largest(rows)
    spread = np.random.default_rng(5).normal(1, noise, len(some))
    some = some.assign(cost=1e-3 * spread * np.where((some["process"] == 4) & (some["form"] == "scan-wp"), 1.5, 1))
    figure, _, svg = draw(distribution, some)
    axes = figure.axes[0]
    assert axes.get_xlim()[1] < 500 * noise
    assert any(word.startswith("1 run, to +") for word in words(svg))
    assert sum("run, to" in word or "runs, to" in word for word in words(svg)) == 1
    ((at,),) = [line.get_xdata() for line in axes.lines if line.get_marker() == ">"]
    assert at == axes.get_xlim()[1]
    assert sum(len(line.get_xdata()) for line in lines(axes, "_runs")) == 23


def test_one_process_has_no_distribution(rows):
    with pytest.raises(Unsupported, match="two or more"):
        distribution.plot(rows[rows["process"] == 0])


def test_drift_is_the_median_over_points(rows):
    slower = rows.assign(cost=rows["cost"] * (1 + 0.01 * (rows["process"] == 4)))
    figure, _, svg = draw(drift, slower)
    usual = samples.medians(slower, CASE, "cost")["median"]
    one = slower.groupby([*CASE, "process"], observed=True)["cost"].median().unstack("process")
    deviation = 100 * (one.div(usual, axis=0) - 1)
    for axes, form in zip(figure.axes, FORMS, strict=True):
        (line,) = lines(axes, "median")
        expected = deviation.xs(form, level="form").quantile([0.1, 0.5, 0.9])
        assert line.get_xdata().tolist() == list(range(6))
        np.testing.assert_allclose(line.get_ydata(), expected.loc[0.5])
        assert line.get_ydata().argmax() == 4
        band = axes.collections[0].get_paths()[0].vertices[:, 1]
        np.testing.assert_allclose([band.min(), band.max()], [expected.min().min(), expected.max().max()])
        assert [line.get_xdata()[0] for line in lines(axes, "_boot")] == [2.5]
        assert len(lines(axes, "_wrong")) == (form in ("clear_refs", "scan-wp"))
    assert sum("wrong pages, in 18 of 204 runs" in word for word in words(svg)) == 2  # three points, six processes


def test_drift_names_what_is_off_the_scale(rows):
    figure, _, svg = draw(drift, rows.assign(cost=rows["cost"] * np.where(rows["process"] == 2, 3, 1)))
    assert sum("arrow: off the scale, to +" in word for word in words(svg)) == 4
    for axes in figure.axes:
        (arrow,) = [line for line in axes.lines if line.get_marker() == "^" and line.get_markersize() == 7]
        assert (arrow.get_xdata()[0], arrow.get_ydata()[0]) == (2, axes.get_ylim()[1])


def test_drift_needs_three_processes_and_leaves_out_many_boots(rows):
    with pytest.raises(Unsupported, match="three processes"):
        drift.plot(rows[rows["process"] < 2])
    point = rows[rows["pages"] == 1000]
    many = pd.concat([point.assign(process=6 * i + point["process"], boot=6 * i + point["process"]) for i in range(7)])
    assert not lines(draw(drift, many)[0].axes[0], "_boot")
    assert len(lines(draw(drift, many[many["boot"] < 39])[0].axes[0], "_boot")) == 38


def cases(axes):
    """x, y and fill of each case that a panel of forest shows."""
    return [(line.get_xdata()[0], line.get_ydata()[0], line.get_markerfacecolor()) for line in lines(axes, "_case")]


def test_forest_shows_each_ratio_with_its_interval(frame_of):
    frame = frame_of("forest")
    figure, _, svg = draw(forest, frame)
    (axes,) = figure.axes
    assert len(frame) == 32
    drawn = cases(axes)
    np.testing.assert_allclose([x for x, _, _ in drawn], frame["ratio"])
    intervals = np.array([line.get_xdata() for line in lines(axes, "_interval")])
    np.testing.assert_allclose(intervals, frame[["low", "high"]])
    assert [fill != "white" for _, _, fill in drawn] == frame["significant"].tolist()
    assert 10 < frame["significant"].sum() < 30
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert [name for name in names if name in FORMS] == FORMS
    for (_, y, _), (_, row) in zip(drawn, frame.iterrows(), strict=True):
        assert names[int(y)] == tables.describe(row.to_frame().T)
        assert [name for name in names[: int(y)] if name in FORMS][-1] == row["form"]
    assert axes.get_xscale() == "log"
    (neutral,) = lines(axes, "_no change")
    assert neutral.get_xdata() == [1, 1]
    assert {"-20%", "0", "-20.0%", "~"} <= set(words(svg))
    assert any("less time" in word for word in words(svg))
    assert "left out" not in " ".join(words(svg))


def test_forest_rings_what_was_wrong_in_base_or_new(many, frame_of):
    figure, _, svg = draw(forest, frame_of("forest"))
    assert len(lines(figure.axes[0], "_wrong")) == 2
    text = " ".join(words(svg))
    assert "clear_refs, random 10%, 10000 pages (base +128)" in text
    assert "scan-wp, random 10%, 65536 pages (base -4)" in text
    text = " ".join(words(draw(forest, of_comparison(many, same=many))[2]))
    assert "clear_refs, random 10%, 10000 pages (+128 in each)" in text


@pytest.mark.parametrize("count", [2, 3, 4])
def test_forest_has_a_panel_for_each_new_result(many, count):
    news = {f"v{i}": patched(many, 0.9**i) for i in range(count)}
    frame = of_comparison(many, **news)
    figure, png, svg = draw(forest, frame)
    assert len(png) < 100_000
    assert set(news) <= set(words(svg))
    assert len(figure.axes) == count
    for axes, name in zip(figure.axes, news, strict=True):
        some = frame[frame["new_name"] == name]
        assert {x for x, _, _ in cases(axes)} <= set(some["ratio"])
        labels = [label.get_window_extent() for label in axes.get_xticklabels()]
        assert not any(a.overlaps(b) for a, b in itertools.pairwise(labels))


def test_forest_shows_the_largest_significant_changes(frame_of):
    frame = frame_of("forest")
    many = pd.concat([frame.assign(setting=f"writers={writers}") for writers in (1, 2, 4)], ignore_index=True)
    many["ratio"] *= 1 + 0.0001 * np.arange(len(many))
    many.loc[5, ["ratio", "significant"]] = 3, False  # large, but it means nothing
    figure, png, svg = draw(forest, many)
    assert len(png) < 100_000
    size = np.log(many["ratio"]).abs()
    first = many.assign(size=size).sort_values(["significant", "size"], ascending=False).head(forest.ROWS)
    assert {x for x, _, _ in cases(figure.axes[0])} == set(first["ratio"])
    assert "left out: 60 of 96 cases" in " ".join(words(svg))
    assert any("writers=4" in word for word in words(svg))


def test_forest_where_little_is_known(frame_of):
    frame = frame_of("forest").copy()
    frame.loc[3, ["ratio", "low", "high"]] = np.nan
    frame.loc[4, ["low", "high"]] = np.nan
    frame.loc[5, ["ratio", "significant"]] = 50, True
    figure, _, svg = draw(forest, frame)
    assert {"?", "+4900%"} <= set(words(svg))
    drawn = cases(figure.axes[0])
    assert len(drawn) == 31
    assert max(x for x, _, _ in drawn) == figure.axes[0].get_xlim()[1] < 10
    with pytest.raises(Unsupported, match="no case"):
        forest.plot(frame.assign(ratio=np.nan))


@pytest.mark.parametrize("ends", [(0.8, 1.1), (0.999, 1.001), (0.02, 5), (0.7, 2.5), (0.5, 90)])
def test_ticks_of_changes_are_round_and_apart(ends):
    ticks = forest._ticks(ends, 0.1)
    assert 0 in ticks
    assert min(ticks) < 0 < max(ticks)
    places = np.log1p(np.array(ticks) / 100) / np.log(ends[1] / ends[0])
    assert np.diff(places).min() > 0.07
    assert all(np.log(ends[0]) <= np.log1p(tick / 100) <= np.log(ends[1]) for tick in ticks)


def test_an_axis_leaves_out_what_is_far_beyond_the_rest():
    assert style.reach(np.array([1.0, -2, 1.5, np.nan, -1])) == pytest.approx(2.2)
    assert 2 < style.reach(np.array([1.0, -2, 1.5, 1, -1, 70])) < 10
    assert style.reach(np.array([0.0, 0, 0, 0, 5])) == pytest.approx(5.5)
    assert style.reach(np.array([])) == 0


def pytest_generate_tests(metafunc):
    """Compare the plots that have an image; when images are made, make all."""
    if "pictured" in metafunc.fixturenames:
        made = metafunc.config.getoption("--mpl-generate-path", None)
        had = [path.stem.removeprefix("test_image_") for path in sorted(BASELINE.glob("*.png"))]
        metafunc.parametrize("pictured", PLOTS if made else had)


# A change that was meant, or a new plot: pytest --mpl-generate-path=tests/plots/baseline tests/plots, and look at them.
@pytest.mark.mpl_image_compare(style=style.RC, baseline_dir=str(BASELINE), tolerance=0.3, savefig_kwargs=SMALL)
def test_image(frame_of, counted, pictured):
    frame = frame_of(pictured)
    if pictured == "forest":  # half of its rows show as much and take half the space
        frame = frame[frame["form"].isin(FORMS[::2])]
    with style.applied():
        return PLOTS[pictured].plot(frame)


def test_a_row_for_each_setting_with_its_medians(of_suites):
    rows = of_suites["buffers"]
    figure, _, svg = draw(points, rows)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels[0] == "(usual)"
    steps = [label for label in labels if label.startswith("vec_len")]
    assert steps == ["vec_len=1", "vec_len=32", "vec_len=64", "vec_len=512"], "in the order of their numbers"
    medians = 1e6 * samples.medians(rows, ["form", "setting"], "cost")["median"]
    for line in figure.axes[0].lines:
        if line.get_label() in ("scan-wp", "scan-wp atomic", "uffd-sync", "mprotect"):
            drawn = {labels[int(y)]: x for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)}
            for setting, median in medians[line.get_label()].items():
                assert drawn[setting or "(usual)"] == pytest.approx(median)
    assert len(lines(figure.axes[0], "_wrong")) == len(labels), "scan-wp is wrong in each"
    assert words(svg).count("-0.25") == len(labels)


def test_published_numbers_are_drawn_as_another_machines(of_suites):
    rows = of_suites["lkml-2022"]
    figure, _, svg = draw(published, rows)
    drawn = {line.get_label(): line for line in figure.axes[0].lines}
    assert drawn["memwatch (published)"].get_ydata().tolist() == [7, 58, 281, 1178, 17563]
    whole = rows[(rows["form"] == "mprotect") & (rows["pages"] == 10_000)]["interval"].median()
    assert drawn["mprotect"].get_ydata()[-1] == pytest.approx(whole * 2.5e6, rel=0.05)
    assert any("ANOTHER MACHINE, Muhammad Usama Anjum" in word for word in words(svg))
    panels = draw(published, rows.assign(suite="who-pays"))[0].axes
    assert [axes.get_ylabel().split(",")[0] for axes in panels] == ["tracked", "tracker"]
    with pytest.raises(Unsupported, match="not invariant"):
        published.plot(rows.assign(tsc_hz=0.0))
    with pytest.raises(Unsupported, match="of time, these of instructions"):
        published.plot(rows.assign(quantity="instructions"))


def test_the_bars_of_functions_add_up_to_the_change(of_functions):
    figure = draw(PLOTS["functions"], of_functions)[0]
    by_form = of_functions.groupby("form", sort=False)["change"].sum()
    assert len(figure.axes) == len(by_form) == 3
    for axes in figure.axes:
        form = axes.get_title(loc="left").split(",")[0]
        bars = [bar.get_width() for bar in axes.patches]
        assert len(bars) == 7, "six functions, and the others"
        assert sum(bars) == by_form[form]
        assert axes.get_yticklabels()[-1].get_text() == "other, 5 functions"


def test_a_line_of_bystanders_falls_from_all_to_the_slowest(of_bystanders):
    figure = draw(PLOTS["bystanders"], of_bystanders)[0]
    titles = [axes.get_title(loc="left") for axes in figure.axes[:2]]
    assert titles == ["fault, 10,000 pages", "smaps, 10,000 pages"]
    for axes in figure.axes[:2]:
        drawn = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
        assert set(drawn) == {"nothing", *FORMS}
        for label, line in drawn.items():
            x, y = line.get_xdata(), line.get_ydata()
            assert y[0] == 1
            assert (np.diff(y) <= 0).all()
            assert (np.diff(x) >= 0).all()
            slow = synthetic.WAITS.get(label.removesuffix(" atomic"), 0) if label in ("clear_refs", "scan-wp") else 0
            assert x[-1] * 1000 >= max(slow, synthetic.OPERATION), "the slowest, in us"


def test_a_history_has_a_line_an_interface_a_dot_a_step_and_a_gap_between_series(of_history):
    figure, _, svg = draw(history, of_history["history"])
    collect = figure.axes[2]
    drawn = {line.get_label(): line for line in collect.lines if not line.get_label().startswith("_")}
    assert list(drawn) == ["clear_refs", "scan-wp"]
    assert [line.get_xdata().tolist() for line in lines(collect, "_step")] == [[2], [2]]
    x, y = drawn["scan-wp"].get_data()
    assert x[np.isnan(y)].tolist() == [1.5, 3.5]
    assert y[9] / y[1] == pytest.approx(1.6, rel=0.02)
    assert {"6.12.95", "6.16.12", "7.3.4", "collect, per page of the mapping"} <= set(words(svg))
    with pytest.raises(Unsupported, match="two kernels"):
        history.plot(of_history["history"].query("version == '7.3.4'"))


def test_a_history_of_verdicts_has_a_row_for_each_that_changed(of_history):
    figure, _, svg = draw(verdict_history, of_history["verdict history"])
    assert [one.get_text() for one in figure.axes[0].get_yticklabels()] == [
        "holes_tables: scan-wp",
        "merge_renewed_last: clear_refs",
    ]
    assert [one.get_text() for one in figure.axes[0].get_xticklabels()] == list(histories.VERSIONS)
    signs = [word for word in words(svg) if word in ("+", "-")]
    assert sorted(signs) == ["+"] * 3 + ["-"] * 4
    with pytest.raises(Unsupported, match="no verdict changed"):
        verdict_history.plot(of_history["verdict history"].iloc[:0])


def test_plots_about_something_else_are_left_out(rows, of_suites):
    assert points.plot(rows) is None
    assert published.plot(rows) is None
    assert mapping_size.plot(of_suites["buffers"]) is None


def test_every_module_is_a_plot_or_what_plots_share():
    files = {path.stem for path in Path(style.__file__).parent.glob("[!_]*.py")}
    assert files - PLOTS.keys() == {"style", "drawing"}
    kinds = {"intervals", "comparison", "functions", "meaning", "bystanders", "history", "verdict history"}
    assert {module.FRAME for module in PLOTS.values()} <= kinds


def test_every_form_has_a_look_of_its_own_that_stays(rows):
    known = [name + suffix for name in INTERFACES if name != "none" for suffix in ("", " atomic")]
    forms = pd.DataFrame({"form": pd.Categorical(known, known, ordered=True)})
    looks = style.looks(forms)
    assert all(looks[name] == look for name, look in style.looks(rows).items()), "the same beside other forms"
    assert len({looks[form] for form in style._KNOWN}) == len(style._KNOWN), "style.LOOKS has too few"


def test_unknown_interfaces_get_looks_of_their_own(rows):
    other = rows.assign(form=rows["form"].cat.rename_categories({"scan-softdirty": "brand-new", "scan-wp": "newer"}))
    assert len(set(style.looks(other).values())) == 4


@pytest.mark.parametrize("name", PLOTS)
def test_no_text_ends_a_plot(frame_of, name):
    """Logs are not trusted: a name may look like a formula, and a list of names fill the figure."""
    frame = frame_of(name).copy()
    for key in {"form", "cpu", "function", "kernel_release", "file_system", "base_where", "scenario"} & set(frame):
        if key == "form" and isinstance(frame[key].dtype, pd.CategoricalDtype):
            frame[key] = frame[key].cat.rename_categories(lambda one: one if one in INTERFACES else f"{one} $\\frac{{$")
        else:
            more = 900 * " of a file system" if key in ("file_system", "cpu") else ""
            frame[key] = frame[key].astype(str) + " $\\frac{$" + more
    figure, png, _ = draw(PLOTS[name], frame)
    assert figure is not None
    assert png.startswith(b"\x89PNG")


def test_lines_below_a_title_leave_half_of_the_figure():
    with style.applied():
        figure = style.titled("title", ["first", "so long a name " * 1000, "last"], height=4.8)
    shown = figure.texts[1].get_text().splitlines()
    assert shown[0] == "first"
    assert shown[-1].endswith(" [...]")
    assert len(shown) == 11
    assert max(map(len, shown)) <= 101


def test_distinguishable_without_colour():
    assert len({(look.line, look.marker) for look in style.LOOKS}) == len(style.LOOKS)
    assert len({(part[2], part[3]) for part in phases.PARTS}) == len(phases.PARTS)
    weights = (0.299, 0.587, 0.114)
    greys = sorted(np.dot(to_rgb(color), weights) for color in {part[2] for part in phases.PARTS})
    assert np.diff(greys).min() > 0.1
    for look in style.LOOKS:  # text needs a contrast that thin letters survive
        assert np.dot(to_rgb(look.ink), weights) < 0.5


def test_no_global_state():
    code = "import sys; from plots import drawing; drawing.modules(); sys.exit('matplotlib.pyplot' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
