# SPDX-License-Identifier: GPL-2.0-only
"""What guests that play scenarios have: swap, a file system on a disk, a second NUMA node."""

import json
import shutil
import subprocess

import pytest

from bench.vm import special

LOOK = """
import json, os
print(json.dumps({
    "swaps": [line.split()[0] for line in open("/proc/swaps")][1:],
    "mounts": {line.split()[1]: line.split()[2] for line in open("/proc/mounts")},
    "nodes": sorted(name for name in os.listdir("/sys/devices/system/node") if name.startswith("node")),
    "balancing": open("/proc/sys/kernel/numa_balancing").read().strip(),
}))
"""


def found(boot, **options):
    return json.loads("".join(boot("-c", LOOK, **options)))


def test_a_guest_that_plays_scenarios_has_what_they_need(boot):
    has = found(boot, scenarios=True)
    assert len(has["swaps"]) == 1
    assert has["mounts"]["/var/tmp"] == "ext4"
    assert has["nodes"] == ["node0", "node1"]
    assert has["balancing"] == "0", "it would unmap pages amid other scenarios"


def test_a_guest_that_measures_has_nothing_that_disturbs(boot):
    has = found(boot)
    assert (has["swaps"], has["mounts"]["/var/tmp"], has["nodes"]) == ([], "ramfs", ["node0"])


def test_util_linux_knows_the_swap_header(tmp_path):
    if shutil.which("swaplabel") is None:
        pytest.skip("no swaplabel")
    disk = tmp_path / "disk"
    disk.write_bytes(special.swap_header(1 << 20).ljust(1 << 20, b"\0"))
    done = subprocess.run(["swaplabel", "--label", "x", disk], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    disk.write_bytes(b"x" + disk.read_bytes()[: special.SWAP_BYTES][:4000].ljust((1 << 20) - 1, b"\0"))
    assert subprocess.run(["swaplabel", "--label", "x", disk], capture_output=True).returncode != 0
