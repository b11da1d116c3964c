# SPDX-License-Identifier: GPL-2.0-only
"""./bench.py as a person uses it, where nothing is measured: what it prints, what it writes, how it fails."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pandas
import pyperf
import pytest

from bench import place
from bench.errors import WrongAnswer
from bench.measure import probe
from bench.plan import catalogue, suites
from bench.plan.interfaces import INTERFACES, Reason
from bench.plan.kinds import KINDS
from bench.report import gate
from bench.run import commands, functions, main
from bench.stats import comparison
from bench.store import frames
from tests import synthetic
from tests.support import ROOT, bench, refused

BUILT = ROOT / f"bench/core/_core{sysconfig.get_config_var('EXT_SUFFIX')}"
COMMANDS = (
    *("probe", "list", "run", "matrix", "report", "compare", "functions"),
    *("history", "cover-letter", "bisect", "config", "merge", "clean", "completion"),
)


def test_help_has_an_example_for_every_command_and_the_exit_statuses():
    text = bench("--help").stdout
    commands = [line.split()[0] for line in text.split("Commands:\n")[1].split("\n\n")[0].splitlines()]
    assert commands == list(COMMANDS)
    for name in commands:
        assert re.search(rf"Example:\n    .*bench\.py {name}", bench(name, "--help").stdout)
    for status in (0, 1, 2, 3):
        assert re.search(rf"^    {status}  \w", text, re.MULTILINE)


def test_without_a_command_it_prints_its_help_and_no_error():
    done = bench()
    assert done.returncode == 2
    assert done.stderr.strip() == bench("--help").stdout.strip()
    assert "error:" not in done.stderr


def test_it_runs_without_activating_anything_and_from_anywhere(tmp_path):
    for flags in ([], ["-P"]):  # -P: without the script's own folder on sys.path
        done = subprocess.run(
            ["/usr/bin/env", "python3", *flags, str(ROOT / "bench.py"), "--version"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"]},
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("pagemap-bench, version ")


def copied(folder):
    """A checkout in which the C core was never built; return its bench.py."""
    names = shutil.ignore_patterns("*.so", "_core.c", "__pycache__")
    for tree in ("bench", "workloads", "plots"):
        shutil.copytree(ROOT / tree, folder / tree, ignore=names)
    for file in ("bench.py", "pyproject.toml"):
        shutil.copy(ROOT / file, folder)
    return folder / "bench.py"


def test_without_setup_it_says_so(tmp_path):
    done = subprocess.run([sys.executable, "-S", copied(tmp_path)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["error: Python has no module 'click'", "hint: run: make setup"]


def test_the_version_is_that_of_this_checkout():
    assert bench("--version").stdout == f"pagemap-bench, version {place.version()}\n"


@pytest.mark.parametrize("left", ["pyvenv.cfg", "bin/python"])
def test_half_an_environment_is_none(tmp_path, left):
    """Else the launcher would start itself for ever."""
    program = copied(tmp_path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    target = tmp_path / ".venv" / left
    target.symlink_to(sys.executable) if left == "bin/python" else target.touch()
    done = subprocess.run([sys.executable, program, "--version"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def unbuilt(tmp_path_factory):
    """bench.py of a checkout in which the C core was never built, but with an environment."""
    program = copied(tmp_path_factory.mktemp("unbuilt"))
    program.with_name(".venv").symlink_to(Path(sys.prefix))
    return program


def test_readers_need_neither_the_core_nor_cffi(unbuilt, pair, tmp_path):
    letter = tmp_path / "letter"
    letter.write_text("Subject: [PATCH] x\n\ntext\n")
    for words in (
        ["--help"], ["--version"], ["list"], ["run", "--help"], ["report", pair[0], "--format", "html"],
        ["report", pair[0], "--format", "csv"], ["compare", *pair], ["cover-letter", *pair, "--into", letter],
    ):  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-X", "importtime", unbuilt, *map(str, words)], capture_output=True, text=True
        )
        assert done.returncode == 0, (words, [line for line in done.stderr.splitlines() if "import time" not in line])
        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "import time:" in line}
        assert "bench.run.main" in imported
        assert not {name for name in imported if re.match(r"cffi|_cffi|bench\.measure|bench\.core", name)}, words


@pytest.mark.parametrize("words", [["probe"], ["run"], ["run", "--where", "here"], ["run", "--suite", "meaning"]])
def test_what_needs_the_core_says_how_to_build_it(unbuilt, words, tmp_path):
    name = ["--name", str(tmp_path / "x")] if words[0] == "run" else []
    done = subprocess.run([unbuilt, *words, *name], capture_output=True, text=True)
    assert done.returncode == 3
    assert re.search(r"^error: the C core is not built for this Python: .*\nhint: run: make setup$", done.stderr, re.M)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x").exists()


def test_a_stale_core_is_as_good_as_none(unbuilt, tmp_path):
    os.utime(shutil.copy2(BUILT, unbuilt.parent / "bench/core"))
    os.utime(unbuilt.parent / "bench/core/loop.c", (2**31, 2**31))
    try:
        for words in (["probe"], ["run", "--where", "here", "--name", tmp_path / "x"]):
            done = subprocess.run([unbuilt, *words], capture_output=True, text=True)
            assert done.returncode == 3
            assert done.stderr == "error: the C core is older than its sources (loop.c)\nhint: run: make setup\n"
    finally:
        (unbuilt.parent / "bench/core" / BUILT.name).unlink()


def test_help_and_list_import_nothing_heavy():
    for words in (["--help"], ["list"]):
        command = [sys.executable, "-X", "importtime", ROOT / "bench.py", *words]
        done = subprocess.run(command, capture_output=True, text=True)
        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "import time:" in line}
        assert not imported & {"pandas", "numpy", "scipy", "matplotlib", "pyperf", "jinja2"}


def test_probe_says_yes_or_why_not():
    done = bench("probe", "--json")
    found = json.loads(done.stdout)
    assert list(found["interfaces"]) == list(INTERFACES)
    for answer in found["interfaces"].values():
        assert answer["works"] or (answer["why"] and answer["remedy"])
    text = bench("probe").stdout
    for name, answer in found["interfaces"].items():
        assert f"{name:15} {'yes' if answer['works'] else 'no: ' + answer['why']}" in text


def test_list_names_everything():
    text = bench("list").stdout
    for word in [*suites.SUITES, suites.MEANING.name, *catalogue.entries(), *KINDS, *INTERFACES]:
        assert re.search(rf"^  {re.escape(word)} +\S", text, re.MULTILINE), word
    for one in [*suites.SUITES.values(), suites.MEANING]:
        block = text.split(f"\n  {one.name:15} ")[1].split("\n")[:3]
        assert block[0] == one.summary
        assert block[1].strip() == one.source
        size = rf"{len(one.points)} points.*; [\d.]+ (s|min|h), \d+ MiB" if one.points else r"\d+ scenarios; \d+ \w+"
        assert re.fullmatch(size, block[2].strip())


FORMS = {
    "report": ("text", "html", "csv"),
    "compare": ("text", "markdown", "csv", "json", "html"),
    "cover_letter": ("text",),
}


@pytest.mark.parametrize("what", ["times", "instructions", "verdicts"])
def test_what_a_folder_is_named_reaches_no_terminal(tmp_path, monkeypatch, capsys, what):
    """Whoever packed a result may have given it any name; without its escapes it would be that of another one here."""
    evil = "evil\x1b]0;pwned\x07\x1b[31m"
    both = [tmp_path / name for name in (evil, "evil", f"m/{evil}")]
    for number, folder in enumerate(both):
        if what == "verdicts":
            synthetic.played(folder, f"6.{number}.1")
        else:
            exact = {"exact": synthetic.FUNCTIONS, "where": synthetic.COUNTED, "noise": 1e-6, "rounds": 3}
            synthetic.result(folder, luck=7 + number, what=[("random", 64, 10.0)], **exact if what != "times" else {})
    monkeypatch.setattr(commands, "RESULTS", tmp_path)
    commands.list_everything()
    names = list(map(str, both))
    for form in FORMS["report"]:
        commands.report(names[0], form=form)
    for form in FORMS["compare"]:
        into = str(tmp_path / "out") if form == "text" else None
        commands.compare(commands.Comparing(tuple(names), form=form, name=into))
    commands.cover_letter((names[0],))
    commands.cover_letter(tuple(names[:2]))
    if what == "instructions":
        for some in (names[:1], names[:2]):
            functions.run(functions.Functions(tuple(some), None, None, "text", None))
    said = capsys.readouterr().out
    assert repr(evil) in said
    written = [path for path in tmp_path.rglob("*.*") if path.suffix in (".txt", ".csv", ".html", ".svg")]
    assert {"report.txt", "report.html", "compare.txt", "compare.csv"} <= {path.name for path in written}
    for text in (said, *(path.read_text() for path in written)):
        assert not {"\x1b", "\x07"} & set(text)


def test_list_names_what_holds_a_result_of_any_version(tmp_path, monkeypatch, capsys):
    held = ("records.jsonl", "records.jsonl.xz", "records.jsonl.gz", "suite.json", "suite.json.gz", "meaning.json")
    files = (*held, "compare.txt")
    for number, file in enumerate(files):
        (tmp_path / f"r{number}").mkdir()
        (tmp_path / f"r{number}" / file).touch()
    monkeypatch.setattr(commands, "RESULTS", tmp_path)
    commands.list_everything()
    assert capsys.readouterr().out.split("\nresults\n")[1].split() == ["r0", "r1", "r2", "r3", "r4", "r5"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--suite", "nope"], "there is no suite 'nope'"),
        (["--workload", "nope"], "there is no workload 'nope'"),
        (["--interface", "nope"], "there is no interface 'nope'"),
        (["--interface", "scan-wp,nope"], "there is no interface 'nope'"),
        (["--workload", "random,"], "there is no workload ''"),
        (["--filter", "nope"], "matches no point"),
        (["--pages", "0"], "0 pages"),
        (["--pages", "-5"], "-5 pages"),
        (["--pages", "1,x"], "not a list of numbers"),
        (["--pages", "5%"], "not a list of numbers"),
        (["--pages", "99999999999"], "99999999999 pages"),
        (["--pages", "4000000000"], "MiB are free"),
        (["--dirty", "101"], "101 %"),
        (["--dirty", "nan"], "nan"),
        (["--processes", "0"], "0 is not in the range"),
        (["--values", "0"], "0 is not in the range"),
        (["--seed", "-1"], "-1 is not in the range"),
        (["--name", ".."], "is no name"),
        (["--name", ""], "it is empty"),
        (["--name", "x" * 300], "a name of 300 bytes"),
        (["--boots", "0"], "'0' is none of 5, +5 and 3-5"),
        (["--boots", "5-3"], "'5-3' is none of 5, +5 and 3-5"),
        (["--boots", "+5"], "--boots +5 adds to a result"),
        (["--resume", "example-lkml-2022", "--pages", "1"], "--pages would change"),
        (["--boots", "2"], "--boots needs a virtual machine"),
        (["--boots", "3", "--processes", "2", "--where", "vm"], "2 processes can't be shared equally by 3 boots"),
        (["--where", "moon"], "'moon' is not one of"),
        (["--kernel", "debian:6.12"], "--kernel needs a virtual machine"),
        (["--kernel", ""], "it is empty"),
        (["--kernel", __file__, "--where", "vm"], "is no bzImage"),
        (["--kernel", "/nonexistent", "--where", "vm"], "/nonexistent"),
        (["--accel", "tcg"], "--accel needs a virtual machine"),
        (["--suite", "meaning", "--pages", "10"], "--pages has no meaning in a suite of scenarios"),
        (["--format", "ktap"], "are for suites of scenarios"),
        (["--format", "tap"], "--format ktap, tap and kcidb are for suites of scenarios"),
        (["--bogus"], "No such option"),
    ],
)
def test_bad_input_is_one_error_and_one_hint(words, says, tmp_path):
    where = [] if "--where" in words else ["--where", "here"]
    name = [] if "--name" in words else ["--name", tmp_path / "x"]
    assert says in refused("run", *words, *where, *name)
    assert not (tmp_path / "x").exists(), "a refused run leaves nothing behind"


def test_an_unwritable_folder_is_refused_and_leaves_none_of_its_parents(tmp_path):
    (tmp_path / "file").touch()
    assert "can't be made" in refused("run", "--where", "here", "--name", tmp_path / "file/x")
    assert "matches no point" in refused("run", "--where", "here", "--filter", "nope", "--name", tmp_path / "a/b/c")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("content", ["", '{"benchmarks": [', "[]", '{"a": 1}'])
def test_a_damaged_result_is_refused(tmp_path, content):
    for file in ("records.jsonl", "suite.json"):
        folder = tmp_path / file.partition(".")[0]
        folder.mkdir()
        (folder / file).write_text(content)
        assert file in refused("report", folder)
        assert (folder / file).read_text() == content


@pytest.mark.parametrize("command", ["report", "compare", "cover-letter"])
@pytest.mark.parametrize("name", ["no-such-result", "no/such", "x" * 300, ""])
def test_a_result_that_is_not_there_is_refused(command, name):
    said = refused(command, name, *(["other"] if command == "compare" else []))
    assert (f"there is no result {name}" if name else "it is empty") in said


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two invented results: scan-softdirty got 5 % slower."""
    folder = tmp_path_factory.mktemp("pair")
    options = {"what": [("random", 1000, 10.0)], "processes": 20, "boots": 10, "rounds": 1, "noise": 0.005}
    synthetic.result(folder / "base", **options)
    synthetic.result(folder / "patched", luck=8, factor={"scan-softdirty": 1.05}, **options)
    return folder / "base", folder / "patched"


def test_report_into_a_closed_pipe_is_quiet(pair):
    words = f"{ROOT}/bench.py report {pair[0]} | head -n 1"
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True)
    assert done.stdout
    assert done.stderr == ""


def test_compare_fails_only_on_a_regression_beyond_the_limit(pair):
    for limit, status in (("3%", 1), ("3", 1), ("20%", 0)):
        done = bench("compare", *pair, "--fail-on", limit)
        assert done.returncode == status, done.stderr
        assert "1 of 4 cases differ" in done.stdout
    said = refused("compare", *pair, "--fail-on", "3%", status=1).splitlines()
    assert re.search(r"1 of 4 cases is significantly more than 3% slower, by 5\.\d% \(scan-softdirty", said[0])
    assert bench("compare", *reversed(pair), "--fail-on", "0%").returncode == 0, "faster is no regression"


def test_compare_can_not_tell_from_few_runs_and_says_wrong_pages_nevertheless(tmp_path):
    options = {"what": [("random", 1000, 10.0)], "processes": 2}
    wrong = {("scan-wp", "random", 1000): (0, 1)}
    folders = [synthetic.result(tmp_path / name, **options) for name in ("base", "same")]
    said = refused("compare", *folders, "--fail-on", "3%", status=3)
    assert "no verdict: too few runs" in said
    bad = synthetic.result(tmp_path / "bad", wrong=wrong, **options)
    assert "WRONG PAGES in bad, not in base: scan-wp" in refused(
        "compare", folders[0], bad, "--fail-on", "3%", status=1
    )
    other = synthetic.result(tmp_path / "other", what=[("hotset", 50, 10.0)], processes=2)
    assert "no case in common" in refused("compare", folders[0], other, "--fail-on", "3%", status=3)


def test_a_probe_that_is_answered_wrong_fails(monkeypatch, capsys):
    found = {"none": probe.Probed(), "scan-wp": probe.Probed(wrong="asked for 5: reported none (missed 5)")}
    found["v6"] = probe.Probed(Reason("no ioctl", "boot another"))
    monkeypatch.setattr(probe, "probe_all", lambda: found)
    with pytest.raises(WrongAnswer, match=r"WRONG: scan-wp: asked for 5: reported none \(missed 5\)") as caught:
        commands.probe(as_json=False)
    assert caught.value.status == 1
    text = capsys.readouterr().out
    assert re.search(r"^scan-wp +WRONG: asked for 5: reported none \(missed 5\)$", text, re.M)
    assert re.search(r"^v6 +no: no ioctl\n +-> boot another$", text, re.M)
    with pytest.raises(WrongAnswer):
        commands.probe(as_json=True)
    data = json.loads(capsys.readouterr().out)["interfaces"]
    assert data["scan-wp"] == {"works": False, "wrong": "asked for 5: reported none (missed 5)"}
    assert data["v6"] == {"works": False, "why": "no ioctl", "remedy": "boot another"}
    assert data["none"] == {"works": True}


def test_what_a_run_found_wrong_is_its_exit_status(tmp_path):
    few = {"what": [("random", 1000, 10.0)], "processes": 2}
    finding = {"scan-wp": "asked for 5: reported none"}
    gate.refuse_wrong(synthetic.result(tmp_path / "right", **few), synthetic.played(tmp_path / "meaning"))
    bad = {
        "WRONG PAGES: 2 of": synthetic.result(tmp_path / "pages", wrong={("scan-wp", "random", 1000): (0, 1)}, **few),
        "WRONG: scan-wp: asked for 5": synthetic.result(tmp_path / "finding", findings=finding, **few),
        "WRONG: scan-wp: asked": synthetic.played(tmp_path / "played", findings=finding),
    }
    for said, folder in bad.items():
        with pytest.raises(WrongAnswer, match=said) as caught:
            gate.refuse_wrong(tmp_path / "right", folder)
        assert caught.value.status == 1
        assert caught.value.hint


def test_compare_prints_each_format_and_keeps_what_it_is_told_to(pair, tmp_path):
    for form, word in (("text", "geomean of all"), ("markdown", "| ---"), ("csv", "p_holm,"), ("json", '"verdict"')):
        done = bench("compare", *pair, "--format", form, "--metric", "interval", "--name", tmp_path / form)
        assert done.returncode == 0, done.stderr
        assert word in done.stdout
        assert sorted(p.name for p in (tmp_path / form).iterdir()) == [
            "compare.csv", "compare.txt", "forest.png", "forest.svg",
        ]  # fmt: skip


def test_compare_offers_every_metric():
    assert main.METRICS == comparison.METRICS


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "Missing argument"),
        (["{base}"], "needs two results"),
        (["{base}", "{base}"], "is given twice"),
        (["{base}", "nowhere"], "nowhere"),
        (["{base}", "{patched}", "--fail-on", "many"], "'many' is not a percentage"),
        (["{base}", "{patched}", "--fail-on", "nan"], "'nan' is not a percentage"),
        (["{base}", "{patched}", "--fail-on", "-1%"], "'-1%' is not a percentage"),
        (["{base}", "{patched}", "--alpha", "0"], "0"),
        (["{base}", "{patched}", "--metric", "beauty"], "'beauty' is not one of"),
        (["{base}", "{patched}", "--filter", "nope"], "matches no case"),
        (["{base}", "{patched}", "--name", ".."], "is no name"),
        (["{base}", "{patched}", "--name", ""], "it is empty"),
    ],
)
def test_a_comparison_that_can_not_be_made_is_refused(words, says, pair):
    base, patched = pair
    assert says in refused("compare", *(word.format(base=base, patched=patched) for word in words))


def test_report_is_one_page_or_all_or_csv_or_html(pair):
    base, _ = pair
    page, everything = (bench("report", base, *words).stdout for words in ([], ["--all"]))
    assert (base / "report.txt").read_text().strip() == page.strip()
    assert "every point" in everything
    assert "every point" not in page
    table = pandas.read_csv(io.StringIO(bench("report", base, "--format", "csv").stdout))
    suite = pyperf.BenchmarkSuite.load(str(base / "suite.json"))
    assert len(table) == sum(b.get_nvalue() for b in suite) == len(frames.load(base).frame)
    assert table["value"].sum() == pytest.approx(sum(sum(b.get_values()) for b in suite))
    assert set(table["quantity"]) == {"time"}
    done = bench("report", base, "--format", "html")
    assert done.stdout.strip() == str(base / "report.html")
    assert "<svg" in (base / "report.html").read_text()


def test_csv_columns_are_the_documented_ones(pair):
    documented = (ROOT / "results/README.md").read_text()
    for words in (["report", pair[0]], ["compare", *pair]):
        for column in bench(*words, "--format", "csv").stdout.splitlines()[0].split(","):
            assert re.search(rf"\b{column.replace('new_', 'base_')}\b", documented), column


def test_cover_letter_as_an_editor_changes_the_letter_once(pair, tmp_path):
    letter = tmp_path / "0000-cover-letter.patch"
    letter.write_text("Subject: [PATCH 0/2] *** SUBJECT HERE ***\n\n*** BLURB HERE ***\n\nA B (2):\n  one\n  two\n")
    assert bench("cover-letter", *pair, "--into", letter).returncode == 0
    text = letter.read_text()
    assert bench("cover-letter", *pair).stdout in text
    assert text.index("BLURB") < text.index("\nBenchmark results\n") < text.index("A B (2)")
    before = letter.stat().st_mtime_ns
    assert "has these results already" in bench("cover-letter", *pair, "--into", letter).stderr
    assert letter.stat().st_mtime_ns == before
    assert bench("cover-letter", pair[0], "--into", letter).returncode == 0
    assert letter.read_text().count("Benchmark results") == 1
    assert "does not exist" in refused("cover-letter", pair[0], "--into", tmp_path / "none")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Two results of more than 10,000 benchmarks of 20 values each: (folder, folder)."""
    points = [(*one, "anon", writers) for writers in range(1, 31) for one in synthetic.points()]
    folders = [tmp_path_factory.mktemp("large") / f"result{luck}" for luck in (1, 2)]
    for luck, folder in enumerate(folders, 1):
        synthetic.result(folder, what=points, processes=20, rounds=1, luck=luck)
        (folder / "suite.json").touch()  # as a run leaves it: not made again
    frame = frames.load(folders[0]).frame
    assert len(frame) >= 200_000
    assert (frame.groupby([*frames.POINT, *frames.FORM, "phase"], observed=True).size() == 20).all()
    return folders


@pytest.mark.parametrize("command", ["report", "compare"])
def test_ten_thousand_benchmarks_take_ten_seconds_and_less_than_a_gibibyte(large, command):
    words = [sys.executable, str(ROOT / "bench.py"), command, *map(str, large[: 1 if command == "report" else 2])]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert used.ru_utime + used.ru_stime < 15, "CPU time: 10 s of a quiet machine"
    assert used.ru_maxrss < 1 << 20, "KiB"
