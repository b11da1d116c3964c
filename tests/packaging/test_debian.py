# SPDX-License-Identifier: GPL-2.0-only
"""The sources that a Debian package is built from: whole, and with what it needs named."""

import os
import re
import shutil
import subprocess

import pytest

from bench import place, setup
from bench.errors import BadInput
from bench.packaging import backend, deb, stage
from bench.run import machines
from bench.vm import initramfs

CALLED_OTHERWISE = {"pillow": "pil"}


@pytest.fixture
def unpacked(tmp_path, monkeypatch):
    monkeypatch.setenv("DEBFULLNAME", "A Developer")
    monkeypatch.setenv("DEBEMAIL", "a@example.org")
    deb.unpack(tmp_path / "sources")
    return tmp_path / "sources"


def test_it_depends_on_what_a_run_imports_and_recommends_what_setup_asks_for(unpacked):
    control = (unpacked / "debian/control").read_text()
    named = set(re.findall(r"^ ([a-z][a-z0-9.-]+)(?: \[amd64\])?,$", control, re.MULTILINE))
    wanted = {
        f"python3-{CALLED_OTHERWISE.get(name, name)}"
        for name in backend.dependencies()
        if name not in deb.NOT_IN_DEBIAN
    }
    for name in deb.NOT_IN_DEBIAN:
        assert (unpacked / stage.BROUGHT / name / "__init__.py").is_file()
    assert wanted <= named
    assert {"gcc", *setup.VM_PROGRAMS.values()} - {"dpkg", "libc-bin"} <= named  # these are essential
    assert "Maintainer: A Developer <a@example.org>" in control


def test_its_changelog_has_the_version_of_git(unpacked):
    entry = (unpacked / "debian/changelog").read_text()
    assert entry.startswith(f"pagemap-bench ({place.version().debian}) unstable;")
    if not shutil.which("dpkg-parsechangelog"):
        pytest.skip("no dpkg-parsechangelog: dpkg-dev is not installed")
    done = subprocess.run(["dpkg-parsechangelog", "-S", "Version"], cwd=unpacked, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (place.version().debian, "")


def test_its_core_is_for_debians_python_and_not_for_the_first_in_path(unpacked):
    said = made(unpacked, "-n", "-f", "debian/rules", "override_dh_auto_build")
    assert [line.split()[0] for line in said.splitlines() if "python" in line] == ["/usr/bin/python3"]


def test_modules_are_found_in_the_folder_that_make_runs_in(unpacked):
    for rules in (place.ROOT / "Makefile", unpacked / "debian/rules"):
        assert (
            made(unpacked, "-s", "--eval", "show:; @echo $${PYTHONSAFEPATH-not set}", "-f", rules, "show")
            == "not set\n"
        )


def made(folder, *words):
    """What make says there, where Python is told not to look into the folder it is in."""
    env = os.environ | {"PYTHONSAFEPATH": "1"}
    done = subprocess.run(["make", *words], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_without_a_maintainer_it_is_said(monkeypatch, tmp_path):
    for name in ("DEBFULLNAME", "DEBEMAIL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.setattr(place, "ROOT", tmp_path)
    with pytest.raises(BadInput, match="nobody says who"):
        deb.maintainer()


@pytest.fixture
def builder(tmp_path, monkeypatch):
    """Puts a dpkg-buildpackage in front of all others, which does this among the sources."""
    monkeypatch.setenv("DEBFULLNAME", "A Developer")
    monkeypatch.setenv("DEBEMAIL", "a@example.org")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def does(script):
        (tmp_path / "dpkg-buildpackage").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "dpkg-buildpackage").chmod(0o755)

    return does


def test_what_was_built_is_put_into_the_folder_and_named(builder, tmp_path, capsys):
    builder("test -f debian/control && cp debian/changelog ../pagemap-bench_1_amd64.deb")
    assert deb.main([str(tmp_path / "a/dist")]) == 0
    made = tmp_path / "a/dist/pagemap-bench_1_amd64.deb"
    assert made.read_text().startswith("pagemap-bench (")
    assert capsys.readouterr().out == f"{made}\n"


def test_a_build_that_fails_says_its_last_lines_and_what_to_install(builder, tmp_path, capsys):
    builder("echo unmet build dependencies: debhelper; exit 3")
    assert deb.main([str(tmp_path / "dist")]) > 1
    assert capsys.readouterr().err.splitlines() == [
        "error: dpkg-buildpackage failed:",
        "unmet build dependencies: debhelper",
        f"hint: install build-essential, and what Build-Depends in {deb.SKELETON}/control names",
    ]


def test_what_is_installed_and_what_is_shared_are_laid_out(tmp_path):
    assert stage.main([str(tmp_path / "made"), shutil.which("true")]) == 0  # a Python that compiles nothing
    assert (tmp_path / "made/tree/bench/run/main.py").is_file()
    assert (tmp_path / "made/tree" / place.STAMP).read_text() == place.stamp()
    assert any(tmp_path.glob("made/share/**/*.1"))
    assert not any(tmp_path.glob("made/tree/tests"))


def test_a_core_that_can_not_be_compiled_for_the_package_is_said(tmp_path, capsys):
    (tmp_path / "python").write_text("#!/bin/sh\necho no Python.h; exit 1\n")
    (tmp_path / "python").chmod(0o755)
    assert stage.main([str(tmp_path / "made"), str(tmp_path / "python")]) > 1
    assert capsys.readouterr().err == (
        "error: the C core can't be compiled:\nno Python.h\nhint: are a compiler and Python's headers there?\n"
    )


@pytest.mark.parametrize("words", [["-h"], ["one", "two", "three"]])
def test_how_they_are_called_is_said(words, capsys):
    stage.main(words)
    deb.main(words)
    told = capsys.readouterr()
    assert stage.__doc__ in told.err
    assert deb.__doc__ in told.out


@pytest.mark.parametrize("name", machines.GUEST_PACKAGES)
def test_guests_get_the_modules_of_a_package_that_has_no_list_of_its_files(name, monkeypatch):
    def modules():
        return {path for path, _ in initramfs._package(name) if path.endswith((".py", ".so"))}

    listed = modules()
    monkeypatch.setattr(initramfs.metadata, "files", lambda name: None)
    assert modules() == listed
