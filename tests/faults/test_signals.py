# SPDX-License-Identifier: GPL-2.0-only
"""Signals at every stage: what is under way ends in order, one line says so, and what was measured is kept."""

import fcntl
import json
import os
import pty
import signal
import subprocess
from contextlib import suppress

import pytest

from bench.plan import kconfig
from tests import synthetic
from tests.faults.support import SMALL, survived
from tests.support import ROOT
from tests.vm.images import make_tree

HANG = "came; exec sleep 300"
# It is left by an exception alone, so nothing goes on until one was dropped.
DESTRUCTOR = """
class Dropping:
    def __del__(self):
        came()
        while True: time.sleep(0.01)
Dropping()
"""
HERE = ("--where", "here", "--pages", "64", "--values", "1")


def records(folder):
    """Kinds of the whole records of a log."""
    path = folder / "records.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line)["type"] for line in lines if line.endswith("\n")]


def timed(lab):
    return lambda: "timed" in records(lab.name())


def came(lab):
    return lab.came.exists


# Stages: each readies the lab, and returns the words of a command and what tells that it came so far.


def importing(lab):
    lab.hang_in("click")
    return ["list"], came(lab)


def settling(lab):
    lab.tool("git", HANG)
    return ["run", *HERE, "--name", lab.name()], came(lab)


def _own_cache(lab):
    lab.env |= {"XDG_CACHE_HOME": str(lab.folder / "cache"), "BENCH_DEBIAN_MIRROR": "http://localhost:9/debian"}


def fetching_lists(lab):
    _own_cache(lab)
    words = lab.qemu("")
    lab.tool("apt-get", HANG)
    words[words.index("--kernel") + 1] = "debian:6.12"
    return words, came(lab)


def fetching_a_kernel(lab):
    words, so_far = fetching_lists(lab)
    lab.tool("apt-get", f'case "$*" in *update*) exit 0;; esac\n{HANG}')
    name = "linux-image-6.12.1-cloud-amd64"
    lines = f"{name} | 6.12.1-1 | http://localhost:9/debian trixie/main amd64 Packages"
    lab.tool("apt-cache", f'case "$*" in *pkgnames*) echo {name};; *) echo "{lines}";; esac')
    return words, so_far


def finding_libraries(lab):
    _own_cache(lab)
    words = lab.qemu("begin(); work(); end()")
    lab.tool("ldd", HANG)
    return words, came(lab)


def waiting_for_the_cache(lab):
    _own_cache(lab)
    words = lab.qemu("")
    folder = lab.folder / "cache/pagemap-bench/initramfs"
    folder.mkdir(parents=True)
    lab.kept = (folder / "lock").open("w")
    fcntl.flock(lab.kept, fcntl.LOCK_EX)
    return words, lambda: str(folder) in _open_files(lab)


def _open_files(lab):
    found = []
    for pid in lab.processes():
        try:
            found += [os.readlink(one.path) for one in os.scandir(f"/proc/{pid}/fd")]
        except OSError:
            continue
    return " ".join(found)


def _tree(lab, recipe):
    _own_cache(lab)
    tree = make_tree(lab.folder / "linux", kconfig.fragment(kconfig.of_interfaces([])))
    words = lab.qemu("")
    lab.tool("make", recipe)
    words[words.index("--kernel") + 1] = f"{tree}@HEAD"
    return words, came(lab)


def building_a_kernel(lab):
    return _tree(lab, f"sleep 300 & {HANG}")


def trying_kvm(lab):
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        pytest.skip("no /dev/kvm")
    _own_cache(lab)
    words = lab.qemu(f"open({str(lab.came)!r}, 'w'); import time; time.sleep(300)")
    words[words.index("--accel") + 1] = "auto"
    return words, came(lab)


def _guest(lab, script):
    return lab.qemu(f"{script}\nopen({str(lab.came)!r}, 'w')\nimport time; time.sleep(300)"), came(lab)


def booting(lab):
    return _guest(lab, "console('[    0.000000] Linux version 6.12\\n')")


def measuring_the_first(lab):
    return _guest(lab, "begin(); job()")


def measuring_another(lab):
    words, so_far = _guest(lab, "begin(); answer(job()); job()")
    words[words.index("--processes") + 1] = "3"
    return words, lambda: so_far() and timed(lab)()


def shutting_down(lab):
    return _guest(lab, "begin(); work()")


def starting_workers(lab):
    return ["run", *HERE, "--name", lab.name()], lambda: any("measure.serve" in one for one in lab.processes().values())


def working(lab):
    return ["run", *HERE, "--processes", "500", "--name", lab.name()], timed(lab)


def two_boots_at_once(lab):
    script = "begin(); answer(job()); job()"
    words, so_far = _guest(lab, script)
    words[words.index("--processes") + 1] = "4"
    return [*words, "--boots", "2"], lambda: so_far() and timed(lab)()


def a_matrix(lab):
    words, so_far = _guest(lab, "begin(); answer(job()); job()")
    image = words[words.index("--kernel") + 1]
    at = words.index("--kernel")
    words[at : at + 2] = ["--kernel", f"base={image}", "--kernel", f"new={image}"]
    words[words.index("--processes") + 1] = "8"
    return ["matrix", *words[1:], "--boots", "2"], lambda: so_far() and "timed" in records(lab.name() / "base")


def drawing(lab):
    synthetic.result(lab.results / "a", what=[("random", 100, 10.0)])
    lab.hang_in("matplotlib")
    return ["report", lab.results / "a"], came(lab)


# The other stages are those of more tests below.
STAGES = [settling, fetching_a_kernel, waiting_for_the_cache, building_a_kernel, trying_kvm, booting,
          shutting_down, starting_workers, working, two_boots_at_once, a_matrix, drawing]  # fmt: skip
KEPT = (measuring_another, shutting_down, working, two_boots_at_once, a_matrix)  # with something to go on with
ROWS = [(measuring_another, number) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)]
ROWS += [(importing, signal.SIGINT), *((stage, signal.SIGTERM) for stage in STAGES)]


def ended(process, number, seconds=60):
    """Check that a signal ended a command in order; return what it said."""
    stdout, stderr = process.communicate(timeout=seconds)
    done = subprocess.CompletedProcess([], process.returncode, stdout, stderr)
    return survived(done, 128 + number, f"error: interrupted by {number.name}\n")


@pytest.mark.parametrize(("stage", "number"), ROWS, ids=[f"{number.name}-{stage.__name__}" for stage, number in ROWS])
def test_a_signal_ends_all_of_it(lab, stage, number):
    words, so_far = stage(lab)
    process = lab.start(*words)
    lab.until(process, so_far)
    process.send_signal(number)
    said = ended(process, number)
    if stage in KEPT:
        again = "matrix" if stage is a_matrix else "run"
        assert f"./bench.py {again} --resume {lab.name()}" in said
        if stage is not a_matrix:
            assert f"./bench.py report {lab.name()}; " in said
    else:
        assert not lab.name().exists()


def test_a_signal_that_python_drops_comes_again(lab):
    """What is raised in a destructor ends nothing: Python prints it, and goes on."""
    lab.hang_in("matplotlib", DESTRUCTOR)
    synthetic.result(lab.results / "a", what=[("random", 100, 10.0)])
    process = lab.start("report", lab.results / "a")
    lab.until(process, lab.came.exists)
    process.send_signal(signal.SIGTERM)
    said = ended(process, signal.SIGTERM)
    assert "Exception ignored" not in said


def test_more_signals_change_nothing(lab):
    words, so_far = measuring_another(lab)
    process = lab.start(*words)
    lab.until(process, so_far)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode > 128, said
    assert said.count("error: ") == 1
    assert "Traceback" not in said


def test_ctrl_c_reaches_the_runner_alone(lab):
    """As from a terminal: all of its process group gets it."""
    words, so_far = working(lab)
    process = lab.start(*words)
    lab.until(process, so_far)
    os.killpg(process.pid, signal.SIGINT)
    ended(process, signal.SIGINT)


def test_a_terminal_that_is_lost_ends_it(lab):
    words, so_far = working(lab)
    ours, theirs = pty.openpty()

    command = ["setsid", "--ctty", "env", "--default-signal", str(ROOT / "bench.py"), *map(str, words)]
    files = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    process = subprocess.Popen(command, env=lab.env, **files)
    os.close(theirs)
    os.set_blocking(ours, False)

    def drained():
        with suppress(BlockingIOError):
            os.read(ours, 1 << 16)
        return so_far()

    lab.until(process, drained)
    os.close(ours)
    assert process.wait(60) == 128 + signal.SIGHUP
    assert lab.name().exists()


def test_nohup_is_heeded(lab):
    go = lab.folder / "go"
    words = lab.qemu(f"""
import time
begin(); answer(job())
open({str(lab.came)!r}, "w").close()
while not os.path.exists({str(go)!r}): time.sleep(0.01)
work(); end()""")
    process = lab.start(*words, prefix=["nohup"])
    lab.until(process, lab.came.exists)
    process.send_signal(signal.SIGHUP)
    go.touch()
    stdout, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "scan-wp" in stdout


def test_what_was_interrupted_goes_on(lab):
    words, so_far = measuring_another(lab)
    process = lab.start(*words)
    lab.until(process, so_far)
    process.send_signal(signal.SIGTERM)
    ended(process, signal.SIGTERM)
    lab.qemu("begin(); work(); end()")
    survived(lab.bench("run", "--resume", lab.name()), 0)
    assert records(lab.name()).count("timed") == 3 + 1  # the boot is measured anew, as a whole


def test_an_interrupted_start_is_no_obstacle(lab):
    words, so_far = measuring_the_first(lab)
    process = lab.start(*words)
    lab.until(process, so_far)
    process.send_signal(signal.SIGTERM)
    ended(process, signal.SIGTERM)
    survived(lab.bench(*lab.qemu("begin(); work(); end()")), 0)
    assert SMALL[0] in words
