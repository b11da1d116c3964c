# SPDX-License-Identifier: GPL-2.0-only
"""The plot of the suite meaning."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from bench.plan import catalogue
from bench.plan.interfaces import WRITTEN
from bench.plan.records import Plays
from bench.report import meaning
from bench.store import verdicts
from plots import drawing, style
from plots import meaning as plot
from tests import synthetic


@pytest.fixture
def several(tmp_path):
    better = synthetic.PLAYED | {("merge_mmap_after", "clear_refs"): [Plays(100, written=1)]}
    runs = {"6.1.176-cloud": synthetic.PLAYED, "6.18.15+deb13": synthetic.PLAYED, "7.3.4+deb13": better}
    return [verdicts.load(synthetic.played(tmp_path / release, release, made)) for release, made in runs.items()]


def draw(results):
    with style.applied():
        figure = plot.plot(meaning.frame(results))
        return figure, drawing.png(figure), drawing.svg(figure)


@pytest.mark.parametrize("count", [1, 3])
def test_the_plot_shows_every_verdict(several, count):
    figure, png, svg = draw(several[:count])
    assert draw(several[:count])[1:] == (png, svg), "the same data gives the same bytes"
    assert len(png) < 100_000
    words = [text.text or "" for text in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert "uffd-sync" not in words, "it worked nowhere"
    heads = {"clear_", "refs", "scan-", "wp"}
    drawn = {*synthetic.SCENARIOS} - {"plain"}
    assert {*drawn, *heads, "exact", "+ extra", "- missed", "not possible here"} <= set(words)
    assert {"merged areas", "fork", "races"} <= set(words), "scenarios stand below their themes"
    assert not {"plain", "plain writes"} & set(words), "exact everywhere"
    assert "not drawn: 1 scenario without another verdict than exact" in " ".join(words)
    assert not {"R refused", "not applicable", "X crashed"} & set(words), "keys of what there is only"
    cells = figure.axes[0].patches
    assert len(cells) == 4 * 2 * count
    if count == 1:
        assert {"+7", "(+3)", "-1", "-4~"} <= set(words)
    else:
        assert {"6.1.176", "6.18.15", "7.3.4"} <= set(words)
        assert (words.count("+"), words.count("(+)")) == (2, 3), "7.3 has no noise"


def test_a_plot_of_many_scenarios_and_kernels_stays_small(tmp_path):
    every = list(catalogue.scenarios(WRITTEN))
    names = ["clear_refs", "scan-softdirty", "scan-wp", "v6", "v6-no-reused", "uffd-sync", "mprotect"]
    runs = {(s, n): [Plays(1, extra=7, broken=len(s) % 2)] for s in every[::2] for n in names}
    made = [verdicts.load(synthetic.played(tmp_path / f"r{i}", f"6.{i}.1", runs, names, every)) for i in range(5)]
    assert len(draw(made)[1]) < 100_000


def test_the_plot_says_which_property_was_reported(tmp_path):
    runs = {("accessed_read", "rwp-async"): [Plays(1, extra=7, broken=7)]}
    made = verdicts.load(synthetic.played(tmp_path / "r", "7.3.4", runs, ["rwp-async"], ["accessed_read"]))
    words = " ".join(text.get_text() for text in draw([made])[0].texts)
    assert "against pages accessed" in words
    assert "that nobody accessed" in " ".join(words.split())


def test_nothing_in_the_plot_overlaps(several):
    for results in (several[:1], several):
        figure = draw(results)[0]
        axes, legend = figure.axes[0], figure.legends[0].get_window_extent()
        names = [text.get_window_extent() for text in axes.texts]
        heads = [label.get_window_extent() for label in axes.get_xticklabels()]
        titles = [text.get_window_extent() for text in figure.texts]
        assert min(box.y0 for box in [axes.get_window_extent(), *names]) >= legend.y1 - 1
        assert max(box.y1 for box in heads) <= min(box.y0 for box in titles) + 1


def test_a_scenario_that_only_a_later_kernel_has_stands_below_its_theme(tmp_path):
    lost = [Plays(1, missed=1, broken=1, written=1)]
    found = {
        release: verdicts.load(
            synthetic.played(
                tmp_path / release, release, {(s, "clear_refs"): lost for s in some}, ("clear_refs",), some
            )
        )
        for release, some in {"6.12.1": ("fork_child_writes",), "7.3.4": ("merge_brk", "fork_child_writes")}.items()
    }
    figure = draw(list(found.values()))[0]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["merge_brk", "fork_child_writes"]


def test_a_path_that_never_differs_and_a_kernel_that_lacks_an_interface_have_no_column(tmp_path):
    names = ("scan-wp", "scan-wp-general", "scan-wp-inverted", "uffd-sync")
    runs = {("plain", "scan-wp-inverted"): [Plays(1, why="EPERM", ended="refused")]}
    made = [verdicts.load(synthetic.played(tmp_path / "one", "6.18.1", runs, names))]
    figure, _, svg = draw(made)
    words = [text.text or "" for text in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert words.count("scan-wp-") == 1
    assert {"R", "R refused"} <= set(words)
    assert len(figure.axes[0].patches) == 2, "of the others each is exact"


def test_verdicts_differ_in_grey_too():
    greys = [np.dot(to_rgb(mark.fill), (0.299, 0.587, 0.114)) for mark in plot.MARKS.values()]
    looks = {(round(grey, 1), mark.sign, mark.hatch) for grey, mark in zip(greys, plot.MARKS.values(), strict=True)}
    assert len(looks) == len(plot.MARKS)
    exact, extra, missed = greys[:3]
    assert exact - extra > 0.2
    assert extra - missed > 0.2
