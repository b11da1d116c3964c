# SPDX-License-Identifier: GPL-2.0-only
"""Base against patched: kernels in turn, what one of them can't spoil for the others, and what is printed."""

import platform
import re
import signal
import subprocess
import threading

import pytest

from bench.errors import BadInput, GuestFailed, LimitExceeded, NoVerdict, WorkerFailed
from bench.plan.plan import turns
from bench.plan.records import Machine
from bench.run import campaign, folders, matrix, resume
from bench.run.request import Request
from bench.run.share import Part
from bench.store import frames, log
from tests.measure.conftest import working
from tests.run.scripted import PLAN, Scripted, answer, site
from tests.support import ROOT, await_running, bench, refused

TWO = ("--kernel", "base=debian:6.12", "--kernel", "patched=debian:6.12")
SMALL = ("--filter", "random pages=1000 dirty=10%", "--interface", "scan-wp")


def honest(job):
    return answer(job, boot=job.process)


def part(folder, label, *scripts, boots=2, at_once=1):
    target = folder / label
    target.mkdir(parents=True, exist_ok=True)
    plan = PLAN._replace(boots=boots, processes=boots, matrix=("base", "patched"))
    return Part(plan, site(*scripts, at_once=at_once), target, label)


def test_kernels_take_turns_and_each_boot_knows_its_own(tmp_path):
    begun = []

    class Noting(Scripted):
        def __init__(self, label):
            super().__init__(honest)
            self.label = label

        def __enter__(self):
            begun.append(self.label)
            return self

    parts = [part(tmp_path, label, *(Noting(label) for _ in range(2))) for label in ("base", "patched")]
    campaign.measure(*parts)
    order = turns([2, 2], PLAN.seed)
    assert begun == [("base", "patched")[which] for which, _ in order]
    assert begun[0] == begun[-1] == "base"
    for which, one in enumerate(parts):
        machines = [found for found in log.read(one.folder / log.FILE)[0] if isinstance(found, Machine)]
        assert [found.facts["turn"] for found in machines] == [i for i, (of, _) in enumerate(order) if of == which]


def broken(job):
    return GuestFailed("it panicked", "its log")


def test_a_kernel_that_falls_leaves_the_other_whole_and_says_which_boot_and_why(tmp_path, capsys):
    parts = [
        part(tmp_path, "base", *map(Scripted, [honest] * 3), boots=3),
        part(tmp_path, "patched", *map(Scripted, [honest, broken, broken]), boots=3),
    ]
    with pytest.raises(GuestFailed) as caught:
        campaign.measure(*parts)
    said = "patched boot 1: it panicked (while measuring random pages=64 dirty=10%, process 1); 2 boots came to no end"
    assert str(caught.value) == said
    name = tmp_path
    assert f"./bench.py report {name}/base" in caught.value.hint
    assert f"./bench.py report {name}/patched" in caught.value.hint
    assert "patched boot 1: it panicked" in capsys.readouterr().err
    assert set(frames.load(tmp_path / "base").frame["boot"]) == {0, 1, 2}
    assert set(frames.load(tmp_path / "patched").frame["boot"]) == {0}


def test_what_is_wrong_with_several_kernels_is_all_said(tmp_path):
    parts = [part(tmp_path, label, *map(Scripted, [broken] * 2)) for label in ("base", "patched")]
    with pytest.raises(GuestFailed, match=r"base boot 0: it panicked.*patched boot 0: it panicked"):
        campaign.measure(*parts)


def test_boots_of_two_kernels_run_at_once(tmp_path):
    both = threading.Barrier(2, timeout=20)

    def meets(job):
        both.wait()
        return honest(job)

    parts = [part(tmp_path, label, Scripted(meets), Scripted(meets), at_once=2) for label in ("base", "patched")]
    campaign.measure(*parts)
    assert all(len(set(frames.load(one.folder).frame["boot"])) == 2 for one in parts)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "needs two kernels"),
        (["--kernel", "base=debian:6.12"], "needs two kernels"),
        (["--kernel", "debian:6.12"], "not NAME=IMAGE"),
        (["--kernel", "a/b=debian:6.12"], "not NAME=IMAGE"),
        (["--kernel", "base=debian:6.12", "--kernel", "base=debian:6.18"], "one name"),
        ([*TWO, "--name", "x", "--boots", "+2"], "adds to a result"),
        (["--resume", "nothing-of-this-name"], "no result"),
        (["--resume", "example-lkml-2022"], "no matrix"),
        (["--resume", "example-matrix"], "base is packed\nhint: unpack"),
        (["--resume", "example-matrix", "--dry-run"], "base is packed\nhint: unpack"),
        (["--resume", "example-lkml-2022", "--dry-run"], "no matrix"),
        ([*TWO, "--fail-on", "much"], "not a percentage"),
    ],
)
def test_what_can_not_be_is_one_error_and_one_hint(words, says):
    assert says in refused("matrix", *words)


def test_help_has_an_example_and_what_run_takes_too():
    said = bench("matrix", "--help").stdout
    for word in ("Example:", "--kernel NAME=IMAGE", "--fail-on", "--resume", "--boots", "--pages", "--accel"):
        assert word in said


def test_a_real_machine_is_measured_boot_by_boot(tmp_path):
    working("scan-wp")
    release = platform.release()
    words = ("--where", "here", "--kernel", f"base={release}", "--kernel", "patched=6.0.0-none", "--boots", "2")
    name = str(tmp_path / "lab")
    done = bench("matrix", *words, *SMALL, "--processes", "2", "--name", name)
    assert not done.returncode, done.stderr
    assert (
        f"Boots to go: 1 of base, 2 of patched. Boot patched next, then: ./bench.py matrix --resume {name}\n"
        in done.stderr
    )
    assert len(frames.intervals(frames.load(tmp_path / "lab/base").frame)) == 4
    again = refused("matrix", "--resume", name)
    assert "base has this boot already" in again
    assert "reboot" in again
    other = refused("matrix", *words[:2], "--kernel", "a=6.0.0-x", "--kernel", "b=6.0.0-y", "--name", tmp_path / "no")
    assert f"the running kernel is {release}; a is 6.0.0-x, b is 6.0.0-y" in other
    assert not (tmp_path / "no").exists()


@pytest.fixture(scope="module")
def whole(tmp_path_factory, image):
    """A matrix of one kernel against itself: its folder, and what it printed."""
    folder = tmp_path_factory.mktemp("matrix") / "same"
    done = bench("matrix", *TWO, *SMALL, "--boots", "3", "--name", folder)
    assert not done.returncode, done.stderr
    return folder, done.stdout


def test_a_kernel_does_not_differ_from_itself(whole):
    folder, said = whole
    assert said.lstrip().startswith("No difference in 2 cases")
    for name in ("compare.txt", "compare.csv", folders.LETTER, "base/records.jsonl", "patched/records.jsonl"):
        assert (folder / name).stat().st_size
    assert list(folder.glob("*.png"))
    assert "Benchmark results" in (folder / folders.LETTER).read_text()
    command = frames.load(folder / "base").host["command"]
    assert command.startswith("./bench.py matrix --kernel base=debian:6.12 --kernel patched=debian:6.12 ")
    assert bench("report", folder / "patched").stdout


@pytest.mark.parametrize("lines", [3, 8])
def test_a_matrix_that_was_killed_ends_with_the_same_table(whole, tmp_path, lines):
    folder = tmp_path / "killed"
    words = [str(ROOT / "bench.py"), "matrix", *TWO, *SMALL, "--boots", "3", "--name", str(folder)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def enough():
        logs = [path.read_bytes().count(b"\n") for path in folder.glob("*/records.jsonl")]
        return sum(logs) >= lines

    try:
        await_running(process, enough)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    done = bench("matrix", "--resume", folder)
    assert not done.returncode, done.stderr
    assert table(done.stdout) == table(whole[1])


def table(said):
    """The cases: medians and changes, without the hundredths of a percent by which boots of one kernel differ."""
    lines = said.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("  case, pages"))
    rows = [line for line in lines[start:] if line.startswith("    ") and "%" in line]
    assert len(rows) >= 4
    return [re.sub(r"(\d\.?\d\.?\d)[\d.]*([kM]?) \+-[\d.]+%", r"\1\2", line).split() for line in rows]


def test_a_matrix_that_is_complete_has_nothing_to_resume(whole):
    folder, said = whole
    done = bench("matrix", "--resume", folder)
    assert table(done.stdout) == table(said)


def test_failures_of_one_job_are_said_with_the_kernel(tmp_path):
    def fails(job):
        return honest(job)._replace(process=99)

    parts = [
        part(tmp_path, "base", *map(Scripted, [honest] * 2)),
        part(tmp_path, "patched", *map(Scripted, [fails] * 2)),
    ]
    with pytest.raises(WorkerFailed, match="patched boot 0: the answer to"):
        campaign.measure(*parts)


def test_what_is_no_whole_matrix_is_not_gone_on_with(tmp_path):
    """A folder with results of its own, and one of whose kernels nothing was measured."""
    request = Request()
    (tmp_path / "own").mkdir()
    alone = part(tmp_path / "own", "x", *map(Scripted, [honest] * 2))
    campaign.measure(alone._replace(plan=alone.plan._replace(matrix=())))
    with pytest.raises(BadInput, match="is no matrix, but has results of its own") as raised:
        matrix._parts(request, tmp_path / "own")
    assert raised.value.hint.startswith("./bench.py run --resume")
    (tmp_path / "both").mkdir()
    campaign.measure(*(part(tmp_path / "both", label, *map(Scripted, [honest] * 2)) for label in ("base", "patched")))
    (tmp_path / "both/patched" / log.FILE).unlink()
    with pytest.raises(BadInput, match="both lacks patched, of which nothing was measured"):
        matrix._parts(request, tmp_path / "both")


def test_names_that_labels_cannot_have_are_named():
    with pytest.raises(BadInput, match=r"a file of the name compare\.txt"):
        matrix.check_labels(["base", "compare.txt"])


@pytest.mark.parametrize("limit", [None, 5.0, "worse"])
def test_what_went_wrong_is_said_before_what_is_missing(limit, tmp_path, capsys):
    """Of two kernels of which one was measured."""
    parts = [part(tmp_path, "base", *map(Scripted, [honest] * 2))]
    campaign.measure(*parts)
    parts.append(part(tmp_path, "patched"))
    with pytest.raises(WorkerFailed, match="it fell"):
        matrix._conclude(tmp_path, parts, limit, WorkerFailed("it fell"))
    if limit is None:
        matrix._conclude(tmp_path, parts, limit, None)
    else:
        with pytest.raises(NoVerdict, match="boots are missing") as caught:
            matrix._conclude(tmp_path, parts, limit, None)
        shown = limit if isinstance(limit, str) else "5%"
        assert caught.value.hint == f"./bench.py matrix --resume {tmp_path} --fail-on {shown}"


@pytest.mark.parametrize("error", [BadInput("nothing in common"), LimitExceeded("worse by 9 %")], ids=str)
def test_what_went_wrong_outlives_what_the_comparison_has_to_say(error, tmp_path, monkeypatch, capsys):
    """But for a limit that is exceeded, which is what a script asked about; then it is said as well."""
    parts = [part(tmp_path, label, *map(Scripted, [honest] * 2)) for label in ("base", "patched")]
    campaign.measure(*parts)

    def compare(*_):
        raise error

    monkeypatch.setattr(matrix, "_compare", compare)
    with pytest.raises(type(error), match=str(error)):
        matrix._conclude(tmp_path, parts, None, None)
    assert "it fell" not in capsys.readouterr().err
    trouble = WorkerFailed("it fell", "see its log")
    with pytest.raises(WorkerFailed if isinstance(error, BadInput) else LimitExceeded):
        matrix._conclude(tmp_path, parts, None, trouble)
    said = capsys.readouterr().err
    assert ("No comparison: nothing in common" if isinstance(error, BadInput) else "it fell\nsee its log") in said


def test_the_command_of_a_matrix_has_its_kernels_and_until_when():
    kernels = (("base", "a b"), ("patched", "debian:6.12"))
    plan = PLAN._replace(command="./bench.py run --kernel 'a b' --pages 100", until=2.5)
    made = matrix.named(plan, kernels)
    assert made.command == (
        "./bench.py matrix --kernel 'base=a b' --kernel patched=debian:6.12 --pages 100 --until 2.5%"
    )
    assert made.matrix == ("base", "patched")
    assert matrix.named(made._replace(command="./bench.py run --until 3%"), kernels).command.count("--until") == 1


def test_a_limit_of_verdicts_is_none_of_times(tmp_path):
    with pytest.raises(BadInput):
        matrix._check_limit([part(tmp_path, "base")], "worse")


def test_a_plan_of_a_matrix_is_gone_on_with_as_one(tmp_path):
    campaign.measure(*(part(tmp_path, label, *map(Scripted, [honest] * 2)) for label in ("base", "patched")))
    plan = resume.plan_of(tmp_path / "patched", None, print)
    assert plan.matrix == ("base", "patched")
    with pytest.raises(BadInput, match="has 2 boots"):
        resume.plan_of(tmp_path / "patched", 1, print)
