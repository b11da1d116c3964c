# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts for kernel CI, each format read by the parser of those who read it."""

import io
import json
import re

import kcidb_io
import pytest
from click.testing import CliRunner
from mesonbuild.mtest import TAPParser
from tap.parser import Parser

from bench.plan.records import BREAKS, CRASHED, HUNG, Machine, Played, Plays
from bench.report import judged, kcidb, ktap, outcomes
from bench.run.main import main
from bench.store import log, verdicts
from tests import synthetic
from tests.report.test_ktap import Ktap, text_of

PANIC = "[    2.000000] Kernel panic - not syncing: VFS: # it ended here"
DIED = {
    ("plain", "scan-wp"): [Plays(1, failed=PANIC, ended=CRASHED)],
    ("swapped", "scan-wp"): [Plays(1, failed="no answer for 60 s", ended=HUNG)],
    ("swapped", "clear_refs"): [Plays(1, failed="read(2) into it fails with EFAULT", ended=BREAKS)],
}


@pytest.fixture
def one(tmp_path):
    return verdicts.load(synthetic.played(tmp_path / "one"))


@pytest.fixture
def died(tmp_path):
    return verdicts.load(synthetic.played(tmp_path / "died", runs=DIED))


def of_kselftest(text):
    """Names and results as LKFT's parser takes them out of a log of kselftest.

    The rules of automated/linux/kselftest/parse-output.py in Linaro/test-definitions, over the parser of TAP that it
    uses: diagnostics before a result are, without their sign, the log of the tests in it; the reason of a SKIP belongs
    to the name; names are joined by underscores.
    """
    found, inner = {}, ""
    for line in Parser().parse_text(text):
        if line.category == "diagnostic":
            inner += line.text.removeprefix("#").strip() + "\n"
        elif line.category == "test":
            reason = line.directive.text[4:] if line.ok and line.skip else ""
            name = re.sub(r"[^A-Za-z0-9_-]+", "_", f"{line.description} {reason}".strip()).strip("_")
            found |= {f"{name}_{part}": result for part, result in of_kselftest(inner).items()}
            assert name not in found, "a name that is there twice is called _dup2"
            found[name] = ("skip" if line.skip else "pass") if line.ok else "fail"
            inner = ""
    return found


def of_runner(text):
    """What kselftest/runner.sh makes of a program's output: a test of its own list."""
    inner = "".join(f"# {line}\n" for line in text.splitlines())
    return f"TAP version 13\n1..1\n# timeout set to 45\n# selftests: mm: meaning\n{inner}ok 1 selftests: mm: meaning\n"


def tap_of(result, base=None):
    return "\n".join(ktap.tap(result, base)) + "\n"


def totals(text):
    """The last line of a program of kselftest, as ksft_print_cnts() has it."""
    found = re.fullmatch(
        r"# Totals: pass:(\d+) fail:(\d+) xfail:(\d+) xpass:(\d+) skip:(\d+) error:(\d+)", text.splitlines()[-1]
    )
    return dict(zip(judged.STATES, map(int, found.groups()), strict=True))


def printed(*words):
    """Status and output of ./bench.py report."""
    done = CliRunner().invoke(main, ["report", *map(str, words)])
    return getattr(done.exception, "status", done.exit_code), done.output


def test_lkft_reads_scenarios_and_interfaces_by_names_that_do_not_change(one):
    found = of_kselftest(tap_of(one))
    expected = {
        f"{scenario}_{scenario}_{name}": one.cells[scenario, name]
        for scenario in one.scenarios
        for name in one.interfaces
    }
    assert set(found) == {*one.scenarios, *expected}
    for name, cell in expected.items():
        assert found[name] == ("skip" if cell.kind == verdicts.NOT_POSSIBLE else "fail" if cell.broken else "pass")
    assert found["swapped"] == "skip"
    under_the_runner = of_kselftest(of_runner(tap_of(one)))
    assert {
        f"selftests_mm_meaning_{name}": result for name, result in found.items()
    }.items() <= under_the_runner.items()


def test_lkft_names_are_the_same_whatever_the_reason(one):
    other = {key: cell._replace(why=cell.why and "another reason") for key, cell in one.cells.items()}
    assert of_kselftest(tap_of(one)).keys() == of_kselftest(tap_of(one._replace(cells=other))).keys()


def test_meson_reads_scenarios(one):
    events = list(TAPParser().parse(io.StringIO(tap_of(one))))
    assert not [event for event in events if type(event).__name__ in ("Error", "UnknownLine", "Bailout")]
    tests = {event.name: event.result.name for event in events if type(event).__name__ == "Test"}
    assert tests == {
        "plain": "OK", "merge_mmap_after": "FAIL", "fork_child_writes": "FAIL", "writers_separate": "FAIL",
        "swapped": "SKIP",
    }  # fmt: skip


def test_totals_are_those_of_the_plan(one, died):
    assert totals(tap_of(one)) == {"pass": 1, "fail": 3, "xfail": 0, "xpass": 0, "skip": 1, "error": 0}
    for result in (one, died):
        assert sum(totals(tap_of(result)).values()) == int(re.search(r"^1\.\.(\d+)$", tap_of(result), re.M)[1])


def test_what_crashed_and_hung_is_shown_and_ends_no_log(died):
    text = text_of(died)
    tests = {child["name"]: child for test in Ktap(text).tests for child in test["children"]}
    crashed, hung, breaks = (tests[name] for name in ("plain.scan-wp", "swapped.scan-wp", "swapped.clear_refs"))
    assert (crashed["ok"], crashed["directive"]) == (False, "ERROR")
    assert "crashed: [ 2.000000] Kernel panic - not syncing VFS it ended here" in crashed["reason"]
    assert (hung["ok"], hung["directive"]) == (False, "TIMEOUT")
    assert not breaks["ok"]
    assert "# breaks: read(2) into it fails with EFAULT" in breaks["notes"]
    assert of_kselftest(tap_of(died))["plain"] == "fail"


def test_what_the_baseline_had_is_expected_and_only_what_is_worse_fails(tmp_path, one):
    now = {
        ("plain", "scan-wp"): [Plays(100, missed=1, broken=100, written=2)],  # worse
        ("merge_mmap_after", "clear_refs"): [Plays(100, extra=6, broken=100, surplus=100)],  # less of the same
        ("fork_child_writes", "scan-wp"): [Plays(100, written=1)],  # mended
        ("writers_separate", "clear_refs"): [Plays(50), Plays(50, missed=9, broken=50)],  # by chance
    }
    new = verdicts.load(synthetic.played(tmp_path / "new", runs=now))
    tests = {child["name"]: child for test in Ktap(text_of(new, one)).tests for child in test["children"]}
    assert [name for name, test in tests.items() if not test["ok"]] == ["plain.scan-wp"]
    marked = {name: test["directive"] for name, test in tests.items() if test["directive"] not in (None, "SKIP")}
    assert marked == {
        "merge_mmap_after.clear_refs": "XFAIL",
        "fork_child_writes.scan-wp": "XPASS",
        "writers_separate.clear_refs": "XFAIL",
    }
    assert "# baseline: exact, now -1" in tests["plain.scan-wp"]["notes"]
    assert totals(tap_of(new, one)) == {"pass": 1, "fail": 1, "xfail": 2, "xpass": 1, "skip": 0, "error": 0}
    found = of_kselftest(tap_of(new, one))
    assert found["plain"] == "fail"
    assert found["merge_mmap_after_merge_mmap_after_clear_refs"] == "pass"


@pytest.mark.parametrize(
    ("was", "now", "worse"),
    [
        (Plays(9, extra=7, broken=9, surplus=9), Plays(9, extra=7, broken=9, surplus=9), False),
        (Plays(9, extra=7, broken=9, surplus=9), Plays(9, extra=8, broken=9, surplus=9), True),
        (Plays(9, extra=7, broken=9, surplus=9), Plays(9, missed=1, broken=9), True),
        (Plays(9, missed=1, broken=9), Plays(9, extra=7, broken=9, surplus=9), False),
        (Plays(9, missed=3, broken=9), Plays(1, failed="it oopsed", ended=CRASHED), True),
        (Plays(1, failed="it oopsed", ended=CRASHED), Plays(9, missed=3, broken=9), False),
        (Plays(1, failed="it oopsed", ended=CRASHED), Plays(1, failed="it oopsed", ended=CRASHED), False),
        (Plays(1, failed="no answer", ended=HUNG), Plays(1, failed="it oopsed", ended=CRASHED), True),
        (Plays(9, extra=7, written=1), Plays(9, extra=7, broken=9, surplus=9), True),  # the contract was another
        (Plays(1, why="there is no swap"), Plays(9, missed=1, broken=9), True),
    ],
)
def test_what_is_worse(tmp_path, was, now, worse):
    base, new = (
        verdicts.load(synthetic.played(tmp_path / name, runs={("plain", "scan-wp"): [plays]}))
        for name, plays in (("was", was), ("now", now))
    )
    assert judged.judge(new, base)[0].state == (judged.XFAIL if not worse else judged.judge(new)[0].state)
    status, text = printed(tmp_path / "now", "--format", "ktap", "--baseline", tmp_path / "was")
    assert status == int(worse), text


def test_a_probe_that_was_wrong_in_the_baseline_is_expected(tmp_path):
    wrong = {"scan-wp": "asked for 8 pages, reported none"}
    runs = {(scenario, name): [Plays(3, written=1)] for scenario in synthetic.SCENARIOS for name in synthetic.NAMES}
    for name in ("was", "now"):
        synthetic.played(tmp_path / name, runs=runs, findings=wrong)
    assert printed(tmp_path / "now", "--format", "tap")[0] == 1
    status, text = printed(tmp_path / "now", "--format", "tap", "--baseline", tmp_path / "was")
    assert status == 0
    assert f"ok {len(synthetic.SCENARIOS) + 1} probe # XFAIL" in text.splitlines()


def test_status_of_kselftest(tmp_path):
    good = {(scenario, name): [Plays(3, written=1)] for scenario in synthetic.SCENARIOS for name in synthetic.NAMES}
    none = {key: [Plays(1, why="the kernel lacks it")] for key in good}
    bad = good | {("plain", "scan-wp"): [Plays(1, missed=1, broken=1)]}
    for name, runs, status in (("good", good, 0), ("bad", bad, 1), ("none", none, 4)):
        synthetic.played(tmp_path / name, runs=runs)
        assert printed(tmp_path / name, "--format", "tap")[0] == status
    assert printed(tmp_path / "none", "--format", "ktap")[0] == 0, "kunit.py knows no such status"


@pytest.mark.parametrize("build", [None, "ourci:v6.12-rc1:x86_64"])
def test_kcidb_takes_it(tmp_path, died, build):
    assert {"major": kcidb_io.schema.LATEST.major, "minor": kcidb_io.schema.LATEST.minor} == kcidb.VERSION
    folder = synthetic.played(tmp_path / "x", kernel_commit="1" * 40, config_sha256="ab")
    for result in (died, verdicts.load(folder)):
        found = json.loads(kcidb.document(result, build=build))
        kcidb_io.schema.LATEST.validate(found)
        if build:
            assert found.keys() == {"version", "tests"}
        assert {test["build_id"] for test in found["tests"]} == {build or found["builds"][0]["id"]}
        assert len({test["id"] for test in found["tests"]}) == len(found["tests"])
        for test in found["tests"]:
            path = test["path"].removeprefix("pagemap_bench.")
            if path in (outcomes.BOOTS, outcomes.KERNEL_LOG):
                assert test["status"] == ("PASS" if path == outcomes.BOOTS else "SKIP"), "nobody looked into the log"
                continue
            cell = result.cells[tuple(path.rsplit(".", 1))]
            assert test["misc"]["verdict"] == cell.text()
            assert test["status"] == (
                "SKIP" if cell.kind == verdicts.NOT_POSSIBLE else "FAIL" if cell.broken else "PASS"
            )
    assert found == json.loads(kcidb.document(verdicts.load(folder), build=build)), "the same, with the same names"


def test_kcidb_takes_names_of_another_version_too(tmp_path):
    found = json.loads(kcidb.document(verdicts.load(synthetic.played(tmp_path, scenarios=["a b|c", "<script>"]))))
    kcidb_io.schema.LATEST.validate(found)
    assert found["tests"][0]["path"] == "pagemap_bench.a_b_c.clear_refs"


def test_kcidb_knows_what_was_not_played_from_what_failed(tmp_path):
    folder = synthetic.played(tmp_path, runs={("plain", "scan-wp"): [Plays(1, failed="the process died (-9)")]})
    records = [one for one in log.read(folder / log.FILE)[0] if getattr(one, "scenario", "") != "swapped"]
    assert any(isinstance(one, Machine) for one in records)
    assert any(isinstance(one, Played) for one in records)
    synthetic.write(folder, records)
    status = {test["path"]: test["status"] for test in json.loads(kcidb.document(verdicts.load(folder)))["tests"]}
    assert status["pagemap_bench.plain.scan-wp"] == "ERROR"
    assert status["pagemap_bench.swapped.scan-wp"] == "MISS"


def test_what_cannot_be_is_refused(tmp_path):
    one = synthetic.played(tmp_path / "one")
    synthetic.result(tmp_path / "timing", processes=1)
    for words, says in (
        ([one, "--baseline", one], "--baseline is for formats of kernel CI and labs"),
        ([one, "--format", "ktap", "--build", "a:b"], "--build is for --format kcidb"),
        ([one, one, "--format", "tap"], "tap is about one result"),
        ([tmp_path / "timing", "--format", "ktap"], "ktap is about one result of the suite meaning"),
        ([tmp_path / "timing", "--format", "lkp", "--baseline", one], "--baseline is for results of the suite meaning"),
        ([one, "--format", "tap", "--baseline", tmp_path / "timing"], "is no result of the suite meaning"),
    ):
        done = CliRunner().invoke(main, ["report", *map(str, words)])
        assert says in str(done.exception)
        assert done.exception.hint
    assert "is no build of KCIDB's" in printed(one, "--format", "kcidb", "--build", "Our CI:1")[1]
