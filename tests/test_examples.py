# SPDX-License-Identifier: GPL-2.0-only
"""What results/ and the README show is what this code makes of the data that are kept."""

import re
import shutil
import subprocess

import pytest

from bench.store import log
from tests.support import ROOT, bench
from tests.texts import assert_mailable

EXAMPLES = sorted((ROOT / "results").glob("example-*"))


def test_the_readmes_second_table_is_that_of_the_example():
    report = (ROOT / "results/example-lkml-2022/report.txt").read_text()
    table = report[report.index("  One tracking interval, us") : report.index("\n\n  One whole tracking interval")]
    assert len(table.splitlines()) == 12
    assert table in (ROOT / "README.md").read_text()


MEASURED = [folder for folder in EXAMPLES if log.find(folder)]


@pytest.mark.parametrize("folder", MEASURED, ids=lambda folder: folder.name)
def test_what_is_kept_as_example_is_what_this_code_says(tmp_path, folder):
    again = tmp_path / folder.name
    again.mkdir()
    shutil.copy(folder / log.PACKED, again)
    assert bench("report", again).returncode == 0
    same_files(folder, again)


def same_files(kept, again):
    """What is kept, and no test could make from other data, is the same again; SVGs are not kept."""
    names = sorted(path.name for path in kept.iterdir() if path.suffix in (".txt", ".png"))
    assert "report.txt" in names
    assert names == sorted(path.name for path in again.iterdir() if path.suffix in (".txt", ".png")), "make examples"
    assert not [name for name in names if (kept / name).read_bytes() != (again / name).read_bytes()], "make examples"


def test_every_example_of_the_makefile_is_there():
    text = (ROOT / "Makefile").read_text()
    names = {
        name for line in text.splitlines() if line.startswith(("MEASURED =", "PLAYED =")) for name in line.split()[2:]
    }
    assert len(names) >= 9
    assert names == {folder.name for folder in MEASURED}


def test_the_table_of_kernels_is_that_of_their_results(tmp_path):
    played = [folder for folder in MEASURED if folder.name.startswith("example-meaning-")]
    assert bench("report", *played, "--name", tmp_path / "example-meaning").returncode == 0
    same_files(ROOT / "results/example-meaning", tmp_path / "example-meaning")


def test_the_readmes_block_is_that_of_the_example(tmp_path):
    shutil.copy(ROOT / "README.md", tmp_path)
    done = bench("cover-letter", "example-6.12", "--into", tmp_path / "README.md")
    assert "has these results already" in done.stderr, "make examples"


def test_what_is_derived_or_drawn_for_screens_is_not_in_git():
    done = subprocess.run(["git", "ls-files", "results"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    if done.returncode:
        pytest.skip("this is no checkout")
    assert not re.findall(r".*\.svg|.*/suite\.json|.*\.log", done.stdout)


def test_comparisons_kept_as_examples():
    itself = (ROOT / "results/example-6.12-vs-itself/compare.txt").read_text()
    assert itself.splitlines()[0].startswith("  No difference in 88 cases")
    for name, new in (("itself", "example-6.12-again"), ("7.3", "example-7.3")):
        kept = (ROOT / f"results/example-6.12-vs-{name}/compare.txt").read_text()
        assert_mailable(kept)
        assert bench("compare", "example-6.12", new).stdout.strip() in kept
