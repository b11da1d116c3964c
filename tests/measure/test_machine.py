# SPDX-License-Identifier: GPL-2.0-only
"""The machine's record: what of a kernel's configuration is kept."""

from bench.measure import machine
from bench.plan import kconfig


def test_options_that_matter_are_kept_in_one_order():
    config = "CONFIG_KSM=y\nCONFIG_HZ=250\n# CONFIG_KASAN is not set\nCONFIG_HZ_250=y\nCONFIG_MEM_SOFT_DIRTY=y\n"
    assert kconfig.chosen(config) == "MEM_SOFT_DIRTY=y HZ=250 KSM=y"
    assert kconfig.chosen("") == "unknown"


def test_the_running_kernels_configuration_is_in_the_record():
    found = machine.record()["kernel_config"]
    assert found == kconfig.chosen(machine.running_config())
    assert found == "unknown" or "HZ=" in found
