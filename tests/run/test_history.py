# SPDX-License-Identifier: GPL-2.0-only
"""`history`: every kernel once; what failed is named and tried again, what was measured is kept."""

import signal

import pytest

from bench.errors import BadInput, GuestFailed, Unsupported, WorkerFailed
from bench.plan.records import Messages
from bench.run import history
from bench.run.history import Half, History
from bench.run.request import Request
from bench.signals import Interrupted
from bench.store import log
from bench.store.history import COUNTED
from bench.vm import kernel
from tests import synthetic
from tests.run.scripted import Scripted, answer, site
from tests.support import bench

VERSIONS = ("6.1.170", "6.12.9", "6.12.43", "7.3.4")
ASKED = Request(
    workload=("random",), pages=[64], interface=("scan-wp",), where="vm", accel="icount", processes=1, boots=1
)


@pytest.fixture
def guests(monkeypatch):
    """Debian's kernels are these, and a guest of each does what the dictionary says of its version; and who booted."""
    does, booted = {}, []

    def site_of(plan):
        version = plan.kernel.removeprefix("debian:")
        what = does.get(version, answer)
        if isinstance(what, Unsupported):
            raise what
        booted.append(version)
        return site(Scripted(what), facts={"kernel_image": version, "where": synthetic.COUNTED})

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


def test_a_dry_run_says_what_is_missing_and_does_nothing(tmp_path, guests, capsys):
    run(tmp_path, limit=1)
    run(tmp_path, dry_run=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["debian:6.12.9", "debian:6.12.43", "debian:7.3.4", "3"]
    assert guests[1] == ["6.1.170"]


def test_the_command_without_data_says_how_to_begin(tmp_path):
    done = bench("history", "--limit", "0", "--name", str(tmp_path / "none"))
    assert done.returncode == 2
    assert "nothing is measured in" in done.stderr
    assert "--limit 1" in done.stderr
    assert not (tmp_path / "none").exists()
