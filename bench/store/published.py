# SPDX-License-Identifier: GPL-2.0-only
"""Somebody else's numbers: tables of papers and mails, in results/published."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

FOLDER = Path(__file__).resolve().parents[2] / "results/published"


class Published(NamedTuple):
    """Numbers of another machine: `frame` as its file has it, `about` says what and whose they are."""

    frame: pd.DataFrame
    about: str


def published(name: str) -> Published | None:
    """Read results/published/NAME.csv: what others published of what the suite NAME measures; None if nobody did.

    Sizes such as 10MB come as `pages`.
    """
    path = FOLDER / f"{name}.csv"
    if not path.exists():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    about = " ".join(line.removeprefix("#").strip() for line in lines if line.startswith("#"))
    frame = pd.read_csv(path, comment="#")
    if "size" in frame:
        units = {"MB": 256, "GB": 256 * 1024}  # pages
        frame["pages"] = [int(text[:-2]) * units[text[-2:]] for text in frame.pop("size")]
    return Published(frame, about)
