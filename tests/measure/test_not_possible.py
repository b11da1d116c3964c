# SPDX-License-Identifier: GPL-2.0-only
"""What a machine can't do for a scenario: said with what to do about it; and settings of a machine that is not ours."""

import errno
import os
from types import SimpleNamespace

import pytest

from bench.errors import WorkerFailed
from bench.measure import areas, memory, special, stage, system
from bench.measure.memory import PRESENT, Child, NotPossible
from bench.measure.probe import OURS
from bench.plan.interfaces import INTERFACES, UNTRACKED


@pytest.fixture
def play():
    made = stage.Stage(INTERFACES[UNTRACKED])
    yield made
    made.close()


def refusing(number=errno.ENOSYS, **answers):
    """The core's calls, which the kernel refuses but for these."""

    class Calls:
        def __getattr__(self, name):
            return lambda *_: answers.get(name, -number)

    return Calls()


@pytest.mark.parametrize(
    ("wish", "says", "hint"),
    [
        (lambda play, _: play.secret(1), "memfd_secret fails: Function not implemented", "secretmem.enable=1"),
        (lambda play, pages: play.seal(pages), "mseal fails: Function not implemented", ""),
        (lambda play, pages: play.uffd_move(-1, pages, pages), "no UFFDIO_MOVE", ""),
        (
            lambda play, pages: play.write_from_outside(SimpleNamespace(touch=lambda *_: -errno.EPERM), pages),
            "process_vm_writev is not permitted",
            "CAP_SYS_PTRACE",
        ),
    ],
    ids=["secret", "seal", "move", "outside"],
)
def test_a_call_that_the_kernel_does_not_have_or_permit(wish, says, hint, play, monkeypatch):
    pages = play.map(1)
    monkeypatch.setattr(special, "lib", refusing(system_uffd_moves=0))
    with pytest.raises(NotPossible, match=says) as raised:
        wish(play, pages)
    assert hint in raised.value.reason.remedy


def test_memory_that_the_kernel_does_not_give(play, monkeypatch):
    monkeypatch.setattr(areas, "View", lambda _: SimpleNamespace(huge_kib=lambda: 0))
    with pytest.raises(NotPossible, match="no transparent huge page"):
        play.map_huge()

    def none(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(areas.os, "memfd_create", none)
    with pytest.raises(NotPossible, match="no hugetlb pages are reserved"):
        play.hugetlb_file(1)


def test_freed_pages_that_the_kernel_leaves(play, monkeypatch):
    pages = play.map(1)
    monkeypatch.setattr(areas, "entries", lambda _: [PRESENT])
    with pytest.raises(NotPossible, match="did not take the freed pages"):
        play.discard(pages)


@pytest.mark.parametrize(
    ("folders", "says"),
    [(("/dev/shm",), "no file system for files but tmpfs"), (("/proc",), "the file system of /proc refuses the file")],
)
def test_a_file_that_no_file_system_has_room_for(folders, says, play, monkeypatch):
    monkeypatch.setattr(memory, "FILE_FOLDERS", folders)
    with pytest.raises(NotPossible, match=says):
        play.file(1)


def test_a_child_that_dies_is_no_answer():
    child = Child(lambda *_: os._exit(1))
    with pytest.raises(WorkerFailed, match="a child of the scenario died"):
        child.ask(1)
    child.close()


@pytest.fixture
def setting(tmp_path):
    path = tmp_path / "enabled"
    path.write_text("always [madvise] never\n")
    return path


def test_a_setting_of_a_machine_that_is_not_ours_stays(play, setting, monkeypatch):
    monkeypatch.delenv(OURS, raising=False)
    with play._set({str(setting): "madvise"}, {str(setting): "never"}):
        pass
    with pytest.raises(NotPossible, match=f"{setting} is madvise") as raised, play._set({str(setting): "always"}):
        pass
    assert raised.value.reason.remedy == f"echo always > {setting}"
    assert setting.read_text() == "always [madvise] never\n"
    with pytest.raises(NotPossible, match="can't be read: No such file"), play._set({f"{setting}-none": "1"}):
        pass


def test_a_setting_of_a_guest_is_changed_while_it_is_needed(play, setting, monkeypatch):
    monkeypatch.setenv(OURS, "1")
    pace = setting.with_name("pace")
    pace.write_text("100")
    with play._set({str(setting): "always"}, {str(pace): "1"}):
        assert (setting.read_text(), pace.read_text()) == ("always", "1")
    assert (setting.read_text(), pace.read_text()) == ("madvise", "100")


def test_what_the_kernel_does_not_come_to_is_not_waited_for_without_end(play, monkeypatch):
    monkeypatch.setattr(system, "_WAIT_SECONDS", 0.0)
    with pytest.raises(NotPossible, match="KSM did not merge the pages within 0 s"):
        play._wait(lambda: False, "KSM did not merge the pages")


def test_frames_that_are_hidden(play, monkeypatch):
    monkeypatch.setattr(system, "entries", lambda _: [PRESENT])
    with pytest.raises(NotPossible, match="page frame numbers are hidden"):
        play._frames(play.map(1))
