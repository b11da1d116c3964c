# SPDX-License-Identifier: GPL-2.0-only
"""What tests share: the command line as a person uses it."""

import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def bench(*words: object, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run ./bench.py with these words."""
    return subprocess.run(
        [str(ROOT / "bench.py"), *map(str, words)], capture_output=True, text=True, timeout=300, **options
    )


def refused(*words: object, status: int = 2, **options: Any) -> str:
    """Run a command that must fail; return its error and hint."""
    done = bench(*words, **options)
    assert done.returncode == status, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1
    assert lines[-1].startswith("hint: ")
    return errors[0] + "\n" + lines[-1]
