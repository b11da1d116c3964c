# SPDX-License-Identifier: GPL-2.0-only
"""A wheel, installed elsewhere: it measures, keeps results with the user, and says its own name."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bench import place
from bench.packaging import backend, stage
from tests.support import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, made as pipx has it made; unoptimised, which compiles in half the time."""
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CORE_FLAGS", "-O0")
        patch.setenv("PYTHONSAFEPATH", "1")
        return folder / backend.build_wheel(str(folder))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Run the command of the installed wheel: (words) -> what it did, in a folder that has nothing to do with it."""
    folder, home = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("home")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*pip, "--target", folder, wheel], check=True, timeout=120)
    env = os.environ | {"PYTHONPATH": str(folder), "XDG_DATA_HOME": str(home), "PYTHONSAFEPATH": "1"}

    def run(*words, **options):
        command = [folder / "bin/pagemap-bench", *words]
        return subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=120, **options)

    run.site, run.results = folder, home / "pagemap-bench/results"
    return run


def test_a_wheel_has_all_that_is_needed_in_one_package(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    stem = f"pagemap_bench-{place.version().python}"
    assert tops == {"pagemap_bench", f"{stem}.dist-info", f"{stem}.data"}
    own = {name.removeprefix("pagemap_bench/") for name in names}
    tracked = subprocess.run(
        ["git", "ls-files", *stage.FOLDERS, *stage.FILES], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    checkout = ("bench/packaging/", "bench/labs/")  # of use there only
    missing = {name for name in tracked if (ROOT / name).exists() and not name.startswith(checkout)} - own
    assert not missing
    left = [name for name in names if name.endswith((".o", ".pyc", "_core.c"))]
    assert not left
    shared = {name.partition(".data/data/share/")[2] for name in names}
    documents = {f"man/man1/{place.COMMAND}.1", f"doc/{place.COMMAND}/results.md"}
    assert documents | set(stage.SHARED.values()) <= shared


def test_the_installed_copy_is_this_version_and_says_its_own_name(installed):
    assert installed("--version").stdout == f"pagemap-bench, version {place.version()}\n"
    commands = installed("--help").stdout.split("Commands:\n")[1].split("\n\n")[0]
    for name in ("", *(line.split()[0] for line in commands.splitlines())):
        done = installed(*filter(None, [name, "--help"]))
        assert done.returncode == 0, done.stderr
        assert "bench.py" not in done.stdout
        assert f"pagemap-bench {name}" in done.stdout
    done = installed("report", "nothing")
    assert done.returncode == 2
    assert done.stderr == "error: there is no result nothing\nhint: pagemap-bench list names those there are\n"


def test_it_measures_and_its_results_are_the_users(installed):
    probed = json.loads(installed("probe", "--json").stdout)["interfaces"]
    working = next(name for name in ("scan-wp", "mprotect", "clear_refs") if probed[name]["works"])
    words = ("--where", "here", "--workload", "random", "--pages", "64", "--processes", "1", "--values", "1")
    done = installed("run", *words, "--interface", working, "--name", "first")
    assert done.returncode == 0, done.stderr
    assert (installed.results / "first/records.jsonl").is_file()
    report = installed("report", "first").stdout
    assert "all exact" in report
    assert "/pagemap-bench/results/first/records.jsonl" in "".join(report.split()), "however the line is broken"
    assert "\n  pagemap-bench run " in report
    assert "bench.py" not in report + installed("probe").stdout
    listed = installed("list").stdout
    assert f"results in {installed.results}\n  first" in listed
    assert "lkml-2022" in listed


def test_sources_are_what_git_tracks_and_of_an_archive_what_can_be_some(tmp_path, monkeypatch):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    mine = ["bench/place.py", "bench/core/core.h", "results/README.md", "results/published/a.csv", "pyproject.toml"]
    others = ["tests/test_x.py", "results/example-1/records.jsonl", "bench/.hidden", "setup.cfg"]
    made = ["bench/core/_core.c", "bench/core/x.so", "bench/__pycache__/x.pyc", "dist/old.tar.gz", "build/lib/x.py"]
    for name in [*mine, *others]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    for words in (["init", "-q"], ["add", "."], ["rm", "-q", "--cached", "setup.cfg"]):
        subprocess.run([*git, *words], check=True)
    for name in ["bench/notes.py", "bench/place.py.orig", *made]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(place, "ROOT", tmp_path)
    assert [str(path) for path in stage.sources()] == sorted(mine, key=Path)
    shutil.rmtree(tmp_path / ".git")
    assert [str(path) for path in stage.sources()] == sorted([*mine, "bench/notes.py", "bench/place.py.orig"], key=Path)


def test_an_archive_has_all_that_is_tracked_but_tests_and_results():
    words = ["git", "ls-files"]
    tracked = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    own = re.compile(r"tests/|results/(?!published/|README)|(.*/)?\.")
    assert {str(path) for path in stage.sources()} == {name for name in tracked if not own.match(name)}


def test_an_archive_of_sources_makes_the_same_version(tmp_path):
    name = backend.build_sdist(str(tmp_path))
    subprocess.run(["tar", "-xf", name], cwd=tmp_path, check=True)
    top = tmp_path / name.removesuffix(".tar.gz")
    assert not (top / "tests").exists()
    assert {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()} == {
        *map(str, stage.sources()), "PKG-INFO", place.STAMP
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", "from bench.packaging import backend; print(backend.place.version().python)"],
        cwd=top, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == place.version().python, done.stderr
