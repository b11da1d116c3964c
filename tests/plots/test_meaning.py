# SPDX-License-Identifier: GPL-2.0-only
"""The plot of the suite meaning."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from bench.plan import catalogue
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
    assert {*synthetic.SCENARIOS, *synthetic.NAMES[:2], "exact", "+ extra", "- missed", "not possible"} <= set(words)
    cells = figure.axes[0].patches
    assert len(cells) == 5 * 2 * count
    if count == 1:
        assert {"+7", "(+3)", "-1", "-4~"} <= set(words)
    else:
        assert {"6.1.176", "6.18.15", "7.3.4"} <= set(words)
        assert (words.count("+"), words.count("(+)")) == (2, 3), "7.3 has no noise"


def test_a_plot_of_many_scenarios_and_kernels_stays_small(tmp_path):
    every = list(catalogue.scenarios())
    names = ["clear_refs", "scan-softdirty", "scan-wp", "v6", "v6-no-reused", "uffd-sync", "mprotect"]
    runs = {(s, n): [Plays(1, extra=7, broken=len(s) % 2)] for s in every[::2] for n in names}
    made = [verdicts.load(synthetic.played(tmp_path / f"r{i}", f"6.{i}.1", runs, names, every)) for i in range(5)]
    assert len(draw(made)[1]) < 100_000


def test_verdicts_differ_in_grey_too():
    greys = [np.dot(to_rgb(mark.fill), (0.299, 0.587, 0.114)) for mark in plot.MARKS.values()]
    looks = {(round(grey, 1), mark.sign, mark.hatch) for grey, mark in zip(greys, plot.MARKS.values(), strict=True)}
    assert len(looks) == len(plot.MARKS)
    exact, extra, missed = greys[:3]
    assert exact - extra > 0.2
    assert extra - missed > 0.2
