# SPDX-License-Identifier: GPL-2.0-only
"""Copies of this checkout with a core that is compiled otherwise: what runs in the checkout is not touched."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support import ROOT

PARTS = ("bench", "bench.py", "plots", "workloads", "tests", "pyproject.toml", "Makefile", "README.md", "results")


@contextmanager
def copy(flags: Sequence[str]) -> Iterator[Path]:
    """A copy whose core was compiled with these flags besides, as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="pagemap-bench-") as made:
        folder = Path(made)
        without = shutil.ignore_patterns("*.so", "*.o", "_core.c", "__pycache__")
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, folder / part, ignore=without)
            else:
                shutil.copy2(ROOT / part, folder / part)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        env = {**os.environ, "BENCH_CORE_FLAGS": " ".join(flags)}
        subprocess.run([sys.executable, "-m", "bench.core.build"], cwd=folder, env=env, check=True, capture_output=True)
        yield folder
