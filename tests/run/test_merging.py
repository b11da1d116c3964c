# SPDX-License-Identifier: GPL-2.0-only
"""Results of several machines and boots as one."""

import pytest

from bench.errors import BadInput
from bench.run import merging, resume
from bench.store import frames
from tests import synthetic


@pytest.fixture
def three(tmp_path):
    """Two boots of one machine and one of another, in three results."""
    for name, hostname, luck in (("a", "red", 1), ("b", "red", 2), ("c", "blue", 3)):
        synthetic.result(tmp_path / name, luck=luck, hostname=hostname)
    return tmp_path


def test_boots_of_machines_are_joined_and_the_machine_is_kept(three, capsys):
    merging.merge([str(three / name) for name in "abc"], str(three / "all"))
    assert "3 boots of 2 machines" in capsys.readouterr().err
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
