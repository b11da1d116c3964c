# SPDX-License-Identifier: GPL-2.0-only
"""What --fail-on fails, what it can't tell, and what is an all-clear."""

import pytest

from bench.errors import LimitExceeded, NoVerdict
from bench.plan.records import Messages, Plays, Timed
from bench.report import comparisons, gate, pages
from bench.stats import comparison
from bench.store import frames, log, verdicts
from tests import synthetic
from tests.report.test_comparisons import result
from tests.texts import assert_mailable, words

WRONG = {("scan-wp", "random", 1000): (0, 1)}
FINDING = {"scan-wp": "asked for PAGE_IS_WRITTEN of 128 pages after pages 1,4,5 were written: reported 1,4 (missed 5)"}
WARNING = [Messages(boot, {"WARNING": 1}, ["[    9.000000] WARNING: CPU: 0 at mm/x.c:1"]) for boot in range(10)]
CLEAN = [Messages(boot, {}, []) for boot in range(10)]


def judged(*folders, limit=3.0, **options):
    """What the gate says of results: the words of its error, or of its all-clear."""
    made = comparison.compare(comparison.load(list(folders)), **options)
    return gate.judge(made, limit)


@pytest.fixture
def base(tmp_path):
    return result(tmp_path / "base", messages=CLEAN)


def test_equal_kernels_are_an_all_clear(base, tmp_path):
    assert judged(base, result(tmp_path / "new", luck=8, messages=CLEAN)) == (
        "--fail-on 3%: nothing is worse in 16 cases."
    )
    assert judged(base, result(tmp_path / "faster", luck=8, factor={"scan-wp": 0.5})), "faster is no regression"


def test_a_slow_down_beyond_the_limit_fails_and_one_below_does_not(base, tmp_path):
    slow = result(tmp_path / "slow", luck=8, factor={"scan-softdirty": 1.05})
    with pytest.raises(LimitExceeded, match=r"4 of 16 cases are significantly more than 3% slower") as caught:
        judged(base, slow)
    assert caught.value.status == 1
    assert judged(base, slow, limit=20.0)


def test_pages_wrong_in_new_that_were_right_in_base(base, tmp_path):
    bad = result(tmp_path / "bad", luck=8, wrong=WRONG)
    with pytest.raises(LimitExceeded, match="WRONG PAGES in bad, not in base: scan-wp, random 10%, 1000 pages: 20 of"):
        judged(base, bad)
    also = result(tmp_path / "also", luck=9, wrong=WRONG)
    assert judged(also, bad), "known before: no news"
    assert judged(also, base), "mended"
    with pytest.raises(LimitExceeded, match="WRONG PAGES"):
        judged(base, bad, metric="collect_reset")  # which that form has not: its pages are wrong all the same
    assert judged(base, bad, pattern="* clear_refs"), "who filters has said what counts"


def test_findings_of_probes_that_are_new(base, tmp_path):
    bad = result(tmp_path / "bad", luck=8, findings=FINDING)
    with pytest.raises(LimitExceeded, match=r"WRONG in bad, not in base: scan-wp: asked for .* \(missed 5\)"):
        judged(base, bad)
    assert judged(result(tmp_path / "also", luck=9, findings=FINDING), bad)
    text = comparisons.text(comparison.compare(comparison.load([base, bad])))
    assert_mailable(text)
    assert words(text).startswith("WRONG: bad: scan-wp: asked for PAGE_IS_WRITTEN of 128 pages after pages 1,4,5")


def test_cases_that_vanished(base, tmp_path):
    less = result(tmp_path / "less", luck=8, interfaces=("none", "clear_refs", "scan-softdirty"))
    with pytest.raises(LimitExceeded, match="8 cases of base not in less, such as idle pages=1000 dirty=0% scan-wp"):
        judged(base, less)
    assert judged(less, base), "more is no loss"
    with pytest.raises(NoVerdict, match="matches no case of less") as caught:
        judged(base, less, pattern="* scan-wp")
    assert caught.value.status == 3


def test_new_complaints_of_the_kernel(base, tmp_path):
    loud = result(tmp_path / "loud", luck=8, messages=WARNING)
    with pytest.raises(LimitExceeded, match=r"kernel log of loud has 10 WARNING \(against 0\); its first lines: \[ +9"):
        judged(base, loud)
    assert judged(loud, result(tmp_path / "same", luck=9, messages=WARNING))
    assert judged(loud, result(tmp_path / "few", luck=9, messages=WARNING[:4])), "as often a boot"
    more = [one._replace(counts={"WARNING": 2}) for one in WARNING]
    with pytest.raises(LimitExceeded, match=r"20 WARNING \(against 10\)"):
        judged(loud, result(tmp_path / "more", luck=9, messages=more))
    other = [one._replace(counts={"WARNING": 1, "lockdep": 1}) for one in WARNING]
    with pytest.raises(LimitExceeded, match=r"has 10 lockdep \(against 0\)"):
        judged(loud, result(tmp_path / "other", luck=9, messages=other))


def test_wrong_beats_too_few_runs_and_all_reasons_are_named(tmp_path):
    few = {"processes": 3, "boots": 1}
    base = result(tmp_path / "base", **few)
    with pytest.raises(NoVerdict, match=r"no verdict: too few runs: it takes \d+ processes or more in each") as caught:
        judged(base, result(tmp_path / "new", luck=8, **few))
    assert caught.value.status == 3
    bad = result(tmp_path / "bad", luck=8, wrong=WRONG, findings=FINDING, **few)
    with pytest.raises(LimitExceeded, match=r"2 reasons to fail:\n  WRONG in bad.*\n  WRONG PAGES in bad") as caught:
        judged(base, bad)
    assert caught.value.status == 1


def test_one_of_several_that_can_not_be_told_leaves_it_open(base, tmp_path):
    good, few = result(tmp_path / "good", luck=8), result(tmp_path / "few", luck=9, processes=3, boots=3)
    with pytest.raises(NoVerdict, match="too few runs"):
        judged(base, good, few)


def test_what_was_not_measured_to_its_end_is_no_all_clear(base, tmp_path):
    with pytest.raises(NoVerdict, match="INCOMPLETE: short: 80 of 400 planned runs"):
        judged(base, result(tmp_path / "short", luck=8, planned=100))


def test_a_change_that_may_be_chance_is_no_all_clear(tmp_path):
    """Noise of 8 %: one test alone would call some cases worse, sixteen do not, and it is no all-clear either."""
    few = {"processes": 10, "boots": 10, "noise": 0.08}
    base = result(tmp_path / "base", **few)
    slow = result(tmp_path / "slow", luck=11, factor={"scan-softdirty": 1.04}, **few)
    found = comparison.compare(comparison.load([base, slow]))
    unsure = found.frame[~found.frame["significant"] & (found.frame["low"] > 1) & (found.frame["ratio"] > 1.03)]
    assert not unsure.empty, "the case this test is about"
    assert not found.frame["significant"].any()
    with pytest.raises(NoVerdict):
        gate.judge(found, 3.0)
    assert gate.undecided(found, 3.0)[0].startswith(f"{len(unsure)} case")
    assert "among 16 tests perhaps by chance" in gate.undecided(found, 3.0)[0]


def test_nothing_in_common_is_no_verdict(base, tmp_path):
    with pytest.raises(NoVerdict, match="have no case in common"):
        judged(base, result(tmp_path / "elsewhere", what=[("hotset", 50, 10.0)]))


def test_the_first_line_of_a_report_says_what_was_wrong_and_which_pages(tmp_path):
    folder = result(tmp_path / "bad", findings=FINDING, wrong=WRONG, messages=CLEAN)
    records = [
        one._replace(series=[some._replace(example="missed 993" if some.missed else "") for some in one.series])
        if isinstance(one, Timed) else one for one in log.read(folder / log.FILE)[0]
    ]  # fmt: skip
    synthetic.write(folder, records)
    text = pages.page(pages.read(folder))
    assert_mailable(text)
    said = words(text)
    assert said.startswith(f"WRONG: scan-wp: {FINDING['scan-wp']}. WRONG PAGES: 20 of ")
    assert "1 written but not reported (first missed 993)" in said or "(first missed 993)" in said
    assert "Kernel log: clean." in said
    assert frames.load(folder).findings == FINDING


def test_the_kernel_log_is_shown_with_its_first_line(tmp_path):
    said = words(pages.page(pages.read(result(tmp_path / "loud", messages=WARNING))))
    assert "KERNEL LOG: 10 WARNING in 10 boots; first: [ 9.000000] WARNING: CPU: 0 at mm/x.c:1" in said
    unread = [Messages(0, {}, [], "/dev/kmsg: Operation not permitted")]
    said = words(pages.page(pages.read(result(tmp_path / "unread", messages=unread))))
    assert "Kernel log: not readable (/dev/kmsg: Operation not permitted)." in said
    assert "Kernel log" not in pages.page(pages.read(result(tmp_path / "older")))


def test_what_is_known_of_an_interface_is_said_and_is_wrong_all_the_same(tmp_path):
    options = {"interfaces": ("none", "clear_refs", "v6"), "wrong": {("v6", "random", 1000): (0, 9)}}
    said = words(pages.page(pages.read(result(tmp_path / "v6", **options))))
    assert said.startswith("WRONG PAGES: 20 of ")
    assert "Known of v6: a reset leaves TLB entries" in said
    other = result(tmp_path / "other", wrong={("clear_refs", "random", 1000): (0, 9)})
    assert "Known of" not in words(pages.page(pages.read(other)))


def test_verdicts_of_scenarios_that_are_new(tmp_path):
    right = {(scenario, name): [Plays(3, written=1)] for scenario in synthetic.SCENARIOS for name in synthetic.NAMES}
    wrong = right | {("plain", "scan-wp"): [Plays(3, missed=1, broken=1, written=1)]}
    known = [Messages(0, {"WARNING": 1}, ["[    9.000000] WARNING: x"])]
    made = {
        "base": synthetic.played(tmp_path / "base", runs=right),
        "same": synthetic.played(tmp_path / "same", "7.3.4"),
        "lost": synthetic.played(tmp_path / "lost", runs=wrong),
        "finding": synthetic.played(tmp_path / "finding", runs=right, findings=FINDING),
        "loud": synthetic.played(tmp_path / "loud", runs=right, messages=known),
        "less": synthetic.played(tmp_path / "less", runs=right, names=("clear_refs",)),
        "other": synthetic.played(tmp_path / "other", runs=right, scenarios=("another",)),
    }
    loaded = {name: verdicts.load(folder) for name, folder in made.items()}
    clear = gate.judge_verdicts([loaded["base"], loaded["base"]])
    assert clear == "--fail-on worse: nothing is worse in 10 verdicts."
    assert gate.judge_verdicts([loaded["lost"], loaded["base"]])
    assert gate.judge_verdicts([loaded["same"], loaded["same"]]), "wrong in both is no news"
    for name, said in {
        "lost": "1 verdict worse in lost against base, such as plain with scan-wp: -1 against exact",
        "finding": r"WRONG in finding, not in base: scan-wp: asked for",
        "loud": r"the kernel log of loud has 1 WARNING \(against 0\)",
        "less": "5 verdicts of base not in less, such as plain with scan-wp",
    }.items():
        with pytest.raises(LimitExceeded, match=said):
            gate.judge_verdicts([loaded["base"], loaded[name]])
    with pytest.raises(NoVerdict, match="base and other have no scenario in common"):
        gate.judge_verdicts([loaded["base"], loaded["other"]])
