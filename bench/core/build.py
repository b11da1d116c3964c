# SPDX-License-Identifier: GPL-2.0-only
"""Compiles the C core: `python -m bench.core.build`, run by `make`. A new file in interfaces/ is found by itself.

BENCH_CORE_FLAGS are given to compiler and linker besides: those of sanitizers, or of gcov. Setup says it,
and compiles anew where they change.
"""

import os
from pathlib import Path

import cffi

HERE = Path(__file__).resolve().parent


def declarations() -> str:
    """What Python may use: the marked part of core.h, and one `struct interface` per file in interfaces/."""
    header = (HERE / "core.h").read_text()
    marked = header.split("/* cffi: begin */")[1].split("/* cffi: end */")[0]
    names = sorted(path.stem for path in (HERE / "interfaces").glob("*.c"))
    return marked + "".join(f"extern struct interface interface_{name};\n" for name in names)


def sources() -> list[Path]:
    """All C files of the core, those of the interfaces last."""
    return [*sorted(HERE.glob("[!_]*.c")), *sorted(HERE.glob("interfaces/*.c"))]


def build() -> Path:
    """Compile bench/core/_core and return the shared object's path."""
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
        extra_compile_args=["-O2", "-g", "-std=gnu11", "-Wall", "-Wextra", *more],
        extra_link_args=more,
    )
    return Path(ffi.compile(tmpdir=str(root), verbose=False))


if __name__ == "__main__":
    print(build())
