# SPDX-License-Identifier: GPL-2.0-only
"""`history`: every kernel once; what failed is named and tried again, what was measured is kept."""

import errno
import io
import os
import signal
from dataclasses import replace

import pytest

from bench.errors import BadInput, GuestFailed, PermissionDenied, Unsupported, WorkerFailed
from bench.plan.interfaces import form
from bench.plan.records import Messages, Timed
from bench.report import history_page
from bench.run import history
from bench.run.history import Half, History
from bench.run.request import Request
from bench.signals import Interrupted
from bench.store import log, packing
from bench.store.history import COUNTED, whole
from bench.vm import kernel
from bench.vm.counting import USER, Phase
from tests import synthetic
from tests.run.scripted import Scripted, answer, site
from tests.support import bench

VERSIONS = ("6.1.170", "6.12.9", "6.12.43", "7.3.4")
ASKED = Request(
    workload=("random",), pages=[64], interface=("scan-wp",), where="vm", accel="icount", processes=1, boots=1
)


class Counting(Scripted):
    """A machine whose instructions are counted by function, or, with blind, without the names."""

    names = ()

    def __init__(self, what, *, blind=False):
        super().__init__(self._told)
        self.what, self.blind, self.rounds = what, blind, []
        self.counts = self

    def _told(self, job):
        said = self.what(job)
        if not isinstance(said, Timed):
            return said
        self.rounds = [
            {phase: Phase([9] * job.point.loops, {}, {USER if self.blind else "do_wp_page": 9}, {})
             for phase in one.values}
            for one in said.series
        ]  # fmt: skip
        names = ",".join(form(one.interface, one.atomic) for one in said.series)
        return said._replace(boot=int(self.sent[1]), facts=said.facts | {"rounds": names})

    def drop(self):
        self.rounds = []

    def take(self):
        return self.rounds


@pytest.fixture
def guests(monkeypatch):
    """Debian's kernels are these, and a guest of each does what the dictionary says of its version; and who booted."""
    does, booted = {}, []

    def site_of(plan):
        version = plan.kernel.removeprefix("debian:")
        what = does.get(version, answer)
        if isinstance(what, Unsupported):
            raise what
        if what == "unnamed":
            return site()._replace(unnamed="no System.map; install one")
        booted.append(version)
        boots = [Counting(answer, blind=True) if what == "blind" else Counting(what) for _ in range(plan.boots)]
        return site(*boots, facts={"kernel_image": version, "where": synthetic.COUNTED})

    known = [kernel.DebianKernel(one, f"linux-image-{one}", one, "trixie", "") for one in VERSIONS]
    monkeypatch.setattr(kernel, "debian_kernels", lambda echo: known)
    monkeypatch.setattr(history, "site_of", site_of)
    monkeypatch.setattr(history, "_need_guests", lambda: None)
    monkeypatch.setattr(history, "HALVES", (Half(COUNTED, ASKED),))
    monkeypatch.setattr(history, "_page", lambda top: None)
    return does, booted


def packed(top):
    return sorted(path.parent.name for path in top.glob(f"{COUNTED}/*/{log.PACKED}"))


def run(top, **options):
    history.run(History(name=str(top), **options))


def test_every_kernel_is_measured_once_and_kept_packed(tmp_path, guests):
    _, booted = guests
    run(tmp_path, limit=2)
    assert booted == ["6.1.170", "6.12.9"], "the oldest first"
    run(tmp_path)
    assert booted == list(VERSIONS)
    assert packed(tmp_path) == sorted(VERSIONS)
    assert not list(tmp_path.rglob(log.FILE))
    found = log.read(tmp_path / COUNTED / "7.3.4" / log.PACKED)[0]
    assert found[0].kernel == "debian:7.3.4"
    assert isinstance(found[-1], Messages)
    run(tmp_path)
    assert booted == list(VERSIONS), "nothing is measured again"


@pytest.mark.parametrize(
    ("only", "meant"),
    [(("6.12",), ["6.12.9", "6.12.43"]), (("7.*", "6.1.170"), ["6.1.170", "7.3.4"]), (("6.12.9",), ["6.12.9"])],
)
def test_only_some_kernels(tmp_path, guests, only, meant):
    run(tmp_path, only=only)
    assert guests[1] == meant


def test_a_kernel_that_is_not_there_is_bad_input(tmp_path, guests):
    with pytest.raises(BadInput, match=r"no kernel 5\.10"):
        run(tmp_path, only=("5.10",))
    assert not guests[1]


def test_one_that_fails_is_named_the_others_go_on_and_it_is_tried_again(tmp_path, guests, capsys):
    does, booted = guests
    does["6.1.170"] = lambda job: GuestFailed("the guest said nothing", "see its log")
    does["6.12.9"] = Unsupported("apt can't download it", "check the network")
    with pytest.raises(WorkerFailed) as error:
        run(tmp_path)
    assert "6.1.170 was not measured" in str(error.value)
    assert "2 kernels in all: 6.1.170, 6.12.9" in str(error.value)
    assert "tries them again" in error.value.hint
    assert packed(tmp_path) == ["6.12.43", "7.3.4"]
    assert "6.12.9 was not measured: apt can't download it" in capsys.readouterr().err
    does.clear()
    del booted[:]
    run(tmp_path)
    assert booted == ["6.1.170", "6.12.9"]
    assert packed(tmp_path) == sorted(VERSIONS)


def test_a_run_that_was_ended_goes_on(tmp_path, guests):
    does, booted = guests

    def interrupt(job):
        raise Interrupted(signal.SIGINT)

    does["6.12.9"] = interrupt
    with pytest.raises(KeyboardInterrupt) as error:
        run(tmp_path)
    assert "the same command goes on" in error.value.hint
    assert packed(tmp_path) == ["6.1.170"]
    does.clear()
    torn = tmp_path / COUNTED / "6.12.43" / log.FILE  # of a kill before the first line was whole
    torn.parent.mkdir()
    torn.write_text('{"type":"plan"')
    run(tmp_path)
    assert booted == ["6.1.170", "6.12.9", "6.12.9", "6.12.43", "7.3.4"]
    assert packed(tmp_path) == sorted(VERSIONS)


def test_an_unfinished_log_is_gone_on_with(tmp_path, guests, monkeypatch, capsys):
    monkeypatch.setattr(history, "HALVES", (Half(COUNTED, replace(ASKED, processes=2, boots=2)),))
    run(tmp_path, only=("6.1",))
    folder = tmp_path / COUNTED / "6.1.170"
    plan, *found = log.read(folder / log.PACKED)[0]
    kept = [one for one in found if one.boot == 0]
    (folder / log.PACKED).unlink()
    log.write(folder, [plan, *kept])
    asked = []
    guests[0]["6.1.170"] = lambda job: asked.append(job.process) or answer(job)
    run(tmp_path, only=("6.1",))
    assert asked == [1], "the process that was missing"
    assert [one for one in log.read(folder / log.PACKED)[0][1:] if one.boot == 0] == kept
    assert "measured anew" not in capsys.readouterr().err


@pytest.mark.parametrize("what", ["unnamed", "blind"])
def test_what_is_counted_without_functions_is_named_and_measured_again(tmp_path, guests, what):
    does, _ = guests
    does["6.1.170"] = what
    with pytest.raises(WorkerFailed, match=r"6\.1\.170 was not measured: .*function"):
        run(tmp_path, only=("6.1.170",))
    assert not list(tmp_path.rglob(f"{log.FILE}*"))
    does.clear()
    run(tmp_path, only=("6.1.170",))
    assert whole(tmp_path / COUNTED / "6.1.170")


def test_a_half_that_was_packed_without_functions_is_measured_again(tmp_path, guests):
    run(tmp_path, only=("6.1",))
    folder = tmp_path / COUNTED / "6.1.170"
    found = log.read(folder / log.PACKED)[0]
    bare = [
        one._replace(series=[some._replace(functions={}) for some in one.series]) if isinstance(one, Timed) else one
        for one in found
    ]
    log.write(folder, bare)
    packing.pack(folder)
    assert not whole(folder)
    run(tmp_path, only=("6.1",))
    assert guests[1] == ["6.1.170"] * 2
    assert whole(folder)


def test_a_half_that_is_damaged_is_measured_again_and_that_is_said(tmp_path, guests, capsys):
    run(tmp_path, only=("6.1",))
    folder = tmp_path / COUNTED / "6.1.170"
    data = (folder / log.PACKED).read_bytes()
    (folder / log.PACKED).write_bytes(data[: len(data) // 2])
    assert "anew" not in capsys.readouterr().err
    run(tmp_path, only=("6.1",))
    assert whole(folder)
    assert f"{folder} is measured anew: what was there is damaged" in capsys.readouterr().err


def test_a_limit_is_of_kernels_that_fail_too(tmp_path, guests, monkeypatch):
    tried = []
    monkeypatch.setattr(history, "_FAILING", 1)
    monkeypatch.setattr(history, "_measured", lambda top, one: tried.append(one.version) or GuestFailed("no"))
    with pytest.raises(WorkerFailed, match=r"6\.1\.170 was not measured"):
        run(tmp_path, limit=1)
    assert tried == list(VERSIONS[:2])


def test_the_limit_is_of_kernels_that_could_be_measured(tmp_path, guests):
    guests[0]["6.1.170"] = Unsupported("apt can't download it", "check the network")
    for most, measured in ((1, ["6.12.9"]), (1, ["6.12.43", "6.12.9"]), (5, ["6.12.43", "6.12.9", "7.3.4"])):
        with pytest.raises(WorkerFailed, match=r"6\.1\.170 was not measured"):
            run(tmp_path, limit=most)
        assert packed(tmp_path) == measured


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"schema":"pagemap-bench 5"', '"schema":"pagemap-bench 4"', "begun by an older version"),
        ('["none","scan-wp"]', '["none","uffd-sync"]', "what was to be measured has changed"),
        ('"type":"plan"', '"type":"plane"', "line 1"),
        (f'"kernel_image":"{VERSIONS[0]}"', '"kernel_image":"other"', "of another kernel"),
        ("}", "", "has no plan"),
    ],
)
def test_an_unfinished_log_that_can_not_be_gone_on_with_is_removed_with_the_reason(
    tmp_path, guests, capsys, old, new, why
):
    run(tmp_path, only=("6.1",))
    path = tmp_path / COUNTED / "6.1.170" / log.FILE
    log.write(path.parent, log.read(path.with_name(log.PACKED))[0][:2])  # plan and machine
    path.with_name(log.PACKED).unlink()
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1) if new else text[:20])
    run(tmp_path, only=("6.1",))
    said = capsys.readouterr().err
    assert "is measured anew: " in said
    assert why in said
    assert whole(path.parent)


def test_an_unfinished_log_that_the_system_can_not_read_now_is_left_alone(tmp_path, guests, monkeypatch):
    run(tmp_path, only=("6.1",))
    folder = tmp_path / COUNTED / "6.1.170"
    log.write(folder, log.read(folder / log.PACKED)[0][:2])
    (folder / log.PACKED).unlink()

    def refusing(opened):
        def refused(path, *words, **more):
            if path == folder / log.FILE:
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
            return opened(path, *words, **more)

        return refused

    with monkeypatch.context() as patched:
        for module in (os, io):
            patched.setattr(module, "open", refusing(module.open))
        with pytest.raises(OSError, match="Input/output error"):
            run(tmp_path, only=("6.1",))
    assert (folder / log.FILE).exists()


def test_a_place_that_can_not_be_written_ends_it_at_the_first_kernel(tmp_path, guests):
    (tmp_path / COUNTED).touch()
    with pytest.raises(PermissionDenied, match="can't be written") as refused:
        run(tmp_path)
    assert "--name" in refused.value.hint
    assert guests[1] == ["6.1.170"], "no other would fare better"


def test_a_log_that_another_process_measures_into_is_left_alone(tmp_path, guests):
    run(tmp_path, only=("6.1",))
    folder = tmp_path / COUNTED / "6.1.170"
    found = log.read(folder / log.PACKED)[0]
    log.write(folder, [found[0]._replace(values=2), *found[1:2]])
    before = (folder / log.FILE).read_bytes()
    with log.Log(folder), pytest.raises(WorkerFailed, match="is being measured by another process"):
        run(tmp_path, only=("6.1",))
    assert (folder / log.FILE).read_bytes() == before


def test_no_history_is_kept_inside_of_a_result(tmp_path, guests):
    (tmp_path / log.FILE).touch()
    for top in (tmp_path, tmp_path / "a"):
        with pytest.raises(BadInput, match=f"is inside of the result {tmp_path}$"):
            run(top)
    assert [path.name for path in tmp_path.iterdir()] == [log.FILE]


def test_a_dry_run_says_what_is_missing_and_does_nothing(tmp_path, guests, capsys):
    run(tmp_path, limit=1)
    run(tmp_path, dry_run=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["debian:6.12.9", "debian:6.12.43", "debian:7.3.4", "3"]
    assert guests[1] == ["6.1.170"]


def test_the_page_is_printed_though_it_can_not_be_written(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setattr(history_page.told, "read", lambda top: top.name)
    monkeypatch.setattr(history_page.told, "text", "what changed in {}\n".format)
    monkeypatch.setattr(history_page, "frames", lambda made: {})
    with pytest.raises(PermissionDenied, match="can't be written"):
        run(tmp_path / "file", limit=0)
    assert capsys.readouterr().out == "what changed in file\n"


def test_the_command_without_data_says_how_to_begin(tmp_path):
    done = bench("history", "--limit", "0", "--name", str(tmp_path / "none"))
    assert done.returncode == 2
    assert "nothing is measured in" in done.stderr
    assert "--limit 1" in done.stderr
    assert not (tmp_path / "none").exists()
