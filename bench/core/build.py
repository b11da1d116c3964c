# SPDX-License-Identifier: GPL-2.0-only
"""Compiles the C core: `python -m bench.core.build`, run by `make`. A new file in interfaces/ is found by itself.

For guests of another architecture it is cross-compiled: with its compiler, and the headers of its Python.

BENCH_CORE_FLAGS are given to compiler and linker besides: those of sanitizers, or of gcov. Setup says it,
and compiles anew where they change.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cffi

from bench import processes

HERE = Path(__file__).resolve().parent
_SECONDS = 600.0
FLAGS = ("-O2", "-g", "-std=gnu11", "-Wall", "-Wextra")


def declarations() -> str:
    """What Python may use: the marked part of core.h, and one `struct interface` per file in interfaces/."""
    header = (HERE / "core.h").read_text()
    marked = header.split("/* cffi: begin */")[1].split("/* cffi: end */")[0]
    names = sorted(path.stem for path in (HERE / "interfaces").glob("*.c"))
    return marked + "".join(f"extern struct interface interface_{name};\n" for name in names)


def sources() -> list[Path]:
    """All C files of the core, those of the interfaces last."""
    return [*sorted(HERE.glob("[!_]*.c")), *sorted(HERE.glob("interfaces/*.c"))]


def _described() -> cffi.FFI:
    ffi = cffi.FFI()
    ffi.cdef(declarations())
    interfaces = "\n".join(line for line in declarations().splitlines() if line.startswith("extern"))
    root = HERE.parents[1]
    more = os.environ.get("BENCH_CORE_FLAGS", "").split()
    ffi.set_source(
        "bench.core._core",
        f'#include "core.h"\n{interfaces}\n',
        sources=[str(path.relative_to(root)) for path in sources()],
        include_dirs=[str(HERE)],
        depends=[str(path) for path in HERE.glob("*.h")],
        extra_compile_args=[*FLAGS, *more],
        extra_link_args=more,
    )
    return ffi


def build() -> Path:
    """Compile bench/core/_core and return the shared object's path."""
    return Path(_described().compile(tmpdir=str(HERE.parents[1]), verbose=False))


def cross_build(compiler: str, includes: Sequence[str], output: str) -> None:
    """Compile the core for another machine into a file, or end with what the compiler says. Raises ProgramFailed."""
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder, "_core.c")
        _described().emit_c_code(str(module))
        where = [f"-I{include}" for include in (HERE, *includes)]
        words = [compiler, *FLAGS, "-shared", "-fPIC", "-s", *where, str(module), *map(str, sources()), "-o", output]
        done = processes.run(words, _SECONDS)
        if done.returncode:
            sys.exit(done.stderr)


def main() -> None:
    """Compile for this machine, or for another one."""
    parser = argparse.ArgumentParser(prog="python -m bench.core.build", description="Compile the C core.")
    parser.add_argument("--compiler", help="of another architecture, such as aarch64-linux-gnu-gcc")
    parser.add_argument("--include", action="append", default=[], help="a folder of its Python's headers")
    parser.add_argument("--output", help="the file that is made then, such as _core.so")
    wanted = parser.parse_args()
    if not wanted.compiler:
        print(build())
    elif wanted.output:
        cross_build(wanted.compiler, wanted.include, wanted.output)
    else:
        parser.error("--compiler needs --output FILE")


if __name__ == "__main__":
    main()
