# SPDX-License-Identifier: GPL-2.0-only
"""Somebody else's numbers: tables of papers and mails, in results/published."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench import reading
from bench.errors import BadInput
from bench.plan.points import MAX_PAGES

FOLDER = Path(__file__).resolve().parents[2] / "results/published"
_WORDS = ("interface", "charged", "size")
_NUMBERS = ("pages", "kilocycles", "microseconds_per_fault", "overhead_percent")
_SIZE = r"[1-9]\d{0,5}(?:MB|GB)"
_PAGES = {"MB": 256, "GB": 256 * 1024}
_MOST = 1 << 20  # bytes of a file
_LONGEST = 100  # characters of a word


class Published(NamedTuple):
    """Numbers of another machine: `frame` as its file has it, `about` says what and whose they are."""

    frame: pd.DataFrame
    about: str


def published(name: str) -> Published | None:
    """Read results/published/NAME.csv: what others published of what the suite NAME measures; None if nobody did.

    Sizes such as 10MB come as `pages`.
    """
    path = next((one for one in FOLDER.glob("*.csv") if one.stem == name), None)
    return read(path) if path else None


def read(path: Path) -> Published:
    """Read such a file. Raises BadInput that names it and the line."""
    text = reading.whole(path, _MOST)
    about = " ".join(line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#"))
    try:
        frame = pd.read_csv(io.StringIO(text), comment="#", dtype=dict.fromkeys(_WORDS, "str"))
        return Published(_checked(frame), about)
    except (ValueError, BadInput, OverflowError) as error:  # of pandas: ParserError, EmptyDataError
        raise BadInput(f"{path}: {error}", "columns and their units: results/README.md") from None


def _checked(frame: pd.DataFrame) -> pd.DataFrame:
    if not isinstance(frame.index, pd.RangeIndex):
        raise BadInput("a row has more cells than there are columns")
    if frame.empty or "interface" not in frame or {*frame.columns} - {*_WORDS, *_NUMBERS}:
        raise BadInput(f"columns are {', '.join((*_WORDS, *_NUMBERS))}, the first one always, and there is a row")
    for key in frame.columns.intersection(list(_WORDS)):
        if not frame[key].map(lambda word: isinstance(word, str) and 0 < len(word) <= _LONGEST).all():
            raise BadInput(f"{key} is a word of up to {_LONGEST} characters in every row")
    for key in frame.columns.intersection(list(_NUMBERS)):
        numbers = pd.to_numeric(frame[key]).to_numpy(np.float64)
        if not ((numbers > 0) & (numbers < 1e15)).all():
            raise BadInput(f"{key} is a number above 0 in every row")
        frame[key] = numbers.astype(np.int64) if (numbers % 1 == 0).all() else numbers
    if "size" in frame:
        if not frame["size"].str.fullmatch(_SIZE).all():
            raise BadInput("size is 10MB or 1GB or alike in every row")
        frame["pages"] = [int(text[:-2]) * _PAGES[text[-2:]] for text in frame.pop("size")]
    if "pages" in frame and (frame["pages"] > MAX_PAGES).any():
        raise BadInput(f"pages are {MAX_PAGES} at most")
    return frame
