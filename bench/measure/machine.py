# SPDX-License-Identifier: GPL-2.0-only
"""What this machine is, for the record, and what on it disturbs a measurement. Nothing is changed."""

from __future__ import annotations

import gzip
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple

from bench.errors import WorkerFailed
from bench.measure import isolated
from bench.measure.core import Mapping, clock_cost, hypervisor, pin, syscall_cost, tsc_rate
from bench.plan import kconfig

CPU = Path("/sys/devices/system/cpu")
THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")
NUMA = Path("/proc/sys/kernel/numa_balancing")
KSM = Path("/sys/kernel/mm/ksm/run")
DAMON_STAT = Path("/sys/module/damon_stat/parameters/enabled")
SETTLED = 10.0  # seconds since boot; until 4, clear_refs took up to twice its time in guests
# What is found of a change, in parts of the noise, with so many processes: tests/stats/test_samples.py.
FOUND, FOUND_PROCESSES = 2.0, 22
_TRIALS, _TRIAL_PAGES, _TRIAL_SECONDS = 20, 256, 0.3  # as long as many a phase is, often enough for quartiles
_HOPELESS = 0.5  # a change of which nobody needs a benchmark
_IQR = 1.349  # standard deviations
GOVERNOR = CPU / "cpu0/cpufreq/scaling_governor"


class Disturbance(NamedTuple):
    """Something that makes times here less sure, and what would end it."""

    what: str
    remedy: str


def read(path: Path) -> str:
    """Return the file's text, stripped; empty where the kernel doesn't have it or refuses."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def meminfo(field: str) -> int:
    """Return a field of /proc/meminfo in bytes; 0 where it doesn't exist."""
    for line in read(Path("/proc/meminfo")).splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return 0


def where() -> str:
    """bare-metal, kvm, tcg, or the hypervisor's own signature in small letters."""
    signature = hypervisor()
    known = {"": "bare-metal", "KVMKVMKVM": "kvm", "TCGTCGTCGTCG": "tcg"}
    return known.get(signature, f"vm-{signature.strip().lower()}")


def chosen(path: Path) -> str:
    """Return the word in brackets of a sysfs choice such as `always [madvise] never`."""
    return read(path).partition("[")[2].partition("]")[0]


def running_config() -> str:
    """Return the running kernel's configuration, empty where neither the kernel nor /boot has it."""
    try:
        return gzip.decompress(Path("/proc/config.gz").read_bytes()).decode()
    except (OSError, EOFError):
        return read(Path(f"/boot/config-{platform.release()}"))


def disturbances() -> list[Disturbance]:
    """Name what on this machine disturbs a measurement, each with its remedy."""
    return [*_of_cpus(), *_of_memory()]


def _of_cpus() -> list[Disturbance]:
    """What disturbs guests too."""
    load, cpus = os.getloadavg()[0], os.cpu_count() or 1
    governor = read(GOVERNOR)
    found = [
        (
            where() != "bare-metal",
            f"virtualised ({hypervisor()}): faults and TLB flushes cost what the hypervisor makes them cost",
            "measure on bare metal",
        ),
        (
            governor not in ("", "performance"),
            f"CPU frequency governor is {governor}",
            "cpupower frequency-set -g performance",
        ),
        (
            read(CPU / "intel_pstate/no_turbo") == "0" or read(CPU / "cpufreq/boost") == "1",
            "turbo is on: the clock rate depends on heat and neighbours",
            "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo, or echo 0 > /sys/devices/system/cpu/cpufreq/boost",
        ),
        (load > 0.25 * cpus, f"load average is {load:.2f} on {cpus} CPUs", "stop what else is running"),
    ]
    return [Disturbance(what, remedy) for present, what, remedy in found if present]


def _of_memory() -> list[Disturbance]:
    swap = meminfo("SwapTotal")
    found = [
        (
            chosen(THP) == "always",
            "transparent huge pages are always on (the mapping itself opts out)",
            f"echo madvise > {THP}",
        ),
        (
            read(NUMA) not in ("", "0"),
            "NUMA balancing unmaps pages to see who uses them",
            "sysctl kernel.numa_balancing=0",
        ),
        (read(KSM) not in ("", "0"), "KSM merges and write-protects pages", f"echo 0 > {KSM}"),
        (swap > 0, f"swap is on ({swap >> 20} MiB)", "swapoff -a"),
    ]
    return [Disturbance(what, remedy) for present, what, remedy in found if present]


def noise() -> float:
    """Return by how much of itself a fixed piece of kernel work varies here from one time to the next.

    The work is that of populating 1 MiB; its quartiles' distance counts, as the standard deviation it would be of a
    normal distribution. Takes a third of a second. Raises WorkerFailed.
    """
    said, trouble = isolated.run(lambda say: say(_noise()), 30.0)
    if trouble or not said:
        raise WorkerFailed(f"the trial of how much times vary here failed: {trouble or 'it said nothing'}")
    return float(said[0])


def _noise() -> float:
    pin(max(os.sched_getaffinity(0)))  # that of a worker
    taken: list[int] = []
    end = time.monotonic() + _TRIAL_SECONDS
    while len(taken) < _TRIALS or time.monotonic() < end:
        with Mapping(_TRIAL_PAGES) as mapping:
            taken.append(int(mapping.struct.populate_ns))
    low, middle, high = statistics.quantiles(taken, n=4)
    return (high - low) / _IQR / middle


def before(processes: int, *, guest: bool) -> list[str]:
    """Return what is to be said before times are taken: what disturbs them, and which changes can't be found.

    processes: that measure a point; guest: it is guests of this machine that do.
    """
    lines = [f"  {one.what}\n  -> {one.remedy}" for one in (_of_cpus() if guest else disturbances())]
    if lines:
        lines.insert(0, "What disturbs times here (nothing was changed):")
    try:
        varied = noise()
    except WorkerFailed as error:  # that is for where it is measured to say, which may be a guest
        return [*lines, f"{str(error)[0].upper()}{str(error)[1:]}."]
    least = FOUND * varied * (FOUND_PROCESSES / processes) ** 0.5
    lost = f"changes below about {100 * least:.1f} % won't be found" if least < _HOPELESS else "no change will be found"
    many = f"{processes} process{'es' * (processes != 1)} a point"
    return [*lines, f"A fixed piece of kernel work varied by {100 * varied:.1f} % here just now: with {many}, {lost}."]


def boot_id() -> str:
    """Return what tells this boot from all others."""
    return read(Path("/proc/sys/kernel/random/boot_id"))


def settle() -> None:
    """Wait while the kernel is busy with what its boot has put off."""
    time.sleep(max(0.0, SETTLED - time.clock_gettime(time.CLOCK_BOOTTIME)))


def record() -> dict[str, str | int | float]:
    """Return the machine's metadata: pyperf's own keys, and what is known to disturb measurements."""
    import pyperf  # noqa: PLC0415  (seconds under TCG: only where it is used)

    executable, sys.executable = sys.executable, ""  # pyperf takes no path with a newline
    try:
        found: dict[str, str | int | float] = dict(pyperf.Run((1.0,)).get_metadata())
    finally:
        sys.executable = executable
    for paths in ("python_cflags", "python_config_args"):
        found.pop(paths, None)  # results are mailed; no interpreter runs in a timed section
    flaws = CPU / "vulnerabilities"
    mitigations = (
        [f"{f.name}: {read(f)}" for f in sorted(flaws.iterdir()) if "Mitigation" in read(f)] if flaws.is_dir() else []
    )
    found |= {
        "where": where(),
        "boot_id": boot_id(),
        "kernel_release": platform.release(),
        "kernel_version": platform.version(),
        "architecture": platform.machine(),
        "page_size": os.sysconf("SC_PAGE_SIZE"),
        "memory_bytes": meminfo("MemTotal"),
        "swap_bytes": meminfo("SwapTotal"),
        "kernel_config": kconfig.chosen(running_config()),
        "cmdline": read(Path("/proc/cmdline")) or "unknown",
        "mitigations": "; ".join(mitigations) or "none",
        "thp_enabled": chosen(THP) or "not built",
        "numa_balancing": read(NUMA) or "not built",
        "ksm_run": read(KSM) or "not built",
        "damon_stat": read(DAMON_STAT) or "not built",
        "governor": read(GOVERNOR) or "none",
        "load_average": os.getloadavg()[0],
        "tsc_hz": tsc_rate(),
        "clock_ns": clock_cost(),
        "syscall_ns": syscall_cost(),
        "disturbances": "; ".join(d.what for d in disturbances()) or "none",
    }
    return found
