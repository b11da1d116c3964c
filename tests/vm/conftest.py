# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of bench/vm need of the machine; each skip has its reason."""

import shutil

import pytest

from bench.errors import Unsupported
from bench.vm import kernel, qemu


@pytest.fixture(scope="session")
def image():
    """Debian's 6.12 kernel, and a QEMU to boot it with."""
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("no qemu-system-x86_64 on this machine")
    try:
        return kernel.find("debian:6.12", echo=print)
    except Unsupported as error:
        pytest.skip(f"no kernel to boot: {error}")


@pytest.fixture
def boot(image, tmp_path):
    """Return a function that starts a guest with a Python command under TCG."""
    guests = []

    def start(*argv, **options):
        settings = {"memory_mib": 256, "cpus": 1, "accel": "tcg", "time_limit": 100, "log": tmp_path / "guest.log"}
        guests.append(qemu.run(image, argv, packages=[], **(settings | {"echo": print} | options)))
        return guests[-1]

    yield start
    for guest in guests:
        guest.close()
