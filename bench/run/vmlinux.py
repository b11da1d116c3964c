# SPDX-License-Identifier: GPL-2.0-only
"""Where functions stand in a kernel's source: from its vmlinux with debug information, by nm and addr2line."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench import processes, reading
from bench.errors import BadInput

# Bounded, so that a file of nothing but its first words is not looked through once for each of them.
_BANNER = re.compile(rb"Linux version (\S{1,256}) [^\0\n]{0,1024}?(#\d[^\0\n]{0,256})\n")
_SECONDS = 300.0  # for nm and addr2line each: a distribution's vmlinux has hundreds of megabytes
_UNKNOWN = re.compile(r"^\?\?:|:[?0]$")


def places(path: Path, functions: Iterable[str], host: dict[str, Any]) -> dict[str, str]:
    """Return file:line of each function that the vmlinux knows.

    host: facts of the kernel that was measured: another kernel's vmlinux is refused. Raises BadInput for it and for one
    without debug information, ProgramFailed where nm or addr2line is missing.
    """
    _same(path, host)
    wanted = set(functions)
    addresses: dict[str, str] = {}
    for line in _output(["nm", str(path)]).splitlines():
        address, kind, name = [*line.split(maxsplit=2), "", "", ""][:3]
        if kind in ("t", "T") and name in wanted:
            addresses.setdefault(name, address)
    if not addresses:
        raise BadInput(
            f"{path} has none of the functions that were counted", "give the vmlinux of the build, unstripped"
        )
    found = _output(["addr2line", "-e", str(path)], "\n".join(addresses.values())).splitlines()
    named = {name: line.split(" (")[0] for name, line in zip(addresses, found, strict=False)}
    named = {name: line for name, line in named.items() if not _UNKNOWN.search(line)}
    if not named:
        hint = "build the kernel with CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT=y and give its vmlinux"
        raise BadInput(f"{path} has no debug information", hint)
    return _shortened(named)


def _same(path: Path, host: dict[str, Any]) -> None:
    """Raise BadInput unless the vmlinux is the kernel that was measured: release and version string say so."""
    hint = "give the vmlinux of the build that was measured"
    try:
        with reading.opened(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[:4] != b"\x7fELF":
                raise BadInput(f"{path} is no ELF file", "a bzImage has no symbols: " + hint)
            found = _BANNER.search(data)
            banner = found.groups() if found else None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} can't be read: {getattr(error, 'strerror', None) or error}", hint) from None
    if banner is None:
        raise BadInput(f"{path} is no vmlinux: it names no version of Linux", hint)
    release, version = (part.decode("utf-8", "replace") for part in banner)
    measured = str(host.get("kernel_release")), str(host.get("kernel_version"))
    if (release, version) != measured:
        raise BadInput(f"{path} is Linux {release} {version}; measured was {' '.join(measured)}", hint)


def _output(command: list[str], given: str = "") -> str:
    done = processes.run(command, _SECONDS, given)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise BadInput(f"{command[0]} failed: {last}", "give a vmlinux with debug information")
    return done.stdout


def _shortened(named: dict[str, str]) -> dict[str, str]:
    """Leave out the folder that all files share: that of the source tree, however it was built."""
    common = os.path.commonpath([os.path.dirname(line) or "." for line in named.values()]) if len(named) > 1 else ""
    return {name: os.path.relpath(line, common) if common else line for name, line in named.items()}
