# SPDX-License-Identifier: GPL-2.0-only
"""How the core is compiled: for this machine, with flags besides, and for another one."""

import re
import subprocess
import sys
import sysconfig

import pytest

from bench.core import build
from bench.measure import native


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["build", *map(str, words)])
    build.main()


def test_python_is_told_of_each_interface_and_flags_go_to_compiler_and_linker(monkeypatch):
    monkeypatch.setenv("BENCH_CORE_FLAGS", "--coverage -g3")
    name, _, kind, given = build._described()._assigned_source
    assert (name, kind) == ("bench.core._core", ".c")
    assert given["extra_compile_args"] == [*build.FLAGS, "--coverage", "-g3"]
    assert given["extra_link_args"] == ["--coverage", "-g3"]
    assert [path for path in given["sources"] if path.startswith("bench/core/interfaces/")]
    declared = build.declarations()
    for path in (build.HERE / "interfaces").glob("*.c"):
        assert f"extern struct interface interface_{path.stem};\n" in declared


def test_without_a_compiler_it_is_compiled_for_this_machine(monkeypatch, capsys):
    monkeypatch.setattr(build, "build", lambda: "the path of it")
    run(monkeypatch)
    assert capsys.readouterr().out == "the path of it\n"


def test_with_a_compiler_it_is_compiled_into_the_file_that_is_named(monkeypatch, tmp_path):
    """Of the core's files one is enough to see: a shared object may lack what the others have."""
    monkeypatch.setattr(build, "sources", lambda: [build.HERE / "fail.c"])
    made = tmp_path / "_core.so"
    run(monkeypatch, "--compiler", "gcc", "--include", sysconfig.get_paths()["include"], "--output", made)
    names = subprocess.run(["nm", "--dynamic", "--defined-only", made], capture_output=True, text=True, check=True)
    assert {"PyInit__core", "failed_call"} <= set(names.stdout.split())


def test_what_the_compiler_has_to_say_ends_it(monkeypatch, tmp_path):
    compiler = tmp_path / "compiler"
    compiler.write_text("#!/bin/sh\necho no headers >&2\nexit 1\n")
    compiler.chmod(0o755)
    with pytest.raises(SystemExit, match="no headers"):
        run(monkeypatch, "--compiler", compiler, "--output", tmp_path / "_core.so")


def test_a_compiler_without_a_file_to_make_is_a_mistake(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, "--compiler", "gcc")
    assert "--compiler needs --output FILE" in capsys.readouterr().err


def test_a_core_that_is_not_built_is_an_error_with_a_hint():
    code = (
        "import sys\n"
        "sys.modules['bench.core._core'] = None\n"
        "from bench.errors import Unsupported\n"
        "try:\n"
        "    import bench.measure.native\n"
        "except Unsupported as error:\n"
        "    print(error, error.hint, sep='; ')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"the C core is not built for this Python: .*; run: make setup\n", done.stdout)


def test_what_the_core_allocates_says_how_it_is_closed():
    with pytest.raises(TypeError, match="says how it is closed"), native.Resource():
        pass
