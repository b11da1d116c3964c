# SPDX-License-Identifier: GPL-2.0-only
"""`clean`: the cache is shown and removed while nobody uses it, with what killed runs left; results stay."""

import fcntl
import os
import subprocess
import sys
import time

import pytest

from bench import files
from bench.errors import BadInput, PermissionDenied
from bench.run import campaign, cleaning, commands
from bench.run.share import Part
from bench.store import log
from bench.vm import cache, stock
from tests.run.scripted import PLAN, Scripted, answer, site
from tests.support import ROOT, bench

HOLDS = "from bench.vm import cache; cache.hold(); print('held', flush=True); input()"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A cache with a file of 1 MiB in each of its folders, and results of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(commands, "RESULTS", tmp_path / "results")
    (tmp_path / "results").mkdir()
    for name in stock.HOLDS:
        with cache.lock(name):
            (cache.folder(name) / "file").write_bytes(bytes(1 << 20))
    return tmp_path


def old(path):
    """Make a folder as old as what nobody is about to use."""
    past = time.time() - 2 * cleaning.DEAD_SECONDS
    os.utime(path, (past, past))
    return path


def test_the_cache_is_shown_with_sizes_and_removed(place, capsys):
    cleaning.clean(dry_run=True)
    said = capsys.readouterr().out
    assert said.startswith(f"cache: {place}/cache/pagemap-bench\n")
    for name, what in stock.HOLDS.items():
        assert f"  {name:10}      1.0 MiB  {what} (2 files)\n" in said
    assert f"{len(stock.HOLDS)}.0 MiB\n" in said
    assert all((cache.place() / name / "file").exists() for name in stock.HOLDS)
    cleaning.clean(dry_run=False)
    assert capsys.readouterr().out == said
    assert not cache.place().exists()
    cleaning.clean(dry_run=False)
    assert "0.0 MiB" in capsys.readouterr().out


def test_names_are_shown_without_escapes(place, capsys):
    evil = "evil\x1b[31m"
    for folder in (cache.place() / evil, place / "results" / evil):
        folder.mkdir(parents=True)
        (folder / ".report.txt.ab_d3fgh").touch()
    for dry_run in (True, False):
        cleaning.clean(dry_run=dry_run)
        said = capsys.readouterr().out
        assert said.count(r"evil\x1b[31m") == 2
        assert "\x1b" not in said


def test_what_is_fetched_or_built_at_the_moment_stays_and_the_rest_goes(place, capsys):
    room = cache.folder("builds/abc")
    with cache.lock("builds/abc"), pytest.raises(BadInput, match="builds stays: another process fetches or builds"):
        cleaning.clean(dry_run=False)
    assert room.is_dir()
    assert [path.name for path in cache.place().iterdir() if path.is_dir()] == ["builds"]
    cleaning.clean(dry_run=False)
    assert not cache.place().exists()


def test_a_cache_that_a_run_uses_is_left_alone(place, capsys):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout.readline() == "held\n"
        with pytest.raises(BadInput, match="stays: a run is going on"):
            cleaning.clean(dry_run=False)
        assert all((cache.place() / name / "file").exists() for name in stock.HOLDS)
        run.communicate("\n")
    cleaning.clean(dry_run=False)
    assert not cache.place().exists()


def test_two_runs_use_the_cache_at_once(place):
    with open(cache.place() / cache.LOCK, "w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        cache.hold()


def test_what_is_not_ours_stays(place):
    (cache.place() / "note").touch()
    cleaning.clean(dry_run=False)
    assert [path.name for path in cache.place().iterdir()] == ["note"]


def test_what_killed_runs_left_goes_and_results_stay(place, capsys):
    results = place / "results"
    whole, killed, half, fresh = (results / name for name in ("whole", "killed", "half", "fresh"))
    for folder in (whole, killed, half, fresh):
        folder.mkdir()
    for folder in (whole, half):
        campaign.measure(Part(PLAN, site(Scripted(answer)), folder))
    (killed / log.FILE).touch()
    old(killed)
    torn, foreign = half / ".report.txt.ab_d3fgh", half / ".mine.abcdefgh"
    torn.touch()
    foreign.touch()
    with files.replacing(half / "suite.json") as file:
        file.write(b"{")
        cleaning.clean(dry_run=True)
    said = capsys.readouterr().out
    assert {line for line in said.splitlines() if line.startswith("dead")} == {f"dead: {torn}", f"dead: {killed}"}
    assert torn.exists()
    capsys.readouterr()
    with files.replacing(half / "suite.json") as file:
        file.write(b"{")
        cleaning.clean(dry_run=False)
    assert not torn.exists()
    assert not killed.exists()
    assert f"{killed} held what a run left that had measured nothing: it is removed." in capsys.readouterr().err
    assert all(path.exists() for path in (foreign, fresh, whole / log.FILE, half / log.FILE, half / "suite.json"))


def test_a_half_whose_writer_lives_after_all_stays(place, capsys):
    """It was dead when it was found, and another process has begun anew under its name."""
    with files.replacing(place / "results/suite.json") as file:
        file.write(b"{")
        [half] = (place / "results").glob(".*")
        cleaning._remove(half)
        assert half.exists()
    assert capsys.readouterr().out == ""


def test_what_cannot_be_removed_is_named(place, monkeypatch):
    def refused():
        raise PermissionError(13, "Permission denied", "/of/root")

    monkeypatch.setattr(stock, "remove", refused)
    with pytest.raises(PermissionDenied, match="/of/root can't be removed: Permission denied") as raised:
        cleaning.clean(dry_run=False)
    assert raised.value.hint


def test_a_result_that_a_kill_left_aside_is_put_back(place, capsys):
    folder, aside = place / "results/x", place / "results/.x.old"
    aside.mkdir()
    campaign.measure(Part(PLAN, site(Scripted(answer)), aside))
    folder.mkdir()
    (folder / log.FILE).touch()
    old(folder)
    cleaning.clean(dry_run=True)
    assert f"dead: what {folder} held before --force" in capsys.readouterr().out
    assert aside.exists()
    commands.list_everything()
    assert ".old" not in capsys.readouterr().out
    cleaning.clean(dry_run=False)
    assert not aside.exists()
    assert (folder / log.FILE).stat().st_size
    assert "is back" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "kernels"])
def test_a_lock_that_was_cleaned_away_while_somebody_waited_for_it_is_made_anew(place, monkeypatch, name):
    acquire, lock = cache._acquire, cache.folder(name) / cache.LOCK

    def cleaned(*asked):
        monkeypatch.setattr(cache, "_acquire", acquire)
        cleaning.clean(dry_run=False)
        acquire(*asked)

    lock.touch()
    monkeypatch.setattr(cache, "_acquire", cleaned)
    handle = cache._locked(name, fcntl.LOCK_EX)
    try:
        assert os.path.samestat(os.fstat(handle), lock.stat())
    finally:
        os.close(handle)


@pytest.mark.timeout(60)
def test_a_pipe_in_the_place_of_a_lock_is_not_waited_for(place):
    cache.place().mkdir(parents=True, exist_ok=True)
    os.mkfifo(cache.place() / cache.LOCK)
    cleaning.clean(dry_run=False)
    assert not cache.place().exists()


def test_a_folder_is_locked_while_it_is_removed(place, monkeypatch):
    remove = stock.shutil.rmtree

    def watched(path):
        with open(path / cache.LOCK) as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(path)

    monkeypatch.setattr(stock.shutil, "rmtree", watched)
    cleaning.clean(dry_run=False)
    assert not cache.place().exists()


def test_a_run_holds_the_cache_and_help_says_what_goes(place):
    said = " ".join(bench("clean", "--help").stdout.split())
    assert "a result is never removed" in said
    assert "clean" in bench("--help").stdout
