# SPDX-License-Identifier: GPL-2.0-only
"""The machine's record: what of a kernel's configuration is kept."""

import os

import pytest

from bench.measure import machine, timing
from bench.plan import kconfig


def test_options_that_matter_are_kept_in_one_order():
    config = "CONFIG_KSM=y\nCONFIG_HZ=250\n# CONFIG_KASAN is not set\nCONFIG_HZ_250=y\nCONFIG_MEM_SOFT_DIRTY=y\n"
    assert kconfig.chosen(config) == "MEM_SOFT_DIRTY=y HZ=250 KSM=y"
    assert kconfig.chosen("") == "unknown"


def test_the_running_kernels_configuration_is_in_the_record():
    found = machine.record()["kernel_config"]
    assert found == kconfig.chosen(machine.running_config())
    assert found == "unknown" or "HZ=" in found


MOUNTS = b"""\
/dev/a /usr ext4 rw 0 0
x /usr/with\\040space ramfs rw 0 0
x /usr/with xfs rw 0 0
x /usr/no\xfftext tmpfs rw 0 0
x /usr/a\\134b\\011c zfs rw 0 0
/dev/b /srv btrfs rw 0 0
x /srv overlay rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        (b"/usr/lib", "ext4"),
        (b"/usr/with space/in it", "ramfs"),
        (b"/usr/with", "xfs"),
        (b"/usr/without", "ext4"),
        (b"/usr/no\xfftext", "tmpfs"),
        (b"/usr/a\\b\tc/x", "zfs"),
        (b"/srv/x", "overlay"),
        (b"/root", "unknown"),
    ],
)
def test_a_folder_is_on_the_innermost_and_last_file_system(folder, kind, monkeypatch, tmp_path):
    """As /proc/PID/mounts writes it; one whose root is no mount, as in a chroot, does not say what that is."""
    mounts = tmp_path / "mounts"
    mounts.write_bytes(MOUNTS)
    monkeypatch.setattr(timing, "open", lambda _, **how: mounts.open(**how), raising=False)
    assert timing.file_system(os.fsdecode(folder)) == kind


def test_the_file_system_of_proc_is_proc():
    assert timing.file_system("/proc/self") == "proc"


def test_what_disturbs_is_said_before_with_what_ends_it_and_what_cannot_be_found(monkeypatch):
    monkeypatch.setattr(machine, "noise", lambda: 0.01)
    monkeypatch.setattr(machine, "_of_cpus", lambda: [machine.Disturbance("it is hot", "open a window")])
    monkeypatch.setattr(machine, "_of_memory", lambda: [machine.Disturbance("swap is on", "swapoff -a")])
    here, guest = (machine.before(22, guest=guest) for guest in (False, True))
    assert here[1:-1] == ["  it is hot\n  -> open a window", "  swap is on\n  -> swapoff -a"]
    assert guest[1:-1] == here[1:2], "a guest has memory of its own"
    assert "varied by 1.0 %" in here[-1]
    assert "below about 2.0 %" in here[-1], "what tests/stats/test_samples.py finds"
    assert "below about 4.7 %" in machine.before(4, guest=False)[-1]
    monkeypatch.setattr(machine, "noise", lambda: 2.0)
    assert "no change will be found" in machine.before(1, guest=False)[-1]


def test_noise_is_that_of_the_times_and_no_outlier_of_one(monkeypatch):
    times = iter([*range(1000, 1100), 10**9, *[1050] * 10_000])
    monkeypatch.setattr(machine, "_TRIAL_SECONDS", 0.0)
    monkeypatch.setattr(machine, "_TRIALS", 101)

    class Populated:
        def __init__(self, pages):
            self.struct = self
            self.populate_ns = next(times)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(machine, "Mapping", Populated)
    monkeypatch.setattr(machine.os, "sched_setaffinity", lambda *_: None)
    assert 0.02 < machine._noise() < 0.05


def test_noise_of_this_machine_leaves_the_process_where_it_was():
    cpus = machine.os.sched_getaffinity(0)
    assert machine.noise() > 0
    assert machine.os.sched_getaffinity(0) == cpus
