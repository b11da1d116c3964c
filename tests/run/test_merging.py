# SPDX-License-Identifier: GPL-2.0-only
"""Results of several machines and boots as one."""

import errno
import gc

import pytest

from bench.errors import BadInput, PermissionDenied
from bench.plan.records import Timed
from bench.run import merging, resume
from bench.store import frames, log
from tests import synthetic


@pytest.fixture
def three(tmp_path):
    """Two boots of one machine and one of another, in three results."""
    for name, hostname, luck in (("a", "red", 1), ("b", "red", 2), ("c", "blue", 3)):
        synthetic.result(tmp_path / name, luck=luck, hostname=hostname)
    return tmp_path


def test_boots_of_machines_are_joined_and_the_machine_is_kept(three, capsys):
    merging.merge([str(three / name) for name in "abc"], str(three / "all"))
    assert f"3 boots of 2 machines; ./bench.py report {three}/all shows them" in capsys.readouterr().err
    rows = frames.intervals(frames.load(three / "all").frame)
    by_boot = rows.groupby("boot")["machine"].first().to_dict()
    assert by_boot == {0: "red", 1: "red", 2: "blue"}
    singles = [frames.intervals(frames.load(three / name).frame) for name in "abc"]
    assert len(rows) == sum(map(len, singles))
    for boot, one in enumerate(singles):
        assert sorted(rows[rows["boot"] == boot]["cost"]) == sorted(one["cost"])


def test_boots_of_one_machine_have_no_machine(three):
    merging.merge([str(three / "a"), str(three / "b")], str(three / "one"))
    assert set(frames.load(three / "one").frame["machine"]) == {""}


def test_a_merged_result_is_no_plan_to_go_on_with(three):
    merging.merge([str(three / "a"), str(three / "c")], str(three / "both"))
    with pytest.raises(BadInput, match="was merged") as caught:
        resume.plan_of(three / "both", None, print)
    assert "a, c" in caught.value.hint


def test_what_is_not_alike_is_refused(three, tmp_path):
    synthetic.result(tmp_path / "kernel", kernel_release="6.18.1")
    synthetic.result(tmp_path / "points", what=[("idle", 64, 0.0)])
    for name, why in (("kernel", "different kernel release"), ("points", "different points")):
        with pytest.raises(BadInput, match=why):
            merging.merge([str(three / "a"), str(tmp_path / name)], str(tmp_path / "x"))
    with pytest.raises(BadInput, match="given twice"):
        merging.merge([str(three / "a"), str(three / "a")], str(tmp_path / "x"))
    with pytest.raises(BadInput, match="two results"):
        merging.merge([str(three / "a")], str(tmp_path / "x"))
    assert not (tmp_path / "x").exists()


MACHINES = 30


def test_a_lab_of_many_machines(tmp_path, monkeypatch):
    """However many there are, records of one or two are in memory; and nothing is lost, or of another machine."""
    points = [("random", pages, dirty) for pages in (1, 10, 100) for dirty in (1.0, 10.0, 50.0)]
    one = synthetic.result(tmp_path / "one", what=points, processes=20, rounds=3, hostname="HOST")
    text, alive, read = (one / log.FILE).read_text(), [], log.read
    names = [tmp_path / f"m{i:03}" for i in range(MACHINES)]
    for i, name in enumerate(names):
        name.mkdir()
        (name / log.FILE).write_text(text.replace('"HOST"', f'"host{i:03}"'))

    def count():
        return sum(isinstance(one, Timed) for one in gc.get_objects())

    def watched(path):
        found = read(path)
        alive.append(count())
        return found

    gc.collect()
    before = count()  # of other tests
    monkeypatch.setattr(log, "read", watched)
    merging.merge(list(map(str, names)), str(tmp_path / "all"))
    assert len(points) * 20 <= max(alive) - before <= 2 * len(points) * 20
    values = len(frames.load(one).frame)
    frame = frames.load(tmp_path / "all").frame
    assert len(frame) == MACHINES * values
    assert frame.groupby("boot")["machine"].first().to_dict() == {i: f"host{i:03}" for i in range(MACHINES)}
    assert set(frame.groupby("boot").size()) == {values}
    assert frame["process"].nunique() == MACHINES * 20


@pytest.mark.parametrize(("name", "most"), [("MOST_PROCESSES", 17), ("MOST_JOBS", 18 * len(synthetic.points()) - 1)])
def test_more_than_a_result_holds_is_refused(three, monkeypatch, name, most):
    monkeypatch.setattr(merging, name, most)
    with pytest.raises(BadInput, match="together they have 18 processes") as caught:
        merging.merge([str(three / name) for name in "abc"], str(three / "all"))
    assert "--format csv" in caught.value.hint
    assert not (three / "all").exists()


def test_a_long_command_is_shortened(three, monkeypatch):
    monkeypatch.setattr(merging, "LONGEST_WORDS", 40)
    merging.merge([str(three / "a"), str(three / "c")], str(three / "both"))
    plan = log.plan(three / "both" / log.FILE)
    assert plan.command == f"./bench.py merge RESULT... --name {three / 'both'}"
    assert plan.merged == ("a", "c")


def test_a_full_disk_is_said(three, monkeypatch):
    """Nothing of it stays."""
    monkeypatch.setattr(log.records, "encode", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
    with pytest.raises(PermissionDenied, match="can't be written: No space left") as caught:
        merging.merge([str(three / "a"), str(three / "c")], str(three / "both"))
    assert "nothing of it stays" in caught.value.hint
    assert "measured before" not in caught.value.hint
    assert not (three / "both").exists()
