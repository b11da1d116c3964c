# SPDX-License-Identifier: GPL-2.0-only
"""How faults are provoked: commands in an environment that is searched afterwards, a QEMU that does what it is told.

A test asks for the fixture `lab` and runs commands with lab.bench(). What is left behind afterwards fails the test.
"""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

from tests.support import ROOT, await_running
from tests.vm.images import bzimage

LEAVE_SECONDS = 20.0  # for what was started to be gone, on a busy machine
SMALL = ("--pages", "64", "--values", "1", "--processes", "1")  # a run of a second or two
# What a fake QEMU is made of: the guest's end of the protocol, then what a test says.
_QEMU = """\
#!{python} -S
import os, re, sys
sys.path[:0] = {path!r}
if "--version" in sys.argv or "-version" in sys.argv:
    print("QEMU emulator version 7.2.0 (fake)")
    sys.exit()
from bench.vm import init
PORT = int(re.search(r"id=results,fd=(\\d+)", " ".join(sys.argv))[1])
checksum, rest = 0, b""

def raw(data):
    while data:
        data = data[os.write(PORT, data):]

def send(kind, text):
    global checksum
    record, checksum = init.frame(kind + (text if isinstance(text, bytes) else text.encode()), checksum)
    raw(record)

def hello(): send(init.HELLO, "6.12.1-fake")
def line(text): send(init.LINE, text)
def end(status=0): send(init.END, str(status))

def console(text):
    text = text if isinstance(text, bytes) else text.encode()
    while text:
        text = text[os.write(1, text):]

def heard():
    "The next line of the host's; empty at its end."
    global rest
    while b"\\n" not in rest:
        came = os.read(PORT, 1 << 16)
        if not came:
            return ""
        rest += came
    one, _, rest = rest.partition(b"\\n")
    return one.decode()

def begin(**more):
    "Say hello and what the machine is, once the host has told the plan."
    from bench.plan import records
    from bench.plan.records import Machine
    global plan, boot
    hello()
    plan, boot = records.decode(heard()), int(heard())
    facts = dict(kernel_release="6.12.1-fake", kernel_version="#1 fake", where="tcg", cpu_model_name="fake",
                 architecture="x86_64", copy_page_ns=100.0, page_size=4096, memory_bytes=1 << 30, clock_ns=20.0,
                 syscall_ns=100.0)
    line(records.encode(Machine(boot, facts, {{}})._replace(**more)))

def job():
    "The next job of the host's, None where it has no more."
    from bench.plan import records
    one = heard()
    return records.decode_job(one) if one else None

def answer(one, **more):
    "Answer a job honestly, but for what is given."
    from bench.plan import records
    from bench.plan.plan import Play
    from bench.plan.records import Played, Plays
    from tests.run import scripted
    if isinstance(one, Play):
        record = Played(boot, one.scenario, one.interface, "", [Plays(one.times, written=1)])._replace(**more)
    else:
        asked = [scripted.series("none"), scripted.series("scan-wp"), scripted.series("scan-wp", atomic=True)]
        values = lambda some: {{key: one * plan.values for key, one in some.items()}}
        count = plan.values * (one.point.loops + 1)
        made = [s._replace(intervals=count, values=values(s.values), warmups=values(s.warmups)) for s in asked]
        record = scripted.answer(one, boot, series=[s for s in made if s.interface in plan.interfaces])._replace(**more)
    line(records.encode(record))

def work():
    "Answer every job honestly."
    while one := job():
        answer(one)

{script}
"""


class Lab:
    """Where one fault is provoked: folders of its own, and an environment by which its processes are known."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.results, self.tmp = folder, folder / "results", folder / "tmp"
        self.mark = f"BENCH_TEST_LAB={uuid.uuid4()}"
        for path in (self.results, self.tmp):
            path.mkdir()
        name, value = self.mark.split("=")
        self.env = {**os.environ, name: value, "TMPDIR": str(self.tmp)}
        self.env.pop("COLUMNS", None)

    def name(self, what="x"):
        """A path for --name."""
        return self.results / what

    def bench(self, *words, timeout=120, **options):
        """Run ./bench.py with these words to its end."""
        options = {"capture_output": True, "text": True, "env": self.env, "errors": "replace"} | options
        return subprocess.run([str(ROOT / "bench.py"), *map(str, words)], timeout=timeout, check=False, **options)

    def start(self, *words, prefix=(), **options):
        """Start ./bench.py in a session of its own, with default signals, behind the words of `prefix`."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": self.env} | options
        words = ["env", "--default-signal", *prefix, str(ROOT / "bench.py"), *map(str, words)]
        return subprocess.Popen(words, start_new_session=True, **options)

    def until(self, process, so_far, seconds=60.0):
        """Wait until so_far() is true while the process runs."""
        await_running(process, so_far, seconds)

    def qemu(self, script):
        """Put a QEMU first into PATH that does this; the words that run it, for 64 and 8 pages, are returned."""
        tools = self.folder / "tools"
        tools.mkdir(exist_ok=True)
        path = [str(ROOT), *(one for one in sys.path if one.endswith("site-packages"))]
        (tools / "qemu-system-x86_64").write_text(_QEMU.format(python=sys.executable, path=path, script=script))
        (tools / "qemu-system-x86_64").chmod(0o755)
        self.env["PATH"] = f"{tools}:{os.environ['PATH']}"
        image = self.folder / "bzImage"
        image.write_bytes(bzimage())
        return ["run", "--kernel", image, "--accel", "tcg", "--interface", "scan-wp", *SMALL, "--name", self.name()]

    def tool(self, name, script):
        """Put a program first into PATH: lines of sh. `came` tells the test that it was called."""
        tools = self.folder / "tools"
        tools.mkdir(exist_ok=True)
        (tools / name).write_text(f"#!/bin/sh\ncame() {{ : > {self.came}; }}\n{script}\n")
        (tools / name).chmod(0o755)
        self.env["PATH"] = f"{tools}:{os.environ['PATH']}"

    def hang_in(self, module, text=""):
        """Have Python hang when it imports this module; text: which has that in it, and may call came()."""
        shadows = self.folder / "shadows"
        shadows.mkdir(exist_ok=True)
        # In steps: what comes just before a sleep begins is seen after it.
        wait = "import time\n{0}\nfor _ in range(3000): time.sleep(0.1)\n"
        came = f"def came(): open({str(self.came)!r}, 'w').close()\n"
        (shadows / f"{module}.py").write_text(came + wait.format(text or "came()"))
        self.env["PYTHONPATH"] = str(shadows)

    @property
    def came(self):
        """A file that is there once what was to be reached is reached."""
        return self.folder / "came"

    def processes(self):
        """Command lines of processes that were started here and still run, by number; zombies are gone."""
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (path / "environ").read_bytes().split(b"\0"):
                    state = (path / "stat").read_text().rpartition(")")[2].split()[0]
                    if state not in "ZX":
                        found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
        return found

    def left(self):
        """What is left behind: processes, temporary files, half-written files; empty where nothing is."""
        end = time.monotonic() + LEAVE_SECONDS
        while (running := self.processes()) and time.monotonic() < end:
            time.sleep(0.05)
        files = [str(path) for path in self.tmp.rglob("*")]
        files += [str(path) for path in self.results.rglob(".*") if path.suffix != ".old"]  # it is put back
        return [*running.values(), *files]

    def close(self):
        """End what still runs."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def survived(done, status, *says):
    """Check the end of a command: its status, no traceback, one error line that says this, with a hint."""
    said = done.stderr or ""
    assert "Traceback" not in said, said
    assert "fault of this suite" not in said, said
    assert done.returncode == status, f"{done.returncode}\n{said}\n{done.stdout or ''}"
    errors = [one for one in said.splitlines() if one.startswith("error: ")]
    assert len(errors) == (1 if status not in (0,) else 0), said
    for one in says:
        assert one in said, said
    return said
