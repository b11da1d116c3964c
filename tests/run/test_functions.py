# SPDX-License-Identifier: GPL-2.0-only
"""The command `functions`, and where functions stand in the source of a kernel."""

import os
import subprocess

import pytest

from bench.errors import BadInput, Unsupported
from bench.run import functions, vmlinux
from tests import synthetic
from tests.store.test_events import watched
from tests.support import bench, refused

WHAT = [("random", 1000, 10.0)]
HOST = {"kernel_release": "6.12.0-test", "kernel_version": "#1 SMP Thu Nov 26 00:00:00 UTC 2026"}
SOURCE = """
const char banner[] = "Linux version %s (me@here) (gcc, GNU ld) %s\\n";
__attribute__((noinline)) int handle_mm_fault(int x) { return x + banner[x]; }

int main(int count, char **words) { return handle_mm_fault(count); }
"""


@pytest.fixture
def pair(tmp_path):
    more = synthetic.FUNCTIONS | {"collect": {"pagemap_pmd_range": 0.8, "vm_normal_page": 0.3}}
    some = {"what": WHAT, "boots": 5, "processes": 5, "rounds": 1, "noise": 1e-6, "where": synthetic.COUNTED}
    return [
        synthetic.result(tmp_path / name, exact=shares, **(some | HOST))
        for name, shares in (("base", synthetic.FUNCTIONS), ("patched", more))
    ]


def kernel(folder, *flags, release=HOST["kernel_release"], version=HOST["kernel_version"]):
    """A program that has what is read of a vmlinux."""
    source, made = folder / "fault.c", folder / "vmlinux"
    source.write_text(SOURCE % (release, version))
    subprocess.run(["gcc", "-o", made, source, *flags], check=True, timeout=60)
    return made


def test_one_result_and_two(pair):
    one = bench("functions", pair[0], "--phase", "collect")
    assert one.returncode == 0, one.stderr
    assert "clear_refs, collect; random 10%, 1000 pages" in one.stdout
    assert ", reset;" not in one.stdout
    two = bench("functions", *pair, "--format", "csv")
    assert two.stdout.startswith("new_name,workload,")
    assert "pagemap_pmd_range" in two.stdout
    assert "vm_normal_page" not in two.stdout
    page = bench("functions", *pair, "--format", "html").stdout
    assert page.startswith("<!doctype html>")
    assert "<svg" in page


def asked(name, form="text", vmlinux=None):
    functions.run(functions.Functions((str(name),), None, None, form, vmlinux))


def test_one_result_in_each_form(pair, capsys):
    asked(pair[0], "csv")
    table = capsys.readouterr().out.splitlines()
    assert len(table) > 10
    assert all(line.count(",") == table[0].count(",") for line in table)
    asked(pair[0], "html")
    page = capsys.readouterr().out
    assert page.startswith("<!doctype html>")
    assert "pagemap_pmd_range" in page


def test_samples_are_shown_as_text_alone(tmp_path, capsys):
    seen = watched(tmp_path / "seen")
    asked(seen)
    assert "800 samples" in capsys.readouterr().out
    for words in ({"form": "csv"}, {"form": "html"}, {"vmlinux": "vmlinux"}):
        with pytest.raises(BadInput, match="has samples, no counts of functions"):
            asked(seen, **words)


def test_compare_and_cover_letter_have_the_ledger(pair, tmp_path):
    assert "Which kernel functions account for what changed" in bench("compare", *pair).stdout
    assert bench("compare", *pair, "--name", f"{tmp_path}/kept", "--format", "csv").returncode == 0
    assert (tmp_path / "kept/functions.html").exists()
    assert "By kernel function" in bench("cover-letter", *pair).stdout
    only = bench("cover-letter", *pair, "--all", "--metric", "collect", "--filter", "*scan-wp").stdout
    assert "phase collect" in only
    assert "clear_refs +" not in only


def test_what_was_not_counted_by_function_is_refused(tmp_path):
    plain = synthetic.result(tmp_path / "plain", what=WHAT)
    assert "has no counts of events and functions" in refused("functions", plain)
    assert "there is no result" in refused("functions", tmp_path / "none")


def test_functions_are_found_in_the_source(pair, tmp_path):
    image = kernel(tmp_path, "-g")
    done = bench("functions", pair[0], "--phase", "dirty", "--vmlinux", image)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if "handle_mm_fault" in line)
    assert line.split()[-1].endswith("fault.c:3")
    assert vmlinux.places(image, ["handle_mm_fault", "nowhere"], HOST) == {"handle_mm_fault": f"{tmp_path}/fault.c:3"}
    assert "about one kernel" in refused("functions", *pair, "--vmlinux", image)


def test_another_kernels_vmlinux_is_refused(tmp_path):
    for more in ({"release": "6.12.1"}, {"version": "#2 SMP Thu Nov 26 00:00:00 UTC 2026"}):
        with pytest.raises(BadInput, match=r"measured was 6\.12\.0-test #1 SMP"):
            vmlinux.places(kernel(tmp_path, "-g", **more), ["handle_mm_fault"], HOST)


def test_what_is_no_vmlinux_with_debug_information_is_refused(tmp_path):
    with pytest.raises(BadInput, match="has no debug information") as caught:
        vmlinux.places(kernel(tmp_path), ["handle_mm_fault"], HOST)
    assert "CONFIG_DEBUG_INFO" in caught.value.hint
    with pytest.raises(BadInput, match="none of the functions"):
        vmlinux.places(kernel(tmp_path, "-s"), ["handle_mm_fault"], HOST)
    with pytest.raises(BadInput, match="is no vmlinux"):
        vmlinux.places(kernel(tmp_path, release="", version=""), ["handle_mm_fault"], HOST)
    with pytest.raises(BadInput, match="is no ELF file"):
        vmlinux.places(tmp_path / "fault.c", ["handle_mm_fault"], HOST)
    with pytest.raises(BadInput, match="can't be read"):
        vmlinux.places(tmp_path / "nothing", ["handle_mm_fault"], HOST)


def test_missing_binutils_are_named(tmp_path, monkeypatch):
    image = kernel(tmp_path, "-g")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unsupported, match="there is no program nm") as caught:
        vmlinux.places(image, ["handle_mm_fault"], HOST)
    assert "binutils" in caught.value.hint


@pytest.mark.timeout(60)
def test_a_vmlinux_that_is_a_pipe_or_nothing_but_banners_is_refused_soon(tmp_path):
    """Neither is waited for, or looked through again and again."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="it is no file"):
        vmlinux.places(tmp_path / "pipe", ["handle_mm_fault"], HOST)
    (tmp_path / "banners").write_bytes(b"\x7fELF" + b"Linux version a " * (1 << 17))
    with pytest.raises(BadInput, match="names no version of Linux"):
        vmlinux.places(tmp_path / "banners", ["handle_mm_fault"], HOST)
