# SPDX-License-Identifier: GPL-2.0-only
"""Plots show every interface, mark what was wrong, and come out the same from the same data."""

import itertools
import pkgutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

import plots
from bench import report, results, stats, suites, tables
from bench.errors import Unsupported
from plots import (
    dirty_fraction,
    distribution,
    drift,
    forest,
    phases,
    points,
    published,
    speedup_heatmap,
    style,
    time_vs_pages,
)
from tests import synthetic
from tests.test_tables import intervals

PLOTS = [time_vs_pages, phases, speedup_heatmap, dirty_fraction, distribution, drift, forest, points, published]
FORMS = ["clear_refs", "scan-softdirty", "scan-wp", "scan-wp atomic"]
SMALL = {"dpi": 60, "pil_kwargs": {"optimize": True}}  # of the images compared: enough to see what moved
CASE = [*results.POINT, "form"]


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Two boots of three processes; wrong pages at two sizes."""
    wrong = {("clear_refs", "random", 10000): (512, 0), ("scan-wp", "random", 65536): (0, 16)}
    rows = intervals(tmp_path_factory.mktemp("plots"), wrong=wrong)
    return rows.assign(boot=rows["process"] // 3)


@pytest.fixture(scope="module")
def frames(rows, tmp_path_factory):
    """What each kind of plot takes, and what the plots of certain suites do."""
    folder = tmp_path_factory.mktemp("suites")
    wrong = {("scan-wp", "random", 10_000): (0, 4), ("scan-wp", "all", 1000): (7, 0)}
    names = ["none", "scan-wp", "uffd-sync", "mprotect"]
    own = {
        f"plots.{plot}": intervals(
            folder / name, what=suites.SUITES[name].points, suite=name, wrong=wrong, interfaces=names
        )
        for plot, name in (("points", "buffers"), ("published", "lkml-2022"))
    }
    return {"intervals": rows, "comparison": comparison(rows, patched=patched(rows)), **own}


def frame_of(frames, module):
    return frames.get(module.__name__, frames[module.FRAME])


def patched(rows, factor=0.8):
    """Rows of a kernel on which the ioctl takes `factor` of the time for 10,000 pages and more, and is exact."""
    better = rows["form"].astype(str).str.startswith("scan-wp") & (rows["pages"] >= 10_000)
    return rows.assign(cost=rows["cost"] * np.where(better, factor, 1), wrong_intervals=0, extra=0, missed=0)


def comparison(base, **news):
    """The frame of forest: a few cases of intervals()' rows of one base and of new results, by name."""
    frames = []
    for name, new in news.items():
        few = [some[(some["pages"] >= 10_000) & some["dirty_percent"].isin([0, 10])] for some in (base, new)]
        old, other = (stats.medians(some, CASE, "cost") for some in few)
        wrong = [results.exactness(some).set_index(CASE).loc[old.index] for some in few]
        frame = pd.DataFrame({"base": old["median"], "new": other["median"], "ratio": other["median"] / old["median"]})
        frame = frame.assign(low=other["low"] / old["high"], high=other["high"] / old["low"], p=0.5)
        frame["significant"] = (frame["low"] > 1) | (frame["high"] < 1)
        for side, counts, some in zip(("base", "new"), wrong, few, strict=True):
            pages = counts[["extra", "missed"]].div(counts["intervals"], axis=0).to_numpy()
            frame[f"{side}_wrong"] = [tables.wrong(*one) for one in pages]
            frame[f"{side}_where"] = tables.where(some)
        frame = frame.assign(
            base_name="base", new_name=name, cpu=synthetic.HOST["cpu_model_name"], metric="cost", file_system=""
        )
        frames.append(frame.reset_index())
    return pd.concat(frames, ignore_index=True)


def draw(module, rows):
    with style.applied():
        figure = module.plot(rows)
        return figure, report._png(figure), report._svg(figure)


def lines(axes, label):
    return [line for line in axes.lines if line.get_label() == label]


def words(svg):
    return [text.text or "" for text in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("module", PLOTS, ids=lambda module: module.__name__)
def test_files_are_small_titled_and_reproducible(frames, module):
    rows = frame_of(frames, module)
    _, png, svg = draw(module, rows)
    assert png.startswith(b"\x89PNG")
    assert len(png) < 100_000
    assert draw(module, rows)[1:] == (png, svg)
    text = " ".join(words(svg))
    host = synthetic.HOST
    for part in ("is better", host["cpu_model_name"], f"Linux {host['kernel_release']}, KVM", "THP off", "wrong"):
        assert part in text
    assert b"<dc:date>" not in svg


def test_a_line_for_each_interface_through_its_medians(rows):
    figure, _, svg = draw(time_vs_pages, rows)
    axes = figure.axes[0]
    drawn = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert list(drawn) == FORMS
    sweep = results.sweep(rows)
    for form, line in drawn.items():
        some = sweep[sweep["form"] == form]
        assert line.get_xdata().tolist() == list(synthetic.SIZES)
        np.testing.assert_allclose(line.get_ydata(), 1e6 * some.groupby("pages")["cost"].median())
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert set(FORMS) <= set(words(svg))
    assert {"clear_refs, 10,000: +32", "scan-wp, 65,536: -1"} <= set(words(svg))
    assert [line.get_xdata()[0] for line in lines(axes, "_wrong")] == [10_000, 65_536]


@pytest.mark.parametrize("module", [time_vs_pages, dirty_fraction], ids=lambda module: module.__name__)
def test_labels_at_the_lines_do_not_overlap(rows, module):
    figure, _, _ = draw(module, rows)
    boxes = [Text.get_window_extent(text) for text in figure.axes[0].texts if text.get_text() in FORMS]
    assert len(boxes) == 4
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(box.x1 <= figure.bbox.x1 for box in boxes)


def test_bars_add_up_to_the_interval(rows):
    figure, _, svg = draw(phases, rows)
    some = results.breakdown(rows)
    assert len(figure.axes) == 3
    for axes, (_, point) in zip(
        figure.axes, some.sort_values("dirty_percent").groupby("dirty_percent", sort=False), strict=True
    ):
        ends = {}
        for patch in axes.patches:
            ends[round(patch.get_y() + patch.get_height() / 2)] = patch.get_x() + patch.get_width()
        whole = 1e6 * stats.medians(point, ["form"], "seconds")["median"]
        np.testing.assert_allclose([ends[i] for i in range(4)], whole[FORMS], rtol=0.03)  # medians of parts and of sums
    assert any("wrong: -1 pages" in word for word in words(svg))
    assert sum("tracker" in word or "writes untracked" in word or "slower writes" in word for word in words(svg)) == 5


def test_heat_map_shows_each_ratio(rows):
    figure, _, svg = draw(speedup_heatmap, rows)
    random = rows[rows["workload"] == "random"]
    ratios = stats.ratios(random, ["dirty_percent", "pages"], "cost", "clear_refs", "scan-wp atomic")["median"]
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert sorted(s.split("\n")[0] for s in shown) == sorted(map(tables.times, ratios))
    assert sum("wrong" in s for s in shown) == 3  # 10,000 pages at three fractions
    assert {"1%", "10%", "50%", "65,536"} <= set(words(svg))


def test_slower_is_hatched(rows):
    assert not any(patch.get_hatch() for patch in draw(speedup_heatmap, rows)[0].axes[0].patches)
    turned = rows.assign(cost=np.where(rows["form"] == "clear_refs", rows["cost"] / 100, rows["cost"]))
    hatched = [patch for patch in draw(speedup_heatmap, turned)[0].axes[0].patches if patch.get_hatch()]
    assert len(hatched) == 18


@pytest.mark.parametrize("interface", ["clear_refs", "scan-wp"])
def test_one_interface(tmp_path, interface):
    rows = intervals(tmp_path, interfaces=["none", interface])
    assert draw(time_vs_pages, rows)[0].axes[0].lines
    assert draw(phases, rows)[0].axes[0].patches
    assert lines(draw(distribution, rows)[0].axes[0], "_runs")
    assert lines(draw(drift, rows)[0].axes[0], "median")
    assert draw(dirty_fraction, rows)[0].axes[0].lines
    with pytest.raises(Unsupported, match="needs both"):
        speedup_heatmap.plot(rows)


def test_dirty_fractions_are_joined_through_their_medians(rows):
    figure, _, svg = draw(dirty_fraction, rows)
    axes = figure.axes[0]
    some = results.fractions(rows)
    medians = 1e6 * stats.medians(some, ["form", "dirty_percent"], "cost")[["median", "low", "high"]]
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


def test_dirty_fractions_need_two(rows):
    with pytest.raises(Unsupported, match="only 10% was measured"):
        dirty_fraction.plot(rows[(rows["dirty_percent"] == 10)])


def largest(rows):
    rows = results.sweep(rows)
    return rows[rows["pages"] == rows["pages"].max()]


def test_each_process_has_a_dot(rows):
    figure, _, svg = draw(distribution, rows)
    axes, some = figure.axes[0], largest(rows)
    medians = stats.medians(some, ["form"], "cost")
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
        assert any(word.startswith(f"{tables.us(estimate['median'])} us +-") for word in words(svg))
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
    usual = stats.medians(slower, CASE, "cost")["median"]
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


def test_forest_shows_each_ratio_with_its_interval(frames):
    frame = frames["comparison"]
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


def test_forest_rings_what_was_wrong_in_base_or_new(rows, frames):
    figure, _, svg = draw(forest, frames["comparison"])
    assert len(lines(figure.axes[0], "_wrong")) == 2
    text = " ".join(words(svg))
    assert "clear_refs, random 10%, 10000 pages (base +32)" in text
    assert "scan-wp, random 10%, 65536 pages (base -1)" in text
    text = " ".join(words(draw(forest, comparison(rows, same=rows))[2]))
    assert "clear_refs, random 10%, 10000 pages (+32 in each)" in text


@pytest.mark.parametrize("count", [2, 3, 4])
def test_forest_has_a_panel_for_each_new_result(rows, count):
    news = {f"v{i}": patched(rows, 0.9**i) for i in range(count)}
    frame = comparison(rows, **news)
    figure, png, svg = draw(forest, frame)
    assert len(png) < 100_000
    assert set(news) <= set(words(svg))
    assert len(figure.axes) == count
    for axes, name in zip(figure.axes, news, strict=True):
        some = frame[frame["new_name"] == name]
        assert {x for x, _, _ in cases(axes)} <= set(some["ratio"])
        labels = [label.get_window_extent() for label in axes.get_xticklabels()]
        assert not any(a.overlaps(b) for a, b in itertools.pairwise(labels))


def test_forest_shows_the_largest_significant_changes(frames):
    frame = frames["comparison"]
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


def test_forest_where_little_is_known(frames):
    frame = frames["comparison"].copy()
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


# A change of a plot that was meant: pytest --mpl-generate-path=tests/baseline tests/test_plots.py, and look at them.
@pytest.mark.mpl_image_compare(style=style.RC, baseline_dir="baseline", tolerance=0.3, savefig_kwargs=SMALL)
@pytest.mark.parametrize("module", PLOTS, ids=lambda module: module.__name__.removeprefix("plots."))
def test_image(frames, module):
    frame = frame_of(frames, module)
    if module is forest:  # half of its rows show as much and take half the space
        frame = frame[frame["form"].isin(FORMS[::2])]
    with style.applied():
        return module.plot(frame)


def test_a_row_for_each_setting_with_its_medians(frames):
    rows = frames["plots.points"]
    figure, _, svg = draw(points, rows)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels[0] == "(usual)"
    assert labels[-4:] == ["vec_len=1", "vec_len=32", "vec_len=64", "vec_len=512"], "in the order of their numbers"
    medians = 1e6 * stats.medians(rows, ["form", "setting"], "cost")["median"]
    for line in figure.axes[0].lines:
        if line.get_label() in ("scan-wp", "scan-wp atomic", "uffd-sync", "mprotect"):
            drawn = {labels[int(y)]: x for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)}
            for setting, median in medians[line.get_label()].items():
                assert drawn[setting or "(usual)"] == pytest.approx(median)
    assert len(lines(figure.axes[0], "_wrong")) == len(labels), "scan-wp is wrong in each"
    assert words(svg).count("-0.25") == len(labels)


def test_published_numbers_are_drawn_as_another_machines(frames):
    figure, _, svg = draw(published, frames["plots.published"])
    drawn = {line.get_label(): line for line in figure.axes[0].lines}
    assert drawn["memwatch (published)"].get_ydata().tolist() == [7, 58, 281, 1178, 17563]
    rows = frames["plots.published"]
    whole = rows[(rows["form"] == "mprotect") & (rows["pages"] == 10_000)]["seconds"].median()
    assert drawn["mprotect"].get_ydata()[-1] == pytest.approx(whole * 2.5e6, rel=0.05)
    assert any("ANOTHER MACHINE, Muhammad Usama Anjum" in word for word in words(svg))
    overhead = frames["plots.published"].assign(suite="who-pays")
    panels = draw(published, overhead)[0].axes
    assert [axes.get_ylabel().split(",")[0] for axes in panels] == ["tracked", "tracker"]
    with pytest.raises(Unsupported, match="not invariant"):
        published.plot(rows.assign(tsc_hz=0.0))


def test_plots_about_something_else_are_left_out(rows, frames):
    assert points.plot(rows) is None
    assert published.plot(rows) is None
    assert time_vs_pages.plot(frames["plots.points"]) is None


def test_every_plot_is_tested_and_says_what_it_takes():
    elsewhere = {"style", "meaning"}  # test_meaning.py
    names = {info.name for info in pkgutil.iter_modules(plots.__path__)} - elsewhere
    assert {f"plots.{name}" for name in names} == {module.__name__ for module in PLOTS}
    assert {module.FRAME for module in PLOTS} == {"intervals", "comparison"}


def test_unknown_interfaces_get_looks_of_their_own(tmp_path):
    rows = intervals(tmp_path)
    rows["form"] = rows["form"].cat.rename_categories({"scan-softdirty": "brand-new", "scan-wp": "newer"})
    assert len(set(style.looks(rows).values())) == 4


def test_distinguishable_without_colour():
    looks = [*style._LOOKS.values(), *style._SPARE]
    assert len({(look.line, look.marker) for look in looks}) == len(looks)
    assert len({(part[2], part[3]) for part in phases.PARTS}) == len(phases.PARTS)
    weights = (0.299, 0.587, 0.114)
    greys = sorted(np.dot(to_rgb(color), weights) for color in {part[2] for part in phases.PARTS})
    assert np.diff(greys).min() > 0.1
    for look in looks:  # text needs a contrast that thin letters survive
        assert np.dot(to_rgb(look.ink), weights) < 0.5


def test_no_global_state():
    code = "import sys; from bench import report; sys.exit('matplotlib.pyplot' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
