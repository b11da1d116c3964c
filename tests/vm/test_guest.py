# SPDX-License-Identifier: GPL-2.0-only
"""What needs no guest: its records, waiting for a QEMU that is a script, its initramfs, errors before it starts."""

import contextlib
import io
import re
import socket
import stat
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BadInput, Crashed, GuestFailed, Hung, Unsupported
from bench.vm import cpio, init, initramfs, qemu
from bench.vm import guest as guests
from bench.vm.guest import Guest

HELLO = b"H6.12.1"


def sent(payloads):
    """The records of these payloads, behind a hello."""
    checksum, records = 0, []
    for payload in [HELLO, *payloads]:
        record, checksum = init.frame(payload, checksum)
        records.append(record)
    return records


payload = st.binary(max_size=50).map(lambda content: content.replace(b"\n", b""))


@given(st.lists(payload), st.integers(1, 20))
def test_records_come_back_as_they_were_sent_however_they_are_cut(payloads, size):
    data, records = b"".join(sent(payloads)), init.Records()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert [found for piece in pieces for found in records.feed(piece)] == [HELLO, *payloads]


@given(st.lists(payload, min_size=1), st.data())
def test_a_record_with_a_changed_byte_is_refused(payloads, data):
    whole = b"".join(sent(payloads))
    # not in the hello, which is then noise; and the last newline: then nothing came back yet
    place = data.draw(st.integers(len(sent([])[0]), len(whole) - 2))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != whole[place]))
    damaged = whole[:place] + bytes([byte]) + whole[place + 1 :]
    with pytest.raises(ValueError, match="broken record"):
        list(init.Records().feed(damaged))


def test_a_lost_a_repeated_or_a_foreign_record_is_refused():
    hello, one, two, three = sent([b"Lone", b"Ltwo", b"Lthree"])
    for stream in (one + three, one + one, two, b"\n", b"x\n", one + b"[    1.0] kernel: text\n" + two, hello):
        with pytest.raises(ValueError, match="broken record"):
            list(init.Records().feed(hello + stream))
    assert list(init.Records().feed(hello + one + two + three[:-1])) == [HELLO, b"Lone", b"Ltwo"]


@given(st.binary(max_size=300), st.integers(1, 50))
def test_what_comes_before_the_hello_is_noise(noise, size):
    """A kernel that looks for its serial ports writes 0xff to them."""
    data, records = noise + b"".join(sent([b"Lone"])), init.Records()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert [found for piece in pieces for found in records.feed(piece)] == [HELLO, b"Lone"]
    assert noise.startswith(bytes(records.noise))


@pytest.mark.parametrize("first", [b"L{}", b"E0", b""])
def test_a_guest_that_says_no_hello_has_said_nothing(first):
    """And not without end."""
    records, (record, checksum) = init.Records(), init.frame(first, 0)
    assert not list(records.feed(record))
    assert not list(records.feed(init.frame(b"L{}", checksum)[0]))
    with pytest.raises(ValueError, match="bytes without a hello"):
        list(records.feed(b"x\n" * init._NOISE))


def test_a_record_without_an_end_is_refused_in_time():
    """Its time does not grow with the square of its length, however small the pieces are."""
    records, piece = init.Records(), bytes(1000)
    assert list(records.feed(sent([])[0])) == [HELLO]
    start = time.process_time()
    for _ in range(init.LONGEST // 1000):
        assert not list(records.feed(piece))
    with pytest.raises(ValueError, match=f"a record of more than {init.LONGEST} bytes"):
        list(records.feed(piece))
    assert time.process_time() - start < 5


# A guest whose QEMU is a script: the port for results is its first argument
BEGIN = """
import os, signal, sys, time
from bench.vm import init
port, checksum = int(sys.argv[1].split("=")[1]), 0
def send(kind, text=b""):
    global checksum
    record, checksum = init.frame(kind + text, checksum)
    os.write(port, record)
def talk(text):
    while True: os.write(1, text + b"\\n"); time.sleep(0.01)
"""
HELLO_SAID = "send(init.HELLO, b'6.12.1')\n"


@pytest.fixture
def guest(tmp_path):
    """Return a function that starts a guest whose QEMU is this script; it is closed at the end, and leaves nobody."""
    guests = []

    def start(script, limits=(20, 20), echo=print):
        ours, qemus = socket.socketpair()
        with qemus:
            command = [sys.executable, "-S", "-c", BEGIN + script, f"fd={qemus.fileno()}"]
            guests.append(Guest(command, ours, limits=limits, log=tmp_path / "guest.log", echo=echo))
        return guests[-1]

    yield start
    for one in guests:
        one.close()
        until(lambda group=one.pid: not living(group))


def living(group):
    """Processes of a group that have not ended."""
    stats = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            stats.append(path.read_text().rpartition(")")[2].split())
    return [one for one in stats if int(one[2]) == group and one[0] not in "ZX"]


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("time.sleep(300)", "did not start within 1 s, so it was stopped; most likely QEMU can't start its kernel"),
        ("talk(b'BUG')", "did not start within 1 s"),
        ("while True: os.write(port, b'x'); time.sleep(0.01)", "did not start within 1 s"),
        ("os.kill(os.getpid(), signal.SIGSTOP)", "did not start within 1 s, so it was stopped (QEMU: it is stopped"),
    ],
    ids=["silent", "talks", "noise", "stopped"],
)
@pytest.mark.parametrize("asked", [lambda one: one.send("x"), lambda one: one.line(1)], ids=["send", "line"])
def test_a_guest_that_says_no_hello_is_waited_for_so_long(guest, script, says, asked):
    start = time.monotonic()
    with pytest.raises(Hung, match=re.escape(says)):
        asked(guest(script, limits=(1, 20)))
    assert time.monotonic() - start < 15


WATCHDOG = b"[   9.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [python3:7]"
BLOCKED = b"[   9.0] INFO: task python3:77 blocked for more than 30 seconds."


@pytest.mark.parametrize(
    ("script", "says", "shown"),
    [
        ("time.sleep(300)", "was not done with it within 1 s", "its console was silent since"),
        ("talk(b'here')", "was not done with it within 1 s", "its console said since:\n  here\n  here"),
        ("os.write(1, b'here\\n'); time.sleep(300)", "was not done with it", "its console said since:\n  here"),
        (f"talk({WATCHDOG})", f"so it was stopped: {WATCHDOG.decode()}, in the process python3", WATCHDOG.decode()),
        (
            f"os.write(1, {BLOCKED} + b'\\n' + b'other\\n' * 99); time.sleep(300)",
            f"so it was stopped: {BLOCKED.decode()}, in the process python3",
            f"since:\n  {BLOCKED.decode()}\n  other",
        ),
        ("while True: os.write(port, b'x'); time.sleep(0.01)", "was not done with it within 1 s", "silent since"),
        ("os.kill(os.getpid(), signal.SIGSTOP)", "(QEMU: it is stopped", "silent since"),
    ],
    ids=["silent", "talks", "talked", "lockup", "hung task", "half a record", "stopped"],
)
def test_a_guest_that_does_not_answer_is_waited_for_so_long(guest, script, says, shown):
    """The error says what its console said since it was asked, not before."""
    start = time.monotonic()
    one = guest(f"os.write(1, b'booted\\n' * 20)\n{HELLO_SAID}send(init.LINE, b'one'); os.read(port, 9)\n{script}")
    assert one.line(20) == "one"
    one.send("go on")
    with pytest.raises(Hung, match=re.escape(says)) as caught:
        one.line(1, "it")
    assert shown in caught.value.hint
    assert "booted" not in caught.value.hint
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("how", ["time.sleep(300)", "os.kill(os.getpid(), signal.SIGSTOP)"], ids=["busy", "stopped"])
def test_a_guest_that_takes_nothing_is_waited_for_so_long(guest, monkeypatch, how):
    monkeypatch.setattr(guests, "_SEND_SECONDS", 1.0)
    one = guest(HELLO_SAID + how)
    with pytest.raises(Hung, match="was not done with taking its next job within 1 s"):
        one.send("x" * (8 << 20))


def test_a_guest_is_heard_while_it_is_sent_something(guest):
    """Else each might wait for the other."""
    one = guest(HELLO_SAID + "for _ in range(4): send(init.LINE, b'x' * (1 << 20))\nwhile os.read(port, 1 << 20): pass")
    one.send("y" * (8 << 20))
    assert one.line(20) == "x" * (1 << 20)


def test_lines_that_nobody_asked_for_are_limited(guest, monkeypatch):
    monkeypatch.setattr(guests, "_HELD_BYTES", 1 << 20)
    one = guest(HELLO_SAID + "while True: send(init.LINE, b'x' * 100_000)")
    with pytest.raises(GuestFailed, match="more than 1048576 bytes that were not asked for"):
        one.send("y" * (64 << 20))


def test_a_guest_that_went_is_no_answer_though_its_child_holds_its_pipes(guest):
    one = guest(HELLO_SAID + "if not os.fork(): time.sleep(300)\nsys.exit(3)")
    with pytest.raises(GuestFailed, match="QEMU ended with status 3"):
        one.line(100)


def test_a_guest_that_is_killed_by_another_thread_is_gone(guest):
    one = guest(HELLO_SAID + "time.sleep(300)")
    one.send("x")
    threading.Timer(0.2, one.kill).start()
    with pytest.raises(GuestFailed, match="QEMU ended with status -9"):
        one.line(100)


def test_a_crash_that_comes_while_it_is_sent_something_is_named(guest):
    one = guest(f"{HELLO_SAID}os.write(1, b'[ 1.0] Kernel panic - not syncing: why\\n')")
    with pytest.raises(Crashed, match=r"the guest's kernel crashed: \[ 1\.0\] Kernel panic"):
        one.send("x" * (8 << 20))


def test_what_a_kernel_complains_of_before_it_answers_is_no_crash(guest):
    one = guest(
        f"os.write(1, b'[ 1.0] BUG: KASAN: x\\n')\n{HELLO_SAID}os.read(port, 9); send(init.LINE, b'one')\n"
        "os.read(port, 9); sys.exit(3)"
    )
    one.send("go on")
    assert one.line(20) == "one"
    one.send("go on")
    with pytest.raises(GuestFailed, match="QEMU ended with status 3"):
        one.line(20)


def unpacked(archive):
    """Parse newc cpio archives, one after the other: {name: (mode, device, content)}."""
    found, at = {}, 0
    while at < len(archive):
        assert archive[at : at + 6] == b"070701"
        assert at % 4 == 0
        field = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name = archive[at + 110 : at + 110 + field[11]]
        assert name.endswith(b"\0")
        assert field[5] == 0, "a time would change the bytes from build to build"
        start = -(-(at + 110 + field[11]) // 4) * 4
        content = archive[start : start + field[6]]
        at = -(-(start + field[6]) // 4) * 4
        if name != b"TRAILER!!!\0":
            found[name[:-1].decode()] = (field[1], (field[9], field[10]), content)
    return found


def test_the_archive_holds_every_file_and_its_folders_first():
    entries = {
        "/a/b/file": cpio.file(b"text"),
        "/init": cpio.file(b"#!x", executable=True),
        "/dev/console": cpio.Entry(stat.S_IFCHR | 0o600, device=(5, 1)),
    }
    found = unpacked(cpio.pack(entries))
    assert list(found) == ["a", "a/b", "a/b/file", "dev", "dev/console", "init"]
    assert found["a/b"][0] == stat.S_IFDIR | 0o755
    assert found["a/b/file"] == (stat.S_IFREG | 0o644, (0, 0), b"text")
    assert found["init"][0] == stat.S_IFREG | 0o755
    assert found["dev/console"][:2] == (stat.S_IFCHR | 0o600, (5, 1))


@given(
    st.dictionaries(
        st.text("abc/", min_size=1, max_size=3).map(lambda name: f"/f/{name.replace('/', 'd')}"), st.binary()
    )
)
def test_the_archive_gives_back_any_content(contents):
    found = unpacked(cpio.pack({name: cpio.file(content) for name, content in contents.items()}))
    assert {f"/{name}": content for name, (mode, _, content) in found.items() if stat.S_ISREG(mode)} == contents


def built(argv, **options):
    target = io.BytesIO()
    initramfs.build(target, argv, packages=[], **options)
    return target.getvalue()


def test_the_initramfs_holds_python_the_project_and_the_request():
    argv = ["-c", "print('ü')", "a b"]
    first = built(argv, trees=[Path("pyproject.toml")])
    assert first == built(argv, trees=[Path("pyproject.toml")]), "the same input, the same bytes"
    found = unpacked(first)
    interpreter = found["init"][2].split(b"\n")[0].split()[0].removeprefix(b"#!/").decode()
    assert stat.S_IMODE(found[interpreter][0]) == 0o755
    assert found["request"][2].split(b"\0") == [argument.encode() for argument in argv]
    assert {"dev/console", "project/pyproject.toml", "project/bench/vm/init.py", "project/workloads/random.py"} <= set(
        found
    )
    assert f"project/bench/vm/__pycache__/init.{sys.implementation.cache_tag}.pyc" in found
    names = {name.rpartition("/")[2] for name in found}
    assert {"os.pyc", "ctypes"} <= names
    assert not {"os.py", "test", "tkinter", "_core.c"} & names
    assert len(first) < 40e6


def accelerator(name):
    return qemu.accelerator(name, Path("image"), [], print)


def test_without_qemu_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unsupported, match="no qemu-system-x86_64") as caught:
        accelerator("tcg")
    assert "qemu-system-x86" in caught.value.hint


def test_an_unknown_accelerator_is_refused_and_kvm_needs_its_device(monkeypatch):
    monkeypatch.setattr(qemu.shutil, "which", lambda name: name)
    with pytest.raises(BadInput, match="no accelerator 'xen'"):
        accelerator("xen")
    monkeypatch.setattr(qemu, "_KVM", Path("/dev/absent"))
    with pytest.raises(Unsupported, match=r"KVM doesn't work here: there is no /dev/absent"):
        accelerator("kvm")


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(Unsupported, match="no-such-package is not installed"):
        initramfs.build(io.BytesIO(), ["-c", ""], packages=["no-such-package"])
