# SPDX-License-Identifier: GPL-2.0-only
"""kill -9 of the runner, its server, workers and programs: nothing stays but the log, and the others say so."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests import synthetic
from tests.faults import test_signals as stages
from tests.faults.support import survived
from tests.faults.test_signals import HERE, records, timed
from tests.support import ROOT

SERVER, WORK = "measure.serve", ("--processes", "500")


def find(lab, word):
    """Processes of the lab with this word in their command line, the oldest first."""
    return sorted(pid for pid, line in lab.processes().items() if word in line)


def kill(process):
    process.kill()
    process.communicate(timeout=30)


KILLED = [stages.finding_libraries, stages.building_a_kernel, stages.trying_kvm, stages.working, stages.a_matrix]


@pytest.mark.parametrize("stage", KILLED, ids=lambda stage: stage.__name__)
def test_nothing_outlives_a_killed_runner(lab, stage):
    """But the log and consoles, and halves of files that the next start removes; that start works."""
    words, so_far = stage(lab)
    process = lab.start(*words)
    lab.until(process, so_far)
    kill(process)
    end = time.monotonic() + 20
    while running := lab.processes():
        assert time.monotonic() < end, running
        time.sleep(0.02)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_runner_that_is_killed_while_workers_start(lab, workers):
    """When the server is there, and when its first worker is: the window in which parents die unseen."""
    process = lab.start("run", *HERE, "--name", lab.name())
    lab.until(process, lambda: len(find(lab, SERVER)) > workers)
    kill(process)
    assert not lab.left()


def test_the_server_is_killed(lab):
    process = lab.start("run", *HERE, *WORK, "--name", lab.name())
    lab.until(process, timed(lab))
    os.kill(find(lab, SERVER)[0], signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=60)
    done = subprocess.CompletedProcess([], process.returncode, stdout, stderr)
    survived(done, 3, "ended with status -9", f"./bench.py report {lab.name()}")


def test_a_worker_is_killed(lab):
    """Its job fails, named; the others are done."""
    how = signal.SIGTERM
    process = lab.start("run", *HERE, "--processes", "6", "--values", "40", "--name", lab.name())
    lab.until(process, lambda: timed(lab)() and len(find(lab, SERVER)) > 1)
    hit = 0
    while not hit:
        assert process.poll() is None
        for pid in find(lab, SERVER)[1:]:
            try:
                os.kill(pid, how)
                hit += 1
            except ProcessLookupError:
                continue
    _, stderr = process.communicate(timeout=120)
    assert "Traceback" not in stderr
    assert process.returncode in (0, 3), stderr  # 0: it had just ended by itself
    assert records(lab.name()).count("timed") + records(lab.name()).count("failed") == 6
    assert process.returncode == 0 or f"killed by {how.name}" in stderr


@pytest.mark.parametrize("far", ["", "begin(); answer(job()); job()"])
def test_qemu_is_killed(lab, far):
    """A boot that is begun again is an honest one."""
    words = lab.qemu(f"""
if os.path.exists({str(lab.came)!r}):
    begin(); work(); end(); sys.exit()
{far}
open({str(lab.came)!r}, "w").close()
import time; time.sleep(300)""")
    words[words.index("--processes") + 1] = "2"
    process = lab.start(*words)
    lab.until(process, lab.came.exists)
    (qemu,) = [pid for pid, line in lab.processes().items() if "id=results,fd=" in line]
    os.kill(qemu, signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=100)
    done = subprocess.CompletedProcess([], process.returncode, stdout, stderr)
    survived(done, 3, "QEMU ended with status -9")
    assert f"./bench.py report {lab.name()}" in stderr  # of the other boot


def test_apt_is_killed(lab):
    words, so_far = stages.fetching_a_kernel(lab)
    process = lab.start(*words)
    lab.until(process, so_far)
    os.kill(find(lab, "sleep 300")[0], signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=60)
    done = subprocess.CompletedProcess([], process.returncode, stdout, stderr)
    survived(done, 3, "apt can't download")


def test_make_is_killed(lab):
    words, so_far = stages.building_a_kernel(lab)
    process = lab.start(*words)
    lab.until(process, so_far)
    for pid in find(lab, "sleep 300"):
        os.kill(pid, signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=60)
    done = subprocess.CompletedProcess([], process.returncode, stdout, stderr)
    survived(done, 3, "does not build")


def test_what_a_killed_download_left_is_cleared(lab):
    words, so_far = stages.fetching_a_kernel(lab)
    process = lab.start(*words)
    lab.until(process, so_far)
    kill(process)
    kernels = lab.folder / "cache/pagemap-bench/kernels"
    assert list(kernels.glob(".download-*"))
    lab.tool("apt-get", "exit 1")
    lab.bench(*words)
    assert not list(kernels.glob(".download-*"))


def test_the_half_of_a_dead_writer_is_cleared_and_that_of_a_living_one_is_not(lab):
    folder = synthetic.result(lab.results / "x", what=[("random", 100, 10.0)])
    script = "import sys, time; from pathlib import Path; from bench.files import replacing\n"
    script += "with replacing(Path(sys.argv[1])) as file: file.write(b'half'); print(flush=True); time.sleep(300)"
    command = [sys.executable, "-c", script, folder / "report.txt"]
    writers = [subprocess.Popen(command, cwd=ROOT, env=lab.env, stdout=subprocess.PIPE) for _ in range(2)]
    for one in writers:
        one.stdout.readline()
    halves = list(folder.glob(".report.txt.*"))
    assert len(halves) == 2
    kill(writers[0])
    whole = [sys.executable, "-c", script.replace("time.sleep(300)", "0"), folder / "report.txt"]
    subprocess.run(whole, cwd=ROOT, env=lab.env, stdout=subprocess.DEVNULL, check=True)
    (left,) = folder.glob(".report.txt.*")
    assert left in halves
    writers[1].terminate()
    kill(writers[1])
    subprocess.run(whole, cwd=ROOT, env=lab.env, stdout=subprocess.DEVNULL, check=True)
    assert not list(folder.glob(".report.txt.*"))


def test_a_program_that_stays_is_ended(lab):
    """It ignores SIGTERM, and has started another one."""
    words, _ = stages.finding_libraries(lab)
    lab.tool("ldd", "trap '' TERM HUP INT; sleep 300 & came; while :; do sleep 1; done")
    process = lab.start(*words)
    lab.until(process, lab.came.exists)
    process.terminate()
    stages.ended(process, signal.SIGTERM)


NO_PACKAGE = """case "$*" in *update*) exit 0;; esac
echo no package > linux-image-6.12.1-cloud-amd64_1_amd64.deb"""


def test_an_unpacker_that_fails_is_named(lab):
    words, _ = stages.fetching_a_kernel(lab)
    lab.tool("apt-get", NO_PACKAGE)
    said = survived(lab.bench(*words), 3, "dpkg-deb failed: ")
    assert "hint: " in said
    assert not list((lab.folder / "cache/pagemap-bench/kernels").glob(".*"))


def test_an_unpacker_that_is_killed_is_named(lab):
    words, _ = stages.fetching_a_kernel(lab)
    lab.tool("apt-get", NO_PACKAGE)
    lab.tool("dpkg-deb", "kill -9 $$")
    survived(lab.bench(*words), 3, "dpkg-deb failed: ")
