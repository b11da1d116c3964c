# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of bench/vm need of the machine; each skip has its reason."""

import pytest

from bench.vm import qemu


@pytest.fixture
def boot(image, tmp_path):
    """Return a function that starts a guest with a Python command under TCG."""
    guests = []

    def start(*argv, **options):
        settings = {"memory_mib": 256, "cpus": 1, "time_limit": 100, "log": tmp_path / "guest.log", "echo": print}
        accel = qemu.accelerator("tcg", image, [], print)
        guests.append(qemu.boot(image, argv, accel, packages=[], **(settings | options)))
        return guests[-1]

    yield start
    for guest in guests:
        guest.close()
