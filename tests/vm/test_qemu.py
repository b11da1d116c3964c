# SPDX-License-Identifier: GPL-2.0-only
"""Guests that answer, fail, crash, hang or are killed: Debian's 6.12 kernel under TCG."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.errors import GuestFailed
from bench.vm import qemu


def test_output_comes_back_line_by_line_and_errors_go_to_the_console(boot, tmp_path):
    script = """
import os, sys
print(*sys.argv[1:], flush=True)
print("to the console", file=sys.stderr)
os.write(1, b"\\xff tab\\t cr\\r\\n\\n" + b"x" * 100_000 + b"\\nno newline")
"""
    shown = []
    guest = boot("-c", script, "ä b", "", echo=shown.append)
    assert list(guest) == ["ä b ", "\udcff tab\t cr\r", "", "x" * 100_000, "no newline"]
    assert guest.release.startswith("6.12.")
    assert "qemu-system-x86_64" in guest.command_line
    assert shown == ["to the console"]
    assert "Linux version 6.12." in (tmp_path / "guest.log").read_text()


def test_what_is_added_reaches_the_kernel_and_qemu(boot):
    guest = boot("-c", "print(open('/proc/cmdline').read())", append="bench.one=1 two", more=["-name", "a b"])
    assert next(iter(guest)).endswith(" bench.one=1 two")
    assert guest.command_line.endswith(" -name 'a b'")


def failing(guest):
    """Run it to its bitter end: the lines that came before, and the error."""
    lines = []
    with pytest.raises(GuestFailed) as caught:
        lines.extend(guest)  # list.extend keeps what came before the error
    assert str(guest.log) in caught.value.hint
    return lines, caught.value


def test_a_command_that_fails_is_named_with_its_status_and_last_lines(boot):
    lines, error = failing(boot("-c", "import sys; print(1, flush=True); sys.exit('told why')"))
    assert lines == ["1"]
    assert str(error) == "the command ended with status 1 in the guest"
    assert "told why" in error.hint


def test_a_kernel_that_crashes_is_named_with_its_last_lines(boot):
    script = "import sys; print(1, flush=True); sys.stdin.readline(); open('/proc/sysrq-trigger', 'w').write('c')"
    guest = boot("-c", script)
    assert guest.line(100) == "1"  # it has come: what is on its way when a kernel crashes may be lost
    guest.send("now")
    lines, error = failing(guest)
    assert not lines
    assert "the guest's kernel crashed" in str(error)
    assert "sysrq triggered crash" in str(error)
    assert "Kernel panic" in error.hint


def test_a_guest_that_hangs_is_stopped_at_its_limit(boot):
    start = time.monotonic()
    _, error = failing(boot("-c", "import time; time.sleep(1000)", time_limit=8))
    assert "was not done with its command within 8 s" in str(error)
    assert time.monotonic() - start < 60


def test_a_guest_that_talks_all_the_time_is_stopped_too(boot):
    """What the console says, or what comes but is no whole line, is no answer."""
    script = """
import os, sys
while True: os.write(1, b"x" * 1000); print("still here", file=sys.stderr)
"""
    start = time.monotonic()
    _, error = failing(boot("-c", script, time_limit=8))
    assert "was not done with its command within 8 s" in str(error)
    assert time.monotonic() - start < 60


def test_a_command_hears_what_it_is_sent_and_the_error_names_what_it_was_busy_with(boot):
    guest = boot("-c", "for line in iter(input, 'hang'): print(line[::-1], flush=True)\nimport time; time.sleep(1000)")
    for line, answer in (("one", "eno"), ("", ""), ("x" * 5000, "x" * 5000)):
        guest.send(line)
        assert guest.line(30) == answer
    guest.send("hang")
    with pytest.raises(GuestFailed, match="was not done with the next answer within 2 s") as caught:
        guest.line(2, "the next answer")
    assert caught.value.hint.endswith("its console was silent since")


def test_a_guest_that_does_not_start_is_stopped_before_that(boot):
    _, error = failing(boot("-c", "pass", start_limit=0.5))
    assert "did not start within 0 s" in str(error)


def test_a_guest_that_ends_too_early_is_an_error(boot):
    _, error = failing(boot("-c", "import ctypes; ctypes.CDLL(None).reboot(0x1234567)"))
    assert str(error) == "the guest ended before its command did"


def test_damaged_results_are_an_error(boot):
    _, error = failing(boot("-c", "open('/dev/ttyS1', 'w').write('noise\\n')"))
    assert "came back damaged" in str(error)
    assert "noise" in str(error)


def test_a_kernel_without_a_second_serial_port_says_so(boot, monkeypatch):
    monkeypatch.setattr(qemu, "_KERNEL_OPTIONS", f"{qemu._KERNEL_OPTIONS} 8250.nr_uarts=1")
    _, error = failing(boot("-c", "pass"))
    assert "CONFIG_SERIAL_8250_RUNTIME_UARTS=2" in str(error)
    assert "./bench.py config" in error.hint


def test_a_kernel_that_takes_no_initramfs_says_so(boot, monkeypatch):
    monkeypatch.setattr(qemu, "_KERNEL_OPTIONS", f"{qemu._KERNEL_OPTIONS} noinitrd rdinit=/absent")
    _, error = failing(boot("-c", "pass"))
    assert "CONFIG_BLK_DEV_INITRD=y" in str(error)


def test_a_kernel_without_a_console_says_so(boot, monkeypatch):
    monkeypatch.setattr(qemu, "_KERNEL_OPTIONS", qemu._KERNEL_OPTIONS.replace("console={console}", "console=tty9"))
    _, error = failing(boot("-c", "import ctypes; ctypes.CDLL(None).reboot(0x1234567)"))
    assert str(error) == "the guest ended before its command did"
    _, error = failing(boot("-c", "pass", append="init=/absent rdinit=/absent"))
    assert "CONFIG_SERIAL_8250_CONSOLE=y" in str(error)


def test_a_kernel_image_that_qemu_can_not_start_is_an_error(boot):
    _, error = failing(boot("-c", "pass", memory_mib=1))
    assert "QEMU ended with status" in str(error)


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def until(condition):
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def test_a_consumer_that_fails_leaves_no_qemu(boot):
    guest = boot("-c", "pass")

    def fail():
        with guest:
            assert not gone(guest.pid)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert gone(guest.pid)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_us_ends_qemu(image, tmp_path, how):
    script = f"""
from pathlib import Path
from bench.vm import qemu
image = Path({str(image)!r})
accel = qemu.accelerator("tcg", image, [], print)
list(qemu.boot(image, ["-c", "pass"], accel, packages=[], memory_mib=256, cpus=1, time_limit=60,
               log=Path({str(tmp_path / "log")!r}), echo=print))
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as host:
        qemus = []
        assert until(lambda: qemus.extend(pid for pid in children(host.pid) if "qemu" in name(pid)) or qemus)
        host.send_signal(how)
    assert until(lambda: all(gone(pid) for pid in qemus))


def name(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
