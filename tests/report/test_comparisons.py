# SPDX-License-Identifier: GPL-2.0-only
"""Base against patched: the verdict, what it rests on, what else differed, and what is refused."""

import io
import json
import re

import numpy as np
import pandas as pd
import pytest

from bench.errors import BadInput
from bench.plan import kconfig, records
from bench.report import blocks, changes, comparisons, exports, pages
from bench.stats import comparison, samples
from plots import drawing
from tests import synthetic
from tests.texts import assert_golden, assert_mailable, words

WHAT = [("random", pages, 10.0) for pages in (100, 1000, 10000)] + [("idle", 1000, 0.0)]


def result(path, **options):
    """Write a synthetic result and return its folder."""
    settings = {"what": WHAT, "processes": 20, "boots": 10, "rounds": 1, "noise": 0.005} | options
    return synthetic.result(path, **settings)


@pytest.fixture
def pair(tmp_path):
    """Two results of which scan-wp got 10 % faster and scan-softdirty 5 % slower."""
    factor = {"scan-wp": 0.9, "scan-softdirty": 1.05}
    return [result(tmp_path / "base"), result(tmp_path / "patched", luck=8, factor=factor, kernel_release="6.13.0")]


def made(folders, **options):
    return comparison.compare(comparison.load(folders), **options)


def test_what_changed_is_found_with_its_size_and_nothing_else(pair):
    found = made(pair)
    frame = found.frame.set_index(["form", "pages", "workload"]).sort_index()
    assert len(frame) == 4 * 4 == found.tests
    assert set(frame.index[frame["significant"]].get_level_values("form")) == {"scan-wp", "scan-softdirty"}
    assert frame.loc["scan-wp", "significant"].all()
    for form, ratio in (("scan-wp", 0.9), ("scan-softdirty", 1.05)):
        row = frame.loc[form, 1000, "idle"]  # idle: no untracked writes that the factor does not touch
        assert row["ratio"] == pytest.approx(ratio, rel=0.01)
        assert row["low"] <= ratio <= row["high"]
    assert (frame["ratio"] == frame["new"] / frame["base"]).all()
    ratio, low, high = found.geomean("patched", "scan-wp")
    assert low < ratio < high < 1


def test_the_text_says_so_first(pair):
    text = comparisons.text(made(pair))
    assert_mailable(text)
    first = words(text.split("\n\n")[0])
    assert re.match(r"8 of 16 cases differ: 4 are faster, by up to \d+\.\d% \(scan-wp, .*; 95% CI \d", first)
    assert re.search(r"; 4 are slower, by up to \d\.\d% \(scan-softdirty, ", first)
    assert "Mann-Whitney on boots, Holm over 16 tests, 0.05; geomean -" in first
    assert_golden("compare.txt", text)


def test_two_runs_of_one_kernel_do_not_differ(tmp_path):
    text = comparisons.text(made([result(tmp_path / "first"), result(tmp_path / "second", luck=8)]))
    assert text.splitlines()[0].startswith("  No significant difference")
    assert re.search(r"changes are known to \+-0\.\d+% or better", words(text))
    assert text.count("~") >= 16


def test_several_results_get_a_column_each_against_the_first(tmp_path, pair):
    third = result(tmp_path / "third", luck=9, factor={"clear_refs": 2.0})
    text = comparisons.text(made([*pair, third]))
    assert_mailable(text)
    assert "cases of patched differ" in words(text)
    assert "cases of third differ: 4 are slower" in words(text)
    assert re.search(r"^  case, pages +base +new 1 +new 2$", text, re.M)
    line = next(line for line in text.splitlines() if line.startswith("    random 10% 1000 "))
    assert re.search(r"~ +\+1\d\d% \+-\d", line), line
    assert_golden("compare3.txt", text)
    four = made([*pair, third, result(tmp_path / "fourth", seed=10)])
    assert_mailable(comparisons.text(four))
    assert "new 3" in comparisons.text(four)


def test_processes_of_one_boot_are_no_match_for_boots(tmp_path):
    """What a boot deals to all its processes would else count as a difference between kernels."""
    folders = [result(tmp_path / "many"), result(tmp_path / "one", luck=8, boots=1, factor={"scan-wp": 1.3})]
    found = made(folders)
    assert not found.frame["significant"].any()
    assert words(comparisons.text(found)).startswith("Too few runs for a verdict")
    both = [result(tmp_path / f"one{i}", luck=i, boots=1, factor={"scan-wp": i}) for i in (1, 2)]
    assert "Mann-Whitney on processes within one boot of each" in words(comparisons.text(made(both)))


def test_a_result_with_few_runs_has_no_verdict_beside_one_that_has(tmp_path, pair):
    text = words(comparisons.text(made([*pair, result(tmp_path / "few", luck=9, processes=3, boots=3)])))
    assert "of patched differ" in text
    assert "Too few runs for a verdict of few: among 32 tests" in text


def test_a_range_is_not_called_an_interval(tmp_path):
    few = {"processes": 5, "boots": 5, "what": WHAT[:1]}
    text = words(
        comparisons.text(
            made([result(tmp_path / "a", **few), result(tmp_path / "b", luck=8, factor={"scan-wp": 2}, **few)])
        )
    )
    assert "1 of 4 cases differ: 1 is slower, by" in text
    assert re.search(r"100 pages; range \d", text)
    assert "median +- 95% CI, or range of fewer than 6 runs" in text


def test_instructions_are_not_compared_with_time(tmp_path):
    with pytest.raises(BadInput, match="kvm measures time, counted measures instructions: there is no ratio of them"):
        made([result(tmp_path / "kvm"), result(tmp_path / "counted", where="tcg-icount")])


def counted(path, **options):
    return result(path, **{"where": "tcg-icount", "processes": 10, "boots": 5, "noise": 0.0002} | options)


def test_counted_changes_are_of_instructions_and_have_no_p(tmp_path):
    factor = {"scan-wp": 0.97, "scan-softdirty": 1.05}
    found = made([counted(tmp_path / "base"), counted(tmp_path / "patched", luck=8, factor=factor)])
    text = comparisons.text(found)
    assert_mailable(text)
    assert_golden("compare-counted.txt", text)
    first = words(text.split("\n\n")[0])
    assert first.startswith("8 of 16 cases differ by more than their boots do: 4 execute fewer instructions, by up to")
    assert re.search(r"; 4 execute more instructions, by up to 6\.\d% \(scan-softdirty, .*; range ", first)
    assert not re.search(r"\bus\b|faster|slower|95% CI|Mann-Whitney|Holm|\bp\b", text)
    assert re.search(r"^  case, pages +base +new +change$", text, re.M)
    assert "all phases less the untracked writes, instructions (median +- the furthest boot)" in words(text)
    said = changes.failure(found, 3)
    assert re.match(r"4 of 16 cases execute more than 3% more instructions, by up to 6\.\d%", said)
    table = comparisons.markdown(found)
    assert "base, instructions" in table
    assert "p (Holm)" not in table
    assert not re.search("faster|slower|95% CI", table)
    exported = pd.read_csv(io.StringIO(exports.comparison_csv(found)))
    assert set(exported["unit"]) == {"instruction"}
    assert exported[["p", "p_holm"]].isna().all(axis=None)
    json.loads(exports.comparison_json(found))


def test_counted_results_of_one_kernel_do_not_differ(tmp_path):
    found = made([counted(tmp_path / "a"), counted(tmp_path / "b", luck=8)])
    text = words(comparisons.text(found))
    assert text.startswith("No difference in 16 cases beyond what boots differ by (geomean ")
    assert re.search(r"half of the cases repeat to \+-0\.\d\d% or better", text)
    assert not changes.failure(found, 0)
    few = made([counted(tmp_path / "c", boots=4), counted(tmp_path / "d", boots=4, luck=8, factor={"scan-wp": 2})])
    assert words(comparisons.text(few)).startswith("Too few runs for a verdict: it takes 5 boots or more in each")
    assert not few.frame["significant"].any()
    assert_mailable(blocks.block([tmp_path / "a", tmp_path / "b"]))


def test_an_incomplete_result_is_named(tmp_path):
    folders = [result(tmp_path / "base"), result(tmp_path / "patched", luck=8, planned=100)]
    assert "INCOMPLETE: patched: 80 of 400 planned runs." in words(comparisons.text(made(folders)))
    assert "INCOMPLETE: patched" in words(blocks.block(folders))


def test_what_a_cover_letter_shows_does_not_depend_on_what_came_out(tmp_path):
    what = [("random", pages, dirty) for pages in (1, 100, 10000) for dirty in (1.0, 10.0, 20.0, 50.0)]
    factor = {"scan-wp": 0.6, "scan-wp atomic": 0.6, "clear_refs": 1.05, "scan-softdirty": 1.05}
    base = result(tmp_path / "base", what=what)
    folders = [base, result(tmp_path / "patched", luck=8, what=what, factor=factor)]
    shown = comparisons.representative(made(folders))
    alike = comparisons.representative(made([base, result(tmp_path / "alike", luck=9, what=what)]))
    cases = [
        list(some[["form", "pages", "dirty_percent"]].itertuples(index=False, name=None)) for some in (shown, alike)
    ]
    assert cases[0] == cases[1]
    assert {(pages, dirty) for _, pages, dirty in cases[0]} == {(10000, 1.0), (10000, 10.0), (10000, 50.0)}
    assert {form for form, *_ in cases[0]} == set(factor)
    text = blocks.block(folders)
    assert_mailable(text)
    assert "12 of 48 cases: the same for every result" in words(text)
    assert re.search(r"geomean of 12 ", text), "of all cases of a form, not of those shown"
    assert re.search(r"^  highest of 48 cases: (clear_refs|scan-softdirty)$", text, re.M)
    assert re.search(r"^  lowest of 48 cases: scan-wp", text, re.M)
    assert_mailable(blocks.block([*folders, result(tmp_path / "third", luck=9, what=what)]))


def test_a_cover_letter_takes_a_filter_a_metric_and_every_case(pair):
    assert "highest of" not in blocks.block(pair, everything=True)
    assert blocks.block(pair, everything=True).count("random 10% 100 ") == 4
    only = words(blocks.block(pair, metric="reset", pattern="random*scan-wp"))
    assert "One tracking interval: phase reset" in only
    assert "clear_refs random" not in only


def test_a_change_that_is_not_claimed_is_shown_beside_its_sign(tmp_path):
    text = comparisons.text(made([result(tmp_path / "first"), result(tmp_path / "second", luck=8)]))
    assert len(re.findall(r"[+-]\d+\.\d+% ~ ", text)) == 16
    assert re.search(r"change +p \(Holm\)$", text, re.M)
    assert " 0.000" not in text


def test_the_geometric_mean_of_the_verdict_has_the_tables_sign(pair):
    text = words(comparisons.text(made(pair), sign="improvement"))
    assert re.match(r"8 of 16 cases differ: 4 are faster, by up to 1\d\.\d%.* geomean \+\d", text)


THERE = {"reset", "dirty", "collect", "collect_reset"}
NOT_THERE = {*records.PHASES, *records.WAITS, "life"} - THERE


@pytest.mark.parametrize("metric", [one for one in comparison.METRICS if one not in NOT_THERE])
def test_every_metric(pair, metric):
    found = made(pair, metric=metric)
    assert_mailable(comparisons.text(found))
    if metric in ("reset", "collect", "collect_reset"):
        phase = {"collect_reset": {"scan-wp atomic"}}.get(metric, {"clear_refs", "scan-softdirty", "scan-wp"})
        assert set(found.frame["form"]) == phase
    if metric in ("dirty", "tracked"):
        assert "idle" not in set(found.frame["workload"])


def test_a_phase_that_no_case_has_is_refused(pair):
    with pytest.raises(BadInput, match="no case has disarm"):
        made(pair, metric="disarm")


def test_filter_sort_sign_and_alpha(pair):
    found = made(pair, pattern="random*scan-wp")
    assert set(zip(found.frame["workload"], found.frame["form"], strict=True)) == {("random", "scan-wp")}
    assert found.tests == 3
    with pytest.raises(BadInput, match="matches no case") as caught:
        made(pair, pattern="nothing*")
    assert "idle pages=1000 dirty=0% clear_refs" in caught.value.hint
    everything = made(pair)
    text = comparisons.text(everything, sort="change")
    shown = [float(n) for n in re.findall(r"(-\d+\.\d)% +(?:0\.\d{3}|<0\.001)$", text, re.M)]
    assert shown == sorted(shown)
    turned = comparisons.text(everything, sign="improvement")
    assert re.search(r"\+1\d\.\d% +(?:0\.\d{3}|<0\.001)$", turned, re.M)
    assert "improvement = 1 - new/old" in words(turned)
    assert not made(pair, alpha=1e-9).frame["significant"].any()


def test_too_few_runs_say_how_many_it_takes(tmp_path):
    few = {"processes": 4, "boots": 1}
    folders = [result(tmp_path / "a", **few), result(tmp_path / "b", luck=8, factor={"scan-wp": 0.5}, **few)]
    text = words(comparisons.text(made(folders)))
    needed = samples.needed(16, 0.05)
    assert f"among 16 tests no difference can be significant; it takes {needed} processes or more" in text
    assert text.startswith("Too few runs for a verdict")
    assert "Too few runs to say how sure a median of a is: 4 processes; a 95% CI needs 6." in text
    assert "One boot only (a, b)" in text
    enough = [result(tmp_path / f"{i}", processes=needed, boots=1, luck=i, factor={"scan-wp": i}) for i in (1, 2)]
    assert made(enough).frame["significant"].any()


def test_wrong_pages_come_before_everything(tmp_path):
    wrong = {("scan-wp", "random", 1000): (512, 0)}
    found = made([result(tmp_path / "base"), result(tmp_path / "patched", luck=8, wrong=wrong)])
    text = comparisons.text(found)
    assert_mailable(text)
    assert words(text).startswith("WRONG PAGES: patched: 20 of")
    line = next(line for line in text.splitlines() if "*" in line and "random 10% 1000" in line)
    assert re.search(r"1000 +\d\S+ \+-\S+ +\*\d", line), "the new value is marked, the base's is not"
    assert "* = not every interval was exact" in words(text)
    assert comparisons.markdown(found).startswith("**WRONG PAGES")
    assert words(blocks.block([tmp_path / "base", tmp_path / "patched"])).startswith("WRONG PAGES: patched")


def test_differences_of_the_machine_are_named(tmp_path):
    base = {"kernel_config": "HZ=250 KSM=y", "mitigations": "meltdown: PTI; spectre_v2: IBRS", "memory_bytes": 4 << 30}
    new = {"kernel_config": "HZ=1000 KSM=y", "mitigations": "spectre_v2: IBRS", "memory_bytes": 8 << 30,
           "cpu_model_name": "Another CPU", "thp_enabled": "always", "seed": 43, "version": "9"}  # fmt: skip
    folders = [result(tmp_path / "base", **base), result(tmp_path / "patched", luck=8, **new)]
    text = words(comparisons.text(made(folders)))
    assert "base and patched differ in more than the kernel: CPU (Invented CPU" in text
    for part in (
        "kernel config (HZ=250 against HZ=1000)",
        "mitigations (meltdown: PTI against nothing)",
        "RAM, MiB (4096 against 8192)",
        "suite version (1 against 9)",
        "seed (42 against 43)",
        "Unknown of base: THP setting; whether it is that of the other can't be told.",
    ):
        assert part in text
    assert "THP setting (" not in text
    fewer = result(tmp_path / "fewer", processes=10, what=WHAT[:2])
    text = words(comparisons.text(made([tmp_path / "base", fewer])))
    assert (
        "runs (20 runs each (10 boots x 2), 1 value a run against 10 runs each (10 boots x 1), 1 value a run)" in text
    )
    assert "8 cases of base not in fewer, such as: idle pages=1000 dirty=0% clear_refs." in text


def test_a_configuration_that_is_not_known_is_not_called_different(tmp_path):
    folders = [
        result(tmp_path / "base", kernel_config="HZ=250 KSM=y"),
        result(tmp_path / "patched", luck=8, kernel_config=kconfig.UNKNOWN),
    ]
    text = words(comparisons.text(made(folders)))
    assert "differ in more than the kernel" not in text
    assert "Unknown of patched: kernel config; whether it is that of the other can't be told." in text


def test_a_little_less_memory_is_no_other_machine(tmp_path):
    folders = [
        result(tmp_path / "base", memory_bytes=4 << 30),
        result(tmp_path / "patched", luck=8, memory_bytes=(4 << 30) - (30 << 20)),
    ]
    assert "RAM" not in comparisons.text(made(folders))


def test_nonsense_is_refused_with_the_reason(tmp_path):
    base = result(tmp_path / "base")
    cases = {
        "measured different things": result(tmp_path / "other", suite="other"),
        "no case in common": result(tmp_path / "elsewhere", what=[("hotset", 50, 10.0)]),
        "given twice": base,
    }
    for reason, folder in cases.items():
        with pytest.raises(BadInput, match=reason) as caught:
            made([base, folder])
        assert caught.value.hint
    with pytest.raises(BadInput, match="needs two results"):
        comparison.load([base])


def test_who_measured_different_things_is_told_the_command_that_the_plan_has(tmp_path):
    """The name of a suite may be none that `run` takes, such as own."""
    folders = [result(tmp_path / "a", suite="own", command="./bench.py run --pages 1"), result(tmp_path / "b")]
    with pytest.raises(BadInput, match="measured different things") as caught:
        made(folders)
    assert caught.value.hint == "measure b again as a was: ./bench.py run --pages 1"


def test_results_of_one_name_are_told_apart(tmp_path):
    found = made([result(tmp_path / "one/x"), result(tmp_path / "two/x", luck=8)])
    assert {str(tmp_path / "two/x")} == set(found.frame["new_name"])
    assert_mailable(comparisons.text(found))


def test_csv_and_json_hold_what_the_text_says(pair):
    found = made(pair)
    table = pd.read_csv(io.StringIO(exports.comparison_csv(found)))
    assert len(table) == 16
    assert set(table["schema"]) == {exports.COMPARISON_SCHEMA}
    np.testing.assert_allclose(table["ratio"], table["new_median"] / table["base_median"])
    assert table["significant"].sum() == 8
    assert (table["base_units"] == 10).all()
    assert set(table["unit"]) == {"second"}
    data = json.loads(exports.comparison_json(found))
    assert data["verdict"] == changes.verdict(found)
    assert [one["name"] for one in data["results"]] == ["base", "patched"]
    assert data["results"][1]["metadata"]["kernel_release"] == "6.13.0"
    assert len(data["cases"]) == 16
    assert data["cases"][0]["p_holm"] == pytest.approx(table["p_holm"][0])
    assert {one["form"] for one in data["geomeans"]} == {None, *table["form"]}


def test_markdown_is_one_table_with_a_row_for_each_case(pair):
    text = comparisons.markdown(made(pair))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 16
    assert len({line.count("|") - line.count("\\|") for line in rows}) == 1
    assert any("| scan-wp | idle 1000 |" in line and "-10." in line for line in rows)


def test_costs_that_noise_made_negative_are_no_change(pair):
    sides = comparison.load(pair)
    for one in sides:
        one.rows.loc[one.rows["form"] == "clear_refs", "cost"] = -1e-6
    found = comparison.compare(sides)
    text = comparisons.text(found)
    assert_mailable(text)
    assert "? = a median is not positive" in words(text)
    assert not found.frame[found.frame["form"] == "clear_refs"]["significant"].any()
    json.loads(exports.comparison_json(found))


def test_regressions_need_both_significance_and_size(pair):
    found = made(pair)
    assert set(found.regressions(0.03)["form"]) == {"scan-softdirty"}
    assert found.regressions(0.2).empty
    assert changes.failure(found, 3).startswith("4 of 16 cases are significantly more than 3% slower, by up to 6.")
    assert not changes.failure(found, 20)


def test_kept_comparison(pair, tmp_path):
    pages.compared(made(pair), tmp_path / "kept", drawing.every)
    assert {p.name for p in (tmp_path / "kept").iterdir()} == {
        "compare.txt", "compare.csv", "forest.png", "forest.svg",
    }  # fmt: skip
    text = (tmp_path / "kept/compare.txt").read_text()
    assert_mailable(text)
    assert "forest" in text
