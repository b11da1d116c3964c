# SPDX-License-Identifier: GPL-2.0-only
"""What a guest's console says: a log keeps it up to a limit, a little is echoed, and errors show what says most."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable
from pathlib import Path

from bench.harmless import harmless
from bench.plan import kernel_log
from bench.plan.arches import ARCHES, USUAL, Arch
from bench.vm import causes, init

LOG_BYTES = 16 << 20  # of one boot
ECHOED = 20  # lines of one boot
_LONGEST = 1 << 16  # bytes of a line: what is longer is cut into several
_SHOWN = 15  # lines in an error
# printk.time=1 and CONFIG_PRINTK_CALLER tell the kernel's own words from those of a program
_KERNEL = re.compile(r"\[ *\d+\.\d+\](?:\[ *[CT]\d+\])? ")
_CRASH = re.compile(_KERNEL.pattern + r".*(Kernel panic|BUG: |Oops: )")
_PANIC = re.compile(_KERNEL.pattern + r".*Kernel panic")
_STALL = re.compile(f"{_KERNEL.pattern}.*(?:{kernel_log.HANGS.pattern})")
# Which process the kernel was in, and in which of its functions: show_regs() and watchdog_timer_fn() say so
_WHO = re.compile(r"Comm: (.+?) (?:Not tainted|Tainted|Kdump)|stuck for \d+s! \[(.+?):\d+\]|task (.+?):\d+ blocked")
_WHERE = re.compile(r"RIP: \w+:([\w.]+)\+0x")


class Console:
    """What a console said.

    path: of the log, which is appended to; None: there is none. echo: hears the first lines that come while
    `running`, made harmless.
    `lines`: how many the kernel said while `running`, each of which disturbs what is measured.
    """

    def __init__(self, path: Path | None, first: str, echo: Callable[[str], None], arch: Arch = ARCHES[USUAL]) -> None:
        self.path, self._arch = path, arch
        self.lines = 0
        self.running = False
        self._echo, self._echoed = echo, 0
        self._log = open(path or os.devnull, "ab", buffering=0, opener=_opened)  # noqa: SIM115  (end() closes it)
        self._log.write(os.fsencode(f"{first}\n"))
        self._room = LOG_BYTES
        self._cut = init.Lines(_LONGEST)
        self._tail: deque[str] = deque(maxlen=_SHOWN)
        self._since = 0  # lines since asked()
        self._crash: list[str] = []
        self._stall: list[str] = []
        self._who: list[str] = []
        self._causes: set[str] = set()

    def take(self, data: bytes) -> None:
        """Take what came."""
        for line in self._cut.feed(data):
            self._line(line)

    def end(self) -> None:
        """Take what came last as a line, though its end did not come."""
        if rest := self._cut.rest():
            self._line(rest)

    def asked(self) -> None:
        """Take note that the command was asked for something: an error says what came since."""
        self._since, self._stall = 0, []

    def answered(self) -> None:
        """Take note that the command answered: the kernel has not crashed, whatever it said, but for a panic."""
        if not any(map(_PANIC.match, self._crash)):
            self._crash, self._who = [], []

    def close(self) -> None:
        """Let go of the log."""
        self._log.close()

    def _line(self, line: bytes) -> None:
        line = line.rstrip(b"\r")
        self._keep(line + b"\n")
        text = harmless(line.decode("utf-8", "replace"))
        self._since += 1
        self._tail.append(text)
        for found, pattern in ((self._crash, _CRASH), (self._stall, _STALL)):
            if (found or pattern.match(text)) and len(found) < _SHOWN:
                found.append(text)
        self._note_culprit(text)
        if self.running:  # what the kernel says before and after is in the log
            self.lines += bool(_KERNEL.match(text))
            self._show(text)
        elif cause := causes.named(text):
            self._causes.add(cause)

    def _keep(self, line: bytes) -> None:
        if self._room < 0:
            return
        self._room -= len(line)
        if self._room < 0:
            line = b"... more came: %d MiB of a boot are kept\n" % (LOG_BYTES >> 20)
        self._log.write(line)

    def _show(self, text: str) -> None:
        self._echoed += 1
        if self._echoed <= ECHOED:
            self._echo(text)
        elif self._echoed == ECHOED + 1:
            self._echo(f"... more lines are in {self.path}" if self.path else "... and more lines")

    def _note_culprit(self, text: str) -> None:
        if not self._who and (found := _WHO.search(text)):
            self._who.append(next(filter(None, found.groups())))
        elif (found := _WHERE.search(text)) and self._who and " in " not in self._who[-1]:
            self._who[-1] += f", in {found[1]}"

    def crash(self) -> str:
        """The first line of the kernel's crash, and which process it was in; empty where there was none."""
        return self._crash[0] + self._culprit() if self._crash else ""

    def stall(self) -> str:
        """The first line that says what hangs, and which process; empty where none does."""
        return (self._stall or self._crash)[0] + self._culprit() if self._stall or self._crash else ""

    def _culprit(self) -> str:
        return f", in the process {self._who[0]}" if self._who else ""

    def last(self) -> str:
        """The last line, empty where there is none."""
        return self._tail[-1] if self._tail else ""

    def cause(self, noise: bytes) -> str:
        """Why the guest most likely did not come to its command. noise: what its port said beside records."""
        return causes.likeliest(self._causes, silent=not self._tail, noise=noise, arch=self._arch)

    def told(self) -> str:
        """The lines that say most about an end, for a hint."""
        # A crash's first lines say more than the registers and the stack it ends with.
        return f"the guest's last lines:{_listed(self._crash or list(self._tail)) or ' none'}"

    def told_since(self) -> str:
        """The same about a guest that is not done with what it was asked for: what hangs first."""
        last = list(self._tail)[-self._since :] if self._since else []
        first = self._stall or self._crash
        lines = [*first, *(line for line in last if line not in first)]
        return f"its console said since:{_listed(lines)}" if lines else "its console was silent since"


def _opened(path: str, flags: int) -> int:
    """Open a log. A pipe that nobody reads is an OSError, and not waited for."""
    return os.open(path, flags | os.O_NONBLOCK, 0o666)


def _listed(lines: list[str]) -> str:
    return "".join(f"\n  {line}" for line in lines)
