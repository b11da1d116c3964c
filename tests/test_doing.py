# SPDX-License-Identifier: GPL-2.0-only
"""What a process that does not answer is doing, of real processes."""

import signal
import subprocess
import sys
import time

import pytest

from bench.doing import doing


@pytest.mark.parametrize(
    ("code", "sent", "said"),
    [
        ("while True: pass", None, "it runs"),
        ("import time; time.sleep(60)", None, "it waits"),
        ("import time; time.sleep(60)", signal.SIGSTOP, "it is stopped, by a signal or a tracer"),
        ("pass", None, ""),
    ],
)
def test_what_a_process_is_doing_is_said(code, sent, said):
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        if sent:
            process.send_signal(sent)
        end = time.monotonic() + 60
        while not (found := doing(process.pid)).startswith(said) or bool(found) != bool(said):
            assert time.monotonic() < end, found
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    assert doing(process.pid) == "", "it is gone"
