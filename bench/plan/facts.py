# SPDX-License-Identifier: GPL-2.0-only
"""What a machine or a worker says of itself, and the types and ranges of those facts that reports calculate with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bench.errors import BadInput

MOST = 1000  # facts of one machine
LONGEST, LONGEST_TEXT = 200, 1 << 16  # characters of a fact's name, and of a fact
_Kind = tuple[tuple[type, ...], float, float]
_BYTES: _Kind = (int, float), 0, 2**63
_COUNT: _Kind = (int,), 0, 2**63
_TIME: _Kind = (int, float), 0, 1e12  # ns
_NAME: _Kind = (str,), 0, 256  # what pages and plots print in a line; uname(2) has 64
_TEXT: _Kind = (str,), 0, LONGEST_TEXT
# By name: types, and the least and the most: of a number, or of a text's characters.
KNOWN: dict[str, _Kind] = {
    **dict.fromkeys(("where", "kernel_release", "kernel_version", "cpu_model_name", "machine", "hostname"), _NAME),
    **dict.fromkeys(("boot_id", "kernel_commit", "kernel_sha256", "config_sha256", "suite_version"), _NAME),
    **dict.fromkeys(("file_system", "command", "kernel_image", "suite"), _TEXT),
    **dict.fromkeys(("writes", "written_pages", "accessed_pages", "planned_runs", "seed"), _COUNT),
    **dict.fromkeys(("memory_bytes", "worker_resident_bytes", "worker_vmas"), _BYTES),
    **dict.fromkeys(("copy_page_ns", "clock_ns", "syscall_ns"), _TIME),
    "cpu_count": ((int,), 1, 2**20),
    "page_size": ((int,), 1, 2**40),
    "tsc_hz": ((int, float), 0, 1e15),
    "turn": ((int,), -1, 2**31),
}


def check(facts: Mapping[str, Any], where: str) -> None:
    """Raise BadInput that names the place for a fact that can't be. Each is a text or a finite number already."""
    if len(facts) > MOST:
        raise BadInput(f"{where} has {len(facts)} facts, more than {MOST}")
    for key, value in facts.items():
        if len(key) > LONGEST:
            raise BadInput(f"{where} has a fact with a name of {len(key)} characters, more than {LONGEST}")
        types, _, most = KNOWN.get(key, _TEXT)
        if isinstance(value, str) and types == (str,) and len(value) > most:
            raise BadInput(f"{where}.{key} has {len(value)} characters, more than {most}")
        if key in KNOWN:
            one(key, value, where)


def one(key: str, value: Any, where: str) -> None:
    """Raise BadInput for a value of a known fact that can't be."""
    types, least, most = KNOWN[key]
    if type(value) not in types:
        raise BadInput(f"{where}.{key} is {_shown(value)}, which is no {'text' if types == (str,) else 'such number'}")
    if types != (str,) and not (math.isfinite(value) and least <= value <= most):
        raise BadInput(f"{where}.{key} is {_shown(value)}, not {least:g} to {most:g}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "..."
