# SPDX-License-Identifier: GPL-2.0-only
"""Plots show every interface, mark what was wrong, and come out the same from the same data."""

import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from bench import report, results, stats, tables
from bench.errors import Unsupported
from plots import phases, speedup_heatmap, style, time_vs_pages
from tests import synthetic
from tests.test_tables import intervals

PLOTS = [time_vs_pages, phases, speedup_heatmap]
FORMS = ["clear_refs", "scan-softdirty", "scan-wp", "scan-wp atomic"]


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    wrong = {("clear_refs", "random", 10000): (512, 0), ("scan-wp", "random", 65536): (0, 16)}
    return intervals(tmp_path_factory.mktemp("plots"), wrong=wrong)


def draw(module, rows):
    with style.applied():
        figure = module.plot(rows)
        return figure, report._png(figure), report._render(figure, "svg", {"Date": None, "Creator": None})


def words(svg):
    return [text.text or "" for text in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("module", PLOTS, ids=lambda module: module.__name__)
def test_files_are_small_titled_and_reproducible(rows, module):
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
    lines = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert list(lines) == FORMS
    sweep = results.sweep(rows)
    for form, line in lines.items():
        some = sweep[sweep["form"] == form]
        assert line.get_xdata().tolist() == list(synthetic.SIZES)
        np.testing.assert_allclose(line.get_ydata(), 1e6 * some.groupby("pages")["cost"].median())
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert set(FORMS) <= set(words(svg))
    assert {"clear_refs, 10,000: +32", "scan-wp, 65,536: -1"} <= set(words(svg))
    rings = [line for line in axes.lines if line.get_label() == "_wrong"]
    assert [line.get_xdata()[0] for line in rings] == [10_000, 65_536]


def test_labels_at_the_lines_do_not_overlap(rows):
    figure, _, _ = draw(time_vs_pages, rows)
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
    with pytest.raises(Unsupported, match="needs both"):
        speedup_heatmap.plot(rows)


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
