# SPDX-License-Identifier: GPL-2.0-only
"""riscv64 guests: one that is measured, where QEMU knows its CPU, and what is said where it does not."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.errors import BadInput, Unsupported
from bench.plan import arches
from bench.run import foresee, measuring, tell
from bench.run.main import run
from bench.run.request import Request
from bench.vm import kernel, qemu
from tests.vm import elsewhere
from tests.vm.test_arches import arm64_image

RISCV64 = arches.find("riscv64")
KERNEL = "debian:7.2"
REFUSED = "qemu: can't apply global rv64-riscv-cpu.svrsw60t59b=on: Property not found"


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What one riscv64 guest says of itself, and of one point."""
    return elsewhere.measured(RISCV64, KERNEL, tmp_path_factory.mktemp("riscv64"))


def test_both_bits_are_there_and_no_interface_reports_a_wrong_page(measured):
    machine, record = measured
    assert machine.facts["architecture"] == "riscv64"
    assert not {"clear_refs", "scan-wp"} & set(machine.unavailable)
    assert not machine.findings
    found = {(one.interface, one.atomic) for one in record.series}
    assert {("clear_refs", False), ("scan-wp", False), ("scan-wp", True)} <= found
    assert not any(one.wrong or one.extra or one.missed for one in record.series)


def test_functions_are_counted_where_their_work_is_done(measured):
    elsewhere.functions_are_counted(measured[1], RISCV64)


def test_faults_and_flushes_are_those_that_pages_make_and_no_store_is_counted_twice(measured):
    tracked, _ = elsewhere.faults_are_those_that_pages_make(measured[1])
    assert tracked["reset"]["sfence"][0] >= 1
    assert tracked["collect"]["sfence"] == [0], "a scan that only reads flushes nothing"


@pytest.fixture
def old_qemu(tmp_path, monkeypatch):
    """A QEMU that doesn't know the CPU's extension, and a cache that is not there."""
    program = tmp_path / RISCV64.qemu
    program.write_text(f'#!/bin/sh\necho "{REFUSED}" >&2\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tell, "_chosen", [tell.Style()])
    qemu._complaint.cache_clear()
    yield tmp_path
    qemu._complaint.cache_clear()


@pytest.mark.parametrize(("how", "more"), [(foresee.run, ["--dry-run"]), (measuring.run, [])])
def test_a_qemu_without_its_cpu_is_refused_before_anything_is_fetched(old_qemu, how, more):
    words = ["--arch", "riscv64", "--kernel", KERNEL, "--pages", "64", "--name", str(old_qemu / "result"), *more]
    with pytest.raises(Unsupported, match="svrsw60t59b") as caught:
        how(Request.typed(run.make_context("run", words).params))
    assert REFUSED in str(caught.value)
    assert "QEMU 11.1" in caught.value.hint
    assert not (old_qemu / "result").exists()
    assert not list((old_qemu / "cache").rglob("*Packages*"))


def test_its_image_is_told_from_that_of_arm64(tmp_path):
    path = tmp_path / "Image"
    path.write_bytes(arm64_image("7.2.12").replace(b"ARM\x64", RISCV64.magic, 1))
    assert "7.2.12" in kernel.find(str(path), echo=print, arch=RISCV64).title
    with pytest.raises(BadInput, match="for riscv64: give --arch riscv64"):
        kernel.find(str(path), echo=print, arch=arches.find("arm64"))
    with pytest.raises(BadInput, match="an image for riscv64"):
        kernel.find(str(path), echo=print)


def test_a_mark_is_one_instruction_that_the_plugin_knows(tmp_path):
    compiler = f"{RISCV64.triplet}-gcc"
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} on this machine")
    core = Path(arches.__file__).parents[1] / "core"
    source, made = tmp_path / "mark.c", tmp_path / "mark.o"
    source.write_text('#include "marks.h"\nvoid mark(void) { MARK(MARK_KEEP_PHASE, PHASE_AFTER); }\n')
    subprocess.run([compiler, "-I", str(core), "-c", "-o", str(made), str(source)], check=True, timeout=60)
    slti = 0x2013 | (6 << 8 | 9) << 20  # funct3 2 of opcode 0x13, from x0 to x0
    assert made.read_bytes().count(slti.to_bytes(4, "little")) == 1
