# SPDX-License-Identifier: GPL-2.0-only
"""Without a network: what is in the cache is enough for everything, and what isn't there is said with a way out."""

import os
import subprocess

import pytest

from bench.store import frames
from tests.faults.support import survived
from tests.support import ROOT

ALONE = ("unshare", "--net")
SMALL = ("--accel", "icount", "--filter", "random pages=100 dirty=10%", "--interface", "scan-wp", "--boots", "1")


@pytest.fixture(scope="module")
def offline():
    """Run ./bench.py without any network."""
    if subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root may leave the network")

    def bench(*words, **options):
        command = [*ALONE, str(ROOT / "bench.py"), *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)

    return bench


def test_a_kernel_of_the_cache_is_measured_and_reported(offline, image, tmp_path):
    done = offline("run", "--kernel", "debian:6.12", *SMALL, "--name", tmp_path / "x")
    survived(done, 0)
    assert not frames.load(tmp_path / "x").frame.empty
    survived(offline("report", tmp_path / "x"), 0)
    done = offline("matrix", "--dry-run", "--kernel", "a=debian:6.12", "--kernel", "b=debian:6.12", *SMALL)
    survived(done, 0)
    assert "all that is needed is there" in done.stdout


def test_without_a_cache_it_is_said_what_to_do(offline, tmp_path):
    env = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "BENCH_DEBIAN_MIRROR": "http://localhost:9/debian"}
    for words in (
        ("run", "--kernel", "debian:6.12"),
        ("run", "--kernel", "debian:"),
        ("config", "--kernel", "debian:6.12"),
    ):
        said = survived(offline(*words, *(SMALL if len(words) > 2 and words[0] == "run" else ()), env=env), 3)
        assert "can't fetch" in said
        assert "or give a kernel of your own with --kernel IMAGE" in said
    done = offline("run", "--dry-run", "--kernel", "debian:6.12", *SMALL, env=env)
    survived(done, 0)
    assert "debian:6.12 would be fetched" in done.stdout
