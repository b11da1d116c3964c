# SPDX-License-Identifier: GPL-2.0-only
"""PID 1 of a guest: mounts, runs Python with the request, sends each line of its output home; both ends of that line.

Imports next to nothing: under TCG every import costs some 20 times what it costs on the host.
"""

import ctypes
import os
import sys
import termios
import time
import zlib
from collections.abc import Iterator

PROJECT, PACKAGES, REQUEST = "/project", "/packages", "/request"
# What a record carries, by its first byte.
HELLO, LINE, END = b"H", b"L", b"E"
_MOUNTS = {"/proc": "proc", "/sys": "sysfs", "/dev": "devtmpfs", "/tmp": "tmpfs", "/dev/shm": "tmpfs"}  # noqa: S108
_MOUNTS |= {"/var/tmp": "ramfs"}  # noqa: S108  (for files that are no shmem)
# The disks of bench/vm/special.py, by namespace. The kernel looks at them in the background (nvme_scan_work()).
_NAMESPACES = (1, 2)  # swap, files
_FILES_AT = "/var/tmp"  # noqa: S108
_DISKS_SECONDS, _LOOK_SECONDS = 5.0, 0.01
_PCI = "/sys/bus/pci"
# How soon NUMA balancing looks at a process that was just forked, once it is switched on.
_DEBUG = "/sys/kernel/debug"
_NUMA = f"{_DEBUG}/sched/numa_balancing"
_PACE = {"scan_delay_ms": "1", "scan_period_min_ms": "10", "scan_period_max_ms": "20"}
LONGEST = 1 << 24  # bytes of a record: the longest honest one has some 100 KiB
_NOISE = 1 << 16  # bytes before the first record
_RB_AUTOBOOT = 0x01234567  # include/uapi/linux/reboot.h; with -no-reboot QEMU ends, and that needs no ACPI
_CONSOLE_LEVEL = b"5"  # from here on only warnings and worse: printing to a serial port disturbs what is measured
_ENVIRONMENT = {
    "HOME": "/root",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",  # the same heap in every boot
    "PYTHONPATH": f"{PROJECT}:{PACKAGES}",
    "BENCH_GUEST": "1",  # the machine is ours: bench/measure/system.py may change its settings
}


def frame(payload: bytes, previous: int) -> tuple[bytes, int]:
    """Return the record of `payload` and its checksum, which continues the `previous` record's.

    So a lost or repeated record breaks the chain as a damaged one does.
    """
    checksum = zlib.crc32(payload, previous)
    return b"%08x %d %s\n" % (checksum, len(payload), payload), checksum


class Lines:
    """Cuts what comes into lines, however it comes. One that grows too long is cut: nothing grows without end."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the lines that `data` completes, without their ends."""
        *lines, rest = data.split(b"\n")
        for line in lines:
            yield self.rest() + line
        self._rest += rest
        if len(self._rest) > self._longest:
            yield self.rest()

    def rest(self) -> bytes:
        """Return, and forget, what has come of a line that is not whole yet."""
        rest, self._rest = bytes(self._rest), bytearray()
        return rest


class Records:
    """The host's end: takes bytes as they come, gives the payloads of the records that are complete.

    What comes before the first record, a hello, is `noise`: a kernel that looks for its ports writes to them.
    """

    def __init__(self) -> None:
        self.noise = bytearray()
        self._begun = False
        self._checksum = 0
        self._lines = Lines(LONGEST)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the payloads that `data` completes; raise ValueError at the first that isn't what was sent."""
        for line in self._lines.feed(data):
            if len(line) > LONGEST:
                raise ValueError(f"a record of more than {LONGEST} bytes: {line[:60]!r}")
            sent = line if self._begun else line[_hello(line) :]
            if not sent and not self._begun:
                self.noise += line + b"\n"
                if len(self.noise) > _NOISE:
                    raise ValueError(f"{_NOISE} bytes without a hello: {bytes(self.noise[:60])!r}")
                continue
            self._begun = True
            payload = sent.split(b" ", 2)[-1]
            record, self._checksum = frame(payload, self._checksum)
            if record != sent + b"\n":
                raise ValueError(f"broken record: {line[:60]!r}")
            yield payload


def _hello(line: bytes) -> int:
    """Where in a line a hello begins that ends with it; its end where none does."""
    kind = line.rfind(b" " + HELLO)
    start = line.rfind(b" ", 0, max(0, kind)) - 8
    if kind < 0 or start < 0:
        return len(line)
    record, _ = frame(line[kind + 1 :], 0)
    return start if record == line[start:] + b"\n" else len(line)


class _Port:
    """The second serial port, in raw mode: what goes in comes out."""

    def __init__(self, path: str) -> None:
        self._checksum = 0
        self._descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
        settings = termios.tcgetattr(self._descriptor)
        speed = termios.B115200
        settings[:6] = [0, 0, termios.CS8 | termios.CREAD | termios.CLOCAL | speed, 0, speed, speed]
        termios.tcsetattr(self._descriptor, termios.TCSANOW, settings)

    def send(self, kind: bytes, text: bytes) -> None:
        """Send a record, and wait until it has left: a panic takes what is still on its way."""
        record, self._checksum = frame(kind + text, self._checksum)
        while record:
            record = record[os.write(self._descriptor, record) :]
        termios.tcdrain(self._descriptor)

    def fileno(self) -> int:
        return self._descriptor


def main(port_name: str) -> None:
    """Do PID 1's work, with this device for records; returning from here would be a kernel panic."""
    _mount_all()
    with open("/proc/sys/kernel/printk", "wb") as level:
        level.write(_CONSOLE_LEVEL)
    try:
        port = _Port(port_name)
    except (OSError, termios.error) as error:
        _say(f"no second serial port ({error})")
        _end()
    port.send(HELLO, os.uname().release.encode())
    status = _run(port)
    termios.tcdrain(sys.stderr.fileno())  # the console's last lines go first: the host stops at the end record
    port.send(END, b"%d" % status)
    _end()


def _mount_all() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for target, kind in _MOUNTS.items():
        os.makedirs(target, exist_ok=True)
        _mount(libc, kind, target, kind)
    if _has_disks():
        _prepare(libc)


def _mount(libc: ctypes.CDLL, what: str, target: str, kind: str) -> None:
    if libc.mount(what.encode(), target.encode(), kind.encode(), 0, None) != 0:
        _say(f"can't mount {kind} on {target}: {os.strerror(ctypes.get_errno())}")


def _prepare(libc: ctypes.CDLL) -> None:
    """Make ready for scenarios, which is what the disks are for."""
    _use_disks(libc)
    if os.path.isdir(_DEBUG):  # a kernel without debugfs has no such folder, and nobody can make one
        _mount(libc, "debugfs", _DEBUG, "debugfs")
    for name, value in _PACE.items() if os.path.isdir(_NUMA) else ():
        with open(f"{_NUMA}/{name}", "w") as setting:
            setting.write(value)


def _has_disks() -> bool:
    """Whether there are disks, and the kernel has a driver for them: PCI_CLASS_STORAGE_EXPRESS."""
    if not os.path.isdir(f"{_PCI}/drivers/nvme"):
        return False
    kinds = []
    for device in os.listdir(f"{_PCI}/devices"):
        with open(f"{_PCI}/devices/{device}/class") as kind:
            kinds.append(kind.read())
    return any(kind.startswith("0x0108") for kind in kinds)


def _use_disks(libc: ctypes.CDLL) -> None:
    """Swap on the one disk, mount the file system of the other."""
    end = time.monotonic() + _DISKS_SECONDS
    while len(disks := _disks()) < len(_NAMESPACES) and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)
    swap, files = (disks.get(number, "no disk") for number in _NAMESPACES)
    if libc.swapon(swap.encode(), 0) != 0:
        _say(f"can't swap on {swap}: {os.strerror(ctypes.get_errno())}")
    _mount(libc, files, _FILES_AT, "ext4")


def _disks() -> dict[int, str]:
    """Return the disks that the kernel has found, by namespace: their names follow the order they were found in."""
    found = {}
    for name in os.listdir("/sys/block"):
        try:
            with open(f"/sys/block/{name}/nsid") as number, open(f"/sys/block/{name}/size") as size:
                if int(size.read()) and os.path.exists(f"/dev/{name}"):
                    found[int(number.read())] = f"/dev/{name}"
        except OSError:  # no NVMe, or not there yet
            pass
    return found


def _run(port: _Port) -> int:
    """Run the request, relay its output line by line, return its exit status (negative: the signal).

    Its input is the port: what the host sends.
    """
    with open(REQUEST, "rb") as request:
        argv = [os.fsencode(sys.executable), *request.read().split(b"\0")]
    os.chdir(PROJECT)
    out, command_out = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, port.fileno(), 0), (os.POSIX_SPAWN_DUP2, command_out, 1)]
    process = os.posix_spawn(argv[0], argv, _ENVIRONMENT, file_actions=actions)
    os.close(command_out)
    lines = Lines(LONGEST)
    while chunk := os.read(out, 1 << 16):
        for line in lines.feed(chunk):
            port.send(LINE, line)
    if rest := lines.rest():
        port.send(LINE, rest)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _say(text: str) -> None:
    print(f"bench.vm.init: {text}", file=sys.stderr, flush=True)


def _end() -> None:
    ctypes.CDLL(None).reboot(_RB_AUTOBOOT)
