# SPDX-License-Identifier: GPL-2.0-only
"""What a process that does not answer is doing: stopped, asleep in the kernel, or at work."""

from __future__ import annotations

import os

_FRAMES = 4  # of a stack that are named


def doing(pid: int) -> str:
    """Say what a process is doing, for an error; empty where that can't be told, or it is gone."""
    state = _read(pid, "stat").rpartition(")")[2].split()[:1]
    if state in (["T"], ["t"]):
        return "it is stopped, by a signal or a tracer"
    if state == ["D"]:
        return f"it sleeps in the kernel{_place(pid)}"
    if state == ["S"]:
        return f"it waits{_place(pid)}"
    return "it runs" if state == ["R"] else ""


def _place(pid: int) -> str:
    """Where in the kernel, as far as this user may know: its innermost functions, or the one that it waits in."""
    frames = [line.split()[-1].partition("+")[0] for line in _read(pid, "stack").splitlines() if "] " in line]
    where = " < ".join(frames[:_FRAMES]) or _read(pid, "wchan").strip("0\n")
    call = _read(pid, "syscall").split()[:1]
    called = f" (system call {call[0]})" if call and call[0].isdecimal() else ""
    return f" in {where}{called}" if where else called


def _read(pid: int, name: str) -> str:
    """A file of /proc of a process; empty where it can't be read. Without Python's file objects: lean processes ask."""
    try:
        file = os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(file, 1 << 14).decode("utf-8", "replace")
        finally:
            os.close(file)
    except OSError:
        return ""
