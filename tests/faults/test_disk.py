# SPDX-License-Identifier: GPL-2.0-only
"""Disks that are full or may only be read, folders that vanish, names that are too long: what was measured is kept."""

import json
import os
import shutil
import subprocess

import pytest

from tests import synthetic
from tests.faults.support import survived
from tests.faults.test_signals import HERE, records
from tests.support import ROOT


@pytest.fixture
def mount(lab):
    """Mounts a file system of so many KiB; unmounted at the end."""
    if os.geteuid():
        pytest.skip("only root may mount a file system")
    mounted = []

    def make(kib, *, name="disk"):
        folder = lab.folder / name
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", folder], check=True)
        mounted.append(folder)
        return folder

    yield make
    lab.close()
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder, but=0):
    """Leave no room in a file system, but for so many KiB."""
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 12)):
                pass
        except OSError:
            file.truncate(file.tell() - (but << 10))


def read_only(folder):
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)


def result(folder, **more):
    return synthetic.result(folder, what=[("random", 100, 10.0)], processes=6, **more)


def own_cache(lab, folder):
    lab.env["XDG_CACHE_HOME"] = str(folder)
    return lab.qemu("begin(); work(); end()")


# Reports that can't be written


@pytest.mark.parametrize(("how", "what"), [("full", "everything"), ("full", "meaning"), ("read-only", "page")])
def test_a_report_is_printed_though_it_cannot_be_kept(lab, mount, how, what):
    folder = mount(1 << 12)
    (synthetic.played if what == "meaning" else result)(folder / "x")
    fill(folder) if how == "full" else read_only(folder)
    before = sorted(os.listdir(folder / "x"))
    done = lab.bench("report", folder / "x", *(["--all"] if what != "page" else []))
    survived(done, 0, "The report is not kept: ", "can't be written")
    assert "scan-wp" in done.stdout
    assert sorted(os.listdir(folder / "x")) == before


def test_a_report_fits_in_part(lab, mount):
    """Some plots are written before the disk is full."""
    folder = mount(1 << 12)
    result(folder / "x")
    fill(folder, but=100)
    done = lab.bench("report", folder / "x")
    survived(done, 0, "No space left on device")
    assert "scan-wp" in done.stdout
    assert not [name for name in os.listdir(folder / "x") if name.startswith(".")]


WRITERS = {
    "compare": (["compare", "{0}/a", "{0}/b", "--name", "{disk}/c"], 2),
    "report html": (["report", "{disk}/a", "--format", "html"], 2),
    "cover-letter": (["cover-letter", "{0}/a", "{0}/b", "--into", "{disk}/letter"], 2),
    "merge": (["merge", "{0}/a", "{0}/b", "--name", "{disk}/m"], 2),
    "run": (["run", *HERE, "--name", "{disk}/r"], 2),
}


@pytest.mark.parametrize(("how", "what"), [*(("full", what) for what in WRITERS), ("read-only", "cover-letter")])
def test_a_writer_is_refused(lab, mount, how, what):
    words, status = WRITERS[what]
    disk = mount(1 << 12)
    for name in ("a", "b"):
        result(lab.results / name)
    shutil.copytree(lab.results / "a", disk / "a")
    (disk / "letter").write_text("subject\n\nA letter.\n")
    fill(disk) if how == "full" else read_only(disk)
    before = (disk / "letter").read_text()
    done = lab.bench(*(word.format(lab.results, disk=disk) for word in words))
    said = survived(done, status, "No space left on device" if how == "full" else "Read-only file system")
    assert "hint: " in said
    assert (disk / "letter").read_text() == before
    assert not list(disk.rglob(".*"))


# A run whose disk fills up, or whose folder goes, in the middle of it


def until_timed(lab, folder, *words):
    process = lab.start("run", *HERE, "--processes", "300", "--name", folder / "x", *words)
    lab.until(process, lambda: "timed" in records(folder / "x"))
    return process


def ended(process):
    stdout, stderr = process.communicate(timeout=90)
    return subprocess.CompletedProcess([], process.returncode, stdout, stderr)


def test_the_disk_fills_up_while_measuring(lab, mount):
    folder = mount(1 << 10)
    process = until_timed(lab, folder)
    fill(folder)
    survived(ended(process), 2, "records.jsonl can't be written: No space left on device", "what was measured before")
    assert lab.bench("report", folder / "x").returncode == 0
    text = (folder / "x/records.jsonl").read_text()
    assert all(json.loads(line) for line in text.splitlines())
    assert text.endswith("\n"), "the last line that did not fit is not half there"
    assert not list((folder / "x").glob(".*"))


def test_a_file_is_in_the_way_when_it_is_interrupted(lab):
    folder = lab.results
    process = until_timed(lab, folder)
    (folder / "x").rename(folder / "y")
    (folder / "x").write_text("in the way")
    process.terminate()
    done = ended(process)
    assert done.returncode == 143
    assert "Traceback" not in done.stderr
    assert "timed" in records(folder / "y")


def test_the_folder_is_removed_while_measuring(lab):
    process = until_timed(lab, lab.results)
    shutil.rmtree(lab.name())
    survived(ended(process), 2, "was removed while it was written")
    assert not lab.name().exists()


def test_the_log_is_removed_while_measuring(lab):
    process = until_timed(lab, lab.results)
    (lab.name() / "records.jsonl").unlink()
    survived(ended(process), 2, "was removed while it was written")


def test_a_limit_on_the_size_of_files(lab):
    command = ["prlimit", "--fsize=20000", ROOT / "bench.py", "run", *HERE, "--processes", "60", "--name", lab.name()]
    done = subprocess.run(command, env=lab.env, capture_output=True, text=True, timeout=120, check=False)
    survived(done, 2, "File too large")
    assert records(lab.name()).count("timed") > 0


# What is not a result: the cache and temporary files


@pytest.mark.parametrize("how", ["read-only", "a file", "too small"])
def test_a_cache_that_cannot_be_written(lab, mount, how):
    disk = mount(64 if how == "too small" else 1 << 12)
    if how == "read-only":
        read_only(disk)
    if how == "a file":
        (disk / "pagemap-bench").write_text("")
    done = lab.bench(*own_cache(lab, disk))
    said = survived(done, 2, str(disk))
    assert "hint: " in said
    assert "XDG_CACHE_HOME" in said or how == "a file"
    assert not lab.name().exists()


@pytest.mark.parametrize("how", ["full", "missing"])
def test_no_room_for_temporary_files(lab, mount, how):
    disk = mount(2048) if how == "full" else lab.folder / "none"
    words = lab.qemu("begin(); work(); end()")
    lab.env["TMPDIR"] = str(disk)
    if how == "missing":  # Python falls back to /tmp
        survived(lab.bench(*words), 0)
        return
    said = survived(lab.bench(*words), 2, "No space left on device")
    assert "TMPDIR" in said
    assert not lab.name().exists()


# Names


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("n" * 256, "256 bytes"),
        ("/".join(["d" * 150] * 30), "4096 are the most"),
        ("file/x", "Not a directory"),
        ("a\n\x1b]0;title\x07b", "can't be shown"),
    ],
    ids=["256 bytes", "a path of 4500 bytes", "below a file", "two lines and an escape"],
)
def test_a_name_that_cannot_be(lab, name, says):
    (lab.results / "file").write_text("")
    said = survived(lab.bench("run", *HERE, "--name", f"{lab.results}/{name}"), 2, says)
    assert "hint: " in said
    said += survived(lab.bench("report", f"{lab.results}/{name}"), 2, "hint: ")
    assert "\x1b" not in said
