# SPDX-License-Identifier: GPL-2.0-only
"""`make perf`: scan-wp's collect of one page in the suite's loop against a bare C loop, taken in turns."""

import statistics
import subprocess
import tempfile
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cffi

from bench.measure.core import Mapping, Pattern, Tracker

ROUNDS = 41
INTERVALS = 500


def bare_rounds() -> Callable[[], float]:
    """Compile bare.c and return its loop."""
    ffi = cffi.FFI()
    ffi.cdef("int bare_loop(uint64_t count, uint64_t *collect_ns);")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "bare.so")
        source = Path(__file__).with_name("bare.c")
        subprocess.run(["cc", "-O2", "-std=gnu11", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
        loaded: Any = ffi.dlopen(str(library))
    out = ffi.new("uint64_t[]", INTERVALS)

    def median() -> float:
        failed_step = loaded.bare_loop(INTERVALS, out)
        assert not failed_step
        return float(statistics.median(out))

    return median


def suite_round() -> float:
    """Median collect of one page in the suite's own loop, in ns, and every interval exact."""
    pattern = Pattern(array("I", [0]), 1)
    with Mapping(1) as mapping, Tracker("scan-wp", mapping) as tracker:
        intervals = tracker.run(pattern, INTERVALS, atomic=False)
    assert not any(i.extra or i.missed for i in intervals)
    return statistics.median(i.collect_ns for i in intervals)


def ratio() -> tuple[float, float, float]:
    """Return (suite ns, bare ns, median over rounds of suite/bare)."""
    bare_round = bare_rounds()
    pairs = [(suite_round(), bare_round()) for _ in range(ROUNDS)]
    suite, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
    return suite, bare, statistics.median(a / b for a, b in pairs)


if __name__ == "__main__":
    suite, bare, times = ratio()
    print(f"scan-wp collect of 1 page: suite {suite:.0f} ns, bare C loop {bare:.0f} ns, ratio {times:.3f}")
