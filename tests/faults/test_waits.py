# SPDX-License-Identifier: GPL-2.0-only
"""What does not answer: servers, workers and rounds of the running kernel, and guests. Every wait has its end."""

import os
import signal
import subprocess

import pytest

from bench.plan.records import Played
from bench.store import log
from tests.faults.support import SMALL, survived
from tests.support import ROOT

# Limits are those of a plan; here they are short, in every process of ours.
_SHORT = """\
import os, sys
sys.path.insert(0, {root!r})
try:
    from bench.plan.plan import Plan
    from bench.plan.points import Point
    from bench.run import campaign, machines, share
    from bench.vm import guest, qemu
except ImportError:  # the Python of the system
    pass
else:
    Point.round_seconds = property(lambda self: 1.5)
    Plan.seconds = lambda self, point: 8.0
    Plan.limit = lambda self, job: {limit}
    Plan.start_limit = property(lambda self: {start})
    campaign.END_SECONDS = {limit}
    share._FALLS = 3
    machines._SEND_SECONDS = machines._LEAVE_SECONDS = guest._SEND_SECONDS = guest._LEAVE_SECONDS = 1.5
    qemu.boot.__kwdefaults__["start_limit"] = {start}
if "bench.measure.serve" in sys.orig_argv:
    exec({script!r})
"""
# The end of the protocol that a server of the running kernel has; what it does is what a test says.
_SERVER = """
import signal, time
def heard(): return sys.stdin.readline().strip()
def line(text): os.write(1, text.encode() + b"\\n")
def begin():
    global plan, boot
    from bench.plan import records
    from bench.plan.records import Machine
    plan, boot = records.decode(heard()), int(heard())
    line(records.encode(Machine(boot, {"kernel_release": "6.12"}, {})))
def work():
    from bench.plan import records
    from tests.run import scripted
    while one := heard():
        made = scripted.answer(records.decode_job(one), boot)
        line(records.encode(made._replace(series=[s for s in made.series if s.interface in plan.interfaces])))
def end():
    from bench.plan import records
    from bench.plan.records import Messages
    line(records.encode(Messages(boot, {}, [])))
def stop(): os.kill(os.getpid(), signal.SIGSTOP)
"""
# More points than a pipe and a port take at once
MANY, DIRTY = ",".join(map(str, range(100, 1000))), "10,20,30,40,50,60,70,80,90"
HERE = ("run", "--where", "here", "--interface", "scan-wp", *SMALL)


def shorten(lab, script="", limit=6.0, start=60.0):
    """Make all limits short, and have the server of the running kernel do this.

    start: the limits of what comes before a job, which are short only where that is late: a machine may be busy.
    """
    folder = lab.folder / "short"
    folder.mkdir(exist_ok=True)
    text = _SHORT.format(root=str(ROOT), limit=limit, start=start, script=script)
    (folder / "sitecustomize.py").write_text(text)
    lab.env["PYTHONPATH"] = str(folder)


def limits(script, status):
    """The limits for a row: short where the machine is late, and long where it is honest."""
    return {"limit": 6.0 if status else 60.0, "start": 60.0 if "begin" in script else 6.0}


# What a server does, whether the run fails, and what is said
SERVERS = {
    "never says what it is": ("time.sleep(99)", 3, "describing the machine was not done within 6 s"),
    "stops before it says what it is": ("stop()", 3, "it is stopped, by a signal or a tracer"),
    "stops in a job": ("begin(); heard(); stop()", 3, "dirty=10%, process 0 was not done within 6 s"),
    "ends in a job": ("begin(); heard(); os.write(2, b'out of luck'); os._exit(7)", 3, "out of luck"),
    "ends well in a job": ("begin(); heard(); os._exit(0)", 3, "ended before its work did"),
    "is killed in a job": ("begin(); heard(); os.kill(os.getpid(), 9)", 3, "ended with status -9"),
    "is silent after its last job": ("begin(); work(); time.sleep(99)", 3, "shutting down was not done within 6 s"),
    "closes its output and stays": ("begin(); heard(); os.close(1); time.sleep(99)", 3, "closed its pipes, and stayed"),
    "says a line without an end": (
        "begin(); heard()\nwhile True: os.write(1, b'x' * 65536)",
        3,
        "sent a record of",
    ),
    "complains without an end": ("begin()\nwhile True: os.write(2, b'oh no\\n')", 3, "within 6 s"),
    "complains much, and answers": (
        "begin(); os.write(2, b'oh no\\n' * 99999); work(); end(); os._exit(0)",
        0,
        "The measuring process says more than 200 lines",
    ),
    "complains in escapes": (
        "begin(); os.write(2, b'\\x1b]0;owned\\x07\\x1b[31mred\\n'); work(); end(); os._exit(0)",
        0,
        "red",
    ),
    "answers twice": (
        "begin(); one = heard(); line('{}'); line('{}'); time.sleep(99)",
        3,
        "the measuring process sent",
    ),
    "is honest": ("begin(); work(); end(); os._exit(0)", 0, ""),
}


@pytest.mark.parametrize("row", SERVERS)
def test_a_server(lab, row):
    script, status, says = SERVERS[row]
    shorten(lab, f"{_SERVER}\n{script}", **limits(script, status))
    done = lab.bench(*HERE, "--name", lab.name(), timeout=60)
    said = survived(done, status, says)
    assert status == 0 or "\nhint: " in said
    assert "\x1b]" not in said
    assert "owned" not in said
    assert said.count("oh no") <= 200 + 1


def test_a_server_that_reads_nothing_is_not_waited_for(lab):
    """The plan is more than a pipe takes."""
    shorten(lab, f"{_SERVER}\nstop()")
    words = ("--pages", MANY, "--dirty", DIRTY)
    done = lab.bench("run", "--where", "here", *words, "--name", lab.name(), timeout=60)
    survived(done, 3, "taking its next job was not done within 2 s", "it is stopped")


# What a process of the second worker does, as the first that measures; and what is said of it
WORKERS = {
    "a round is stopped": ("_intervals", "os.kill(os.getpid(), 19)", "scan-wp: it did not end", "it is stopped"),
    "a round never ends": ("_intervals", "\n    while True: pass", "scan-wp: it did not end", "it runs"),
    "a round waits for ever": ("_intervals", "time.sleep(99)", "scan-wp: it did not end", "it waits in hrtimer"),
    "a round is killed": ("_intervals", "os.kill(os.getpid(), 9)", "scan-wp: it was killed by SIGKILL", ""),
    "a round sleeps in the kernel": (
        "_intervals",
        # clone(CLONE_VFORK | SIGCHLD): until the child is gone, which is to die with it
        "libc.syscall(56, 0x4011, 0, 0, 0, 0) or (libc.prctl(1, 9), time.sleep(99))",
        "scan-wp: it did not end",
        "it sleeps in the kernel in",
    ),
    "a worker is stopped": ("measure", "os.kill(os.getpid(), 19)", "it did not end within 8 s", "it is stopped"),
    "a worker is killed": ("measure", "os.kill(os.getpid(), 9)", "it was killed by SIGKILL", ""),
    "a worker ends": ("measure", "os._exit(5)", "it ended with status 5", ""),
    "a worker closes its pipe and stays": (
        "measure",
        "[os.close(n) for n in isolated._said_to]; time.sleep(99)",
        "it did not end within",
        "it waits in",
    ),
}
_PATCH = """
import ctypes, time
from bench.measure import isolated, timing
libc = ctypes.CDLL(None)
isolated._LEAVE_SECONDS = 2.0
def strange(*words):
    if words[0].point.pages == 64:
        return honest(*words)
    {what}
honest, timing.{function} = timing.{function}, strange
"""


@pytest.mark.parametrize("row", WORKERS)
def test_a_worker_that_does_not_answer_fails_alone(lab, row):
    function, what, *says = WORKERS[row]
    shorten(lab, _PATCH.format(function=function, what=what), limit=30)
    words = ("--pages", "64,65", "--values", "1", "--processes", "1")
    done = lab.bench("run", "--where", "here", "--interface", "scan-wp", *words, "--name", lab.name(), timeout=60)
    said = survived(
        done, 3, "1 of 2 jobs failed, first random pages=65 dirty=10%, process 0: ", "1 finished jobs", *says
    )
    assert "hint: " in said
    assert "scan-wp" in lab.bench("report", lab.name()).stdout


def test_a_server_that_somebody_stops_is_named_and_ended(lab):
    shorten(lab, f"{_SERVER}\nbegin(); heard(); open({str(lab.came)!r}, 'w').write(str(os.getpid())); time.sleep(99)")
    process = lab.start(*HERE, "--name", lab.name())
    lab.until(process, lambda: lab.came.exists() and lab.came.read_text())
    os.kill(int(lab.came.read_text()), signal.SIGSTOP)
    stdout, stderr = process.communicate(timeout=60)
    done = subprocess.CompletedProcess([], process.returncode, stdout, stderr)
    survived(done, 3, "random pages=64 dirty=10%, process 0 was not done within 6 s", "it is stopped")


# What a guest does, the status, and what is said
GUESTS = {
    "says nothing at all": ("time.sleep(99)", 3, "did not start within 6 s"),
    "boots for ever, and says so": (
        "\nwhile True: console('[    1.0] still here\\n'); time.sleep(.1)",
        3,
        "within 6 s",
    ),
    "never says what it is": ("hello(); time.sleep(99)", 3, "was not done with describing the machine within 6 s"),
    "is silent in a job": ("begin(); job(); time.sleep(99)", 3, "with random pages=64 dirty=10%, process 0 within 6 s"),
    "talks in a job, for ever": (
        "begin(); job()\nwhile True: console('[    9.0] watchdog: still stuck\\n'); time.sleep(.05)",
        3,
        "dirty=10%, process 0 within 6 s",
    ),
    "is silent after its last job": (
        "begin(); work(); time.sleep(99)",
        3,
        "was not done with shutting down within 6 s",
    ),
    "talks after its end, for ever": ("begin(); work(); end()\nwhile True: console('[    9.0] bye\\n' * 99)", 0, ""),
    "is stopped in a job": ("begin(); job(); os.kill(os.getpid(), 19)", 3, "it is stopped, by a signal"),
}


@pytest.mark.parametrize("row", GUESTS)
def test_a_guest(lab, row):
    script, status, says = GUESTS[row]
    shorten(lab, **limits(script, status))
    words = lab.qemu(f"import time\n{script}")
    said = survived(lab.bench(*words, timeout=60), status, says)
    assert status == 0 or "\nhint: " in said


def test_a_guest_that_reads_nothing_is_not_waited_for(lab):
    shorten(lab)
    words = lab.qemu("import time; hello(); time.sleep(99)")
    words[words.index("64")] = MANY
    survived(lab.bench(*words, "--dirty", DIRTY, timeout=60), 3, "was not done with taking its next job within 2 s")


def test_of_three_boots_one_that_hangs_leaves_the_others(lab):
    shorten(lab)
    words = lab.qemu("import time; begin(); time.sleep(99) if boot == 1 else (work(), end())")
    words[words.index("--processes") + 1] = "3"
    done = lab.bench(*words, "--boots", "3", timeout=60)
    survived(
        done, 3, "boot 1: the guest was not done with random pages=64", "2 finished jobs are kept: ./bench.py report"
    )
    assert "INCOMPLETE: 2 of 3 planned runs" in lab.bench("report", lab.name()).stdout


def meaning(lab, script, pattern="mremap_[pt]*"):
    """The words that play some scenarios in a guest that does this in its plays; `one` is the job."""
    at = "import time\nbegin()\nwhile one := job():\n"
    words = lab.qemu(at + "".join(f"    {line}\n" for line in [*script.splitlines(), "answer(one)"]) + "end()")
    start = words.index("--pages")
    words[start : start + 6] = ["--suite", "meaning", "--filter", pattern, "--values", "2"]
    return words


CRASH = "console('[    7.0] Kernel panic - not syncing: Fatal exception in pagemap_scan\\n'); os._exit(0)"
# What happens in the play of mremap_tables, and what the verdict begins with
PLAYS = {
    "crashes": (CRASH, "crashed: [    7.0] Kernel panic"),
    "locks up": (
        CRASH.replace("Kernel panic", "watchdog: BUG: soft lockup"),
        "hung: [    7.0] watchdog: BUG: soft lockup",
    ),
    "hangs": ("time.sleep(99)", "hung: the guest was not done with mremap_tables with scan-wp within 6 s"),
    "hangs, and talks": (
        "[(console('[    7.0] stuck\\n'), time.sleep(.05)) for _ in range(999)]",
        "hung: the guest was not done with mremap_tables with scan-wp within 6 s",
    ),
}


@pytest.mark.parametrize("row", PLAYS)
def test_a_play_that_a_guest_does_not_survive_is_a_verdict_and_the_others_are_played(lab, row):
    what, verdict = PLAYS[row]
    shorten(lab)
    done = lab.bench(*meaning(lab, f"if one.scenario == 'mremap_tables': {what}"), timeout=90)
    assert "is booted again, for what is left" in survived(done, 1)
    found = {one.scenario: one for one in log.read(lab.name() / log.FILE)[0] if isinstance(one, Played)}
    assert list(found) == ["mremap_ptes", "mremap_tables", "mremap_thp"]
    run = found["mremap_tables"].runs[0]
    assert f"{run.ended}: {run.failed}".startswith(verdict)
    assert not any(run.failed for name in ("mremap_ptes", "mremap_thp") for run in found[name].runs)
    assert f"{run.ended.upper()}: scan-wp, mremap_tables: " in done.stdout
    assert (lab.name() / "guest.log").read_text().count("qemu-system-x86_64") == 2


def test_an_interface_that_no_guest_survives_is_played_with_no_more_and_the_others_are(lab):
    shorten(lab)
    words = meaning(lab, f"if one.interface == 'scan-wp': {CRASH}", "merge*")
    words += ["--interface", "scan-wp", "--interface", "mprotect"]
    survived(lab.bench(*words, timeout=90), 1, "is booted again, for what is left", "CRASHED: scan-wp, ")
    played = [one for one in log.read(lab.name() / log.FILE)[0] if isinstance(one, Played)]
    ended = {name: [one.runs[0].ended for one in played if one.interface == name] for name in ("scan-wp", "mprotect")}
    assert len(ended["mprotect"]) == len(ended["scan-wp"]) == 7
    assert set(ended["mprotect"]) == {""}
    assert sorted(ended["scan-wp"]) == ["crashed"] * 3 + ["failed"] * 4
    rest = {one.runs[0].failed for one in played if one.runs[0].ended == "failed"}
    assert rest == {"not played: the guest did not survive 3 others before it"}
