# SPDX-License-Identifier: GPL-2.0-only
"""What tests of results and texts share: rows of an invented result, and the rules of the mailing lists."""

import os
import re
from pathlib import Path
from typing import Any

import pandas as pd

from bench.store import frames
from tests import synthetic

GOLDEN = Path(__file__).parent / "report/golden"
FEW = [("idle", 1, 0.0), ("random", 100, 10.0), ("random", 1000, 10.0), ("all", 1000, 100.0), ("strided", 1000, 10.0)]


def intervals(folder: Path, **options: Any) -> pd.DataFrame:
    """frames.intervals() of an invented result."""
    return frames.intervals(frames.load(synthetic.result(folder, **options)).frame)


def words(text: str) -> str:
    """A text as one line."""
    return " ".join(text.split())


def assert_golden(name: str, text: str) -> None:
    """Compare with report/golden/name; UPDATE_GOLDEN=1 rewrites it: then read the diff."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text + "\n")
    assert text + "\n" == path.read_text()


def assert_mailable(text: str) -> None:
    """Hold the lists' rules: width, characters, and nothing that git mailinfo or b4 cuts away."""
    assert text.isascii()
    for line in text.splitlines():
        assert len(line) <= 72, line
        assert line == line.rstrip(), line
        assert not line.strip() or line.startswith("  "), line
        assert not re.match(r"---( |$)|diff -|Index:|#", line), line
