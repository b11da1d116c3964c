# SPDX-License-Identifier: GPL-2.0-only
"""The C core's files: each has its place, and the headers say which."""

import graphlib
import re
import subprocess
import sysconfig

import pytest

from bench.core import build

PYTHON = [path for top in ("bench", "workloads", "tests") for path in (build.HERE.parents[1] / top).rglob("*.py")]
CORE, LAYERS = ((build.HERE / name).read_text() for name in ("core.h", "layers.h"))
DECLARED = re.compile(r"^[a-z][\w ]*?[ *](\w+)\(.*?\);", re.MULTILINE | re.DOTALL)


def place(source):
    """As the headers write it: tracker.c, interfaces/v6.c."""
    return str(source.relative_to(build.HERE))


def sections(header):
    """{file: names of the functions declared under its comment}, in the header's order."""
    parts = re.split(r"^/\* ((?:[\w/]+\.c(?:, )?)+).*\*/$", header, flags=re.MULTILINE)[1:]
    return {where: DECLARED.findall(text) for where, text in zip(parts[::2], parts[1::2], strict=True)}


@pytest.fixture(scope="module")
def symbols(tmp_path_factory):
    """{file: (names it defines, names it calls)}."""
    folder, found = tmp_path_factory.mktemp("objects"), {}
    for source in build.sources():
        target = folder / "one.o"
        command = [sysconfig.get_config_var("CC").split()[0], "-std=gnu11", "-c", str(source), "-o", str(target)]
        subprocess.run(command, check=True)
        lines = subprocess.run(["nm", target], check=True, capture_output=True, text=True).stdout.splitlines()
        names = [line.split()[-2:] for line in lines]
        found[place(source)] = tuple({name for kind, name in names if kind in kinds} for kinds in ("TDB", "U"))
    return found


def callers(symbols, name):
    return {where for where, (_, called) in symbols.items() if name in called}


def test_no_circle_of_calls_between_files(symbols):
    owner = {name: where for where, (defined, _) in symbols.items() for name in defined}
    arrows = {where: {owner[name] for name in called & owner.keys()} for where, (_, called) in symbols.items()}
    assert list(graphlib.TopologicalSorter(arrows).static_order())
    assert arrows["process.c"] >= {"mapping.c", "writers.c", "uffd.c"}  # the names are those of functions


def test_each_header_says_where_a_function_is_and_no_file_calls_further_down(symbols):
    order = list(sections(LAYERS))
    for header in (CORE, LAYERS):
        for where, names in sections(header).items():
            owners = where.split(", ")
            assert names
            assert set(names) <= set().union(*(symbols[owner][0] for owner in owners)), where
    for at, (where, names) in enumerate(sections(LAYERS).items()):
        for name in names:
            assert callers(symbols, name).isdisjoint(order[:at]), f"{name} of {where} is called from below"


def test_what_is_declared_is_used_by_whom_it_is_for(symbols):
    python = "".join(path.read_text() for path in PYTHON)
    for_python = [name for names in sections(CORE).values() for name in names]
    shared = [name for names in sections(LAYERS).values() for name in names]
    assert min(len(for_python), len(shared)) > 30
    assert not [name for name in for_python if f"lib.{name}" not in python]
    assert not [name for name in shared if not callers(symbols, name)]
    assert CORE.index("cffi: begin") < CORE.index("struct") < CORE.index(for_python[-1]) < CORE.index("cffi: end")


def test_no_function_is_global_without_being_declared(symbols):
    declared = {name for header in (CORE, LAYERS) for names in sections(header).values() for name in names}
    tables = {f"interface_{source.stem}" for source in build.sources() if source.parent.name == "interfaces"}
    assert set().union(*(defined for defined, _ in symbols.values())) == declared | tables


def test_files_are_short():
    assert not [place(source) for source in build.sources() if len(source.read_text().splitlines()) > 300]
