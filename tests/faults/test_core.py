# SPDX-License-Identifier: GPL-2.0-only
"""Faults under the C core, in a child process as a worker is one: it says which call failed, or dies and is named."""

import ctypes
import errno
import faulthandler
import json
import os
import resource
import signal
import struct
import subprocess
import threading
import time
from array import array
from pathlib import Path

import psutil
import pytest

from bench.measure import isolated
from bench.measure.core import Ask, Bystander, Mapping, Pattern, Tracker, Writers, check, ffi, lib
from bench.plan.kinds import Layout
from tests.faults.support import survived
from tests.measure.conftest import working

PAGES, DIRTY = 600, 60
SECONDS = 20.0


def pattern():
    return Pattern(array("I", range(0, PAGES, PAGES // DIRTY)), PAGES)


def child(task):
    """What a child said before it ended, and how it ended; it leaves no process, no descriptor and no mapping."""

    def held():
        maps = [line for line in Path("/proc/self/maps").read_text().splitlines() if "/memfd:mapping" in line]
        return len(os.listdir("/proc/self/fd")), maps, psutil.Process().children()

    before = held()
    found = isolated.run(task, SECONDS)
    assert held() == before
    return found


def refused(say, do):
    """Say which call failed and how, or that none did."""
    try:
        do()
    except OSError as error:
        say([error.filename, errno.errorcode[error.errno]])
    else:
        say("nothing failed")


# Memory that goes away under the loop, by another thread: the worker dies, and no other process does.


def unmap(mapping):
    base = int(ffi.cast("uintptr_t", mapping.struct.base))
    return lambda: ctypes.CDLL(None).munmap(ctypes.c_void_p(base), ctypes.c_size_t(PAGES * 4096))


def truncate(mapping):
    """Through /proc: the file has no name, and its descriptor is closed."""
    base = int(ffi.cast("uintptr_t", mapping.struct.base))
    file = os.open(f"/proc/self/map_files/{base:x}-{base + PAGES * 4096:x}", os.O_RDWR)
    return lambda: os.ftruncate(file, 4096)


GONE = {
    "unmapped, none": ("none", "anon", unmap, "SIGSEGV"),
    "unmapped, mprotect": ("mprotect", "anon", unmap, "SIGSEGV"),
    "unmapped, uffd-sync": ("uffd-sync", "anon", unmap, "SIGSEGV"),
    "a truncated file, none": ("none", "file-shared", truncate, "SIGBUS"),
    "a truncated file, mprotect": ("mprotect", "file-private", truncate, "SIGBUS"),
}


RESETS = (("mprotect(PROT_READ)", "ENOMEM"), ("ioctl(UFFDIO_WRITEPROTECT)", "ENOENT"))


@pytest.mark.parametrize("row", GONE)
def test_memory_that_goes_away_under_the_loop(row):
    name, kind, take_away, how = GONE[row]
    interface = working(name)

    def task(say):
        faulthandler.disable()
        with Mapping(PAGES, Layout(kind=kind)) as mapping, Tracker(interface.name, mapping) as tracker:
            gone = take_away(mapping)
            tracker.run(pattern(), 10, atomic=False)
            say("it ran")
            threading.Timer(0.2, gone).start()
            end = time.monotonic() + SECONDS / 2
            while time.monotonic() < end:
                try:
                    tracker.run(pattern(), 1000, atomic=False)
                except OSError as error:  # a reset met it before a write did
                    say([error.filename, errno.errorcode[error.errno]])
                    return

    met = [[call, error] for call, error in RESETS if name in ("mprotect", "uffd-sync")]
    assert child(task) in [(["it ran"], f"it was killed by {how}"), *((["it ran", one], "") for one in met)]


# A signal every fifth of a millisecond: no call of the core takes EINTR for an answer.

STORMS = {
    f"{who}, {name}": (who, name)
    for who in ("this thread", "two threads", "another process")
    for name in ("scan-wp", "uffd-sync", "mprotect")
    if (who, name) != ("another process", "mprotect")
}


@pytest.mark.parametrize("row", STORMS)
def test_a_storm_of_signals(row):
    who, name = STORMS[row]
    interface = working(name)

    def task(say):
        came = []
        outside = -1 if who == "another process" else None
        with (
            Mapping(PAGES, Layout(outside=outside)) as mapping,
            Tracker(interface.name, mapping) as tracker,
            Writers(mapping, pattern(), 2 if who == "two threads" else 0, shared=False, cpus=[0]) as writers,
        ):
            signal.signal(signal.SIGALRM, lambda *_: came.append(1))
            signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
            found = []
            for _ in range(20):
                found += tracker.run(pattern(), 20, atomic=False, writers=writers if who == "two threads" else None)
            signal.setitimer(signal.ITIMER_REAL, 0)
            say([len(found), sum(one.extra + one.missed for one in found), len(came) >= 10])

    assert child(task) == ([[400, 0, True]], "")


# Calls that the kernel refuses from some moment on, by seccomp: named, with its errno.

RETURN, LOAD, EQUAL = 0x06, 0x20, 0x15  # of BPF: linux/bpf_common.h
NUMBERS = {
    "read": 0, "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11, "ioctl": 16, "pread64": 17, "madvise": 28,
    "clone": 56, "ptrace": 101, "prctl": 157, "openat": 257, "move_pages": 279, "fallocate": 285,
    "process_vm_readv": 310, "process_vm_writev": 311, "userfaultfd": 323, "io_uring_setup": 425,
    "io_uring_enter": 426, "io_uring_register": 427, "clone3": 435, "memfd_secret": 447, "mseal": 462,
}  # fmt: skip


def refuse(*calls, error=errno.EPERM):
    """Have the kernel refuse these calls to this process, for good."""
    rules = [(LOAD, 0, 0, 0)]
    for call in calls:
        rules += [(EQUAL, 0, 1, NUMBERS[call]), (RETURN, 0, 0, 0x00050000 | error)]
    rules.append((RETURN, 0, 0, 0x7FFF0000))
    program = b"".join(struct.pack("HBBI", *rule) for rule in rules)
    kept = ctypes.create_string_buffer(program)
    filters = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(rules), ctypes.addressof(kept)))
    libc = ctypes.CDLL(None, use_errno=True)
    assert not libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    assert not libc.prctl(22, 2, filters, 0, 0), os.strerror(ctypes.get_errno())  # PR_SET_SECCOMP, filter


def running(name):
    """Refused between two runs of a tracker that is open."""

    def task(say, *calls):
        with Mapping(PAGES) as mapping, Tracker(working(name).name, mapping) as tracker:
            tracker.run(pattern(), 5, atomic=False)
            refuse(*calls)
            refused(say, lambda: tracker.run(pattern(), 5, atomic=False))

    return task


def opening(name="none", **layout):
    """Refused before anything is made."""

    def task(say, *calls):
        working(name)
        refuse(*calls)
        refused(say, lambda: Tracker(name, Mapping(PAGES, Layout(**layout))))

    return task


def writing(say, *calls):
    """Refused before writers are started."""
    with Mapping(PAGES) as mapping:
        refuse(*calls)
        refused(say, lambda: Writers(mapping, pattern(), 2, shared=False, cpus=[0]))


def beside(what, interface="none"):
    """Refused before somebody stands by, who is asked what he noted then."""

    def task(say, *calls):
        with Mapping(PAGES) as mapping, Tracker(interface, mapping) as tracker:
            refuse(*calls)
            refused(say, lambda: Bystander(tracker, what, 1, atomic=False).stop())

    return task


def snapshots(say, *calls):
    """Refused between two snapshots."""
    with Mapping(PAGES) as mapping, Tracker("fork-cow", mapping, Ask(then="copy")) as tracker:
        tracker.run(pattern(), 2, atomic=False)
        refuse(*calls)
        refused(say, lambda: tracker.run(pattern(), 2, atomic=False))


def pinning(say, *calls):
    """Refused before memory is pinned, and read into if it could be."""

    def pin():
        check(lib.stage_pin(address, mapping.page_size))
        with open("/proc/self/stat", "rb") as file:
            check(lib.stage_read_pinned(file.fileno(), address, 8))

    with Mapping(PAGES) as mapping:
        address = int(ffi.cast("uintptr_t", mapping.struct.base))
        refuse(*calls)
        refused(say, pin)
        lib.stage_unpin()


def asking(call, *words):
    """Refused before a scenario asks for it, of its parent where it is about another process."""

    def task(say, *calls):
        refuse(*calls)
        refused(say, lambda: check(getattr(lib, call)(*(os.getppid() if word == "pid" else word for word in words))))

    return task


OTHER = "clone", "clone3"
REFUSED = {
    "ioctl in mid-run, scan-wp": (running("scan-wp"), ["ioctl"], "ioctl(PAGEMAP_SCAN)"),
    "ioctl in mid-run, uffd-sync": (running("uffd-sync"), ["ioctl"], "ioctl(UFFDIO_WRITEPROTECT)"),
    "mprotect in mid-run": (running("mprotect"), ["mprotect"], "mprotect(PROT_READ)"),
    "userfaultfd": (opening("scan-wp"), ["userfaultfd"], "userfaultfd"),
    "userfaultfd, of another process": (opening("scan-wp", outside=-1), ["userfaultfd"], "userfaultfd"),
    "mmap": (opening(), ["mmap"], "mmap(reservation)"),
    "madvise": (opening(), ["madvise"], "madvise(MADV_NOHUGEPAGE)"),
    "clone of the tracked process": (opening(outside=-1), ["clone", "clone3"], "clone"),
    "clone of a handler's thread": (opening("uffd-sync"), ["clone", "clone3"], "pthread_create"),
    "clone of writers": (writing, ["clone", "clone3"], "pthread_create"),
    "memory that another process shares": (opening(outside=-1), ["mmap"], "mmap(process)"),
    "a file's blocks": (opening(kind="file-private"), ["fallocate"], "fallocate(file in --directory)"),
    "a file": (opening(kind="file-private"), ["openat"], "open(file in --directory)"),
    "clone of a snapshot": (snapshots, OTHER, "fork"),
    "reading a snapshot": (snapshots, ["process_vm_readv"], "process_vm_readv(snapshot)"),
    "clone of a bystander's process": (beside("smaps"), OTHER, "clone(a bystander)"),
    "clone of a bystander's thread": (beside("fault"), OTHER, "pthread_create"),
    "memory of a bystander": (beside("fault"), ["mmap"], "mmap(bystander)"),
    "advice, of a bystander's process": (beside("smaps"), ["madvise"], "madvise(MADV_DONTFORK)"),
    "advice, of a bystander's thread": (beside("fault"), ["madvise"], "madvise(a bystander's)"),
    "unmapping, by a bystander": (beside("mmap"), ["munmap"], "munmap(a bystander's)"),
    "a bystander's file": (beside("smaps"), ["openat"], "open(/proc/PID, by a bystander)"),
    "a bystander's place in it": (beside("smaps"), ["lseek"], "lseek(smaps)"),
    "reading smaps, by a bystander": (beside("smaps"), ["read"], "read(smaps)"),
    "reading pagemap, by a bystander": (beside("pagemap"), ["pread64"], "pread(pagemap)"),
    "io_uring": (pinning, ["io_uring_setup"], "io_uring_setup"),
    "pinned memory": (pinning, ["io_uring_register"], "io_uring_register(IORING_REGISTER_BUFFERS)"),
    "rings": (pinning, ["mmap"], "mmap(io_uring)"),
    "reading into pinned memory": (pinning, ["io_uring_enter"], "io_uring_enter"),
    "moving pages": (asking("system_move_page", 0, -1), ["move_pages"], "move_pages"),
    "writing from outside": (asking("system_vm_write", "pid", 0, 0), ["process_vm_writev"], "process_vm_writev"),
    "reading from outside": (asking("system_vm_read", "pid", 0, 0), ["process_vm_readv"], "process_vm_readv"),
    "tracing": (asking("system_poke", "pid", 0, 0), ["ptrace"], "ptrace(PTRACE_ATTACH)"),
    "allowing it": (asking("system_allow_tracing"), ["prctl"], "prctl(PR_SET_PTRACER)"),
    "sealing": (asking("system_mseal", 0, 0), ["mseal"], "mseal"),
    "secret memory": (asking("system_memfd_secret"), ["memfd_secret"], "memfd_secret"),
    "a second userfaultfd": (asking("system_uffd"), ["userfaultfd"], "userfaultfd"),
    "its features": (asking("system_uffd"), ["ioctl"], "ioctl(UFFDIO_API)"),
    "a userfaultfd that moves": (asking("system_uffd_moves"), ["userfaultfd"], "userfaultfd"),
    "whether it does": (asking("system_uffd_moves"), ["ioctl"], "ioctl(UFFDIO_API)"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_a_call_that_is_refused(row):
    task, calls, failing = REFUSED[row]
    if calls == ["mprotect"]:
        working("mprotect")
    assert child(lambda say: task(say, *calls)) == ([[failing, "EPERM"]], "")


def test_advice_that_a_kernel_does_not_know_is_done_without():
    """Before Linux 5.14 there is no MADV_POPULATE_WRITE: pages are written one by one."""
    interface = working("scan-wp")

    def task(say):
        refuse("madvise", error=errno.EINVAL)
        for layout in (Layout(), Layout(populate="madvise-read"), Layout(vmas=2)):
            with Mapping(PAGES, layout) as mapping, Tracker(interface.name, mapping) as tracker:
                found = tracker.run(pattern(), 3, atomic=False)
            say(sum(one.extra + one.missed for one in found))

    said, how = child(lambda say: refused(say, lambda: task(say)))
    assert said[:2] == [0, 0]
    assert said[2] == ["madvise(MADV_DONTDUMP) for more VMAs (vm.max_map_count limits them)", "EINVAL"]
    assert how == ""


def test_a_folder_whose_file_system_makes_no_file_at_all():
    """Neither one without a name nor one that is given a name."""

    def task(say):
        refuse("openat", error=errno.EOPNOTSUPP)
        refused(say, lambda: Mapping(PAGES, Layout(kind="file-private")))

    name = errno.errorcode[errno.EOPNOTSUPP]  # that number has two
    assert child(task) == ([["open(file in --directory)", name]], "")


# Memory that ends: RLIMIT_AS, at each size from none to enough.


def test_address_space_that_ends_at_each_call_in_turn():
    """Until it is enough, something of the core fails and is named."""
    interface = working("scan-wp")

    def task(say):
        kept = [bytes(1 << 20)]  # Python has some memory in hand, and gives it back when it is needed
        used = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
        for more in range(0, 32 << 20, 64 << 10):
            resource.setrlimit(resource.RLIMIT_AS, (used + more, resource.RLIM_INFINITY))
            try:
                with Mapping(PAGES) as mapping, Tracker(interface.name, mapping) as tracker:
                    tracker.run(pattern(), 3, atomic=False)
                say("enough")
                break
            except OSError as error:
                say([error.filename, errno.errorcode[error.errno]])
        del kept

    said, how = child(task)
    assert how == ""
    assert said[-1] == "enough"
    assert {tuple(one) for one in said[:-1]} <= {("mmap(reservation)", "ENOMEM"), ("mmap(buffers)", "ENOMEM")}
    assert ["mmap(reservation)", "ENOMEM"] in said


# The tracked process, where it is another one.


@pytest.mark.parametrize("concurrent", [False, True], ids=["after", "while it writes"])
def test_a_tracked_process_that_is_killed_in_mid_run(concurrent):
    interface = working("scan-wp")

    def task(say):
        with Mapping(PAGES, Layout(outside=-1)) as mapping, Tracker(interface.name, mapping) as tracker:
            tracker.run(pattern(), 5, atomic=False, concurrent=concurrent)
            threading.Timer(0.3, os.kill, [mapping.process_id(), signal.SIGKILL]).start()
            refused(say, lambda: tracker.run(pattern(), 10_000_000, atomic=False, concurrent=concurrent))

    [[call, error]], how = child(task)
    # The death is found by whoever needs the process first: a wait, or an ioctl that walks its memory.
    assert (call, error) in {("the tracked process", "ECHILD"), ("ioctl(PAGEMAP_SCAN)", "ESRCH")}
    assert how == ""


def test_a_tracked_process_that_is_stopped_ends_with_who_waits_for_it(monkeypatch):
    found = []

    def task(say):
        with Mapping(PAGES, Layout(outside=-1)) as mapping, Tracker("none", mapping) as tracker:
            tracker.run(pattern(), 5, atomic=False)
            os.kill(mapping.process_id(), signal.SIGSTOP)
            say(mapping.process_id())
            tracker.run(pattern(), 5, atomic=False)

    monkeypatch.setitem(globals(), "SECONDS", 2.0)
    found, how = child(task)
    assert how.startswith("it did not end within 2 s")
    end = time.monotonic() + 10
    while psutil.pid_exists(found[0]) and psutil.Process(found[0]).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "it outlived who tracked it"
        time.sleep(0.01)


# Whole runs.

SMALL = ("run", "--where", "here", "--interface", "scan-wp", "--pages", "64", "--values", "2", "--processes", "2")


def test_clocks_that_are_years_ahead(lab):
    """In a time namespace: CLOCK_MONOTONIC and CLOCK_BOOTTIME are not those of the parent that gave the times."""
    working("scan-wp")
    words = ["unshare", "--time", "--monotonic", "400000000", "--boottime", "400000000", "--fork"]
    if os.geteuid() or subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("no time namespace can be made here")
    process = lab.start(*SMALL, "--name", lab.name(), prefix=words)
    stdout, stderr = process.communicate(timeout=120)
    survived(subprocess.CompletedProcess(words, process.returncode, stdout, stderr), 0)
    assert "scan-wp" in stdout


@pytest.fixture
def group():
    """A memory cgroup, of either version, with room for 200 MiB; who starts with its words is in it."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    places = {(kind, "memory" in options.split(",")): path for _, path, kind, options, *_ in mounts}
    first, limit = places.get(("cgroup", True)), "memory.limit_in_bytes"
    if first is None:
        first, limit = places.get(("cgroup2", False)), "memory.max"
    folder = Path(first or "/nonexistent", f"pagemap-bench-{os.getpid()}")
    try:
        folder.mkdir()
        (folder / limit).write_text(str(200 << 20))
    except OSError:
        if folder.is_dir():
            folder.rmdir()
        pytest.skip("no memory cgroup can be made here")
    yield ["sh", "-c", f'echo $$ >{folder}/cgroup.procs && exec "$@"', "sh"]
    end = time.monotonic() + 20
    while (folder / "cgroup.procs").read_text() and time.monotonic() < end:
        time.sleep(0.05)
    folder.rmdir()


def test_a_worker_that_a_memory_cgroup_kills(lab, group):
    """The one with the ballast is the largest: its jobs fail alone, and the others are measured."""
    words = (*SMALL, "--ballast", "0,400M", "--name", lab.name())
    process = lab.start(*words, prefix=group)
    stdout, stderr = process.communicate(timeout=120)
    done = subprocess.CompletedProcess(words, process.returncode, stdout, stderr)
    survived(done, 3, "2 of 4 jobs failed", "it was killed by SIGKILL", "ballast")
    records = [json.loads(line) for line in (lab.name() / "records.jsonl").read_text().splitlines()]
    assert [one["point"].get("ballast", 0) for one in records if one["type"] == "timed"] == [0, 0]
