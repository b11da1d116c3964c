# SPDX-License-Identifier: GPL-2.0-only
"""A boot that fell comes before all that is said of the others; a kernel that printed much is said to have done so."""

from collections.abc import Callable

import pandas as pd
import pytest

from bench.errors import NoVerdict
from bench.plan.records import Failed, Messages, Plays
from bench.report import blocks, comparisons, gate, ktap, pages, sentences
from bench.stats import comparison
from bench.store import frames, log, verdicts
from tests import synthetic
from tests.texts import FEW, assert_mailable, words

WHY = "the guest's kernel crashed: [9.1] Kernel panic - not syncing (while measuring random pages=100)"
FELL = f"Boot 9 came to no end: {WHY}."
FLOOD = Messages(1, {}, [], lines=5000)
CLEAN = [Messages(boot, {}, [], lines=boot) for boot in range(10)]


def drawn(frame: pd.DataFrame, kind: str) -> tuple[list[str], list[str], dict[str, bytes]]:
    """No plots."""
    return [], [], {}


@pytest.fixture
def result(tmp_path) -> Callable:
    def make(name, records=(), **options):
        return synthetic.result(tmp_path / name, what=FEW, processes=10, boots=10, messages=records, **options)

    return make


def compared(*folders):
    return comparison.compare(comparison.load(list(folders)))


def test_a_boot_that_fell_comes_first_in_every_text_of_a_result(result):
    folder = result("fell", [Failed(9, "", WHY)])
    made = pages.read(folder)
    for text in (pages.page(made), pages.everything(made), pages.short(made), blocks.block([folder])):
        assert words(text).startswith(FELL)
        assert_mailable(text)
    html = pages.as_html(folder, drawn).read_text()
    assert html.index("Boot 9 came to no end") < html.index("One tracking interval costs")


@pytest.mark.parametrize("which", ["base", "new"])
def test_a_boot_that_fell_comes_before_the_verdict_of_a_comparison(result, which):
    fell = [Failed(9, "", WHY)]
    base, new = (result(name, fell if name == which else (), factor={"scan-wp": 0.5} if name == "new" else None)
                 for name in ("base", "new"))  # fmt: skip
    made = compared(base, new)
    for text in (comparisons.text(made), blocks.block([base, new])):
        assert words(text).startswith(f"{which}: {FELL} ")
    assert comparisons.markdown(made).startswith(f"**{which}: Boot 9 came to no end: ")
    with pytest.raises(NoVerdict, match=f"no verdict: {which}: Boot 9 came to no end: the guest's kernel crashed"):
        gate.judge(made, 3.0)


def test_a_boot_that_fell_comes_first_in_verdicts(tmp_path):
    found = verdicts.load(synthetic.played(tmp_path / "one", messages=[Failed(9, "", WHY)]))
    assert words(pages.meant([found])).startswith(FELL)
    assert f"# {FELL}" in list(ktap.ktap(found))
    other = verdicts.load(synthetic.played(tmp_path / "two", "7.3.4"))
    with pytest.raises(NoVerdict, match=r"no verdict: one: Boot 9 came to no end"):
        gate.judge_verdicts([other, found._replace(cells=other.cells)])


def test_boots_that_fell_are_not_all_named(result):
    lines = sentences.fallen([f"Boot {i} came to no end" for i in range(8)], "new")
    assert lines[-1] == "new: and 3 more boots like it."
    assert len(sentences.fallen(["x" * 5000])[0]) < 500


def test_a_boot_that_was_begun_again_did_not_fall(result):
    folder = result("again")
    plan, *rest = log.read(folder / log.FILE)[0]
    synthetic.write(folder, [plan, Failed(9, "", WHY), *rest])
    assert not frames.load(folder).fallen


def test_a_log_that_was_flooded_is_not_called_clean(result, tmp_path):
    folder = result("flood", [*CLEAN[:1], FLOOD])
    said = "Kernel log: 5,000 lines were printed while boot 1 was measured: times may be of printing them."
    for text in (pages.page(pages.read(folder)), blocks.block([folder])):
        assert said in words(text)
        assert "clean" not in text
    assert said in pages.as_html(folder, drawn).read_text()
    played = verdicts.load(synthetic.played(tmp_path / "played", messages=[FLOOD._replace(boot=0)]))
    assert said.replace("boot 1", "boot 0") in words(pages.meant([played]))
    assert f"# {said.replace('boot 1', 'boot 0')}" in list(ktap.ktap(played))
    more = {0: FLOOD._replace(boot=0, lines=101), 1: FLOOD, 2: CLEAN[2]}
    assert "and in 1 more of 3 more than 100" in sentences.flooded(more)[0]
    assert not sentences.flooded({one.boot: one for one in CLEAN})


def test_complaints_are_said_beside_a_flood():
    said = sentences.kernel_log({0: Messages(0, {"WARNING": 3}, ["[ 1.0] WARNING: x"], lines=300)}, "new")
    assert [line[:18] for line in said] == ["Kernel log of new:", "KERNEL LOG of new:"]


def test_where_one_of_two_kernels_printed_much_what_differs_may_be_that(result):
    base, new, also = result("base", CLEAN), result("new", [*CLEAN[2:], FLOOD]), result("also", [FLOOD])
    said = "Printing: of kernel log, base 9 lines and new 5,000 lines in a boot: a difference between them may be"
    made = compared(base, new)
    assert said in words(comparisons.text(made))
    assert said in words(blocks.block([base, new]))
    with pytest.raises(NoVerdict, match="no verdict: Printing: of kernel log"):
        gate.judge(made, 3.0)
    assert "Printing" not in comparisons.text(compared(new, also)), "both did"


def test_what_guests_say_is_no_markup(result):
    bad = "<img src=x onerror=alert(1)> | `x` **y** [z](http://w)"
    base, new = result("base"), result("new", [Failed(9, "", bad)], findings={"scan-wp": bad})
    text = comparisons.markdown(compared(base, new))
    assert "<img" not in text
    assert "[z](" not in text
    html = pages.as_html(new, drawn).read_text()
    assert "<img" not in html
    assert "&lt;img" in html


def test_what_failed_in_a_play_is_no_directive(tmp_path):
    runs = {("plain", "scan-wp"): [Plays(1, failed="x # SKIP y\nok 1 z")]}
    lines = list(ktap.ktap(verdicts.load(synthetic.played(tmp_path, runs=runs))))
    assert "  # failed: x SKIP y ok 1 z" in lines
