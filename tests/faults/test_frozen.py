# SPDX-License-Identifier: GPL-2.0-only
"""Workers that sleep in the kernel, where no signal reaches them: they write to a file system that is frozen."""

import json
import os
import shutil
import subprocess

import pytest

from tests.faults.support import survived


@pytest.fixture
def frozen(lab):
    """A file system of 64 MiB, and functions that freeze and thaw it; thawed at the end, whatever happened."""
    if os.geteuid():
        pytest.skip("only root may mount a file system")
    folder = lab.folder / "mounted"
    folder.mkdir()
    with (lab.folder / "disk").open("wb") as disk:
        disk.truncate(64 << 20)
    subprocess.run([shutil.which("mkfs.ext4") or "/sbin/mkfs.ext4", "-q", disk.name], check=True)
    subprocess.run(["mount", "-o", "loop", disk.name, folder], check=True)

    def freeze(on=True):
        subprocess.run(["/sbin/fsfreeze", "--freeze" if on else "--unfreeze", folder], check=on)

    try:
        yield folder, freeze
    finally:
        freeze(False)
        lab.close()
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_probe_that_sleeps_is_named_and_the_other_memory_measured(lab, frozen):
    folder, freeze = frozen
    freeze()
    words = ("--kind", "file-shared,anon", "--pages", 64, "--values", 1, "--processes", 1, "--directory", folder)
    done = lab.bench("run", "--where", "here", *words, "--name", lab.name())
    said = survived(done, 1, "error: WRONG: file-shared: its probe came to no end", "sleeps in the kernel")
    assert "percpu_rwsem_wait" in said or "sb_start" in said  # where
    freeze(False)
    records = [json.loads(line) for line in (lab.name() / "records.jsonl").read_text().splitlines()]
    assert [one["point"].get("kind", "anon") for one in records if one["type"] == "timed"] == ["anon"]


def test_a_worker_that_sleeps_fails_alone(lab, frozen):
    """Frozen after its first process: the second fails, those of other memory are done, and the run ends."""
    folder, freeze = frozen
    words = ("--kind", "file-shared,anon", "--pages", 64, "--values", 1, "--processes", 2, "--directory", folder)
    process = lab.start("run", "--where", "here", *words, "--name", lab.name())
    log = lab.name() / "records.jsonl"
    lab.until(process, lambda: log.exists() and '"timed"' in log.read_text())
    freeze()
    stdout, stderr = process.communicate(timeout=200)  # who reads them is not kept by the one that sleeps
    done = subprocess.CompletedProcess([], process.returncode, stdout, stderr)
    survived(done, 3, "1 of 4 jobs failed", "file-shared", "sleeps in the kernel")
    assert "file-shared" in lab.bench("report", lab.name()).stdout  # it is of what was done
    freeze(False)
    records = [json.loads(line) for line in log.read_text().splitlines()]
    found = [(one["point"].get("kind", "anon"), one["process"]) for one in records if one["type"] == "timed"]
    assert sorted(found) == [("anon", 0), ("anon", 1), ("file-shared", 0)]
    assert [one["job"] for one in records if one["type"] == "failed"] == [
        "random pages=64 dirty=10% kind=file-shared, process 1"
    ]
