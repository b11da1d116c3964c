# SPDX-License-Identifier: GPL-2.0-only
"""Folders of results: what is replaced on purpose, what a killed run left, and what is nobody's to remove."""

import os
import signal
from pathlib import Path

import pytest

from bench.errors import BadInput, GuestFailed, PermissionDenied
from bench.plan import records
from bench.plan.plan import Timing
from bench.plan.records import Failed, Machine
from bench.run import campaign, folders
from bench.run.share import Part
from bench.signals import Interrupted
from bench.store import log
from plots import drawing
from tests.run.scripted import PLAN, POINTS, Scripted, answer, site


def measured(folder, plan=PLAN):
    """A result in a folder that is made."""
    folder.mkdir(parents=True)
    campaign.measure(Part(plan, site(Scripted(answer)), folder))
    return folder


def matrix(folder, *labels):
    """A matrix of these kernels in a folder that is made; return the results."""
    found = [measured(folder / label, PLAN._replace(matrix=labels)) for label in labels]
    (folder / folders.LETTER).touch()
    return found


def written(folder, *found):
    """A log of these records, as a killed run leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / log.FILE).write_text("".join(records.encode(one) + "\n" for one in found))
    return folder


def test_a_result_is_replaced_only_where_that_is_asked_for(tmp_path, capsys):
    folder = measured(tmp_path / "x")
    (folder / "report.txt").touch()
    for force in (None, False):
        with pytest.raises(BadInput, match="exists") as refusal, folders.new(folder, force=force):
            pass
        assert ("--force" in refusal.value.hint) == (force is not None)
    assert (folder / log.FILE).stat().st_size
    with folders.new(folder, force=True):
        assert list(folder.iterdir()) == []
        campaign.measure(Part(PLAN, site(Scripted(answer)), folder))
    assert "is back" not in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == [folder]
    assert not (folder / "report.txt").exists()


def test_a_matrix_is_replaced_with_all_its_results(tmp_path):
    folder = tmp_path / "m"
    matrix(folder, "base", "patched")
    with folders.new(folder, folder / "base", folder / "other", force=True):
        assert sorted(path.name for path in folder.iterdir()) == ["base", "other"]
        campaign.measure(Part(PLAN, site(Scripted(answer)), folder / "other"))
    assert sorted(tmp_path.rglob(log.FILE)) == [folder / "other" / log.FILE]
    assert sorted(tmp_path.iterdir()) == [folder]


OTHERS = {
    "results": (lambda folder: [measured(folder / name) for name in ("1", "2")], "1, 2"),
    "one result below": (lambda folder: measured(folder / "1"), "1"),
    "one in a result": (lambda folder: [measured(folder), measured(folder / "1")], "1"),
    "one in a matrix": (lambda folder: [*matrix(folder, "base", "new"), measured(folder / "1")], "1"),
    "a matrix in a result": (lambda folder: [measured(folder), *matrix(folder, "base", "new")], "base, new"),
    "two matrices": (lambda folder: [*matrix(folder, "a", "b"), *matrix(folder, "c", "d")], "a, b, c and 1 more"),
    "a damaged one": (lambda folder: [*matrix(folder, "a", "b"), damaged(folder / "1")], "1"),
    "pages": (lambda folder: [measured(folder), (folder / "1").mkdir(), (folder / "1/compare.txt").touch()], "1"),
}


def damaged(folder):
    """A log that nobody can read."""
    folder.mkdir()
    (folder / log.FILE).write_text("damaged\n")


@pytest.mark.parametrize("what", OTHERS)
def test_no_more_than_one_result_or_one_matrix_is_replaced(tmp_path, what):
    folder, (make, names) = tmp_path / "x", OTHERS[what]
    make(folder)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadInput, match=f": {names}$"), folders.new(folder, force=True):
        pass
    with pytest.raises(BadInput, match="exists") as refusal, folders.new(folder, force=False):
        pass
    assert "--force" not in refusal.value.hint
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("force", [None, False, True])
def test_no_result_is_made_inside_of_another(tmp_path, monkeypatch, force):
    folder = measured(tmp_path / "x")
    monkeypatch.chdir(folder)
    for inside in (folder / "sub", folder / "a/b/c", Path("sub")):
        with pytest.raises(BadInput, match=f"is inside of the result {folder}$"), folders.new(inside, force=force):
            pass
    assert [path.name for path in folder.iterdir()] == [log.FILE]


def replaced(left, how, *made):
    """Begin to replace a result, leave something, and fail."""
    with folders.resumable(made[0]), folders.new(*made, force=True):
        left(made[0])
        raise how


ENDS = {
    "nothing": lambda folder: None,
    "a plan": lambda folder: written(folder, PLAN),
    "a boot that fell": lambda folder: (written(folder, PLAN, Failed(0, "", "")), (folder / "guest.log").touch()),
    "no folder": Path.rmdir,
}


@pytest.mark.parametrize("how", [GuestFailed("the kernel panicked", "see why"), Interrupted(signal.SIGINT)], ids=repr)
@pytest.mark.parametrize("end", ENDS)
def test_a_result_is_back_where_nothing_took_its_place(tmp_path, capsys, end, how):
    folder = measured(tmp_path / "x")
    before = (folder / log.FILE).read_bytes()
    how.hint = ""
    with pytest.raises(type(how)):
        replaced(ENDS[end], how, folder)
    assert "the result that it held is back" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == [folder, folder / log.FILE]
    assert (folder / log.FILE).read_bytes() == before
    if isinstance(how, Interrupted):
        assert how.hint.startswith("nothing was measured")


def test_a_matrix_is_back_as_a_whole(tmp_path):
    folder = tmp_path / "m"
    matrix(folder, "base", "patched")
    before = sorted(tmp_path.rglob("*"))
    how = GuestFailed("the kernel panicked", "see why")
    with pytest.raises(GuestFailed):
        replaced(lambda made: written(made / "base", PLAN), how, folder, folder / "base", folder / "other")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("by", ["start", "recover"])
@pytest.mark.parametrize("new", ["nothing", "a plan", "a job"])
def test_what_a_kill_left_aside_is_put_back_or_removed(tmp_path, by, new):
    folder = tmp_path / "x"
    measured(folder).rename(tmp_path / ".x.old")
    if new == "a plan":
        written(folder, PLAN)
    elif new == "a job":
        measured(folder)
        (folder / "report.txt").touch()
    assert folders.aside(tmp_path) == [folder]
    assert tmp_path / ".x.old" not in folders.unmeasured(tmp_path)
    if by == "recover":
        folders.recover(folder)
    else:
        with pytest.raises(BadInput, match="exists"), folders.new(folder, force=False):
            pass
    assert sorted(tmp_path.iterdir()) == [folder]
    assert (folder / log.FILE).exists()
    assert (folder / "report.txt").exists() == (new == "a job")


def test_what_is_aside_has_an_owner_while_its_folder_is_measured(tmp_path):
    folder = measured(tmp_path / "x")
    with folders.new(folder, force=True):
        for take in (lambda: folders.recover(folder), lambda: folders.new(folder, force=True).__enter__()):
            with pytest.raises(BadInput, match="being measured by another process"):
                take()
        assert (tmp_path / ".x.old" / log.FILE).exists()
    assert (folder / log.FILE).exists()


def test_what_is_aside_and_not_ours_stays(tmp_path, capsys):
    (tmp_path / ".x.old").mkdir()
    (tmp_path / ".x.old/thesis.tex").touch()
    folders.recover(tmp_path / "x")
    assert "it stays" in capsys.readouterr().err
    assert (tmp_path / ".x.old/thesis.tex").exists()


FOREIGN = {
    "a file": lambda folder: (folder / "notes.txt").touch(),
    "a hidden file": lambda folder: (folder / ".git").touch(),
    "a picture": lambda folder: (folder / "cat.png").touch(),
    "a link": lambda folder: (folder / "report.txt").symlink_to("/etc/passwd"),
    "a pipe": lambda folder: os.mkfifo(folder / "report.txt"),
    "a folder in a folder": lambda folder: (folder / "a/b").mkdir(parents=True),
}


@pytest.mark.parametrize("what", FOREIGN)
@pytest.mark.parametrize("kind", ["result", "killed"])
def test_what_is_of_no_result_is_named_and_stays(tmp_path, what, kind):
    folder = measured(tmp_path / "x") if kind == "result" else written(tmp_path / "x", PLAN)
    FOREIGN[what](folder)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadInput, match="what is of no result: ") as refusal, folders.new(folder, force=True):
        pass
    assert any(str(path.relative_to(folder)) in str(refusal.value) for path in before if path != folder)
    with pytest.raises(BadInput, match="exists"), folders.new(folder, force=False):
        pass
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("force", [False, True])
def test_what_is_no_folder_stays(tmp_path, force):
    target = measured(tmp_path / "target")
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "file").touch()
    for name in ("link", "dangling", "file"):
        with pytest.raises(BadInput, match="is no folder"), folders.new(tmp_path / name, force=force):
            pass
        assert os.path.lexists(tmp_path / name)
    assert (target / log.FILE).exists()


def test_pages_without_a_result_are_nobodys_to_replace(tmp_path):
    """`report A B --name X` and `compare --name X` keep theirs in folders that have nothing else."""
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "compare.txt").touch()
    for force, says in ((False, "exists"), (True, "is no result")):
        with pytest.raises(BadInput, match=says), folders.new(folder, force=force):
            pass
    assert folders.unmeasured(tmp_path) == []


LEFT = {
    "nothing": Path.mkdir,
    "a plan": lambda folder: written(folder, PLAN),
    "an empty log": written,
    "a boot that fell": lambda folder: written(folder, PLAN, Machine(0, {}, {}), Failed(0, "", "it hung")),
    "a guest that did not boot": lambda folder: (folder.mkdir(), (folder / "guest-3.log").touch()),
    "half a file": lambda folder: (folder.mkdir(), (folder / ".report.txt.ab_d3fgh").touch()),
    "a matrix": lambda folder: [written(folder / label, PLAN) for label in ("base", "new")],
}


@pytest.mark.parametrize("what", LEFT)
def test_what_measured_nothing_is_no_result(tmp_path, what, capsys):
    folder = tmp_path / "x"
    LEFT[what](folder)
    assert folders.unmeasured(tmp_path) == [folder]
    with folders.new(folder, force=False):
        assert not list(folder.iterdir())
        campaign.measure(Part(PLAN, site(Scripted(answer)), folder))
    assert ("had measured nothing: it is replaced" in capsys.readouterr().err) == (what != "nothing")
    assert folders.unmeasured(tmp_path) == []
    LEFT[what](tmp_path / "y")
    folders.clear(tmp_path / "y")
    assert not (tmp_path / "y").exists()


@pytest.mark.parametrize("last", [answer(Timing(POINTS[0], 0)), "damaged"])
def test_what_may_have_measured_something_is_a_result(tmp_path, last):
    folder = written(tmp_path / "x", PLAN, Machine(0, {}, {}), *([last] if last != "damaged" else []))
    with (folder / log.FILE).open("a") as file:
        file.write("damaged\n" if last == "damaged" else "half a line")
    with pytest.raises(BadInput, match="exists"), folders.new(folder, force=False):
        pass
    assert folders.unmeasured(tmp_path) == []


@pytest.mark.parametrize("force", [False, True])
def test_what_is_being_measured_is_left_alone(tmp_path, force):
    folder = written(tmp_path / "x", PLAN)
    with (
        log.Log(folder),
        pytest.raises(BadInput, match="being measured by another process"),
        folders.new(folder, force=force),
    ):
        pass
    assert (folder / log.FILE).read_text()


def test_one_result_of_a_matrix_that_is_being_measured_keeps_all(tmp_path):
    one, other = matrix(tmp_path / "m", "base", "new")
    with log.Log(other), pytest.raises(BadInput, match="being measured"), folders.new(tmp_path / "m", force=True):
        pass
    assert (one / log.FILE).exists()


def test_files_that_a_result_has_are_known(tmp_path):
    for name in drawing.modules():
        assert folders.is_ours(f"{name}.png")
        assert folders.is_ours(f"{name}.svg")
    for name in ("records.jsonl", "suite.json", "guest.log", "guest-12.log", ".suite.json.abcdefgh", "report.html"):
        assert folders.is_ours(name)
    for name in ("guest.txt", "records.json", ".suite.json", "x.png", "..", ".records.jsonl.~backup~", "base"):
        assert not folders.is_ours(name)


@pytest.mark.parametrize("name", ["n" * 201, "ü" * 101, "two\nlines", "\x1b[31mred", "\udcff", ".x.old", "n" * 300])
def test_names_that_can_not_be_are_refused(tmp_path, name):
    with pytest.raises(BadInput), folders.new(tmp_path / name):
        pass
    assert not list(tmp_path.iterdir())
    with folders.new(tmp_path / ("n" * 200)):
        pass


def test_a_folder_that_can_not_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    for target in (tmp_path / "file" / "x", tmp_path / "a" / ("n" * 300) / "x"):
        with pytest.raises(PermissionDenied, match="can't be made"), folders.new(target):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
