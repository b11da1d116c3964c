# SPDX-License-Identifier: GPL-2.0-only
"""What results/ and the README show is what this code makes of the data that are kept."""

import re
import shutil
import subprocess

import pytest

from bench.store import log
from tests.support import ROOT, bench
from tests.texts import assert_mailable

OWN_PLOT = re.compile("example-(quick|life|bystanders|instead|batching)-")  # of these the suite's plot is kept
EXAMPLES = sorted(path for name in ("example-*", "example-*/*") for path in (ROOT / "results").glob(name))
MATRICES = {"example-matrix": ("base", "new"), "example-itself": ("base", "again"), "example-v6": ("stock", "v6")}
MATRICES |= {"example-v6-partial": ("stock", "v6"), "example-range": ("6.12", "7.3")}


def test_the_readmes_second_table_is_that_of_the_example():
    report = (ROOT / "results/example-lkml-2022/report.txt").read_text()
    table = report[report.index("  One tracking interval, us") : report.index("\n\n  One whole tracking interval")]
    assert len(table.splitlines()) == 12
    assert table in (ROOT / "README.md").read_text()


MEASURED = [folder for folder in EXAMPLES if log.find(folder)]
REPORTED = [folder for folder in MEASURED if (folder / "report.txt").exists()]


@pytest.mark.parametrize("folder", REPORTED, ids=lambda folder: str(folder.relative_to(ROOT / "results")))
def test_what_is_kept_as_example_is_what_this_code_says(tmp_path, folder):
    again = tmp_path / folder.name
    again.mkdir()
    shutil.copy(log.find(folder), again)
    assert bench("report", again).returncode == 0
    same_files(folder, again)


def same_files(kept, again):
    """What is kept, and no test could make from other data, is the same again; SVGs are not kept."""
    names, made = ({path.name for path in one.iterdir() if path.suffix in (".txt", ".png")} for one in (kept, again))
    own = OWN_PLOT.match(kept.name)
    least = {"report.txt"} | (made & {f"{own[1]}.png"} if own else made)
    assert least <= names <= made, "make examples"
    assert not [name for name in names if (kept / name).read_bytes() != (again / name).read_bytes()], "make examples"


def test_every_example_of_the_makefile_is_there():
    lines = (ROOT / "Makefile").read_text().splitlines()
    named = {
        line.split()[0]: set(line.split()[2:])
        for line in lines
        if line.startswith(("MEASURED =", "PLAYED =", "MATRICES ="))
    }
    assert named["MATRICES"] == set(MATRICES)
    parts = {f"{name}/{label}" for name, labels in MATRICES.items() for label in labels}
    found = {str(folder.relative_to(ROOT / "results")) for folder in MEASURED}
    assert found == named["MEASURED"] | named["PLAYED"] | parts
    reported = {str(folder.relative_to(ROOT / "results")) for folder in REPORTED}
    assert reported == named["MEASURED"] | named["PLAYED"] | {
        "example-matrix/base",
        "example-v6/v6",
        "example-v6-partial/v6",
        "example-range/6.12",
        "example-range/7.3",
    }


def test_the_table_of_kernels_is_that_of_their_results(tmp_path):
    played = [folder for folder in MEASURED if re.match("example-meaning-(?!here)", folder.name)]
    assert bench("report", *played, "--name", tmp_path / "example-meaning").returncode == 0
    letter = bench("cover-letter", "example-meaning-6.12", "example-meaning-7.3").stdout
    (tmp_path / "example-meaning/cover-letter.txt").write_text(letter)
    same_files(ROOT / "results/example-meaning", tmp_path / "example-meaning")


def test_the_readmes_block_is_that_of_the_example(tmp_path):
    shutil.copy(ROOT / "README.md", tmp_path)
    done = bench("cover-letter", "example-matrix/base", "--into", tmp_path / "README.md")
    assert "has these results already" in done.stderr, "make examples"


def test_what_is_derived_or_drawn_for_screens_is_not_in_git():
    done = subprocess.run(["git", "ls-files", "results"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    if done.returncode:
        pytest.skip("this is no checkout")
    assert not re.findall(r".*\.svg|.*\.html|.*/suite\.json|.*\.log", done.stdout)


@pytest.mark.parametrize("name", MATRICES)
def test_comparisons_kept_as_examples(tmp_path, name):
    kept, names = ROOT / "results" / name, [f"{name}/{label}" for label in MATRICES[name]]
    first, *letter, last = (kept / "cover-letter.txt").read_text().splitlines()
    assert (first, last) == ("Benchmark results", "(end of results)")
    for text in ((kept / "compare.txt").read_text(), "\n".join(letter)):
        assert_mailable(text)
    assert bench("compare", *names, "--name", tmp_path / name).returncode == 0
    files = sorted(path.name for path in kept.iterdir() if path.suffix in (".txt", ".png", ".csv"))
    assert "functions.csv" in files
    made = [file for file in files if file != "cover-letter.txt"]
    assert not [file for file in made if (kept / file).read_bytes() != (tmp_path / name / file).read_bytes()], (
        "make examples"
    )
    assert bench("cover-letter", *names).stdout == (kept / "cover-letter.txt").read_text()


def test_what_may_be_compared_of_architectures_is_what_this_code_says():
    done = bench("compare", "example-quick-amd64", "example-quick-arm64", "example-quick-arm64-16k")
    assert done.stdout == (ROOT / "results/architectures.txt").read_text(), "make examples"
    assert_mailable(done.stdout)


def test_a_kernel_does_not_differ_from_itself():
    text = (ROOT / "results/example-itself/compare.txt").read_text()
    assert text.splitlines()[0].startswith("  No difference in 88 cases")


def test_the_page_of_all_kernels_is_that_of_their_results(tmp_path):
    kept = ROOT / "results/history"
    again = tmp_path / "history"
    shutil.copytree(kept, again, ignore=shutil.ignore_patterns("report.*", "*.png", "*.svg"))
    done = bench("history", "--limit", "0", "--name", again)
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in kept.iterdir() if path.suffix in (".txt", ".png"))
    assert names == ["history.png", "report.txt", "verdict_history.png"]
    assert not [name for name in names if (kept / name).read_bytes() != (again / name).read_bytes()], "make examples"
    assert (again / "report.html").exists()


def test_the_lines_of_the_findings_are_those_of_their_reports():
    named, found = None, 0
    for line in (ROOT / "results/findings.md").read_text().splitlines():
        if re.fullmatch(r"(example-[\w.-]+|history):", line):
            named = (ROOT / "results" / line[:-1] / "report.txt").read_text()
        elif line.startswith("    "):
            assert f"\n  {line[4:]}\n" in named, line
            found += 1
    assert found > 40
