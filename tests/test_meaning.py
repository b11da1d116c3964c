# SPDX-License-Identifier: GPL-2.0-only
"""Results of the suite meaning: tables, plot, KTAP, csv, and the command line around them."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.colors import to_rgb

import workloads
from bench import ktap, meaning, meaning_report, report
from bench.errors import BadInput
from plots import meaning as plot
from plots import style
from tests import synthetic
from tests.live.conftest import working
from tests.test_command_line import ROOT, bench, refused
from tests.test_tables import assert_mailable

NAMES = ["clear_refs", "scan-wp", "uffd-sync"]
SCENARIOS = {
    name: f"Summary of {name} # with a sign." for name in ("plain", "merge_mmap_after", "fork", "races", "swapped")
}
RUNS = {
    ("plain", "clear_refs"): [{"count": 100, "written": 2}],
    ("merge_mmap_after", "clear_refs"): [{"count": 100, "extra": 7, "broken": 7, "written": 1}],
    ("merge_mmap_after", "scan-wp"): [{"count": 100, "written": 1}],
    ("fork", "clear_refs"): [{"count": 100, "extra": 3, "written": 1}],
    ("fork", "scan-wp"): [{"count": 100, "missed": 1, "broken": 1, "written": 1}],
    ("races", "clear_refs"): [{"count": 97}, {"count": 3, "missed": 4, "broken": 4}],
    ("swapped", "clear_refs"): [{"count": 1, "why": "there is # no swap", "remedy": "swapon"}],
    ("swapped", "scan-wp"): [{"count": 1, "why": "there is # no swap", "remedy": "swapon"}],
}


def result(folder, release="6.12.117+deb13-cloud-amd64", runs=RUNS, names=NAMES, scenarios=SCENARIOS, **host):
    """Write an invented meaning.json; what `runs` does not name was exact."""
    unavailable = {"uffd-sync": ["userfaultfd is refused", "allow it"]} if "uffd-sync" in names else {}
    verdicts = [
        {"scenario": s, "interface": name, "contract": "new memory counts" if s == "fork" else ""}
        | {"runs": runs.get((s, name), [{"count": 100, "written": 1}])}
        for s in scenarios
        for name in names
        if name not in unavailable
    ]
    machine = (
        synthetic.HOST
        | {"kernel_release": release, "kernel_version": "#1 SMP", "copy_page_ns": 100.0, "suite": "meaning"}
        | host
    )
    machine["command"] = "./bench.py run --suite meaning"
    folder.mkdir(parents=True, exist_ok=True)
    data = {"schema": meaning.SCHEMA, "host": machine, "interfaces": names, "unavailable": unavailable}
    (folder / "meaning.json").write_text(json.dumps(data | {"scenarios": scenarios, "verdicts": verdicts}))
    return folder


@pytest.fixture
def one(tmp_path):
    return meaning.load(result(tmp_path / "one"))


@pytest.fixture
def several(tmp_path):
    better = RUNS | {("merge_mmap_after", "clear_refs"): [{"count": 100, "written": 1}]}
    runs = {"6.1.176-cloud": RUNS, "6.18.15+deb13": RUNS, "7.3.4+deb13": better}
    return [meaning.load(result(tmp_path / release, release, made)) for release, made in runs.items()]


def test_cells_say_what_was_seen(one):
    text = {key: cell.text() for key, cell in one.cells.items()}
    assert text["plain", "clear_refs"] == "exact"
    assert text["merge_mmap_after", "clear_refs"] == "+7"
    assert text["fork", "clear_refs"] == "(+3)"
    assert text["fork", "scan-wp"] == "-1"
    assert text["races", "clear_refs"] == "-4~"
    assert text["swapped", "scan-wp"] == "no"
    assert text["plain", "uffd-sync"] == "no"
    assert (one.cells["races", "clear_refs"].like, one.cells["races", "clear_refs"].plays) == (3, 100)


def test_missed_is_graver_than_extra():
    runs = [{"count": 5, "extra": 2, "broken": 2}, {"count": 1, "extra": 1, "missed": 1}, {"count": 4}]
    cell = meaning._cell({"runs": runs, "contract": ""})
    assert (cell.kind, cell.text()) == ("missed", "+2-1~")


def test_a_report_is_mailable_and_says_it_all(one):
    text = report.meant([one], None, everything=True)
    assert_mailable(text)
    rows = [line.split() for line in text.splitlines()]
    for row in (
        "plain exact exact",
        "merge_mmap_after +7 exact",
        "fork (+3) -1",
        "races -4~ exact",
        "swapped no:a no:a",
    ):
        assert row.split() in rows
    assert "no:a = there is # no swap (swapon)" in text
    flat = " ".join(text.split())
    assert (
        "clear_refs: of 5 scenarios, 1 exact, 2 with extra pages, 1 with missed ones (2 against the contract)" in flat
    )
    assert "uffd-sync: not possible: userfaultfd is refused." in flat
    assert "Not the same each time: races: clear_refs missed in 3 of 100 plays." in flat
    assert "merge_mmap_after: Summary of merge_mmap_after" in flat
    assert "contract: new memory counts" in flat
    assert "./bench.py run --suite meaning" in flat


def test_steady_results_say_so(tmp_path):
    runs = {key: value for key, value in RUNS.items() if key[0] != "races"}
    text = report.meant([meaning.load(result(tmp_path / "steady", runs=runs))], None, everything=False)
    assert "Every scenario ended the same way each time" in text
    assert "Not the same" not in text


def test_the_cost_of_extra_pages(one):
    cost = meaning_report._cost(one)
    rows = {line.split()[0]: line.split()[1:] for line in cost.splitlines() if line.startswith(("  merge", "  fork"))}
    assert rows == {"merge_mmap_after": ["clear_refs", "4", "32", "0.7"], "fork": ["clear_refs", "4", "16", "0.3"]}
    assert "100 ns" in cost


def test_kernels_are_columns(several):
    text = report.meant(several, None, everything=False)
    assert_mailable(text)
    assert "scenario          6.1.176  6.18.15  7.3.4" in text
    assert re.search(r"merge_mmap_after +\+7 +\+7 +exact", text)
    assert "Exact on each: plain." in text
    assert re.search(r"clear_refs +1/2/1/1 +1/2/1/1 +2/1/1/1\n", text)
    assert "races: clear_refs on 6.1.176 missed in 3 of 100, clear_refs on 6.18.15 missed" in " ".join(text.split())
    assert text.count("by kernel") == 2, "a table for each interface that works somewhere"


def test_debians_kernels_are_called_by_their_upstream_version(tmp_path):
    debian = {"release": "6.1.0-50-cloud-amd64", "kernel_version": "#1 SMP Debian 6.1.176-1 (2026-11-01)"}
    assert meaning.load(result(tmp_path / "old", **debian)).kernel == "6.1.176"
    assert meaning.load(result(tmp_path / "own", release="7.3.0-rc1-mine+")).kernel == "7.3.0"


def test_two_results_of_one_kernel_have_names(tmp_path):
    results = [meaning.load(result(tmp_path / name)) for name in ("first", "second")]
    assert meaning_report.headings(results) == ["first", "second"]


@pytest.mark.parametrize("kernels", [1, 5, 9])
def test_wide_tables_are_cut(tmp_path, kernels):
    names = ["clear_refs", "scan-softdirty", "scan-wp", "v6", "v6-no-reused", "mprotect", "more-of-it", "and_more"]
    every = dict.fromkeys(workloads.scenarios(), "Something happens.")
    runs = {(s, name): [{"count": 9, "extra": 511, "missed": 512}] for s in every for name in names}
    made = [
        meaning.load(result(tmp_path / f"r{i}", f"6.{i}.117-rc7-my-own", runs, names, every)) for i in range(kernels)
    ]
    text = report.meant(made, None, everything=True)
    assert_mailable(text)
    assert text.count("(+511-512)") == len(every) * len(names) * kernels


def test_every_scenario_of_this_version_is_mailable(tmp_path):
    every = {name: workloads.load_scenario(name).__doc__.splitlines()[0] for name in workloads.scenarios()}
    assert_mailable(report.meant([meaning.load(result(tmp_path / "all", scenarios=every))], None, everything=True))
    assert max(map(len, every)) <= 22, "the tables have no room for longer names"


def test_csv_has_a_line_per_verdict(several):
    rows = list(csv.DictReader(io.StringIO(meaning_report.as_csv(several))))
    assert len(rows) == 3 * 5 * 3
    first = next(row for row in rows if row["scenario"] == "merge_mmap_after")
    assert (first["kernel"], first["interface"], first["verdict"]) == ("6.1.176", "clear_refs", "extra")
    assert (first["extra_pages"], first["missed_pages"], first["plays"]) == ("7", "0", "100")


def draw(results):
    with style.applied():
        figure = plot.plot(meaning_report.frame(results))
        return figure, report._png(figure), report._svg(figure)


@pytest.mark.parametrize("count", [1, 3])
def test_the_plot_shows_every_verdict(several, count):
    figure, png, svg = draw(several[:count])
    assert draw(several[:count])[1:] == (png, svg), "the same data gives the same bytes"
    assert len(png) < 100_000
    words = [text.text or "" for text in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert "uffd-sync" not in words, "it worked nowhere"
    assert {*SCENARIOS, *NAMES[:2], "exact", "+ extra", "- missed", "not possible"} <= set(words)
    cells = figure.axes[0].patches
    assert len(cells) == 5 * 2 * count
    if count == 1:
        assert {"+7", "(+3)", "-1", "-4~"} <= set(words)
    else:
        assert {"6.1.176", "6.18.15", "7.3.4"} <= set(words)
        assert (words.count("+"), words.count("(+)")) == (2, 3), "7.3 has no noise"


def test_a_plot_of_many_scenarios_and_kernels_stays_small(tmp_path):
    every = dict.fromkeys(workloads.scenarios(), "Something happens.")
    names = ["clear_refs", "scan-softdirty", "scan-wp", "v6", "v6-no-reused", "uffd-sync", "mprotect"]
    runs = {(s, n): [{"count": 1, "extra": 7, "broken": len(s) % 2}] for s in list(every)[::2] for n in names}
    made = [meaning.load(result(tmp_path / f"r{i}", f"6.{i}.1", runs, names, every)) for i in range(5)]
    assert len(draw(made)[1]) < 100_000


def test_verdicts_differ_in_grey_too():
    greys = [np.dot(to_rgb(mark.fill), (0.299, 0.587, 0.114)) for mark in plot.MARKS.values()]
    looks = {(round(grey, 1), mark.sign, mark.hatch) for grey, mark in zip(greys, plot.MARKS.values(), strict=True)}
    assert len(looks) == len(plot.MARKS)
    exact, extra, missed = greys[:3]
    assert exact - extra > 0.2
    assert extra - missed > 0.2


class Ktap:
    """A parser of Documentation/dev-tools/ktap.rst: versions, plans, numbered results, nesting by two spaces."""

    LINE = re.compile(r"(ok|not ok) (\d+) ([^#]*?)(?: # (SKIP|TODO|XFAIL|TIMEOUT|ERROR)(?: (.*))?)?")

    def __init__(self, text):
        self.lines = text.splitlines()
        self.at = 0
        self.tests = self.block("")
        assert self.at == len(self.lines), self.lines[self.at :]

    def next(self, indent):
        """The next line of this depth without its indent, or None; diagnostic lines are collected."""
        self.notes = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if not line.startswith(indent) or line[len(indent)] == " ":
                return None
            line = line[len(indent) :]
            if not line.startswith("#"):
                return line
            self.notes.append(line)
            self.at += 1
        return None

    def block(self, indent):
        assert self.next(indent) == "KTAP version 1"
        self.at += 1
        plan = re.fullmatch(rf"{indent}1\.\.(\d+)", self.lines[self.at])
        assert plan, "the plan comes right after the version"
        self.at += 1
        return [self.test(indent, number) for number in range(1, int(plan[1]) + 1)]

    def test(self, indent, number):
        self.next(indent)  # diagnostic lines may be anywhere
        before = self.notes
        deeper = self.at < len(self.lines) and self.lines[self.at].startswith(indent + "  ")
        children = self.block(indent + "  ") if deeper else []
        result = self.LINE.fullmatch(self.next(indent))
        assert result, self.lines[self.at]
        assert int(result[2]) == number
        self.at += 1
        return {"ok": result[1] == "ok", "name": result[3], "directive": result[4], "reason": result[5]} | {
            "notes": before + self.notes,
            "children": children,
        }


def test_ktap_is_what_the_kernel_documents(one):
    text = "\n".join(ktap.lines(one))
    tests = Ktap(text).tests
    assert [test["name"] for test in tests] == list(SCENARIOS)
    assert [test["ok"] for test in tests] == [True, False, False, False, True]
    assert ktap.failures(one) == 3
    for test in tests:
        assert [child["name"] for child in test["children"]] == NAMES
        skipped = test["children"][2]
        assert (skipped["ok"], skipped["directive"], skipped["reason"]) == (True, "SKIP", "userfaultfd is refused")
        assert test["ok"] == all(child["ok"] for child in test["children"])
    merge, fork, races, swapped = ({child["name"]: child for child in test["children"]} for test in tests[1:])
    assert merge["clear_refs"]["notes"][-2:] == ["# extra: 7", "# missed: 0"]
    assert not merge["clear_refs"]["ok"]
    assert fork["clear_refs"]["ok"], "the contract has it so"
    assert "# contract: new memory counts" in fork["clear_refs"]["notes"]
    assert "# plays: 3 of 100 missed" in races["clear_refs"]["notes"]
    assert swapped["scan-wp"]["reason"] == "there is no swap"
    assert tests[4]["directive"] == "SKIP"
    assert text.isascii()


def test_what_died_is_not_skipped(tmp_path):
    runs = {("plain", "clear_refs"): [{"count": 9}, {"count": 1, "failed": "the process died (-9)"}]}
    found = meaning.load(result(tmp_path / "died", runs=runs))
    child = Ktap("\n".join(ktap.lines(found))).tests[0]["children"][0]
    assert (child["ok"], child["directive"]) == (False, None)
    assert "# failed: the process died (-9)" in child["notes"]


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data.update(host={}),
        lambda data: data.update(host=[]),
        lambda data: data["host"].pop("copy_page_ns"),
        lambda data: data.update(scenarios=[]),
        lambda data: data.update(verdicts=None),
        lambda data: data["verdicts"][0]["runs"][0].update(extra="x"),
        lambda data: data.update(schema="pagemap-bench meaning 9"),
    ],
)
def test_a_damaged_result_is_refused(tmp_path, harm):
    folder = result(tmp_path / "damaged")
    data = json.loads((folder / "meaning.json").read_text())
    harm(data)
    (folder / "meaning.json").write_text(json.dumps(data))
    assert "meaning" in refused("report", folder)


def test_a_result_without_times_is_no_comparison(tmp_path):
    folders = [result(tmp_path / name) for name in ("one", "two")]
    for words in (["compare", *folders], ["cover-letter", folders[0]]):
        assert "suite meaning, which has no times" in refused(*words)


def test_what_was_not_played_is_not_ok(tmp_path):
    folder = result(tmp_path / "part")
    data = json.loads((folder / "meaning.json").read_text())
    gone = data["verdicts"].pop()
    (folder / "meaning.json").write_text(json.dumps(data))
    found = meaning.load(folder)
    assert ktap.failures(found) >= 1
    tests = {one["name"]: one for one in Ktap("\n".join(ktap.lines(found))).tests}
    child = {one["name"]: one for one in tests[gone["scenario"]]["children"]}[gone["interface"]]
    assert (child["ok"], child["directive"]) == (False, None)
    assert "INCOMPLETE" in report.meant([found], None, everything=False)


@pytest.mark.parametrize("broken", ["1..5\n", "KTAP version 1\n1..2\nok 1 a\n", "KTAP version 1\n1..1\nok 2 a\n"])
def test_the_parser_refuses_what_is_no_ktap(broken):
    with pytest.raises((AssertionError, TypeError)):
        Ktap(broken)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": "other"}', '{"schema": "pagemap-bench meaning 1"}'])
def test_what_is_no_result_is_refused(tmp_path, text):
    (tmp_path / "meaning.json").write_text(text)
    with pytest.raises(BadInput):
        meaning.load(tmp_path)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small run of the suite on the running kernel: (folder, what was printed)."""
    working("scan-wp")
    folder = tmp_path_factory.mktemp("meaning") / "small"
    words = ["--suite", "meaning", "--where", "here", "--values", "3", "--filter", "p*", "--interface", "scan-wp"]
    done = bench("run", *words, "--name", folder)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_a_run_ends_with_its_report_and_keeps_what_it_was(run):
    folder, done = run
    assert done.stdout.strip() == (folder / "report.txt").read_text().strip()
    assert_mailable(done.stdout)
    assert {path.name for path in folder.iterdir()} == {"meaning.json", "report.txt", "meaning.png", "meaning.svg"}
    found = meaning.load(folder)
    assert list(found.scenarios) == [name for name in workloads.scenarios() if name.startswith("p")]
    assert found.interfaces == ["scan-wp"]
    assert all((cell.kind, cell.plays) == ("exact", 3) for cell in found.cells.values())
    for key in ("kernel_release", "where", "mitigations", "cmdline", "copy_page_ns", "suite_version"):
        assert key in found.host
    words = "--interface scan-wp --filter 'p*' --values 3 --where here"
    assert found.host["command"] == f"./bench.py run --suite meaning {words}"
    assert bench("report", folder).stdout == done.stdout


def test_ktap_of_a_run_and_its_exit_status(run, tmp_path):
    done = bench("report", run[0], "--format", "ktap")
    assert done.returncode == 0, done.stderr
    assert all(test["ok"] for test in Ktap(done.stdout).tests)
    bad = bench("report", result(tmp_path / "bad"), "--format", "ktap")
    assert bad.returncode == 1
    assert not all(test["ok"] for test in Ktap(bad.stdout).tests)
    assert bad.stderr.startswith("error: 3 of 5 scenarios are not ok")


def test_a_run_prints_ktap_when_asked(tmp_path):
    working("mprotect")
    words = ["--suite", "meaning", "--where", "here", "--values", "2", "--interface", "mprotect", "--format", "ktap"]
    good = bench("run", *words, "--filter", "plain", "--name", tmp_path / "good")
    assert good.returncode == 0, good.stderr
    assert [test["name"] for test in Ktap(good.stdout).tests] == ["plain"]
    bad = bench("run", *words, "--filter", "mprotect_round", "--name", tmp_path / "bad")
    assert bad.returncode == 1
    assert not Ktap(bad.stdout).tests[0]["ok"], "the program's own mprotect disarms a tracker that uses it"


def test_ctrl_c_keeps_the_verdicts_that_were_there(tmp_path):
    working("mprotect")
    folder = tmp_path / "interrupted"
    words = [str(ROOT / "bench.py"), "run", "--suite", "meaning", "--where", "here", "--interface", "mprotect"]
    process = subprocess.Popen(
        # a shell's background job ignores SIGINT, and so does all that it starts: the tests may run in one
        ["env", "--default-signal=INT", *words, "--name", str(folder)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (folder / "meaning.json").exists():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert "error: interrupted" in said
    assert "Traceback" not in said
    found = meaning.load(folder)
    assert 0 < len(found.cells) < len(found.scenarios) == len(workloads.scenarios())
    text = report.meant([found], None, everything=False)
    assert_mailable(text)
    assert f"INCOMPLETE: {len(found.cells)} of {len(found.scenarios)} verdicts" in " ".join(text.split())


def test_several_results_in_one_table(tmp_path):
    folders = [result(tmp_path / release, release) for release in ("6.1.1", "6.12.2")]
    done = bench("report", *folders, "--name", tmp_path / "both")
    assert done.returncode == 0, done.stderr
    assert_mailable(done.stdout)
    assert "6.1.1  6.12.2" in done.stdout
    assert {path.name for path in (tmp_path / "both").iterdir()} == {"report.txt", "meaning.png", "meaning.svg"}
    lines = bench("report", *folders, "--format", "csv").stdout.splitlines()
    assert len(lines) == 1 + 2 * 5 * 3


def test_what_cannot_be_is_refused(tmp_path):
    suite = ["run", "--suite", "meaning", "--where", "here", "--name", tmp_path / "x"]
    assert "matches no scenario" in refused(*suite, "--filter", "nothing*")
    assert "--pages has no meaning" in refused(*suite, "--pages", "10")
    assert "boots once" in refused(*suite, "--processes", "3")
    assert "needs an interface that tracks" in refused(*suite, "--interface", "none")
    assert "there is no interface" in refused(*suite, "--interface", "bogus")
    assert "is for the suite meaning" in refused("run", "--format", "ktap", "--where", "here", "--name", tmp_path / "x")
    assert "exists" in refused(*suite[:-1], result(tmp_path / "there"), "--filter", "plain")
    assert "ktap is about one result" in refused("report", *[result(tmp_path / "a")] * 2, "--format", "ktap")
    assert "no html report" in refused("report", result(tmp_path / "a"), "--format", "html")
    synthetic.suite(tmp_path / "timing" / "suite.json", processes=1)
    assert "are for results of the suite meaning" in refused("report", tmp_path / "timing", "--format", "ktap")
    assert not (tmp_path / "x").exists()


def test_list_names_the_scenarios():
    text = bench("list").stdout
    assert "  meaning " in text
    for name in ("merge_mmap_after", "stale_tlb"):
        assert f"  {name} " in text
