# SPDX-License-Identifier: GPL-2.0-only
"""Calls that the kernel refuses: each is an error that names the call, and what was there before goes on."""

import errno
import os
import signal
import subprocess
import sys
from array import array

import pytest

from bench.measure.core import Ask, Mapping, Pattern, Tracker, ffi, lib
from bench.measure.folios import Folios
from bench.measure.probe import probe
from bench.plan.interfaces import INTERFACES, LEGACY
from bench.plan.kinds import Layout

PAGES = 64
FOLDER, NOTHING = "/", "/dev/null"
SUM = next(name for name, row in INTERFACES.items() if not row.addresses)
SLOT = "slot-scan"


@pytest.fixture
def long_line(tmp_path):
    """A file that is a line of more than any of smaps."""
    path = tmp_path / "line"
    path.write_bytes(b"x" * 40_000)
    return str(path)


# interface, its descriptor, what that is instead, the phase, the call that is named, and its errno
CALLS = [
    (LEGACY, "clear_refs_fd", NOTHING, "reset", "write(clear_refs, 4)", errno.EBADF),
    (LEGACY, "pagemap_fd", NOTHING, "collect", "read(pagemap)", errno.ENODATA),
    (LEGACY, "pagemap_fd", FOLDER, "collect", "read(pagemap)", errno.EISDIR),
    (SUM, "clear_refs_fd", NOTHING, "reset", "write(clear_refs, 1)", errno.EBADF),
    (SUM, "source_fd", FOLDER, "collect", "read(smaps)", errno.EISDIR),
    (SUM, "source_fd", "a long line", "collect", "read(smaps): a line", errno.EOVERFLOW),
    (SLOT, "pagemap_fd", NOTHING, "reset", "ioctl(PAGEMAP_SCAN)", errno.ENOTTY),
]


@pytest.mark.parametrize(("name", "descriptor", "instead", "phase", "call", "number"), CALLS)
def test_a_call_on_something_else_is_named(name, descriptor, instead, phase, call, number, long_line):
    """All but the ioctl are there on every kernel."""
    if name == SLOT and (reason := probe(INTERFACES[name]).refused):
        pytest.skip(reason.why)
    with Mapping(PAGES) as mapping, Tracker(name, mapping) as tracker:
        other = os.open(long_line if instead == "a long line" else instead, os.O_RDONLY | os.O_CLOEXEC)
        os.dup2(other, getattr(tracker.struct, descriptor), inheritable=False)
        os.close(other)
        with pytest.raises(OSError, match=r"'\S.*'") as refused:
            getattr(tracker, phase)()
    assert (refused.value.filename, refused.value.errno) == (call, number)


def test_a_file_that_ends_early_is_an_error_of_input():
    """The call itself has not failed, and what errno was before is none of its own."""
    with Mapping(PAGES) as mapping, Tracker("slot-memset", mapping) as tracker:
        nothing = os.open(NOTHING, os.O_RDONLY | os.O_CLOEXEC)
        os.dup2(nothing, tracker.struct.pagemap_fd, inheritable=False)
        os.close(nothing)
        with pytest.raises(OSError, match="Input/output error") as refused:
            tracker.run(Pattern(array("I", range(PAGES)), PAGES), 1, atomic=False)
    assert (refused.value.filename, refused.value.errno) == ("read(pagemap)", errno.EIO)


@pytest.mark.parametrize("name", [LEGACY, SUM])
def test_a_process_that_is_gone_has_no_files_to_ask(name):
    with Mapping(PAGES) as mapping:
        mapping.struct.pid = gone = 2**30  # larger than any
        with pytest.raises(OSError, match=r"No such file.*open\(/proc/PID/\w+\)") as refused:
            Tracker(name, mapping).__enter__()
        with pytest.raises(OSError, match=r"open\(/proc/PID/pagemap\)"):
            Folios(mapping)
        assert mapping.struct.pid == gone
        mapping.struct.pid = 0
        with Tracker(name, mapping) as tracker:
            tracker.reset()
    assert refused.value.errno == errno.ENOENT


def test_a_snapshot_whose_process_was_killed_is_an_error():
    """What it held can't be read any more, and is not taken for right."""
    pattern = Pattern(array("I", range(0, PAGES, 3)), PAGES)
    with Mapping(PAGES) as mapping, Tracker("fork-cow", mapping, Ask(then="copy")) as tracker:
        assert {(i.extra, i.missed) for i in tracker.run(pattern, 2, atomic=False)} == {(0, 0)}
        os.kill(tracker.struct.holder, signal.SIGKILL)
        os.waitid(os.P_PID, tracker.struct.holder, os.WEXITED | os.WNOWAIT)
        with pytest.raises(OSError, match="No such process") as refused:
            tracker.run(pattern, 2, atomic=False)
    assert refused.value.filename == "process_vm_readv(snapshot)"


def test_a_page_that_is_not_there_is_on_no_node():
    """6.1 says EFAULT where there is no page table either: follow_page() with FOLL_DUMP."""
    with Mapping(PAGES, Layout(populate="none")) as mapping:
        address = int(ffi.cast("uintptr_t", mapping.struct.base))
        assert lib.system_move_page(address, -1) in (-errno.ENOENT, -errno.EFAULT)
        assert ffi.string(lib.failed_call()) == b"move_pages (of a page)"


def test_a_word_that_cannot_be_written_from_outside_leaves_the_process_to_itself():
    """It is stopped, and goes on."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        try:
            assert lib.system_poke(other.pid, 0, 1) == -errno.EIO
            assert ffi.string(lib.failed_call()) == b"ptrace(PTRACE_POKEDATA)"
            with open(f"/proc/{other.pid}/status") as status:
                assert "TracerPid:\t0\n" in status.read()
        finally:
            other.kill()
