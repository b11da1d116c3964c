# SPDX-License-Identifier: GPL-2.0-only
"""What tests share: the command line as a person uses it."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def bench(*words: object, timeout: float = 300, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run ./bench.py with these words."""
    return subprocess.run(
        [str(ROOT / "bench.py"), *map(str, words)], capture_output=True, text=True, timeout=timeout, **options
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


def await_running(process: "subprocess.Popen[Any]", so_far: Callable[[], object], seconds: float = 120) -> None:
    """Wait until so_far() is true while the process runs; fail where it ends before, or takes longer."""
    end = time.monotonic() + seconds
    while not so_far():
        assert process.poll() is None, "it ended before"
        assert time.monotonic() < end, f"it did not come so far within {seconds:g} s"
        time.sleep(0.01)


def interrupted(so_far: Callable[[], object], *words: object) -> str:
    """Run ./bench.py, press Ctrl-C once so_far() is true, and return what it said; its status must be 130."""
    process = subprocess.Popen(
        # a shell's background job ignores SIGINT, and so does all that it starts: the tests may run in one
        ["env", "--default-signal=INT", str(ROOT / "bench.py"), *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        await_running(process, so_far)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "error: interrupted" in said
    assert "Traceback" not in said
    return said
